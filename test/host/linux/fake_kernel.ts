/**
 * A libc whose memory has made-up addresses, and which takes messages apart as the kernel does: it
 * follows the pointers and fails where one points nowhere.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { constants } from "node:os";
import { formatAddress, writeIpv4 } from "../../../lib/core/net/ip_address.ts";
import type { BatchLibc } from "../../../lib/host/linux/libc.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";

const SOL_SOCKET = 1;
const SO_DOMAIN = 39;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;
const MSG_DONTWAIT = 0x40;
const { ENOPROTOOPT } = constants.errno;

/** A message as the kernel sees it. */
export interface SeenMessage {
  /** Where it goes, such as `127.0.0.1 5`. */
  readonly to: string;
  readonly family: number;
  readonly datagrams: readonly Uint8Array[];
  /** Whether the kernel is to take it apart. */
  readonly segmented: boolean;
}

/** What a call of sendmmsg comes to: so many messages are taken, or an error. */
export type Outcome = { readonly takes: number } | { readonly error: keyof typeof constants.errno };

interface Region {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** A kernel that takes everything, unless `outcomes` say otherwise. */
export class FakeKernel implements BatchLibc {
  /** What was taken. */
  readonly taken: SeenMessage[] = [];
  /** What comes of the next calls of sendmmsg; a function looks at the first message. */
  readonly outcomes: (Outcome | ((first: SeenMessage) => Outcome | undefined))[] = [];
  /** Called for each message when `outcomes` is empty. */
  refuse: (message: SeenMessage) => keyof typeof constants.errno | undefined = () => undefined;
  /** How often sendmmsg was called, with messages. */
  calls = 0;
  /** Options by `level/name`; others are unknown. */
  readonly options = new Map<string, number>([
    [`${SOL_SOCKET}/${SO_DOMAIN}`, 2],
    [`${SOL_UDP}/${UDP_SEGMENT}`, 0],
  ]);
  /** Whether there is a sendmmsg. */
  knowsBatches = true;
  readonly #regions: Region[] = [];
  // So that structures lie across a border of 4 GB.
  #next = 0x7fff_ffff_ff00;
  #errno = 0;

  addressOf(bytes: Uint8Array): bigint {
    const start = this.#next;
    this.#regions.push({ start, bytes });
    this.#next += bytes.length + 0x1000;
    return BigInt(start);
  }

  getsockopt(
    _fd: number,
    level: number,
    name: number,
    value: Uint8Array,
    size: Uint8Array,
  ): number {
    const found = this.options.get(`${level}/${name}`);
    if (found === undefined) return this.#fail(ENOPROTOOPT);
    assertEquals(Array.from(size), [4, 0, 0, 0]);
    new DataView(value.buffer, value.byteOffset).setInt32(0, found, true);
    return 0;
  }

  sendmmsg(_fd: number, messages: Uint8Array, count: number, flags: number): number {
    if (!this.knowsBatches) return this.#fail(constants.errno.ENOSYS);
    if (count === 0) return 0;
    this.calls++;
    assertEquals(flags, MSG_DONTWAIT);
    const seen = Array.from(
      { length: count },
      (_, i) => this.#message(messages.subarray(i * 64, i * 64 + 64)),
    );
    const next = this.outcomes.shift();
    const outcome = typeof next === "function" ? next(seen[0]!) : next;
    if (outcome !== undefined && "error" in outcome) {
      return this.#fail(constants.errno[outcome.error]);
    }
    const takes = Math.min(count, outcome?.takes ?? count);
    let sent = 0;
    for (; sent < takes; sent++) {
      const error = this.refuse(seen[sent]!);
      if (error !== undefined && sent === 0) return this.#fail(constants.errno[error]);
      if (error !== undefined) break;
      this.taken.push(seen[sent]!);
    }
    return sent;
  }

  errno(): number {
    return this.#errno;
  }

  /** Called with options that are set; returns 0 or below. */
  setsockopt(_fd: number, _level: number, _name: number, _value: Uint8Array): number {
    return 0;
  }

  /** Nothing waits. */
  recvmmsg(_fd: number, _messages: Uint8Array, count: number): number {
    return count === 0 ? 0 : this.#fail(constants.errno.EAGAIN);
  }

  interfaceIndex = unused;
  socket = unused;
  bind = unused;
  connect = unused;
  send = unused;
  recv = unused;
  sendto = unused;
  recvfrom = unused;
  close = unused;

  #fail(errno: number): number {
    this.#errno = errno;
    return -1;
  }

  /** The memory at an address; a copy, as the kernel makes one. */
  #read(address: number, size: number): Uint8Array {
    const region = this.#regions.find(({ start, bytes }) =>
      address >= start && address + size <= start + bytes.length
    );
    assert(region !== undefined, `nothing lies at 0x${address.toString(16)}, ${size} bytes`);
    return region.bytes.slice(address - region.start, address - region.start + size);
  }

  #message(header: Uint8Array): SeenMessage {
    const { u32, u64 } = fields(header);
    const name = this.#read(u64(0), u32(8));
    const pieces = this.#pieces(u64(16), u64(24));
    const segment = u64(40) === 0 ? undefined : this.#segment(u64(32), u64(40));
    assertEquals([u32(12), u32(48), u32(52)], [0, 0, 0]);
    const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    assert(all.length <= 65_507, "EMSGSIZE");
    const datagrams: Uint8Array[] = [];
    for (let at = 0; segment !== undefined && at < all.length; at += segment) {
      datagrams.push(all.slice(at, at + segment));
    }
    assert(datagrams.length <= 64, "too many segments");
    return {
      ...nameOf(name),
      datagrams: segment === undefined ? [all] : datagrams,
      segmented: segment !== undefined,
    };
  }

  #pieces(address: number, count: number): Uint8Array[] {
    const vector = fields(this.#read(address, count * 16));
    return Array.from({ length: count }, (_, i) => {
      const size = vector.u64(i * 16 + 8);
      return size === 0 ? new Uint8Array(0) : this.#read(vector.u64(i * 16), size);
    });
  }

  #segment(address: number, size: number): number {
    assertEquals(size, 24);
    const bytes = this.#read(address, size);
    const { u32, u64 } = fields(bytes);
    assertEquals([u64(0), u32(8), u32(12)], [18, SOL_UDP, UDP_SEGMENT]);
    assertEquals(Array.from(bytes.subarray(18)), [0, 0, 0, 0, 0, 0]);
    const segment = bytes[16]! + bytes[17]! * 256;
    assert(segment > 0);
    return segment;
  }
}

function unused(): never {
  throw new Error("not to be called");
}

/** Fields of a structure, little-endian. */
function fields(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    u32: (at: number) => view.getUint32(at, true),
    u64: (at: number) => Number(view.getBigUint64(at, true)),
  };
}

/** Takes a struct sockaddr_in or sockaddr_in6 apart. */
function nameOf(name: Uint8Array): { readonly to: string; readonly family: number } {
  const buffer = new WireBuffer(name);
  const family = name[0]! + name[1]! * 256;
  const port = buffer.view.getUint16(2);
  if (name.length === 16) {
    assertEquals(family, 2);
    assertEquals(Array.from(name.subarray(8)), Array(8).fill(0));
    const address = new WireBuffer(16);
    writeIpv4(address, 0, buffer.view.getUint32(4));
    return { family, to: `${formatAddress(address, 0)} ${port}` };
  }
  assertEquals([family, name.length, buffer.view.getUint32(4), buffer.view.getUint32(24)], [
    10,
    28,
    0,
    0,
  ]);
  return { family, to: `${formatAddress(buffer, 8)} ${port}` };
}

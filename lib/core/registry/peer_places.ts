/**
 * Where peers can be reached, beyond the IPv4 endpoint that a {@linkcode PeerTable} has: the IPv6
 * endpoint that was seen, and what a peer says of itself and of the way to its port.
 *
 * What peers say lies as in a record, without ages, in a pool.
 *
 * @module
 */

import { copyBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import {
  CANDIDATE,
  type Candidate,
  type CandidateList,
  MAX_CANDIDATES,
  readCandidate,
  writeCandidate,
} from "../../wire/wgsig2/candidate.ts";
import { natOfFlags, PATH_FLAGS } from "../../wire/wgsig2/nat.ts";
import { ADDRESS_SIZE } from "../net/ip_address.ts";
import { BlockPool } from "./block_pool.ts";
import { grown, larger } from "../net/grown.ts";

/** Beside the two that are seen, a record has room for so many. */
const MOST_SAID = MAX_CANDIDATES - 2;
/** Size of the largest candidate without its age, in bytes. */
const LARGEST = 3 + ADDRESS_SIZE;
const FIRST_PEERS = 64;

/** Places of peers, which are numbers. */
export class PeerPlaces {
  // By peer.
  #addresses = new WireBuffer(FIRST_PEERS * ADDRESS_SIZE);
  #ports = new Uint16Array(FIRST_PEERS);
  /** When the IPv6 endpoint was seen; NaN where none was. */
  #seenAt = new Float64Array(FIRST_PEERS);
  #saidAt = new Float64Array(FIRST_PEERS);
  /** Its block, where it has said something. */
  #blocks = new Int32Array(FIRST_PEERS);
  /** How many bytes of it are used. */
  #sizes = new Uint8Array(FIRST_PEERS);
  /** What it says of the way to its port. */
  #flags = new Uint8Array(FIRST_PEERS);

  /** By value of `NAT`: how many peers say so. */
  readonly #nats = new Int32Array(4);
  #seen = 0;

  readonly #pool = new BlockPool(MOST_SAID * LARGEST);
  readonly #scratch = new WireBuffer(MOST_SAID * LARGEST);

  /** Makes room for the peers below `count`. */
  reserve(count: number): void {
    if (count <= this.#ports.length) return;
    this.#addresses = larger(this.#addresses, count * ADDRESS_SIZE);
    this.#ports = grown(this.#ports, new Uint16Array(count));
    this.#seenAt = grown(this.#seenAt, new Float64Array(count));
    this.#saidAt = grown(this.#saidAt, new Float64Array(count));
    this.#blocks = grown(this.#blocks, new Int32Array(count));
    this.#sizes = grown(this.#sizes, new Uint8Array(count));
    this.#flags = grown(this.#flags, new Uint8Array(count));
  }

  /** A peer comes into the directory, of whom nothing is known. */
  begin(peer: number): void {
    this.#seenAt[peer] = NaN;
  }

  /** When the IPv6 endpoint of a peer was seen, on the monotonic clock; NaN where there is none. */
  seenAt(peer: number): number {
    return this.#seenAt[peer]!;
  }

  /** When a peer has last said where it is, on the monotonic clock. */
  saidAt(peer: number): number {
    return this.#saidAt[peer]!;
  }

  /** Whether anything is known of a peer. */
  isAnywhere(peer: number): boolean {
    return !Number.isNaN(this.#seenAt[peer]!) || this.#sizes[peer]! > 0 || this.#flags[peer] !== 0;
  }

  /** What a peer says of the way to its port: `PATH_FLAGS`. */
  flagsOf(peer: number): number {
    return this.#flags[peer]!;
  }

  /** How many say that their NAT is of a kind, a value of `NAT` other than that it isn't known. */
  countOfNat(nat: number): number {
    return this.#nats[nat]!;
  }

  /** How many were seen over IPv6. */
  get seenCount(): number {
    return this.#seen;
  }

  /** The IPv6 addresses that were seen; see {@linkcode addressAt}. Another buffer after it has grown. */
  get addresses(): WireBuffer {
    return this.#addresses;
  }

  /** Where the 16-byte address of a peer lies. */
  addressAt(peer: number): number {
    return peer * ADDRESS_SIZE;
  }

  /** The port of that endpoint. */
  portOf(peer: number): number {
    return this.#ports[peer]!;
  }

  /** Whether a peer was seen over IPv6 in the /64 of the address at `at`. */
  isInSubnet(peer: number, { view }: WireBuffer, at: number): boolean {
    const own = this.#addresses.view;
    const addressAt = this.addressAt(peer);
    return !Number.isNaN(this.#seenAt[peer]!) && own.getInt32(addressAt) === view.getInt32(at) &&
      own.getInt32(addressAt + 4) === view.getInt32(at + 4);
  }

  /** Whether a peer was seen over IPv6 at the address at `at`, whatever the port. */
  isSeenAt(peer: number, sources: WireBuffer, at: number): boolean {
    return !Number.isNaN(this.#seenAt[peer]!) &&
      areEqual(sources, at, this.#addresses, this.addressAt(peer), ADDRESS_SIZE);
  }

  /** Takes down where a peer was seen over IPv6, and returns whether that is another than before. */
  see(peer: number, sources: WireBuffer, at: number, port: number, mono: number): boolean {
    const addressAt = this.addressAt(peer);
    const isOther = !(this.#seenAt[peer]! <= mono) || this.#ports[peer] !== port ||
      !areEqual(sources, at, this.#addresses, addressAt, ADDRESS_SIZE);
    if (Number.isNaN(this.#seenAt[peer]!)) this.#seen++;
    this.#seenAt[peer] = mono;
    if (!isOther) return false;
    this.#ports[peer] = port;
    copyBytes(sources, at, this.#addresses, addressAt, ADDRESS_SIZE);
    return true;
  }

  /**
   * Takes down what a peer says of itself, and returns whether that is another than before.
   *
   * @param flags `PATH_FLAGS` are taken over.
   */
  say(peer: number, candidates: CandidateList, flags: number, mono: number): boolean {
    const isOther = this.#flags[peer] !== (flags & PATH_FLAGS);
    this.#setFlags(peer, flags & PATH_FLAGS);
    return this.#sayWhere(peer, candidates, mono) || isOther;
  }

  #sayWhere(peer: number, { slots, count }: CandidateList, mono: number): boolean {
    const scratch = this.#scratch;
    let size = 0;
    for (let i = 0; i < Math.min(count, MOST_SAID); i++) {
      size = writeCandidate(slots[i]!, scratch, size);
    }
    this.#saidAt[peer] = mono;
    const before = this.#sizes[peer]!;
    const pool = this.#pool;
    const block = this.#blocks[peer]!;
    if (
      size === before &&
      (size === 0 || areEqual(scratch, 0, pool.bufferOf(block), pool.offsetOf(block), size))
    ) return false;
    if (!pool.fits(before, size)) {
      this.#release(peer);
      if (size > 0) this.#blocks[peer] = pool.take(size);
    }
    this.#sizes[peer] = size;
    if (size > 0) {
      const to = this.#blocks[peer]!;
      copyBytes(scratch, 0, pool.bufferOf(to), pool.offsetOf(to), size);
    }
    return true;
  }

  /** Forgets all places of a peer. */
  forget(peer: number): void {
    if (!Number.isNaN(this.#seenAt[peer]!)) this.#seen--;
    this.#seenAt[peer] = NaN;
    this.#setFlags(peer, 0);
    this.#release(peer);
  }

  /** Reads the IPv6 endpoint that was seen into a slot; there must be one. */
  readSeen(peer: number, into: Candidate, mono: number): void {
    into.kind = CANDIDATE.seen;
    copyBytes(this.#addresses, this.addressAt(peer), into.address, 0, ADDRESS_SIZE);
    into.port = this.#ports[peer]!;
    into.age = Math.max(0, Math.floor(mono - this.#seenAt[peer]!));
  }

  /** Adds what a peer says of itself to a list; those on its LAN only where `isNear`. */
  readSaid(peer: number, into: CandidateList, isNear: boolean, mono: number): void {
    const size = this.#sizes[peer]!;
    if (size === 0) return;
    const age = Math.max(0, Math.floor(mono - this.#saidAt[peer]!));
    const block = this.#blocks[peer]!;
    const buffer = this.#pool.bufferOf(block);
    const end = this.#pool.offsetOf(block) + size;
    for (let at = end - size; at < end && into.count < MAX_CANDIDATES;) {
      const slot = into.slots[into.count]!;
      at = readCandidate(buffer, at, end, slot);
      slot.age = age;
      if (isNear || slot.kind !== CANDIDATE.lan) into.count++;
    }
  }

  #setFlags(peer: number, flags: number): void {
    this.#nats[natOfFlags(this.#flags[peer]!)]!--;
    this.#nats[natOfFlags(flags)]!++;
    this.#flags[peer] = flags;
  }

  #release(peer: number): void {
    const size = this.#sizes[peer]!;
    if (size > 0) this.#pool.giveBack(this.#blocks[peer]!, size);
    this.#sizes[peer] = 0;
  }
}

/** No secret: it may end early. */
function areEqual(a: WireBuffer, aAt: number, b: WireBuffer, bAt: number, size: number): boolean {
  for (let i = 0; i < size; i++) if (a.bytes[aAt + i] !== b.bytes[bAt + i]) return false;
  return true;
}

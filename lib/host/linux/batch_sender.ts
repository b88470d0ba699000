/**
 * Sends the answers to a batch of datagrams with as few system calls as can be, on the descriptor of
 * a socket that a runtime opened: many messages a call (sendmmsg), and many datagrams to one client
 * as one message that the kernel or the network card takes apart (UDP_SEGMENT, Linux 4.18).
 * Sources: sendmmsg(2), udp(7), socket(7).
 *
 * @module
 */

import { constants } from "node:os";
import { BATCH_SIZE, type DatagramBatch, type ReplyBatch } from "../../core/net/datagram_batch.ts";
import { readIpv4 } from "../../core/net/ip_address.ts";
import { copyBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { codedError, errorCode } from "../error.ts";
import type { HostPort } from "../../core/net/host_port.ts";
import { errnoName } from "./errno.ts";
import type { BatchLibc } from "./libc.ts";
import { MessageVector, Pointer, pointersTo, SOL_UDP, UDP_SEGMENT } from "./message_vector.ts";
import {
  AF_INET,
  AF_INET6,
  SOCKADDR_IN6_SIZE,
  SOCKADDR_IN_SIZE,
  socketAddress,
} from "./socket_address.ts";
import { readOption, SOL_SOCKET } from "./socket_options.ts";

const SO_DOMAIN = 39;
const MSG_DONTWAIT = 0x40;
/** Room for one receiver. */
const NAME_SIZE = 32;
/** Where the scope is, in words of 32 bits. */
const SCOPE = 6;
/** The most datagrams that older kernels take as one message. */
const MAX_SEGMENTS = 64;
/** The most bytes in a message: an IPv4 packet's without the headers. */
const MAX_MESSAGE_SIZE = 65_507;

const { EAGAIN, EINVAL, EIO, EMSGSIZE } = constants.errno;
/**
 * Why a message of many datagrams is refused that could be sent one by one: they don't fit the path
 * whole, or it leads through IPsec or a card that can't make checksums.
 */
const REFUSED: readonly number[] = [EINVAL, EIO, EMSGSIZE];

/** Where the datagrams of a batch came from. */
export interface Sources {
  readonly batch: DatagramBatch;
  /** The number of the interface that each link-local one is on; 0 of others. */
  readonly scopes: Uint32Array;
}

/** Sends answers. It belongs to one socket. */
export class BatchSender {
  readonly #libc: BatchLibc;
  readonly #ipv4: boolean;
  readonly #segments: boolean;
  readonly #onSendError: (code: string, to?: HostPort) => void;
  /** Where the only datagram that is being sent goes, if it is only one. */
  #to: HostPort | undefined;
  readonly #vector: MessageVector;
  readonly #singles: MessageVector;
  /** Of the senders of a batch, and of its replies' own destinations. */
  readonly #names = new WireBuffer(2 * BATCH_SIZE * NAME_SIZE);
  readonly #scopes = new Uint32Array(this.#names.bytes.buffer);
  /** To each receiver. */
  readonly #nameAt: readonly Pointer[];
  readonly #nameSize: number;
  readonly #starts = new WeakMap<ArrayBufferLike, Pointer>();
  /** What was looked up last: one buffer has most answers of a batch. */
  #bytes: Uint8Array | undefined;
  readonly #bytesAt = new Pointer();
  /** Where the next datagram lies. */
  readonly #next = new Pointer();
  #fd = -1;
  /** Whether the socket's buffer is full. */
  #full = false;

  /**
   * @param ipv4 Whether the socket is one of IPv4.
   * @param segments Whether it knows UDP_SEGMENT. An older kernel would pass over it, and send what
   *   was to be many datagrams as one.
   * @param onSendError See `UdpOptions`; called once per datagram.
   */
  constructor(
    libc: BatchLibc,
    ipv4: boolean,
    segments: boolean,
    onSendError: (code: string, to?: HostPort) => void,
  ) {
    this.#libc = libc;
    this.#ipv4 = ipv4;
    this.#segments = segments;
    this.#onSendError = onSendError;
    this.#vector = new MessageVector(libc);
    this.#singles = new MessageVector(libc);
    this.#nameAt = pointersTo(libc.addressOf(this.#names.bytes), 2 * BATCH_SIZE, NAME_SIZE);
    this.#nameSize = ipv4 ? SOCKADDR_IN_SIZE : SOCKADDR_IN6_SIZE;
    const families = new Uint16Array(this.#names.bytes.buffer);
    for (let i = 0; i < families.length; i += NAME_SIZE / 2) {
      families[i] = ipv4 ? AF_INET : AF_INET6;
    }
  }

  /**
   * Sends all `replies` to where the datagrams of a batch came from, or to their own destinations.
   *
   * It never waits: when the socket's buffer is full, the rest is lost, as it would be on the way
   * (`ENOBUFS`).
   *
   * @param fd The socket, open still.
   * @param from Undefined where there are only own destinations.
   */
  send(fd: number, from: Sources | undefined, replies: ReplyBatch): void {
    const vector = this.#vector;
    vector.clear();
    this.#fd = fd;
    this.#full = false;
    /** Whose datagrams of which size the last message has, and how many more it can have. */
    let receiver = -1;
    let segment = -1;
    let room = 0;
    for (let i = 0; i < replies.count; i++) {
      const to = replies.to[i]!;
      const size = replies.sizes[i]!;
      const bytes = replies.buffers[i]!;
      const offset = replies.offsets[i]!;
      let left = replies.runs[i]!;
      if (offset < 0 || size < 0 || offset + size * left > bytes.byteLength) {
        // What lies behind a buffer must never be sent.
        this.#fail(left, "EFAULT");
        continue;
      }
      this.#find(bytes);
      this.#next.setBehind(this.#bytesAt, offset);
      while (left > 0) {
        if (vector.isFull) {
          this.#transmit(vector);
          vector.clear();
          room = 0;
        }
        if (this.#full) {
          this.#fail(left, "ENOBUFS");
          break;
        }
        if (to !== receiver) this.#name(to, from, replies);
        if (room === 0 || to !== receiver || size !== segment) {
          vector.begin(this.#nameAt[to]!, this.#nameSize);
          room = this.#roomFor(size);
          receiver = to;
          segment = size;
        }
        const count = Math.min(left, room);
        vector.add(this.#next, size, count);
        this.#next.setBehind(this.#next, size * count);
        room -= count;
        left -= count;
      }
    }
    this.#transmit(vector);
  }

  /**
   * Sends one datagram. The bytes are the caller's again when it returns.
   *
   * @param to An IP address, perhaps with a scope, and a port.
   */
  sendOne(fd: number, bytes: Uint8Array, to: HostPort): void {
    try {
      const name = socketAddress(to.host, to.port, (each) => this.#libc.interfaceIndex(each));
      if (name.length !== this.#nameSize) throw codedError("EAFNOSUPPORT");
      this.#names.bytes.set(name);
    } catch (error) {
      return this.#onSendError(errorCode(error), to);
    }
    const vector = this.#vector;
    vector.clear();
    vector.begin(this.#nameAt[0]!, this.#nameSize);
    this.#find(bytes);
    vector.add(this.#bytesAt, bytes.length, 1);
    this.#fd = fd;
    this.#to = to;
    this.#transmit(vector);
    this.#to = undefined;
  }

  /** How many datagrams of a size fit a message. */
  #roomFor(size: number): number {
    if (!this.#segments || size === 0) return 1;
    return Math.max(1, Math.min(MAX_SEGMENTS, Math.floor(MAX_MESSAGE_SIZE / size)));
  }

  /** Sends what is in a vector. */
  #transmit(vector: MessageVector): void {
    let from = 0;
    let tried = false;
    while (from < vector.count) {
      const sent = this.#libc.sendmmsg(
        this.#fd,
        vector.from(from),
        vector.count - from,
        MSG_DONTWAIT,
      );
      if (sent > 0) {
        from += sent;
        tried = false;
        continue;
      }
      const errno = this.#libc.errno();
      const datagrams = vector.datagrams[from]!;
      if (errno === EAGAIN) {
        this.#full = true;
        for (; from < vector.count; from++) this.#fail(vector.datagrams[from]!, "ENOBUFS");
      } else if (datagrams > 1 && REFUSED.includes(errno)) {
        this.#singles.clear();
        vector.split(from++, this.#singles);
        this.#transmit(this.#singles);
        tried = false;
      } else {
        // It may be what became of an earlier datagram, and then this one was not looked at.
        if (tried) {
          from++;
          this.#fail(datagrams, errnoName(errno));
        }
        tried = !tried;
      }
    }
  }

  #fail(datagrams: number, code: string): void {
    for (; datagrams > 0; datagrams--) this.#onSendError(code, this.#to);
  }

  /** Writes where datagram `to` of the batch came from, or where a destination is. */
  #name(to: number, from: Sources | undefined, replies: ReplyBatch): void {
    const names = this.#names;
    const at = to * NAME_SIZE;
    const isOwn = to >= BATCH_SIZE || from === undefined;
    const addresses = isOwn ? replies.destinations : from.batch.sources;
    const addressAt = isOwn ? replies.destinationAt(to) : from.batch.sourceAt(to);
    names.view.setUint16(at + 2, isOwn ? replies.destinationPort(to) : from.batch.sourcePort(to));
    if (this.#ipv4) names.view.setUint32(at + 4, readIpv4(addresses, addressAt));
    else {
      copyBytes(addresses, addressAt, names, at + 8, 16);
      this.#scopes[at / 4 + SCOPE]! = isOwn ? 0 : from.scopes[to]!;
    }
  }

  /** Finds where bytes lie in memory. They don't move then: see {@linkcode BatchLibc.addressOf}. */
  #find(bytes: Uint8Array): void {
    if (bytes === this.#bytes || bytes.byteLength === 0) return;
    const { buffer } = bytes;
    let start = this.#starts.get(buffer);
    if (start === undefined) {
      start = new Pointer();
      start.set(this.#libc.addressOf(new Uint8Array(buffer)));
      this.#starts.set(buffer, start);
    }
    this.#bytes = bytes;
    this.#bytesAt.setBehind(start, bytes.byteOffset);
  }
}

/**
 * What sends the answers of a UDP socket, or undefined where the system can't do it this way.
 *
 * @param fd The socket.
 * @param onSendError See `UdpOptions`; called once per datagram.
 */
export function batchSenderFor(
  libc: BatchLibc,
  fd: number,
  onSendError: (code: string, to?: HostPort) => void,
): BatchSender | undefined {
  const family = readOption(libc, fd, SOL_SOCKET, SO_DOMAIN);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const nothing = new Uint8Array(1);
  if (libc.sendmmsg(fd, nothing, 0, MSG_DONTWAIT) !== 0) return undefined;
  if (libc.recvmmsg(fd, nothing, 0, MSG_DONTWAIT) !== 0) return undefined;
  const segments = readOption(libc, fd, SOL_UDP, UDP_SEGMENT) !== undefined;
  return new BatchSender(libc, family === AF_INET, segments, onSendError);
}

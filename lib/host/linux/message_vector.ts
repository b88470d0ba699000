/**
 * Messages as sendmmsg(2) takes them, in kept memory, on 64-bit little-endian Linux. musl declares
 * some of the lengths as 32 bits and padding: with the padding zero it is the same.
 *
 * ```
 *  0             8       12  16     24       32        40          48      56       60  64
 * +-------------+-------+---+------+--------+---------+-----------+-------+--------+---+
 * | name        | name  |   | iov  | iov    | control | control   | flags | sent   |   |  mmsghdr
 * |             | size  |   |      | count  |         | size      |       |        |   |
 * +-------------+-------+---+------+--------+---------+-----------+-------+--------+---+
 *
 *  0      8      16        0      8       12     16             18   24
 * +------+------+         +------+-------+------+--------------+----+
 * | base | size |  iovec  | size | level | type | segment size |    |  cmsghdr of UDP_SEGMENT
 * +------+------+         +------+-------+------+--------------+----+
 * ```
 * Sources: sendmmsg(2), sendmsg(2), cmsg(3), udp(7).
 *
 * @module
 */

import type { BatchLibc } from "./libc.ts";

/** The level of UDP's options. */
export const SOL_UDP = 17;
/** A message's segments become a datagram each. */
export const UDP_SEGMENT = 103;

/** The most messages in a vector, and the most pieces of memory of all of them. */
export const VECTOR_SIZE = 128;
const HEADER_SIZE = 64;
const PIECE_SIZE = 16;
const CONTROL_SIZE = 24;
/** What a control message counts as its own size: without the padding at its end. */
const CONTROL_LENGTH = 18;
const PIECES = VECTOR_SIZE * HEADER_SIZE;
const CONTROLS = PIECES + VECTOR_SIZE * PIECE_SIZE;
const TOTAL = CONTROLS + VECTOR_SIZE * CONTROL_SIZE;

// All fields are written as words of 32 bits.
const HEADER_WORDS = HEADER_SIZE / 4;
const PIECE_WORDS = PIECE_SIZE / 4;
const CONTROL_WORDS = CONTROL_SIZE / 4;
const FIRST_PIECE = PIECES / 4;
const FIRST_CONTROL = CONTROLS / 4;
const NAME = 0;
const NAME_SIZE = 2;
const IOV = 4;
const IOV_COUNT = 6;
const CONTROL = 8;
const CONTROL_ROOM = 10;
const PIECE_LENGTH = 2;
const LEVEL = 2;
const TYPE = 3;
const SEGMENT = 4;
/** Makes the order of signed numbers that of unsigned ones. */
const SIGN = 1 << 31;

/**
 * An address in memory, as its lower and its upper 32 bits, both signed: engines count with such
 * numbers much faster than with 48 bits (a batch of 64 answers was a fifth faster).
 */
export class Pointer {
  /** The lower 32 bits. */
  low = 0;
  /** The upper 32 bits. */
  high = 0;

  /** Makes it point where `address` says. */
  set(address: bigint): void {
    this.low = Number(BigInt.asIntN(32, address));
    this.high = Number(BigInt.asIntN(32, address >> 32n));
  }

  /** Makes it point `offset` bytes behind `start`, 0 to 2^31 - 1. */
  setBehind(start: Pointer, offset: number): void {
    const low = (start.low + offset) | 0;
    this.low = low;
    this.high = start.high + ((low ^ SIGN) < (start.low ^ SIGN) ? 1 : 0);
  }
}

/** Pointers to `count` places side by side, `size` bytes each. */
export function pointersTo(address: bigint, count: number, size: number): Pointer[] {
  return Array.from({ length: count }, (_, i) => {
    const pointer = new Pointer();
    pointer.set(address + BigInt(i * size));
    return pointer;
  });
}

/** Up to 128 messages. */
export class MessageVector {
  /** How many messages there are. */
  count: number = 0;
  /** How many datagrams message `i` becomes. */
  readonly datagrams: Int32Array = new Int32Array(VECTOR_SIZE);
  readonly #words = new Uint32Array(TOTAL / 4);
  readonly #bytes = new Uint8Array(this.#words.buffer);
  /** To each place for a piece. */
  readonly #pieceAt: readonly Pointer[];
  /** Which place the pieces of message `i` begin at. */
  readonly #firstPiece = new Int32Array(VECTOR_SIZE);
  readonly #single = new Pointer();
  #pieces = 0;

  /** Makes a vector without messages. */
  constructor(libc: BatchLibc) {
    const start = libc.addressOf(this.#bytes);
    this.#pieceAt = pointersTo(start + BigInt(PIECES), VECTOR_SIZE, PIECE_SIZE);
    const controls = pointersTo(start + BigInt(CONTROLS), VECTOR_SIZE, CONTROL_SIZE);
    for (let i = 0; i < VECTOR_SIZE; i++) {
      this.#point(i * HEADER_WORDS + CONTROL, controls[i]!);
      const control = FIRST_CONTROL + i * CONTROL_WORDS;
      this.#words[control] = CONTROL_LENGTH;
      this.#words[control + LEVEL] = SOL_UDP;
      this.#words[control + TYPE] = UDP_SEGMENT;
    }
  }

  /** Whether nothing can be added. */
  get isFull(): boolean {
    // A message has at least one piece.
    return this.#pieces === VECTOR_SIZE;
  }

  /** Removes all messages. */
  clear(): void {
    this.count = 0;
    this.#pieces = 0;
  }

  /**
   * Begins a message without pieces; there must be room for one.
   *
   * @param name To the receiver's struct sockaddr.
   * @param nameSize The bytes of that.
   */
  begin(name: Pointer, nameSize: number): void {
    const i = this.count++;
    const words = this.#words;
    const at = i * HEADER_WORDS;
    this.datagrams[i] = 0;
    this.#point(at + NAME, name);
    words[at + NAME_SIZE] = nameSize;
    this.#firstPiece[i] = this.#pieces;
    this.#point(at + IOV, this.#pieceAt[this.#pieces]!);
    words[at + IOV_COUNT] = 0;
    words[at + CONTROL_ROOM] = 0;
  }

  /**
   * Adds a piece of memory to the last message: `datagrams` of `size` bytes each, side by side. All
   * pieces of a message have the same `size`. There must be room.
   */
  add(start: Pointer, size: number, datagrams: number): void {
    const i = this.count - 1;
    const words = this.#words;
    const at = i * HEADER_WORDS;
    const piece = FIRST_PIECE + this.#pieces++ * PIECE_WORDS;
    this.#point(piece, start);
    words[piece + PIECE_LENGTH] = size * datagrams;
    words[at + IOV_COUNT]!++;
    const all = this.datagrams[i]! += datagrams;
    if (all === 1) return;
    words[at + CONTROL_ROOM] = CONTROL_SIZE;
    words[FIRST_CONTROL + i * CONTROL_WORDS + SEGMENT] = size;
  }

  /** Adds each datagram of message `i` to `target`, as a message of its own. */
  split(i: number, target: MessageVector): void {
    const words = this.#words;
    const at = i * HEADER_WORDS;
    const size = words[FIRST_CONTROL + i * CONTROL_WORDS + SEGMENT]!;
    const name = this.#pointerAt(at + NAME);
    const nameSize = words[at + NAME_SIZE]!;
    for (let n = 0; n < words[at + IOV_COUNT]!; n++) {
      const piece = FIRST_PIECE + (this.#firstPiece[i]! + n) * PIECE_WORDS;
      const start = this.#pointerAt(piece);
      for (let from = 0; from < words[piece + PIECE_LENGTH]!; from += size) {
        this.#single.setBehind(start, from);
        target.begin(name, nameSize);
        target.add(this.#single, size, 1);
      }
    }
  }

  /** The messages from `i` on, as sendmmsg(2) takes them. */
  from(i: number): Uint8Array {
    return i === 0 ? this.#bytes : this.#bytes.subarray(i * HEADER_SIZE);
  }

  #point(at: number, { low, high }: Pointer): void {
    this.#words[at] = low;
    this.#words[at + 1] = high;
  }

  #pointerAt(at: number): Pointer {
    const pointer = new Pointer();
    pointer.low = this.#words[at]! | 0;
    pointer.high = this.#words[at + 1]! | 0;
    return pointer;
  }
}

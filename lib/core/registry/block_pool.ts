/**
 * Bytes of different lengths, in blocks of whole units; what is given back is used again for the same
 * number of units.
 *
 * They lie in buffers of 1 MB, of which the first grows to that by doubling: so that not much is copied
 * at once, however many there are.
 *
 * @module
 */

import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { NONE } from "../net/none.ts";
import { larger } from "../net/grown.ts";

/** Size of a unit, in bytes. */
const UNIT = 16;
const FIRST_UNITS = 64;
/** Units of a buffer: a block's number has that of its buffer above 16 bits. */
const SEGMENT_BITS = 16;
const SEGMENT_UNITS = 1 << SEGMENT_BITS;

/** Hands out blocks. */
export class BlockPool {
  readonly #buffers = [new WireBuffer(FIRST_UNITS * UNIT)];
  #used = 0;
  /** Units that were handed out, and not given back. */
  #out = 0;
  readonly #most: number;
  /** By size in units: the first free block, whose first word is the next one. */
  readonly #free: Int32Array;

  /**
   * Makes an empty pool.
   *
   * @param largest The most bytes of a block.
   * @param most The most bytes of all blocks together.
   */
  constructor(largest: number, most = Infinity) {
    this.#free = new Int32Array(unitsFor(largest) + 1).fill(NONE);
    this.#most = most;
  }

  /** How many bytes are handed out, the rest of their last units among them. */
  get inUse(): number {
    return this.#out * UNIT;
  }

  /** Holds a block, where {@linkcode offsetOf} says. Another buffer after the pool has grown. */
  bufferOf(block: number): WireBuffer {
    return this.#buffers[block >>> SEGMENT_BITS]!;
  }

  /** Where a block begins in its buffer. */
  offsetOf(block: number): number {
    return (block & (SEGMENT_UNITS - 1)) * UNIT;
  }

  /** Whether a block of `before` bytes serves for `size` as it is. */
  fits(before: number, size: number): boolean {
    return unitsFor(before) === unitsFor(size);
  }

  /** A block of `size` bytes, 1 or more; NONE where there is no room for it. */
  take(size: number): number {
    const units = unitsFor(size);
    const free = this.#free[units]!;
    if (free !== NONE) {
      this.#free[units] = this.bufferOf(free).view.getInt32(this.offsetOf(free));
      this.#out += units;
      return free;
    }
    const block = this.#nextOf(units);
    if ((block + units) * UNIT > this.#most) return NONE;
    this.#makeRoom(block, units);
    this.#used = block + units;
    this.#out += units;
    return block;
  }

  /** Takes a block of `size` bytes back, 1 or more. */
  giveBack(block: number, size: number): void {
    const units = unitsFor(size);
    this.#out -= units;
    this.bufferOf(block).view.setInt32(this.offsetOf(block), this.#free[units]!);
    this.#free[units] = block;
  }

  /** Where the next block of so many units begins: it lies in one buffer. What is left of one is lost. */
  #nextOf(units: number): number {
    const isCut = (this.#used & (SEGMENT_UNITS - 1)) + units > SEGMENT_UNITS;
    return isCut ? (this.#used | (SEGMENT_UNITS - 1)) + 1 : this.#used;
  }

  #makeRoom(block: number, units: number): void {
    const buffer = this.#buffers[block >>> SEGMENT_BITS];
    if (buffer === undefined) this.#buffers.push(new WireBuffer(SEGMENT_UNITS * UNIT));
    else if (this.offsetOf(block) + units * UNIT > buffer.size) {
      const size = Math.max(2 * buffer.size, this.offsetOf(block) + units * UNIT);
      this.#buffers[block >>> SEGMENT_BITS] = larger(buffer, Math.min(size, SEGMENT_UNITS * UNIT));
    }
  }
}

function unitsFor(size: number): number {
  return Math.ceil(size / UNIT);
}

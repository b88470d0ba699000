/**
 * Bytes of different lengths in one buffer, in blocks of whole units; what is given back is used again
 * for the same number of units.
 *
 * @module
 */

import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { NONE } from "../net/none.ts";

/** Size of a unit, in bytes. */
const UNIT = 16;
const FIRST_UNITS = 64;

/** Hands out blocks. */
export class BlockPool {
  #buffer = new WireBuffer(FIRST_UNITS * UNIT);
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

  /** Holds the blocks. Another buffer after it has grown. */
  get buffer(): WireBuffer {
    return this.#buffer;
  }

  /** Where a block begins. */
  offsetOf(block: number): number {
    return block * UNIT;
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
      this.#free[units] = this.#buffer.view.getInt32(free * UNIT);
      this.#out += units;
      return free;
    }
    const end = (this.#used + units) * UNIT;
    if (end > this.#most) return NONE;
    if (end > this.#buffer.size) {
      const buffer = new WireBuffer(Math.max(2 * this.#buffer.size, end));
      buffer.bytes.set(this.#buffer.bytes);
      this.#buffer = buffer;
    }
    const block = this.#used;
    this.#used += units;
    this.#out += units;
    return block;
  }

  /** Takes a block of `size` bytes back, 1 or more. */
  giveBack(block: number, size: number): void {
    const units = unitsFor(size);
    this.#out -= units;
    this.#buffer.view.setInt32(block * UNIT, this.#free[units]!);
    this.#free[units] = block;
  }
}

function unitsFor(size: number): number {
  return Math.ceil(size / UNIT);
}

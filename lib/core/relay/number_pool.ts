/**
 * Numbers for what a table holds.
 *
 * @module
 */

import { NONE } from "../net/none.ts";

/** Hands out the numbers below a capacity, and takes them back. */
export class NumberPool {
  /** Numbers that came back. */
  readonly #free: Int32Array;
  #freeCount = 0;
  /** All below are given out, or free. */
  #end = 0;

  /** All are there. */
  constructor(capacity: number) {
    this.#free = new Int32Array(capacity);
  }

  /** How many are given out. */
  get count(): number {
    return this.#end - this.#freeCount;
  }

  /** All that are given out are below this. */
  get end(): number {
    return this.#end;
  }

  /** A number, or NONE where all are given out. */
  take(): number {
    if (this.#freeCount > 0) return this.#free[--this.#freeCount]!;
    return this.#end < this.#free.length ? this.#end++ : NONE;
  }

  /** Takes back a number that was given out. */
  giveBack(number: number): void {
    this.#free[this.#freeCount++] = number;
  }
}

/**
 * The order in which peers were last seen: a doubly linked list over numbers, in typed arrays.
 *
 * @module
 */

import { NONE } from "../net/none.ts";

/** Numbers from the one seen last to the one seen longest ago. */
export class RecencyList {
  #newer: Int32Array;
  #older: Int32Array;
  #newest = NONE;
  #oldest = NONE;

  /** Makes an empty list for the numbers below `capacity`. */
  constructor(capacity: number) {
    this.#newer = new Int32Array(capacity);
    this.#older = new Int32Array(capacity);
  }

  /** The number that was seen last, or NONE. */
  get newest(): number {
    return this.#newest;
  }

  /** The number that was seen longest ago, or NONE. */
  get oldest(): number {
    return this.#oldest;
  }

  /** The number that was seen next after `number`, or NONE. */
  newerThan(number: number): number {
    return this.#newer[number]!;
  }

  /** The number that was seen last before `number`, or NONE. */
  olderThan(number: number): number {
    return this.#older[number]!;
  }

  /** The numbers that were seen last, the last one first: `most` at most. */
  newestOnes(most: number): number[] {
    const found: number[] = [];
    for (let each = this.#newest; each !== NONE && found.length < most;) {
      found.push(each);
      each = this.#older[each]!;
    }
    return found;
  }

  /** Puts in a number that is not there, as the one seen last. */
  addNewest(number: number): void {
    this.#newer[number] = NONE;
    this.#older[number] = this.#newest;
    if (this.#newest !== NONE) this.#newer[this.#newest] = number;
    else this.#oldest = number;
    this.#newest = number;
  }

  /** Puts in a number that is not there, as the one seen longest ago. */
  addOldest(number: number): void {
    this.#older[number] = NONE;
    this.#newer[number] = this.#oldest;
    if (this.#oldest !== NONE) this.#older[this.#oldest] = number;
    else this.#newest = number;
    this.#oldest = number;
  }

  /** Takes out a number that is there. */
  remove(number: number): void {
    const newer = this.#newer[number]!;
    const older = this.#older[number]!;
    if (newer !== NONE) this.#older[newer] = older;
    else this.#newest = older;
    if (older !== NONE) this.#newer[older] = newer;
    else this.#oldest = newer;
  }

  /** Takes all out. */
  clear(): void {
    this.#newest = this.#oldest = NONE;
  }

  /** Makes room for the numbers below `capacity`, which is more than before. */
  grow(capacity: number): void {
    const newer = new Int32Array(capacity);
    const older = new Int32Array(capacity);
    newer.set(this.#newer);
    older.set(this.#older);
    this.#newer = newer;
    this.#older = older;
  }
}

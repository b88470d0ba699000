/**
 * An index by hashes whose size is fixed: items of the same bucket are a chain. What an item is, its
 * owner compares.
 *
 * @module
 */

import { NONE } from "../net/none.ts";

/** Finds items, which are numbers below a capacity. Memory that was never used is never touched. */
export class HashChains {
  /** The first item of each bucket + 1, or 0; */
  readonly #first: Int32Array;
  /** and the next one after each. */
  readonly #next: Int32Array;
  readonly #mask: number;

  /** Makes an empty one. */
  constructor(capacity: number) {
    const buckets = 2 ** Math.ceil(Math.log2(capacity));
    this.#first = new Int32Array(buckets);
    this.#next = new Int32Array(capacity);
    this.#mask = buckets - 1;
  }

  /** The first item whose hash may be this one, or NONE. */
  first(hash: number): number {
    return this.#first[hash & this.#mask]! + NONE;
  }

  /** The one after it, or NONE. */
  next(item: number): number {
    return this.#next[item]! + NONE;
  }

  /** Adds an item that is not there. */
  add(hash: number, item: number): void {
    this.#next[item] = this.#first[hash & this.#mask]!;
    this.#first[hash & this.#mask] = item + 1;
  }

  /** Removes an item that was added with this hash. */
  remove(hash: number, item: number): void {
    const bucket = hash & this.#mask;
    if (this.#first[bucket] === item + 1) {
      this.#first[bucket] = this.#next[item]!;
      return;
    }
    let before = this.#first[bucket]! - 1;
    while (this.#next[before] !== item + 1) before = this.#next[before]! - 1;
    this.#next[before] = this.#next[item]!;
  }
}

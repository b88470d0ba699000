/**
 * An index of numbers by a hash: chains, of which there is one more with each number that comes (linear
 * hashing; W. Litwin: "Linear hashing: a new tool for file and table addressing", 1980). So nothing is
 * ever hashed anew at once, however many there are.
 *
 * @module
 */

import { NONE } from "../net/none.ts";
import { grown } from "../net/grown.ts";

/** Chains there are at least, a power of two. */
const FIRST_CHAINS = 64;

/** Numbers in chains; of those that have the same hash, which one it is is for the caller to compare. */
export class HashChains {
  /** By chain: its first number + 1, or 0. */
  #heads: Int32Array;
  /** By number, two words: the next one of its chain + 1, or 0; and its hash. */
  #links: Int32Array;
  #count = 0;
  /** Chains in use: more than half of the hashes that the mask tells apart. */
  #chains = FIRST_CHAINS;
  #mask = FIRST_CHAINS - 1;

  /** Makes an empty index. @param capacity All numbers are below this. */
  constructor(capacity: number) {
    this.#heads = new Int32Array(Math.max(FIRST_CHAINS, capacity));
    this.#links = new Int32Array(2 * capacity);
  }

  /** The first number with this hash, a 32-bit integer, or NONE. */
  first(hash: number): number {
    return this.#alike(this.#heads[this.#chainOf(hash)]! - 1, hash);
  }

  /** The next one with the same hash as a number that is there, or NONE. */
  next(number: number): number {
    return this.#alike(this.#links[2 * number]! - 1, this.#links[2 * number + 1]!);
  }

  /** Puts in a number that is not there, whose hash this is. */
  add(number: number, hash: number): void {
    if (++this.#count > this.#chains && this.#chains < this.#heads.length) this.#split();
    this.#links[2 * number + 1] = hash;
    this.#link(number, this.#chainOf(hash));
  }

  /** Takes out a number that is there. */
  remove(number: number): void {
    this.#count--;
    const links = this.#links;
    const chain = this.#chainOf(links[2 * number + 1]!);
    const rest = links[2 * number]!;
    let before = this.#heads[chain]! - 1;
    if (before === number) {
      this.#heads[chain] = rest;
      return;
    }
    while (before !== NONE && links[2 * before] !== number + 1) before = links[2 * before]! - 1;
    if (before !== NONE) links[2 * before] = rest;
  }

  /** Makes room for the numbers below `capacity`, which is more than before. */
  grow(capacity: number): void {
    this.#links = grown(this.#links, new Int32Array(2 * capacity));
    if (capacity <= this.#heads.length) return;
    this.#heads = grown(this.#heads, new Int32Array(capacity));
  }

  /** So many are about to come: where there is none yet, they need no chain to be split. */
  expect(count: number): void {
    const chains = Math.min(count, this.#heads.length);
    if (this.#count > 0 || chains <= this.#chains) return;
    this.#chains = chains;
    while (this.#mask < chains - 1) this.#mask = 2 * this.#mask + 1;
  }

  /** The first of a chain with this hash, from a number on; or NONE. */
  #alike(number: number, hash: number): number {
    const links = this.#links;
    while (number !== NONE && links[2 * number + 1] !== hash) number = links[2 * number]! - 1;
    return number;
  }

  #chainOf(hash: number): number {
    const chain = hash & this.#mask;
    return chain < this.#chains ? chain : chain & (this.#mask >>> 1);
  }

  #link(number: number, chain: number): void {
    this.#links[2 * number] = this.#heads[chain]!;
    this.#heads[chain] = number + 1;
  }

  /** Makes one chain of two: those are told apart by a bit more of their hashes. */
  #split(): void {
    const to = this.#chains++;
    if (to > this.#mask) this.#mask = 2 * this.#mask + 1;
    const from = to & (this.#mask >>> 1);
    let number = this.#heads[from]! - 1;
    this.#heads[from] = 0;
    while (number !== NONE) {
      const next = this.#links[2 * number]! - 1;
      this.#link(number, (this.#links[2 * number + 1]! & this.#mask) === to ? to : from);
      number = next;
    }
  }
}

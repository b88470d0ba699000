/**
 * Whom each subscriber of a group wants, by the number of its subscription.
 *
 * @module
 */

import { copyBytes, equalBytes } from "../../wire/bytes/wire_buffer.ts";
import { newPrefixes, PREFIX_SIZE, type PrefixList } from "../../wire/wgsig2/option.ts";
import { MAX_PREFIXES } from "../../wire/wgsig2/question.ts";
import { NONE } from "../net/none.ts";
import { BlockPool } from "./block_pool.ts";
import { grown } from "../net/grown.ts";

/** Bytes of all lists of a group. */
const MOST_WANTED = 2 ** 23;
/** What stands for everybody where prefixes are counted. */
const ALL = -1;

/** Lists of prefixes. */
export class WantedLists {
  #counts: Int32Array;
  #blocks: Int32Array;
  #pool = newPool();
  readonly #list = newPrefixes(MAX_PREFIXES);

  /** For the subscriptions below `capacity`. */
  constructor(capacity: number) {
    this.#counts = new Int32Array(capacity);
    this.#blocks = new Int32Array(capacity);
  }

  /** Makes room for the subscriptions below `capacity`. */
  grow(capacity: number): void {
    this.#counts = grown(this.#counts, new Int32Array(capacity));
    this.#blocks = grown(this.#blocks, new Int32Array(capacity));
  }

  /** Whom a subscription wants. The list is filled anew by the next call. */
  of(subscription: number): PrefixList {
    const list = this.#list;
    const count = this.#counts[subscription]!;
    list.isGiven = count !== ALL;
    list.count = Math.max(0, count);
    if (count > 0) {
      const block = this.#blocks[subscription]!;
      const at = this.#pool.offsetOf(block);
      copyBytes(this.#pool.bufferOf(block), at, list.bytes, 0, count * PREFIX_SIZE);
    }
    return list;
  }

  /** Whether a subscription wants just these. */
  isSame(subscription: number, wants: PrefixList): boolean {
    const count = wants.isGiven ? wants.count : ALL;
    if (count !== this.#counts[subscription]) return false;
    if (count <= 0) return true;
    const block = this.#blocks[subscription]!;
    const at = this.#pool.offsetOf(block);
    return equalBytes(wants.bytes, 0, this.#pool.bufferOf(block), at, count * PREFIX_SIZE);
  }

  /** Keeps whom a subscription wants. Returns whether there is room. */
  set(subscription: number, wants: PrefixList): boolean {
    const count = wants.isGiven ? wants.count : ALL;
    const size = Math.max(0, count) * PREFIX_SIZE;
    const before = this.#sizeOf(subscription);
    if (!this.#pool.fits(before, size)) {
      this.drop(subscription);
      if (size > 0) {
        let block = this.#pool.take(size);
        if (block === NONE && this.#tidy()) block = this.#pool.take(size);
        if (block === NONE) return false;
        this.#blocks[subscription] = block;
      }
    }
    this.#counts[subscription] = count;
    if (size > 0) {
      const block = this.#blocks[subscription]!;
      copyBytes(wants.bytes, 0, this.#pool.bufferOf(block), this.#pool.offsetOf(block), size);
    }
    return true;
  }

  /** A subscription wants everybody, which takes no room. */
  drop(subscription: number): void {
    const size = this.#sizeOf(subscription);
    if (size > 0) this.#pool.giveBack(this.#blocks[subscription]!, size);
    this.#counts[subscription] = ALL;
  }

  #sizeOf(subscription: number): number {
    return Math.max(0, this.#counts[subscription]!) * PREFIX_SIZE;
  }

  /**
   * Puts all lists together, so that what is free serves for lists of any length. Returns whether it
   * did: half of the room has to be free, else it would soon be done again.
   */
  #tidy(): boolean {
    if (this.#pool.inUse > MOST_WANTED / 2) return false;
    const before = this.#pool;
    this.#pool = newPool();
    for (let subscription = 0; subscription < this.#counts.length; subscription++) {
      const size = this.#sizeOf(subscription);
      if (size === 0) continue;
      const from = this.#blocks[subscription]!;
      const block = this.#blocks[subscription] = this.#pool.take(size);
      copyBytes(
        before.bufferOf(from),
        before.offsetOf(from),
        this.#pool.bufferOf(block),
        this.#pool.offsetOf(block),
        size,
      );
    }
    return true;
  }
}

function newPool(): BlockPool {
  return new BlockPool(MAX_PREFIXES * PREFIX_SIZE, MOST_WANTED);
}

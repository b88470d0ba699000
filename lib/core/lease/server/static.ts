/**
 * What is not to be leased because somebody has it for good: peers by their AllowedIPs, this host by
 * its addresses. Kept by owner, so that one that changes costs no look at the others.
 *
 * @module
 */

import {
  type AddressPrefix,
  formatLeaseCidr,
  type LeaseAddress,
  parseLeasePrefix,
} from "../address.ts";

/** What has changed with an owner. */
export interface StaticChange {
  /** Addresses that nobody had before. */
  readonly taken: readonly LeaseAddress[];
  /** Addresses that nobody has any more. */
  readonly freed: readonly LeaseAddress[];
  /** Whether ranges have come or gone. */
  readonly rangesChanged: boolean;
}

interface Owned {
  readonly addresses: readonly LeaseAddress[];
  readonly ranges: readonly string[];
}

const NOTHING: Owned = { addresses: [], ranges: [] };

/** Prefixes of any number of owners, as far as they lie in the pools. */
export class StaticPrefixes {
  readonly #pools: readonly AddressPrefix[];
  readonly #owned = new Map<string, Owned>();
  /** How many owners have an address. */
  readonly #counts = new Map<string, number>();
  /** The owners that have ranges. */
  readonly #withRanges = new Set<string>();

  /**
   * Makes it without owners.
   *
   * @param pools What is leased.
   * @throws {SyntaxError} Where one is no prefix.
   */
  constructor(pools: readonly string[]) {
    this.#pools = pools.map(parseLeasePrefix);
  }

  /** Prefixes of more than one address, as they were given. */
  get ranges(): string[] {
    return [...this.#withRanges].flatMap((owner) => this.#owned.get(owner)?.ranges ?? []);
  }

  /**
   * Says what an owner has now. A prefix that holds a whole pool is the way to all the rest, and
   * doesn't count.
   *
   * @param prefixes Prefixes and addresses.
   * @throws {SyntaxError} Where one is no prefix. Nothing is changed then.
   */
  set(owner: string, prefixes: readonly string[]): StaticChange {
    const before = this.#owned.get(owner) ?? NOTHING;
    const now = this.#read(prefixes);
    // What comes is counted first: what stays is neither taken nor freed.
    const taken = now.addresses.filter((each) => this.#count(formatLeaseCidr(each), 1) === 1);
    const freed = before.addresses.filter((each) => this.#count(formatLeaseCidr(each), -1) === 0);
    const rangesChanged = before.ranges.join() !== now.ranges.join();
    if (now === NOTHING) this.#owned.delete(owner);
    else this.#owned.set(owner, now);
    if (now.ranges.length > 0) this.#withRanges.add(owner);
    else this.#withRanges.delete(owner);
    return { taken, freed, rangesChanged };
  }

  #read(texts: readonly string[]): Owned {
    const addresses: LeaseAddress[] = [];
    const ranges: string[] = [];
    for (const text of texts) {
      const { family, first, last } = parseLeasePrefix(text);
      const near = this.#pools.filter((pool) =>
        pool.family === family && first <= pool.last && pool.first <= last
      );
      if (near.length === 0) continue;
      if (first === last) addresses.push({ family, value: first });
      else if (!near.some((pool) => first <= pool.first && pool.last <= last)) ranges.push(text);
    }
    return addresses.length + ranges.length === 0 ? NOTHING : { addresses, ranges };
  }

  #count(what: string, by: number): number {
    const count = (this.#counts.get(what) ?? 0) + by;
    if (count === 0) this.#counts.delete(what);
    else this.#counts.set(what, count);
    return count;
  }
}

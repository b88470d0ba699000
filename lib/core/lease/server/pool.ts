/**
 * The free addresses of one family, from which a random one can be drawn.
 *
 * Usable addresses are numbered through, over all ranges, and the numbers that are taken are kept
 * sorted: that tells the k-th free one. So every free address is drawn with the same chance, at the
 * same cost in an empty /64 and in a /24 with one address left, and memory goes with what is taken
 * alone.
 *
 * @module
 */

import type { AddressPrefix, AddressRange, Family } from "../address.ts";
import { NEVER_LEASED } from "../address.ts";
import { RankedSet } from "./ranked_set.ts";
import type { RandomSource } from "../../net/random.ts";

/** Prefixes this long have no network and broadcast address (RFC 3021), no anycast (RFC 6164). */
const POINT_TO_POINT = { 4: 31, 6: 127 } as const;
/** A draw that random bytes don't settle in so many tries takes a remainder: all but impossible. */
const MAX_TRIES = 64;

/** Free addresses of one family. */
export class LeasePool {
  /** How many addresses there are, taken or not. */
  readonly size: bigint;
  /** Disjoint, in order. */
  readonly #ranges: readonly AddressRange[];
  /** The number of the first address of each range. */
  readonly #starts: readonly bigint[];
  /** Numbers of addresses that are taken. */
  readonly #taken = new RankedSet();
  /** Those of them that were not leased but blocked. */
  readonly #blocked = new Set<bigint>();

  /**
   * Makes a pool with nothing taken. Prefixes of the other family are left out, and so are each
   * prefix's network and broadcast addresses (IPv4) or its subnet-router anycast address (IPv6,
   * RFC 4291, section 2.6.1).
   *
   * @param prefixes What addresses are drawn from. They may overlap.
   * @param excluded What is never drawn.
   */
  constructor(
    family: Family,
    prefixes: readonly AddressPrefix[],
    excluded: readonly AddressPrefix[],
  ) {
    const own = prefixes.filter((prefix) => prefix.family === family);
    const without: AddressRange[] = [
      ...NEVER_LEASED[family],
      ...excluded.filter((prefix) => prefix.family === family),
    ];
    for (const { first, last, length } of own) {
      if (length >= POINT_TO_POINT[family]) continue;
      without.push({ first, last: first });
      if (family === 4) without.push({ first: last, last });
    }
    this.#ranges = subtract(merged(own), merged(without));
    const starts: bigint[] = [];
    let size = 0n;
    for (const { first, last } of this.#ranges) {
      starts.push(size);
      size += last - first + 1n;
    }
    this.#starts = starts;
    this.size = size;
  }

  /** How many addresses are taken, or blocked. */
  get taken(): number {
    return this.#taken.count;
  }

  /** How many addresses can still be drawn. */
  get free(): bigint {
    return this.size - BigInt(this.#taken.count);
  }

  /** Whether the address is one of this pool, taken or not. */
  has(address: bigint): boolean {
    return this.#numberOf(address) !== undefined;
  }

  /** Whether the address is one of this pool, and not taken. */
  isFree(address: bigint): boolean {
    const number = this.#numberOf(address);
    return number !== undefined && !this.#taken.has(number);
  }

  /** Takes the address, if it is free. Returns whether it was. */
  take(address: bigint): boolean {
    const number = this.#numberOf(address);
    return number !== undefined && this.#taken.add(number);
  }

  /** Gives the address back. Returns whether it was taken. */
  giveBack(address: bigint): boolean {
    const number = this.#numberOf(address);
    return number !== undefined && !this.#blocked.has(number) && this.#taken.remove(number);
  }

  /**
   * Keeps an address from being taken, until {@linkcode LeasePool.unblock}.
   *
   * @returns Whether it was taken: it can't be given back any more.
   */
  block(address: bigint): boolean {
    const number = this.#numberOf(address);
    if (number === undefined || this.#blocked.has(number)) return false;
    this.#blocked.add(number);
    return !this.#taken.add(number);
  }

  /** Lets an address be taken again that was blocked. */
  unblock(address: bigint): void {
    const number = this.#numberOf(address);
    if (number !== undefined && this.#blocked.delete(number)) this.#taken.remove(number);
  }

  /** Takes a random free address, each with the same chance; undefined where none is free. */
  draw(random: RandomSource): bigint | undefined {
    const address = this.pick(random);
    if (address !== undefined) this.take(address);
    return address;
  }

  /** The same, which is not taken. */
  pick(random: RandomSource): bigint | undefined {
    const { free } = this;
    if (free === 0n) return undefined;
    const number = this.#taken.missing(randomBelow(free, random));
    const range = rangeOf(this.#starts, number);
    return this.#ranges[range]!.first + (number - this.#starts[range]!);
  }

  #numberOf(address: bigint): bigint | undefined {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ranges[middle]!.last < address) low = middle + 1;
      else high = middle;
    }
    const range = this.#ranges[low];
    if (range === undefined || address < range.first) return undefined;
    return this.#starts[low]! + (address - range.first);
  }
}

/** The last range that starts with a number of at most `number`. */
function rangeOf(starts: readonly bigint[], number: bigint): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (starts[middle]! <= number) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** A random number from 0 to `limit` - 1: random bits, drawn again where they are too many. */
function randomBelow(limit: bigint, random: RandomSource): bigint {
  const bits = (limit - 1n).toString(2).length;
  const bytes = new Uint8Array(Math.ceil(bits / 8));
  const spare = BigInt(8 * bytes.length - bits);
  let number = 0n;
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    random(bytes);
    number = 0n;
    for (const byte of bytes) number = (number << 8n) | BigInt(byte);
    number >>= spare;
    if (number < limit) return number;
  }
  return number % limit;
}

/** The same addresses in ranges that are disjoint and in order. */
function merged(ranges: readonly AddressRange[]): AddressRange[] {
  const sorted = [...ranges].sort((a, b) => a.first < b.first ? -1 : a.first > b.first ? 1 : 0);
  const result: AddressRange[] = [];
  for (const { first, last } of sorted) {
    const before = result.at(-1);
    if (before === undefined || before.last + 1n < first) result.push({ first, last });
    else if (before.last < last) result[result.length - 1] = { first: before.first, last };
  }
  return result;
}

/** What is in `ranges` and not in `without`, both disjoint and in order. */
function subtract(
  ranges: readonly AddressRange[],
  without: readonly AddressRange[],
): AddressRange[] {
  const result: AddressRange[] = [];
  let skipped = 0;
  for (const { first, last } of ranges) {
    let from = first;
    while (skipped < without.length && without[skipped]!.last < first) skipped++;
    for (let i = skipped; i < without.length && without[i]!.first <= last; i++) {
      if (from < without[i]!.first) result.push({ first: from, last: without[i]!.first - 1n });
      from = without[i]!.last + 1n;
    }
    if (from <= last) result.push({ first: from, last });
  }
  return result;
}

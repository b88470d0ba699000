/**
 * Which peers of a group a client wants to know of.
 *
 * @module
 */

import { PREFIX_SIZE, type PrefixList } from "../../wire/wgsig2/option.ts";
import { parseKey } from "../net/peer_key.ts";

/** The most peers that a question names, beside all else that it may have. */
export const MAX_WANTED = 100;

/** What became of an interest: where there is `more`, all has to be told anew. */
export type InterestChange = "same" | "fewer" | "more";

/** The peers that are wanted: all at first. */
export class Interest {
  #keys: ReadonlySet<string> | undefined;
  #number = 1;
  #changes = 0;

  /** Another number after each change by which more is wanted. */
  get number(): number {
    return this.#number;
  }

  /** How often others were wanted than before, more or fewer. */
  get changes(): number {
    return this.#changes;
  }

  /** Whether a peer is wanted. @param publicKey In base64. */
  includes(publicKey: string): boolean {
    return this.#keys?.has(publicKey) ?? true;
  }

  /** Wants other peers. @param publicKeys In base64, or undefined for the whole group. */
  set(publicKeys: Iterable<string> | undefined): InterestChange {
    const before = this.#keys;
    const keys = publicKeys && new Set(publicKeys);
    const hasMore = before !== undefined && (keys === undefined || !isWithin(keys, before));
    // In the same order, a question has the same words.
    if (!hasMore && keys?.size === before?.size) return "same";
    this.#keys = keys;
    this.#changes++;
    if (hasMore) this.#number++;
    return hasMore ? "more" : "fewer";
  }

  /** Writes whom a question wants. Who wants more peers than it can name wants the whole group. */
  write(wants: PrefixList): void {
    const keys = this.#keys;
    const isGiven = keys !== undefined && keys.size <= MAX_WANTED;
    writeKeys(isGiven ? keys : [], MAX_WANTED, wants);
    wants.isGiven = isGiven;
  }
}

/** Names peers by their keys, in base64; the first ones alone where there are more than `most`. */
export function writeKeys(keys: Iterable<string>, most: number, list: PrefixList): void {
  list.count = 0;
  for (const text of keys) {
    if (list.count === most) break;
    const key = parseKey(text);
    if (key === undefined) continue;
    list.bytes.bytes.set(key.subarray(0, PREFIX_SIZE), list.count++ * PREFIX_SIZE);
  }
  list.isGiven = list.count > 0;
}

function isWithin(keys: ReadonlySet<string>, others: ReadonlySet<string>): boolean {
  for (const key of keys) if (!others.has(key)) return false;
  return true;
}

/**
 * How far the store was read: all groups from their beginning to their end, and the stream of changes
 * from where that was begun.
 *
 * @module
 */

import type { StoreClock } from "./store.ts";
import type { StoreFacts } from "./sharing_steps.ts";
import { comparePlaces, STREAM_BEGIN, timeOfPlace } from "./stream_place.ts";

/** Changes that are older may have been dropped from the stream, in seconds: less than it keeps. */
const SAFE_GAP = 90;
/** The cursor of a scan that begins, and of one that is done. */
export const SCAN_BEGIN = "0";

/** What of the stream was read; {@linkcode Follower.read} is told of it. */
export interface ReadPart {
  /** The place of the last change; undefined where there was none in time. */
  readonly last: string | undefined;
  /** How many peers were changed. */
  readonly count: number;
  /** Whether there were no more. */
  readonly isAll: boolean;
  /** When it was asked for, on the monotonic clock. */
  readonly sentAt: number;
}

/** Follows the stream. */
export class Follower {
  /** Up to where it was read; undefined where that is of no use any more. */
  place: string | undefined;
  /** When all that there was had been read. */
  #readAt = -Infinity;

  /** Begins anew, at its end. @param sentAt When that was asked for, on the monotonic clock. */
  begin({ last }: StoreFacts, sentAt: number): void {
    this.place = last === "" ? STREAM_BEGIN : last;
    this.#readAt = sentAt;
  }

  /** Whether the store still has all changes that were not read here. */
  hasAll(facts: StoreFacts, mono: number): boolean {
    const { place } = this;
    if (place === undefined || this.isPast(facts, place)) return false;
    const { first, last, time } = facts;
    // Where its clock was set back, more is dropped.
    const isRegular = timeOfPlace(last) - time < SAFE_GAP;
    if (isRegular && mono - this.#readAt <= SAFE_GAP) return true;
    return comparePlaces(last, place) === 0 || comparePlaces(first, place) <= 0;
  }

  /** Whether a place that there was is past the end: the stream is another one. */
  isPast({ last }: StoreFacts, place: string): boolean {
    return comparePlaces(last === "" ? STREAM_BEGIN : last, place) < 0;
  }

  /** Takes note of what was read. Returns whether something may have been dropped before that. */
  read({ last, isAll, sentAt }: ReadPart, clock: StoreClock, mono: number): boolean {
    const place = this.place ?? STREAM_BEGIN;
    const isLate = sentAt - this.#readAt > SAFE_GAP;
    this.place = last !== undefined && comparePlaces(last, place) > 0 ? last : place;
    const readAt = isAll ? sentAt : clock.toMono(timeOfPlace(this.place));
    this.#readAt = Math.max(this.#readAt, Math.min(sentAt, readAt));
    const isBehind = isLate || mono - this.#readAt > SAFE_GAP;
    if (isBehind) this.#readAt = sentAt;
    return isBehind;
  }
}

/** Reads groups, one after the other. */
export class Scan {
  readonly #groups: number[];
  #cursor = SCAN_BEGIN;
  #isBegun = false;

  /** @param groups Their numbers. */
  constructor(groups: Iterable<number>) {
    this.#groups = [...groups];
  }

  /** Which piece is read next; undefined where all are read. */
  get next(): { readonly group: number; readonly cursor: string } | undefined {
    const [group] = this.#groups;
    return group === undefined ? undefined : { group, cursor: this.#cursor };
  }

  /** Whether a piece of the group whose turn it is was asked for. */
  get isBegun(): boolean {
    return this.#isBegun;
  }

  /** The next piece is asked for. Returns whether it is the first one of its group. */
  begin(): boolean {
    const isFirst = !this.#isBegun;
    this.#isBegun = true;
    return isFirst;
  }

  /**
   * A piece was read.
   *
   * @param cursor Where the next one begins, as the store says it.
   * @returns The group whose last piece it was; undefined where there are more of it.
   */
  read(cursor: string): number | undefined {
    this.#cursor = cursor;
    if (cursor !== SCAN_BEGIN) return undefined;
    this.#isBegun = false;
    return this.#groups.shift();
  }

  /** A group is read from its beginning, whatever was read of it. */
  add(group: number): void {
    if (this.#groups[0] === group) {
      this.#cursor = SCAN_BEGIN;
      this.#isBegun = false;
    } else if (!this.#groups.includes(group)) this.#groups.push(group);
  }
}

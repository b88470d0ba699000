/**
 * When the subscribers of a group are told: the rounds in which it is looked who wants what changed,
 * and the pushes that nobody has acknowledged yet.
 *
 * @module
 */

import { NONE } from "../net/none.ts";
import { grown } from "../net/grown.ts";
import { RecencyList } from "./recency_list.ts";
import { Subscriptions } from "./subscriptions.ts";

/** Seconds between two rounds: what changes meanwhile is told with one push. */
const ROUND = 0.02;
/** A push is repeated so many seconds after it was sent for the first, second, third time. */
const PATIENCE = [1, 3, 9] as const;
const FIRST_CAPACITY = 16;

/** Who is next. */
export class PushQueue {
  /** Who is told. */
  readonly subscriptions: Subscriptions;
  // By how often they were sent: those that wait for the next time, by when that was.
  readonly #waiting = PATIENCE.map(() => new RecencyList(FIRST_CAPACITY));
  // By subscription.
  /** In which of the lists it is, + 1; 0 for none. */
  #waitsIn = new Uint8Array(FIRST_CAPACITY);
  #sentAt = new Float64Array(FIRST_CAPACITY);
  /** Up to which version everybody was looked at. */
  #scanned = 0;
  /** The version of this round, and the next subscription in it; NONE between two. */
  #target = 0;
  #next = NONE;
  #roundAt = -Infinity;

  /** There is nobody. @param mostPeers The most peers that there will be. */
  constructor(mostPeers: number) {
    this.subscriptions = new Subscriptions(mostPeers);
  }

  /** A subscription's push was sent once more. */
  wasSent(subscription: number, mono: number): void {
    if (subscription >= this.#waitsIn.length) this.#grow(this.subscriptions.room);
    this.#leave(subscription);
    const times = ++this.subscriptions.sent[subscription]!;
    if (times > PATIENCE.length) return;
    this.#sentAt[subscription] = mono;
    this.#waiting[times - 1]!.addNewest(subscription);
    this.#waitsIn[subscription] = times;
  }

  /** A subscription whose push is to be repeated now, or NONE. */
  takeRepeat(mono: number): number {
    for (let i = 0; i < PATIENCE.length; i++) {
      const due = this.#first(i);
      if (due === NONE || mono - this.#sentAt[due]! < PATIENCE[i]!) continue;
      this.#leave(due);
      return due;
    }
    return NONE;
  }

  /**
   * The next subscription that is to be looked at for what has changed up to `version`, or NONE: there
   * is none in this round, or it isn't time for the next one.
   */
  takeNext(version: number, mono: number): number {
    if (this.#next === NONE) {
      if (version === this.#scanned || mono - this.#roundAt < ROUND) return NONE;
      this.#target = version;
      this.#roundAt = mono;
      this.#next = 0;
    }
    if (this.#next < this.subscriptions.end) return this.#next++;
    this.#scanned = this.#target;
    this.#next = NONE;
    return NONE;
  }

  /** In how many seconds there is something to do; Infinity where that can't be said. */
  dueIn(version: number, mono: number): number {
    if (this.subscriptions.count === 0) return Infinity;
    let due = this.#next !== NONE
      ? 0
      : version === this.#scanned
      ? Infinity
      : this.#roundAt + ROUND - mono;
    for (let i = 0; i < PATIENCE.length; i++) {
      const first = this.#first(i);
      if (first !== NONE) due = Math.min(due, this.#sentAt[first]! + PATIENCE[i]! - mono);
    }
    return Math.max(0, due);
  }

  /** The first of those that wait in a list. Those that were acknowledged meanwhile leave it. */
  #first(i: number): number {
    const list = this.#waiting[i]!;
    while (list.oldest !== NONE && this.subscriptions.sent[list.oldest] !== i + 1) {
      this.#leave(list.oldest);
    }
    return list.oldest;
  }

  #leave(subscription: number): void {
    const list = this.#waitsIn[subscription]!;
    if (list > 0) this.#waiting[list - 1]!.remove(subscription);
    this.#waitsIn[subscription] = 0;
  }

  #grow(size: number): void {
    this.#waitsIn = grown(this.#waitsIn, new Uint8Array(size));
    this.#sentAt = grown(this.#sentAt, new Float64Array(size));
    for (const list of this.#waiting) list.grow(size);
  }
}

/**
 * When to look at the interface, and when only to ask the servers.
 *
 * ```
 * look ── half an interval ── poll ── half an interval ── look …      while all peers are alive
 * look ── 1 s ── look …               for 10 minutes after a change, while something is awaited
 * look ── 1, 2, 4 … s ── look …       while servers don't answer, or the interface can't be read
 * a server tells of a change: look    at once, and what comes next comes when it would have anyway
 * ```
 *
 * @module
 */

import type { RandomSource } from "../net/random.ts";

/** Between two looks while a peer is not alive, in seconds. */
const FAST_INTERVAL = 1;
/** For how long that goes on after something has changed. */
const FAST_FOR = 600;
const LONGEST_BACKOFF = 60;
/** While the clock of this host is wrong: it may be set any moment. */
const CLOCK_BACKOFF = 2;
const MOST_DOUBLINGS = 16;
/** The largest part of a wait that chance may take away, or add. */
export const JITTER = 0.1;

/** What the next wait depends on besides what went before. */
export interface RhythmState {
  /** Whether there is an interface. */
  readonly hasDevice: boolean;
  /** Whether something is awaited of a peer. */
  readonly isAwaiting: boolean;
  readonly clockIsWrong: boolean;
  /** Whether a look has come to its end in this round. */
  readonly hasLooked: boolean;
  /** Whether something could not be done in this round. */
  readonly isUndone: boolean;
}

/** Keeps the time. All times are seconds of the monotonic clock. */
export class Rhythm {
  #interval: number;
  readonly #random: RandomSource;
  #changedAt: number;
  /** Rounds in a row that learnt nothing. */
  #failures = 0;
  /** Rounds in a row in which something could not be done. */
  #undone = 0;
  #polls = false;

  /**
   * @param interval Seconds between two looks while nothing is awaited.
   * @param random For the jitter.
   */
  constructor(interval: number, random: RandomSource, mono: number) {
    this.#interval = interval;
    this.#random = random;
    this.#changedAt = mono;
  }

  /** Replaces the interval. */
  configure(interval: number): void {
    this.#interval = interval;
  }

  /** Whether the servers alone are asked next, half an interval after the last look. */
  get polls(): boolean {
    return this.#polls;
  }

  /** Something has changed: more may follow soon. */
  changed(mono: number): void {
    this.#changedAt = mono;
  }

  /** A server has answered. */
  answered(): void {
    this.#failures = 0;
  }

  /** No server has answered, or could be asked, or the interface could not be read. */
  failed(): void {
    this.#failures++;
  }

  /** The next round is a look. */
  lookNext(): void {
    this.#polls = false;
  }

  /** What comes soonest of itself, in seconds. */
  get soonest(): number {
    return Math.min(FAST_INTERVAL, this.#interval);
  }

  /** How long to wait now, in seconds; it is settled thereby what comes next. */
  pause(state: RhythmState, mono: number): number {
    const polled = this.#polls;
    this.#polls = false;
    if (state.isUndone) this.#undone++;
    else if (state.hasLooked) this.#undone = 0;
    if (!state.hasDevice) return FAST_INTERVAL;
    if (this.#failures > 0) {
      const longest = state.clockIsWrong
        ? CLOCK_BACKOFF
        : Math.max(this.#interval, LONGEST_BACKOFF);
      return this.#backoff(this.#failures, longest);
    }
    if (state.isAwaiting && mono - this.#changedAt < FAST_FOR) {
      return this.soonest;
    }
    const half = this.#interval / 2 * (1 - JITTER * this.#chance());
    // What could not be done is tried again soon, and then as if it were done: it must not hurry
    // all else for ever.
    const retry = this.#undone === 0 ? Infinity : this.#backoff(this.#undone, Infinity);
    if (retry < half) return retry;
    this.#polls = !polled;
    return half;
  }

  #backoff(failures: number, longest: number): number {
    const seconds = FAST_INTERVAL * 2 ** Math.min(failures - 1, MOST_DOUBLINGS);
    return Math.min(seconds, longest) * (1 + JITTER * (2 * this.#chance() - 1));
  }

  /** From 0 to 1. */
  #chance(): number {
    const byte = new Uint8Array(1);
    this.#random(byte);
    return byte[0]! / 255;
  }
}

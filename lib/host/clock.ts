/**
 * Clocks and timers.
 *
 * @module
 */

import type { Now } from "../core/net/clock.ts";

/** The clocks of a host. All times are seconds. */
export interface Clock {
  /** What the wall clock and the clock that never jumps say. */
  now(): Now;
  /**
   * Calls `run` once after so many seconds, or after 24 days where that is more; the returned
   * function prevents it.
   */
  after(seconds: number, run: () => void): () => void;
}

/** What the timers of runtimes can count to, in milliseconds: 24.8 days. */
export const LONGEST_TIMER_MS = 0x7fff_ffff;

/** What is lost where seconds with fractions become milliseconds is less. */
const ROUNDING_MS = 0.001;

/** A moment as people and logs write it, with milliseconds. @param unix Seconds since 1970. */
export function isoTime(unix: number): string {
  return new Date(unix * 1000 + ROUNDING_MS).toISOString();
}

/** Waits. */
export function pause(clock: Clock, seconds: number): Promise<void> {
  return new Promise((done) => void clock.after(seconds, done));
}

/**
 * Numbers of reports, without digits that say nothing.
 *
 * @module
 */

const MS = 1000;
const DIGITS = 3;

/** Seconds that have passed, in whole milliseconds; 0 where the clock went back. */
export function elapsed(seconds: number): number {
  return Math.max(0, Math.round(seconds * MS) / MS);
}

/** A measured time in seconds, with three significant digits. */
export function measured(seconds: number): number {
  return Number(seconds.toPrecision(DIGITS));
}

/**
 * What the clocks say, as a decision gets it: time is an input.
 *
 * @module
 */

/** What the clocks say, in seconds. */
export interface Now {
  /** Unix time, with fractions. */
  readonly unix: number;
  /** A clock that never jumps, from any start. */
  readonly mono: number;
}

/** Nobody's clock was right before this program was written: 2026-01-01, in Unix seconds. */
export const EARLIEST_TIME = 1_767_225_600;

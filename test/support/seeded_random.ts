/**
 * Randomness that is the same in every run.
 *
 * @module
 */

import type { RandomSource } from "../../lib/core/net/random.ts";

/** Numbers from 0 to 1, by a 32-bit generator (mulberry32). */
export function seededNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Random bytes. */
export function seededRandom(seed: number): RandomSource {
  const next = seededNumbers(seed);
  return (bytes) => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor(next() * 256);
  };
}

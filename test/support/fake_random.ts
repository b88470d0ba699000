/**
 * Randomness for tests.
 *
 * @module
 */

import type { RandomSource } from "../../lib/core/net/random.ts";
import { bigEndian } from "./twins.ts";

/**
 * Counts in groups of 12 bytes: every nonce that is drawn is another one, so that a nonce seen
 * twice was used twice.
 */
export function countingRandom(): RandomSource {
  let count = 0;
  return (bytes) => {
    for (let at = 0; at < bytes.length; at += 12) {
      bytes.set(bigEndian(++count, 12).slice(0, bytes.length - at), at);
    }
  };
}

/** A peer ID (or a secret) of its own for each number. */
export function idOf(number: number): Uint8Array {
  return Uint8Array.from([...bigEndian(number, 4), ...new Uint8Array(27).fill(0x77), 1]);
}

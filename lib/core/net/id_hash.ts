/**
 * A keyed hash of peer IDs for the indexes: HalfSipHash-1-3 (J.-P. Aumasson, D. J. Bernstein:
 * "SipHash: a fast short-input PRF", the variant of 32-bit words), as Linux has it for hash tables.
 *
 * @module
 */

import { ID_SIZE } from "../../wire/wgsig/record.ts";
import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";

const WORDS = ID_SIZE / 4;
/** The length of the message in the top byte of the last word. */
const LENGTH_WORD = (ID_SIZE << 24) | 0;
const FINAL_ROUNDS = 3;

/**
 * Hashes the 32-byte ID at `at` to a 32-bit integer.
 *
 * @param seed The key: up to 53 random bits. Who doesn't know it can't choose IDs that collide.
 */
export function hashId(buffer: WireBuffer, at: number, seed: number): number {
  const key0 = seed | 0;
  const key1 = (seed / 2 ** 32) | 0;
  let v0 = key0;
  let v1 = key1;
  let v2 = key0 ^ 0x6c79_6765;
  let v3 = key1 ^ 0x7465_6462;
  for (let i = 0; i <= WORDS + FINAL_ROUNDS; i++) {
    const word = i < WORDS ? buffer.view.getInt32(at + 4 * i) : i === WORDS ? LENGTH_WORD : 0;
    if (i === WORDS + 1) v2 ^= 0xff;
    v3 ^= word;
    v0 = (v0 + v1) | 0, v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0, v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0, v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0, v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0, v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2, v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  return v1 ^ v3;
}

/**
 * A seeded hash of peer IDs for the indexes.
 *
 * @module
 */

import { ID_SIZE } from "../wire/record.ts";
import type { WireBuffer } from "../wire/wire_buffer.ts";

/**
 * Hashes the 32-byte ID at `at` to a 32-bit integer. Every word is mixed with the seed, so that
 * who doesn't know it can't choose IDs that collide.
 */
export function hashId(buffer: WireBuffer, at: number, seed: number): number {
  let hash = seed | 0;
  for (let i = 0; i < ID_SIZE; i += 4) {
    hash = Math.imul(hash ^ buffer.view.getInt32(at + i), 0x9e37_79b1);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ (hash >>> 13), 0x85eb_ca6b);
  return hash ^ (hash >>> 16);
}

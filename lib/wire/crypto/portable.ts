/**
 * The primitives that run everywhere.
 *
 * @module
 */

import { ChaCha20 } from "./chacha20.ts";
import { HmacSha256 } from "./hmac_sha256.ts";
import type { Primitives } from "./primitives.ts";

/** All of them, in TypeScript. */
export const PORTABLE: Primitives = {
  hmacSha256: (key) => new HmacSha256(key),
  chacha20: (key) => new ChaCha20(key),
};

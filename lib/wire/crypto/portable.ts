/**
 * The primitives that run everywhere.
 *
 * @module
 */

import { ChaCha20 } from "./chacha20.ts";
import { XChaCha20Poly1305 } from "./xchacha20_poly1305.ts";
import { HmacSha256 } from "./hmac_sha256.ts";
import { PortableScalar } from "./portable_x25519.ts";
import type { Primitives } from "./primitives.ts";

/** All of them, in TypeScript. */
export const PORTABLE: Primitives = {
  hmacSha256: (key) => new HmacSha256(key),
  chacha20: (key) => new ChaCha20(key),
  xchacha20Poly1305: (key) => new XChaCha20Poly1305(key),
  x25519: (privateKey) => new PortableScalar(privateKey),
};

/**
 * What the bundle for QuickJS has in the place of `@noble/hashes/sha2.js`: the one function of it
 * that the program uses, in C.
 *
 * @module
 */

import { native } from "./native.ts";

const DIGEST_SIZE = 32;

/** SHA-256 (FIPS 180-4). */
export function sha256(bytes: Uint8Array): Uint8Array {
  const digest = new Uint8Array(DIGEST_SIZE);
  native.sha256(bytes, digest);
  return digest;
}

/**
 * Public keys that no private key belongs to.
 *
 * @module
 */

import { unhex } from "./bytes.ts";

/**
 * All encodings of points of small order: with these, X25519 gives zeros whatever the private key is
 * (RFC 7748, section 6.1). 0 and p, 1 and p + 1, p - 1, and the two of order 8; each also with the
 * highest bit, which doesn't count.
 */
export const SMALL_ORDER: readonly Uint8Array[] = [
  "00".repeat(32),
  `01${"00".repeat(31)}`,
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  `ec${"ff".repeat(30)}7f`,
  `ed${"ff".repeat(30)}7f`,
  `ee${"ff".repeat(30)}7f`,
].flatMap((text) => {
  const high = unhex(text);
  high[31]! |= 0x80;
  return [unhex(text), high];
});

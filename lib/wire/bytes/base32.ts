/**
 * Base32 as DNS names carry it (RFC 4648, section 6): digits in lower case, with padding.
 *
 * @module
 */

import { decodeBase32 as decode, encodeBase32 as encode } from "@std/encoding/base32";

const FORM = /^(?:[A-Z2-7]{8})*(?:[A-Z2-7]{2}={6}|[A-Z2-7]{4}={4}|[A-Z2-7]{5}={3}|[A-Z2-7]{7}=)?$/;

/** The base32 digits of `bytes`, in lower case, padded to whole groups of 8. */
export function encodeBase32(bytes: Uint8Array): string {
  return encode(bytes).toLowerCase();
}

/**
 * The bytes of base32 digits in either case, with their padding. Undefined where the text is none,
 * or bits are set that belong to no byte: every byte sequence has one text.
 */
export function decodeBase32(text: string): Uint8Array | undefined {
  const digits = text.toUpperCase();
  if (!FORM.test(digits)) return undefined;
  const bytes = decode(digits);
  return encode(bytes) === digits ? bytes : undefined;
}

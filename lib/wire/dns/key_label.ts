/**
 * A 32-byte key as the label of a DNS name: base32 (RFC 4648, section 6) with its padding.
 *
 * ```
 * 52 characters of 5 bits, the last with 1 bit of the key and 4 zero bits, and "===="
 * ```
 *
 * @module
 */

import type { WireBuffer } from "../bytes/wire_buffer.ts";

/** Size of a key in this form, in bytes. */
export const KEY_LABEL_SIZE = 56;
const KEY_SIZE = 32;
const CHARACTERS = 52;
const PADDING = 0x3d;
const DIGIT_2 = 0x32;
const LETTERS = 26;
const LOWER_A = 0x61;
/** Bits of the last character that lie beyond the key. */
const BEYOND = 0b1111;

/** The 5 bits of a base32 character, in either case, or -1 where it is none. */
export function base32Value(code: number): number {
  const letter = (code | 0x20) - LOWER_A;
  if (code >= 0x41 && letter >= 0 && letter < LETTERS) return letter;
  return code >= DIGIT_2 && code <= DIGIT_2 + 5 ? code - DIGIT_2 + LETTERS : -1;
}

/** Writes the 32-byte key at `at` as 56 lower-case characters. The caller has checked bounds. */
export function writeKeyLabel(key: WireBuffer, at: number, out: WireBuffer, outAt: number): void {
  const from = key.bytes;
  const to = out.bytes;
  for (let i = 0; i < CHARACTERS; i++) {
    const bit = 5 * i;
    const byte = bit >> 3;
    const next = byte + 1 < KEY_SIZE ? from[at + byte + 1]! : 0;
    const value = (((from[at + byte]! << 8) | next) >> (11 - (bit & 7))) & 31;
    to[outAt + i] = value < LETTERS ? LOWER_A + value : DIGIT_2 + value - LETTERS;
  }
  for (let i = CHARACTERS; i < KEY_LABEL_SIZE; i++) to[outAt + i] = PADDING;
}

/**
 * Reads the 56 characters at `at`, in either case, into the 32 bytes at `keyAt`. The caller has
 * checked bounds.
 *
 * @returns Whether they are a key in its one form: bits beyond the key must be zero. What was
 *   written is unspecified if not.
 */
export function readKeyLabel(
  text: WireBuffer,
  at: number,
  key: WireBuffer,
  keyAt: number,
): boolean {
  const from = text.bytes;
  let bits = 0;
  let held = 0;
  let to = keyAt;
  for (let i = 0; i < CHARACTERS; i++) {
    const value = base32Value(from[at + i]!);
    if (value < 0) return false;
    bits = ((bits << 5) | value) & 0xfff;
    held += 5;
    if (held < 8) continue;
    held -= 8;
    key.bytes[to++] = bits >> held;
  }
  for (let i = CHARACTERS; i < KEY_LABEL_SIZE; i++) if (from[at + i] !== PADDING) return false;
  return (bits & BEYOND) === 0;
}

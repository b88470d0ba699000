/**
 * A 32-byte key in WireGuard's base64 form (RFC 4648, section 4), written without making a string.
 *
 * @module
 */

import type { WireBuffer } from "./wire_buffer.ts";

/** Size of a key in this form, in bytes. */
export const BASE64_KEY_SIZE = 44;
const KEY_SIZE = 32;
const PADDING = 0x3d;
const ALPHABET = new TextEncoder().encode(
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
);

/** Writes the 32-byte key at `at` as 44 characters. The caller has checked bounds. */
export function writeBase64(key: WireBuffer, at: number, out: WireBuffer, outAt: number): void {
  const from = key.bytes;
  const to = out.bytes;
  let next = outAt;
  for (let i = 0; i < KEY_SIZE; i += 3) {
    const third = i + 2 < KEY_SIZE ? from[at + i + 2]! : 0;
    const bits = (from[at + i]! << 16) | (from[at + i + 1]! << 8) | third;
    for (let shift = 18; shift >= 0; shift -= 6) to[next++] = ALPHABET[(bits >> shift) & 63]!;
  }
  to[outAt + BASE64_KEY_SIZE - 1] = PADDING;
}

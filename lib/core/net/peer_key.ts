/**
 * WireGuard keys and group secrets as people write them.
 *
 * @module
 */

import { magicOf } from "./state_magic.ts";
import { decodeBase64, encodeBase64 } from "@std/encoding/base64";
import { decodeHex } from "@std/encoding/hex";

/** Size of a WireGuard key, and of a group secret, in bytes. */
export const KEY_SIZE = 32;
const BASE64 = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;
const HEX = /^[0-9A-Fa-f]{64}$/;
const TRAILING_NEWLINE = /\r?\n$/;

/** The key in WireGuard's base64 form (44 characters, nothing else), or undefined. */
export function parseKey(text: string): Uint8Array | undefined {
  return BASE64.test(text) ? decodeBase64(text) : undefined;
}

/** A key in WireGuard's base64 form. */
export function formatKey(key: Uint8Array): string {
  return encodeBase64(key);
}

/** What some editors write before a text: U+FEFF in UTF-8, byte by byte. */
const BYTE_ORDER_MARK = "\xef\xbb\xbf";

/**
 * The secret in a file's bytes: 32 raw bytes, as the C programs have it, or the base64 or hex form
 * of them with or without a newline. Undefined where it is none of these.
 */
export function parseSecret(bytes: Uint8Array): Uint8Array | undefined {
  // A state file can have 32 bytes, too, that anybody could guess.
  if (bytes.length === KEY_SIZE && magicOf(bytes) === undefined) return bytes.slice();
  if (bytes.length > BYTE_ORDER_MARK.length + 2 * KEY_SIZE + 2) return undefined;
  const text = String.fromCharCode(...bytes).replace(TRAILING_NEWLINE, "")
    .replace(BYTE_ORDER_MARK, "");
  return HEX.test(text) ? decodeHex(text) : parseKey(text);
}

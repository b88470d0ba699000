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

/** The key in WireGuard's base64 form (44 characters, nothing else), or undefined. */
export function parseKey(text: string): Uint8Array | undefined {
  return BASE64.test(text) ? decodeBase64(text) : undefined;
}

/** A key in WireGuard's base64 form. */
export function formatKey(key: Uint8Array): string {
  return encodeBase64(key);
}

/**
 * The one key in a file's bytes, in WireGuard's base64 form, whatever spaces and newlines are around
 * it, and with a byte order mark or without. Undefined where there is none, or anything else.
 */
export function parseKeyFile(bytes: Uint8Array): Uint8Array | undefined {
  return parseKey(textOf(bytes));
}

/**
 * The secret in a file's bytes: 32 raw bytes, as the C programs have it, or the base64 or hex form
 * of them as {@linkcode parseKeyFile} takes it. Undefined where it is none of these.
 */
export function parseSecret(bytes: Uint8Array): Uint8Array | undefined {
  // A state file can have 32 bytes, too, that anybody could guess.
  if (bytes.length === KEY_SIZE && magicOf(bytes) === undefined) return bytes.slice();
  const text = textOf(bytes);
  return HEX.test(text) ? decodeHex(text) : parseKey(text);
}

/** What stands in a file, without what editors and pastes leave around it. */
function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).trim();
}

/**
 * HKDF-SHA256 (RFC 5869) over a host's HMAC.
 *
 * @module
 */

import { MAC_SIZE, SECRET_SIZE } from "./mac.ts";
import type { Primitives } from "./primitives.ts";
import { WireBuffer } from "../bytes/wire_buffer.ts";

/** The salt where there is none. */
const NO_SALT = new Uint8Array(SECRET_SIZE);
/** The counter of blocks is one byte. */
const MAX_SIZE = 255 * MAC_SIZE;

/** What a key is derived from. */
export interface KeyMaterial {
  /** What the key is as secret as. Not kept. */
  readonly secret: Uint8Array;
  /** 32 bytes; "no salt" of the RFC where left out. Not kept. */
  readonly salt?: Uint8Array;
  /** What the key is for. */
  readonly info: Uint8Array;
}

/**
 * Fills `out` with a key.
 *
 * @throws {RangeError} If the salt has another size than 32 bytes, or `out` has more than 8160.
 */
export function deriveKey(
  { secret, salt = NO_SALT, info }: KeyMaterial,
  out: Uint8Array,
  primitives: Primitives,
): void {
  if (salt.length !== SECRET_SIZE) {
    throw new RangeError(`Cannot derive a key: the salt has ${salt.length} bytes, not 32`);
  }
  if (out.length > MAX_SIZE) {
    throw new RangeError(`Cannot derive a key of ${out.length} bytes: 8160 at most`);
  }
  const extracted = new WireBuffer(MAC_SIZE);
  const hmac = primitives.hmacSha256(salt);
  hmac.compute(new WireBuffer(secret), 0, secret.length, extracted, 0);
  hmac.rekey(extracted, 0);
  // T(n - 1), the info, n. The first block has no T(0).
  const message = new WireBuffer(MAC_SIZE + info.length + 1);
  message.bytes.set(info, MAC_SIZE);
  for (let at = 0, from = MAC_SIZE; at < out.length; at += MAC_SIZE, from = 0) {
    message.bytes[message.size - 1]!++;
    hmac.compute(message, from, message.size - from, message, 0);
    out.set(message.bytes.subarray(0, Math.min(MAC_SIZE, out.length - at)), at);
  }
  extracted.bytes.fill(0);
  message.bytes.fill(0);
  hmac.rekey(extracted, 0);
}

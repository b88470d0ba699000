/**
 * The encrypted form of any payload.
 *
 * ```
 *  0        4       16                16 + payload
 * +--------+-------+-----------------+- - - - - - +
 * | SGROUP | NONCE | ChaCha20        | padding    |   SGROUP = GROUP ^ NONCE[8..11]
 * +--------+-------+-----------------+- - - - - - +
 * ```
 *
 * ChaCha20 (RFC 8439) with key SHA-256(group secret) and counter 1. The payload carries its own
 * MAC. Padding is any bytes and means nothing; nobody checks it.
 *
 * @module
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { CipherKey, NONCE_SIZE } from "../crypto/cipher_key.ts";
import type { Primitives } from "../crypto/primitives.ts";
import { checkBounds, copyBytes, type WireBuffer } from "../bytes/wire_buffer.ts";

/** Offset of the scrambled group number. */
const SCRAMBLED_GROUP = 0;
/** Offset of the nonce. */
const NONCE = 4;
/** The part of the nonce that the group number is XORed with. */
const SCRAMBLER = NONCE + 8;
/** What encryption adds to a payload, in bytes: also the offset of the ciphertext. */
export const ENVELOPE_SIZE: number = NONCE + NONCE_SIZE;
const FIRST_COUNTER = 1;

/**
 * The cipher key of a group: ChaCha20 with SHA-256 of the group secret.
 *
 * @param secret The group secret, 32 bytes. Not kept.
 * @param primitives What it enciphers with.
 */
export function envelopeKey(secret: Uint8Array, primitives: Primitives): CipherKey {
  return new CipherKey(sha256(secret), primitives);
}

/**
 * Encrypts `length` bytes of `payload` at `at` to `out` at `outAt`: 16 bytes more than `length`.
 *
 * @param nonce Holds 12 bytes at `nonceAt` that were never used with this key for another payload.
 * @throws {RangeError} If something lies outside its buffer.
 */
export function sealEnvelope(
  key: CipherKey,
  group: number,
  nonce: WireBuffer,
  nonceAt: number,
  payload: WireBuffer,
  at: number,
  length: number,
  out: WireBuffer,
  outAt: number,
): void {
  checkBounds(nonce, nonceAt, NONCE_SIZE, "a nonce");
  checkBounds(out, outAt, ENVELOPE_SIZE + length, "an envelope");
  copyBytes(nonce, nonceAt, out, outAt + NONCE, NONCE_SIZE);
  out.view.setUint32(outAt + SCRAMBLED_GROUP, group ^ out.view.getUint32(outAt + SCRAMBLER));
  key.xor(out, outAt + NONCE, FIRST_COUNTER, payload, at, out, outAt + ENVELOPE_SIZE, length);
}

/**
 * The group that the envelope at `at` claims to be for. The caller has checked that
 * {@linkcode ENVELOPE_SIZE} bytes are there.
 */
export function readEnvelopeGroup(buffer: WireBuffer, at: number): number {
  return (buffer.view.getUint32(at + SCRAMBLED_GROUP) ^ buffer.view.getUint32(at + SCRAMBLER)) >>>
    0;
}

/**
 * Decrypts the `length` payload bytes of the envelope at `at` into `out` at `outAt`. Whether they
 * mean anything, their own MAC tells.
 *
 * @throws {RangeError} If something lies outside its buffer.
 */
export function openEnvelope(
  key: CipherKey,
  buffer: WireBuffer,
  at: number,
  length: number,
  out: WireBuffer,
  outAt: number,
): void {
  checkBounds(buffer, at, ENVELOPE_SIZE + length, "an envelope");
  key.xor(buffer, at + NONCE, FIRST_COUNTER, buffer, at + ENVELOPE_SIZE, out, outAt, length);
}

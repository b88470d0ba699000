/**
 * The cryptographic primitives that run for every datagram. Every key is made with those that it is
 * handed: a host has its runtime's, `portable.ts` has what runs everywhere. They are the same
 * functions: no byte depends on which is used.
 *
 * @module
 */

import type { WireBuffer } from "../bytes/wire_buffer.ts";

/** HMAC-SHA256 (RFC 2104) with one key. The caller has checked that everything lies in its buffer. */
export interface Hmac {
  /** Writes the MAC of `length` bytes at `at` to `out` at `outAt` (32 bytes). */
  compute(message: WireBuffer, at: number, length: number, out: WireBuffer, outAt: number): void;
}

/** A stream cipher with one key. The caller has checked that everything lies in its buffer. */
export interface StreamCipher {
  /** Encrypts or decrypts `length` bytes from `from` into `to`, which may be the same place. */
  xor(
    nonce: WireBuffer,
    nonceAt: number,
    counter: number,
    from: WireBuffer,
    fromAt: number,
    to: WireBuffer,
    toAt: number,
    length: number,
  ): void;
}

/** What keys are made with. */
export interface Primitives {
  /** HMAC-SHA256 with a key of 32 bytes, which is not kept. */
  hmacSha256(key: Uint8Array): Hmac;
  /** ChaCha20 (RFC 8439) with a key of 32 bytes, which is not kept. */
  chacha20(key: Uint8Array): StreamCipher;
}

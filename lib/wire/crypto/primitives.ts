/**
 * The cryptographic primitives that run for every datagram, and X25519. Every key is made with those that it is
 * handed: a host has its runtime's, `portable.ts` has what runs everywhere. They are the same
 * functions: no byte depends on which is used.
 *
 * @module
 */

import type { WireBuffer } from "../bytes/wire_buffer.ts";

/** HMAC-SHA256 (RFC 2104) with one key. The caller has checked that everything lies in its buffer. */
export interface Hmac {
  /** Puts the 32 bytes at `at` in the place of the key. Nothing is left of the former one. */
  rekey(key: WireBuffer, at: number): void;
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

/**
 * XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03, section 2.3.1) with one key. The caller has checked
 * that everything lies in its buffer.
 */
export interface Aead {
  /** Puts the 32 bytes at `at` in the place of the key. Nothing is left of the former one. */
  rekey(key: WireBuffer, at: number): void;
  /**
   * Enciphers `length` bytes in their place and writes the tag after them (16 bytes).
   *
   * @param nonce Holds 24 bytes at `nonceAt`.
   * @param associated Holds what the tag also covers.
   */
  seal(
    nonce: WireBuffer,
    nonceAt: number,
    associated: WireBuffer,
    associatedAt: number,
    associatedLength: number,
    bytes: WireBuffer,
    at: number,
    length: number,
  ): void;
  /**
   * The other way round: deciphers `length` bytes that a tag follows. Where the tag is wrong, they
   * stay as they were.
   *
   * @returns Whether the tag is right.
   */
  open(
    nonce: WireBuffer,
    nonceAt: number,
    associated: WireBuffer,
    associatedAt: number,
    associatedLength: number,
    bytes: WireBuffer,
    at: number,
    length: number,
  ): boolean;
}

/** X25519 (RFC 7748) with one private key. */
export interface Scalar {
  /**
   * Writes what the private key and a point (32 bytes each) make: zeros where the point is of small
   * order.
   */
  multiply(point: Uint8Array, product: Uint8Array): void;
}

/** What keys are made with. */
export interface Primitives {
  /** HMAC-SHA256 with a key of at most 64 bytes, the size of a block, which is not kept. */
  hmacSha256(key: Uint8Array): Hmac;
  /** ChaCha20 (RFC 8439) with a key of 32 bytes, which is not kept. */
  chacha20(key: Uint8Array): StreamCipher;
  /** XChaCha20-Poly1305 with a key of 32 bytes, which is not kept. */
  xchacha20Poly1305(key: Uint8Array): Aead;
  /** X25519 with a private key of 32 bytes, which is not kept. */
  x25519(privateKey: Uint8Array): Scalar;
}

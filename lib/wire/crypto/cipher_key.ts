/**
 * The key of ChaCha20 (RFC 8439, section 2.4), by which the envelopes of a group are encrypted.
 *
 * @module
 */

import type { Primitives, StreamCipher } from "./primitives.ts";
import { checkBounds, type WireBuffer } from "../bytes/wire_buffer.ts";

/** Size of a key, in bytes. */
export const CIPHER_KEY_SIZE = 32;
/** Size of a nonce, in bytes. */
export const NONCE_SIZE = 12;

/** A ChaCha20 key. Nothing is allocated per message. */
export class CipherKey {
  readonly #cipher: StreamCipher;

  /**
   * Takes over a key.
   *
   * @param key 32 bytes. Not kept.
   * @param primitives What it enciphers with.
   * @throws {RangeError} If it has another size.
   */
  constructor(key: Uint8Array, primitives: Primitives) {
    if (key.length !== CIPHER_KEY_SIZE) {
      throw new RangeError(`Cannot make a cipher key: it has ${key.length} bytes, not 32`);
    }
    this.#cipher = primitives.chacha20(key);
  }

  /**
   * Encrypts or decrypts `length` bytes from `from` into `to`, which may be the same place.
   *
   * @param nonce Holds the 12-byte nonce at `nonceAt`.
   * @param counter Of the first block; the wgsig protocol starts at 1.
   * @throws {RangeError} If something lies outside its buffer.
   */
  xor(
    nonce: WireBuffer,
    nonceAt: number,
    counter: number,
    from: WireBuffer,
    fromAt: number,
    to: WireBuffer,
    toAt: number,
    length: number,
  ): void {
    checkBounds(nonce, nonceAt, NONCE_SIZE, "a nonce");
    checkBounds(from, fromAt, length, "a message");
    checkBounds(to, toAt, length, "a message");
    this.#cipher.xor(nonce, nonceAt, counter, from, fromAt, to, toAt, length);
  }
}

/**
 * The key of XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), by which datagrams of wgsig 2 are sealed.
 *
 * @module
 */

import type { Aead, Primitives } from "./primitives.ts";
import { checkBounds, type WireBuffer } from "../bytes/wire_buffer.ts";

/** Size of a key, in bytes. */
export const AEAD_KEY_SIZE = 32;
/** Size of a nonce, in bytes: long enough to be drawn at random for every message. */
export const LONG_NONCE_SIZE = 24;
/** What sealing adds to a message, in bytes. */
export const TAG_SIZE = 16;

/** A key of XChaCha20-Poly1305. Nothing is allocated per message. */
export class AeadKey {
  readonly #aead: Aead;

  /**
   * Takes over a key.
   *
   * @param key 32 bytes. Not kept.
   * @param primitives What it seals with.
   * @throws {RangeError} If it has another size.
   */
  constructor(key: Uint8Array, primitives: Primitives) {
    if (key.length !== AEAD_KEY_SIZE) {
      throw new RangeError(`Cannot make a sealing key: it has ${key.length} bytes, not 32`);
    }
    this.#aead = primitives.xchacha20Poly1305(key);
  }

  /**
   * Puts another key of 32 bytes in the place of this one, of which nothing is left.
   *
   * @throws {RangeError} If it lies outside its buffer.
   */
  rekey(key: WireBuffer, at: number): void {
    checkBounds(key, at, AEAD_KEY_SIZE, "a sealing key");
    this.#aead.rekey(key, at);
  }

  /**
   * Enciphers `length` bytes at `at` in their place, and writes the tag after them: 16 bytes more.
   *
   * @param nonce Holds 24 bytes at `nonceAt` that were never used with this key before.
   * @param associated Holds `associatedLength` bytes that the tag covers as well.
   * @throws {RangeError} If something lies outside its buffer.
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
  ): void {
    checkBounds(nonce, nonceAt, LONG_NONCE_SIZE, "a nonce");
    checkBounds(associated, associatedAt, associatedLength, "associated data");
    checkBounds(bytes, at, length + TAG_SIZE, "a sealed message");
    const head = associatedLength;
    this.#aead.seal(nonce, nonceAt, associated, associatedAt, head, bytes, at, length);
  }

  /**
   * Deciphers `length` bytes at `at`, after which their tag stands, in their place.
   *
   * @returns Whether the tag is right. Where it isn't, the bytes are as they were.
   * @throws {RangeError} If something lies outside its buffer.
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
  ): boolean {
    checkBounds(nonce, nonceAt, LONG_NONCE_SIZE, "a nonce");
    checkBounds(associated, associatedAt, associatedLength, "associated data");
    checkBounds(bytes, at, length + TAG_SIZE, "a sealed message");
    const head = associatedLength;
    return this.#aead.open(nonce, nonceAt, associated, associatedAt, head, bytes, at, length);
  }
}

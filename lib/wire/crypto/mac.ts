/**
 * The MAC of requests and responses: HMAC-SHA256 (RFC 2104) with the group secret.
 *
 * @module
 */

import type { Hmac, Primitives } from "./primitives.ts";
import { checkBounds, equalBytes, WireBuffer } from "../bytes/wire_buffer.ts";

/** Size of a MAC, in bytes. */
export const MAC_SIZE: number = 32;
/** Size of a group secret, in bytes. */
export const SECRET_SIZE: number = 32;

// One message is worked on at a time, so the scratch space is shared by all keys.
const computed = new WireBuffer(MAC_SIZE);

/** A group secret, ready to compute and verify MACs. Nothing is allocated per message. */
export class MacKey {
  readonly #hmac: Hmac;

  /**
   * Computes what is the same for all messages.
   *
   * @param secret The group secret, 32 bytes. Not kept.
   * @param primitives What it computes with.
   * @throws {RangeError} If it has another size.
   */
  constructor(secret: Uint8Array, primitives: Primitives) {
    if (secret.length !== SECRET_SIZE) {
      throw new RangeError(`Cannot make a MAC key: the secret has ${secret.length} bytes, not 32`);
    }
    this.#hmac = primitives.hmacSha256(secret);
  }

  /**
   * Puts another key of 32 bytes in the place of this one, of which nothing is left.
   *
   * @throws {RangeError} If it lies outside its buffer.
   */
  rekey(key: WireBuffer, at: number): void {
    checkBounds(key, at, SECRET_SIZE, "a MAC key");
    this.#hmac.rekey(key, at);
  }

  /**
   * Writes the MAC of `length` bytes at `at` to `out` at `outAt` (32 bytes).
   *
   * @throws {RangeError} If the message or the MAC lies outside its buffer.
   */
  compute(message: WireBuffer, at: number, length: number, out: WireBuffer, outAt: number): void {
    checkBounds(message, at, length, "a message");
    checkBounds(out, outAt, MAC_SIZE, "a MAC");
    this.#hmac.compute(message, at, length, out, outAt);
  }

  /**
   * Whether the bytes at `macAt` are the MAC of `length` bytes at `at`, in constant time.
   *
   * @param size How many of the MAC's 32 bytes are there.
   * @throws {RangeError} If either lies outside the buffer.
   */
  verify(
    message: WireBuffer,
    at: number,
    length: number,
    macAt: number,
    size: number = MAC_SIZE,
  ): boolean {
    checkBounds(message, macAt, size, "a MAC");
    this.compute(message, at, length, computed, 0);
    return equalBytes(computed, 0, message, macAt, size);
  }
}

/**
 * A private key of X25519 (RFC 7748), such as WireGuard's.
 *
 * @module
 */

import type { Primitives, Scalar } from "./primitives.ts";
import { checkBounds, copyBytes, WireBuffer } from "../bytes/wire_buffer.ts";

/** Size of a private key, of a public key, and of what two of them make, in bytes. */
export const EXCHANGE_KEY_SIZE = 32;
/** The base point (RFC 7748, section 4.1). */
const BASE_POINT = 9;

/** A private key with its public one. */
export class ExchangeKey {
  /** The public key, 32 bytes. */
  readonly publicKey: WireBuffer = new WireBuffer(EXCHANGE_KEY_SIZE);
  readonly #scalar: Scalar;
  readonly #point = new WireBuffer(EXCHANGE_KEY_SIZE);

  /**
   * Takes over a private key, and computes its public one.
   *
   * @param privateKey 32 bytes. Not kept.
   * @param primitives What it multiplies with.
   * @throws {RangeError} If it has another size.
   */
  constructor(privateKey: Uint8Array, primitives: Primitives) {
    if (privateKey.length !== EXCHANGE_KEY_SIZE) {
      throw new RangeError(`Cannot make a private key: it has ${privateKey.length} bytes, not 32`);
    }
    this.#scalar = primitives.x25519(privateKey);
    this.#point.bytes[0] = BASE_POINT;
    this.#scalar.multiply(this.#point.bytes, this.publicKey.bytes);
  }

  /**
   * Writes the secret that this key shares with the holder of the private key to the public key at
   * `at`: 32 bytes, which the caller wipes when it has used them.
   *
   * @returns Whether there is one: a public key of small order makes a secret that anyone knows, and
   *   `shared` is zero (RFC 7748, section 6.1).
   * @throws {RangeError} If a key lies outside its buffer, or `shared` has another size.
   */
  agree(publicKey: WireBuffer, at: number, shared: Uint8Array): boolean {
    checkBounds(publicKey, at, EXCHANGE_KEY_SIZE, "a public key");
    if (shared.length !== EXCHANGE_KEY_SIZE) {
      throw new RangeError(`Cannot write a shared secret to ${shared.length} bytes, it has 32`);
    }
    copyBytes(publicKey, at, this.#point, 0, EXCHANGE_KEY_SIZE);
    this.#scalar.multiply(this.#point.bytes, shared);
    let used = 0;
    for (const byte of shared) used |= byte;
    return used !== 0;
  }
}

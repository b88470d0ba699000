/**
 * The primitives in C: an interpreter is slow at them. They are BearSSL's.
 *
 * @module
 */

import type { Aead, Hmac, Primitives, Scalar, StreamCipher } from "../../wire/crypto/primitives.ts";
import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { native } from "./native.ts";

/** Size of every key, in bytes. */
const KEY_SIZE = 32;
/** Size of a key's two states. */
const HMAC_STATES_SIZE = 64;

/** The primitives on QuickJS: all of them in C. */
export const QUICKJS_PRIMITIVES: Primitives = {
  hmacSha256: (key) => new NativeHmac(key),
  chacha20: (key) => new NativeCipher(key),
  xchacha20Poly1305: (key) => new NativeAead(key),
  x25519: (privateKey) => new NativeScalar(privateKey),
};

class NativeHmac implements Hmac {
  readonly #states = new Uint8Array(HMAC_STATES_SIZE);

  constructor(key: Uint8Array) {
    native.hmacKey(key, this.#states);
  }

  rekey({ bytes }: WireBuffer, at: number): void {
    native.hmacKey(bytes.subarray(at, at + KEY_SIZE), this.#states);
  }

  compute(message: WireBuffer, at: number, length: number, out: WireBuffer, outAt: number): void {
    native.hmac(this.#states, message.bytes, at, length, out.bytes, outAt);
  }
}

class NativeCipher implements StreamCipher {
  readonly #key: Uint8Array;

  constructor(key: Uint8Array) {
    this.#key = key.slice();
  }

  xor(
    { bytes }: WireBuffer,
    nonceAt: number,
    counter: number,
    from: WireBuffer,
    fromAt: number,
    to: WireBuffer,
    toAt: number,
    length: number,
  ): void {
    const key = this.#key;
    native.chacha20(key, bytes, nonceAt, counter, from.bytes, fromAt, to.bytes, toAt, length);
  }
}

class NativeAead implements Aead {
  readonly #key: Uint8Array;

  constructor(key: Uint8Array) {
    this.#key = key.slice();
  }

  rekey({ bytes }: WireBuffer, at: number): void {
    for (let i = 0; i < KEY_SIZE; i++) this.#key[i] = bytes[at + i]!;
  }

  seal(
    nonce: WireBuffer,
    nonceAt: number,
    associated: WireBuffer,
    associatedAt: number,
    associatedLength: number,
    { bytes }: WireBuffer,
    at: number,
    length: number,
  ): void {
    native.aeadSeal(
      this.#key,
      nonce.bytes,
      nonceAt,
      associated.bytes,
      associatedAt,
      associatedLength,
      bytes,
      at,
      length,
    );
  }

  open(
    nonce: WireBuffer,
    nonceAt: number,
    associated: WireBuffer,
    associatedAt: number,
    associatedLength: number,
    { bytes }: WireBuffer,
    at: number,
    length: number,
  ): boolean {
    return native.aeadOpen(
      this.#key,
      nonce.bytes,
      nonceAt,
      associated.bytes,
      associatedAt,
      associatedLength,
      bytes,
      at,
      length,
    );
  }
}

class NativeScalar implements Scalar {
  readonly #key: Uint8Array;

  constructor(key: Uint8Array) {
    this.#key = key.slice();
  }

  multiply(point: Uint8Array, product: Uint8Array): void {
    native.x25519(this.#key, point, product);
  }
}

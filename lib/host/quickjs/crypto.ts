/**
 * The primitives in C: an interpreter is slow at them. They are BearSSL's.
 *
 * @module
 */

import type { Hmac, Primitives, StreamCipher } from "../../wire/crypto/primitives.ts";
import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { native } from "./native.ts";

/** Size of a key's two states. */
const HMAC_STATES_SIZE = 64;

/** The primitives on QuickJS: all of them in C. */
export const QUICKJS_PRIMITIVES: Primitives = {
  hmacSha256: (key) => new NativeHmac(key),
  chacha20: (key) => new NativeCipher(key),
};

class NativeHmac implements Hmac {
  readonly #states = new Uint8Array(HMAC_STATES_SIZE);

  constructor(key: Uint8Array) {
    native.hmacKey(key, this.#states);
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

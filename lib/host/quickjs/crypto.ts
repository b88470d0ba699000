/**
 * The primitives in C: an interpreter is slow at them.
 *
 * @module
 */

import type { Hmac, Primitives, StreamCipher } from "../../wire/crypto/primitives.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { native } from "./native.ts";

/** Words of a key's two states. */
const HMAC_WORDS = 16;
const KEY_WORDS = 8;

/** The primitives on QuickJS: all of them in C. */
export const QUICKJS_PRIMITIVES: Primitives = {
  hmacSha256: (key) => new NativeHmac(key),
  chacha20: (key) => new NativeCipher(key),
};

class NativeHmac implements Hmac {
  readonly #states = new Int32Array(HMAC_WORDS);

  constructor(key: Uint8Array) {
    native.hmacKey(key, this.#states);
  }

  compute(message: WireBuffer, at: number, length: number, out: WireBuffer, outAt: number): void {
    native.hmac(this.#states, message.bytes, at, length, out.bytes, outAt);
  }
}

class NativeCipher implements StreamCipher {
  readonly #words = new Int32Array(KEY_WORDS);

  constructor(key: Uint8Array) {
    const { view } = new WireBuffer(key);
    for (let i = 0; i < KEY_WORDS; i++) this.#words[i] = view.getInt32(4 * i, true);
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
    const words = this.#words;
    native.chacha20(words, bytes, nonceAt, counter, from.bytes, fromAt, to.bytes, toAt, length);
  }
}

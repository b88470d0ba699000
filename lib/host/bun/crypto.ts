/**
 * The primitives that Bun has faster: its hash uses the processor's own SHA-256. Measured, with such
 * a processor: a MAC of 50 bytes 0.3 µs instead of 1.1, one of 508 bytes 0.7 instead of 4.7.
 *
 * @module
 */

import { nodeX25519 } from "../node/x25519.ts";
import { BLOCK_SIZE, INNER_PAD, OUTER_PAD } from "../../wire/crypto/hmac_sha256.ts";
import { MAC_SIZE, SECRET_SIZE } from "../../wire/crypto/mac.ts";
import { PORTABLE } from "../../wire/crypto/portable.ts";
import type { Hmac, Primitives } from "../../wire/crypto/primitives.ts";
import { copyBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";

/** What is used of Bun's API (https://bun.sh/docs/api/hashing). */
declare const Bun: {
  readonly SHA256: { hash(input: Uint8Array, into: Uint8Array): Uint8Array };
};

/** From this size on, an array of its own costs less than a loop. */
const LARGE = 256;
/** The messages of the first protocol have two sizes, the questions of the second many. */
const MAX_VIEWS = 64;
/** Room for most messages. */
const USUAL_SIZE = 512;

/** HMAC-SHA256 by Bun's hash. */
class BunHmac implements Hmac {
  /** The padded key, and a message after it. */
  #inner = new WireBuffer(BLOCK_SIZE + USUAL_SIZE);
  /** The beginning of that, with a message, by the size of the message. */
  readonly #views = new Map<number, Uint8Array>();
  readonly #outer = new WireBuffer(BLOCK_SIZE + MAC_SIZE);
  readonly #digest = this.#outer.bytes.subarray(BLOCK_SIZE);
  readonly #computed = new WireBuffer(MAC_SIZE);

  constructor(key: Uint8Array) {
    this.#set(key, 0, key.length);
  }

  rekey({ bytes }: WireBuffer, at: number): void {
    this.#set(bytes, at, SECRET_SIZE);
  }

  #set(key: Uint8Array, at: number, size: number): void {
    const inner = this.#inner.bytes;
    const outer = this.#outer.bytes;
    for (let i = 0; i < BLOCK_SIZE; i++) {
      const byte = i < size ? key[at + i]! : 0;
      inner[i] = byte ^ INNER_PAD;
      outer[i] = byte ^ OUTER_PAD;
    }
  }

  compute(message: WireBuffer, at: number, length: number, out: WireBuffer, outAt: number): void {
    const whole = this.#views.get(length) ?? this.#newView(length);
    if (length < LARGE) copyBytes(message, at, this.#inner, BLOCK_SIZE, length);
    else whole.set(message.bytes.subarray(at, at + length), BLOCK_SIZE);
    Bun.SHA256.hash(whole, this.#digest);
    if (out.size === MAC_SIZE) Bun.SHA256.hash(this.#outer.bytes, out.bytes);
    else {
      Bun.SHA256.hash(this.#outer.bytes, this.#computed.bytes);
      copyBytes(this.#computed, 0, out, outAt, MAC_SIZE);
    }
  }

  #newView(length: number): Uint8Array {
    if (BLOCK_SIZE + length > this.#inner.size) {
      const former = this.#inner;
      this.#inner = new WireBuffer(BLOCK_SIZE + length);
      copyBytes(former, 0, this.#inner, 0, BLOCK_SIZE);
      former.bytes.fill(0);
      this.#views.clear();
    }
    const made = this.#inner.bytes.subarray(0, BLOCK_SIZE + length);
    if (this.#views.size < MAX_VIEWS) this.#views.set(length, made);
    return made;
  }
}

/** The primitives on Bun: its own hash and curve, and the portable ciphers. */
export const BUN_PRIMITIVES: Primitives = {
  ...PORTABLE,
  x25519: nodeX25519,
  hmacSha256: (key) => new BunHmac(key),
};

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
/** The protocol's messages have two sizes. */
const MAX_SIZES = 4;

/** HMAC-SHA256 by Bun's hash. */
class BunHmac implements Hmac {
  readonly #key = new WireBuffer(BLOCK_SIZE);
  /** The padded key with room for a message, by the size of that. */
  readonly #inner = new Map<number, WireBuffer>();
  readonly #outer = new WireBuffer(BLOCK_SIZE + MAC_SIZE);
  readonly #digest = this.#outer.bytes.subarray(BLOCK_SIZE);
  readonly #computed = new WireBuffer(MAC_SIZE);

  constructor(key: Uint8Array) {
    this.rekey(new WireBuffer(key), 0);
  }

  rekey(key: WireBuffer, at: number): void {
    copyBytes(key, at, this.#key, 0, SECRET_SIZE);
    this.#pad(this.#outer, OUTER_PAD);
    for (const inner of this.#inner.values()) this.#pad(inner, INNER_PAD);
  }

  /** Writes the padded key to the first block of `into`. */
  #pad({ bytes }: WireBuffer, pad: number): void {
    for (let i = 0; i < BLOCK_SIZE; i++) bytes[i] = this.#key.bytes[i]! ^ pad;
  }

  compute(message: WireBuffer, at: number, length: number, out: WireBuffer, outAt: number): void {
    const inner = this.#innerFor(length);
    if (length < LARGE) copyBytes(message, at, inner, BLOCK_SIZE, length);
    else inner.bytes.set(message.bytes.subarray(at, at + length), BLOCK_SIZE);
    Bun.SHA256.hash(inner.bytes, this.#digest);
    if (out.size === MAC_SIZE) Bun.SHA256.hash(this.#outer.bytes, out.bytes);
    else {
      Bun.SHA256.hash(this.#outer.bytes, this.#computed.bytes);
      copyBytes(this.#computed, 0, out, outAt, MAC_SIZE);
    }
  }

  #innerFor(length: number): WireBuffer {
    const known = this.#inner.get(length);
    if (known !== undefined) return known;
    const made = new WireBuffer(BLOCK_SIZE + length);
    this.#pad(made, INNER_PAD);
    if (this.#inner.size < MAX_SIZES) this.#inner.set(length, made);
    return made;
  }
}

/** The primitives on Bun: its own hash and curve, and the portable ciphers. */
export const BUN_PRIMITIVES: Primitives = {
  ...PORTABLE,
  x25519: nodeX25519,
  hmacSha256: (key) => new BunHmac(key),
};

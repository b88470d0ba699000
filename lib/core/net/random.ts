/**
 * Randomness as an input, and nonces, drawn from it in large pieces.
 *
 * @module
 */

import { NONCE_SIZE } from "../../wire/crypto/cipher_key.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";

const KEPT = 256;

/** Fills an array with random bytes from the system. */
export type RandomSource = (bytes: Uint8Array) => void;

/** A random number of 53 bits, for the hashes of a table: nobody can guess what collides. */
export function drawSeed(random: RandomSource): number {
  const { bytes, view } = new WireBuffer(8);
  random(bytes);
  return (view.getUint32(0) >>> 11) * 2 ** 32 + view.getUint32(4);
}

/** Hands out nonces, each once. */
export class NonceSource {
  /** Holds the nonce at the offset that {@linkcode next} returned, until the next call of it. */
  readonly buffer: WireBuffer;
  readonly #random: RandomSource;
  readonly #size: number;
  #at: number;

  /**
   * Draws from `random`, which fills an array with bytes that nobody can guess.
   *
   * @param size That of a nonce, in bytes; 12 if left out.
   */
  constructor(random: RandomSource, size: number = NONCE_SIZE) {
    this.#random = random;
    this.#size = size;
    this.#at = KEPT * size;
    this.buffer = new WireBuffer(this.#at);
  }

  /** The offset of a new nonce in {@linkcode buffer}. */
  next(): number {
    if (this.#at === this.buffer.size) {
      this.#random(this.buffer.bytes);
      this.#at = 0;
    }
    const at = this.#at;
    this.#at += this.#size;
    return at;
  }
}

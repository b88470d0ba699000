/**
 * The MAC of requests and responses: HMAC-SHA256 (RFC 2104) with the group secret.
 *
 * The key's inner and outer states are computed once and kept, which halves the work for a
 * message of one block.
 *
 * @module
 */

import { BLOCK_SIZE, compress, DIGEST_SIZE, INITIAL_STATE, STATE_WORDS } from "./sha256.ts";
import { checkBounds, equalBytes, WireBuffer } from "./wire_buffer.ts";

/** Size of a MAC, in bytes. */
export const MAC_SIZE: number = DIGEST_SIZE;
/** Size of a group secret, in bytes. */
export const SECRET_SIZE: number = 32;

const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;
const END_OF_MESSAGE = 0x80;
/** Where a padded block holds the message's length in bits. */
const BIT_LENGTH = BLOCK_SIZE - 8;

// One message is worked on at a time, so the scratch space is shared by all keys.
const state = new Int32Array(STATE_WORDS);
const block = new WireBuffer(BLOCK_SIZE);
const computed = new WireBuffer(MAC_SIZE);

/** A group secret, ready to compute and verify MACs. Nothing is allocated per message. */
export class MacKey {
  readonly #inner = INITIAL_STATE.slice();
  readonly #outer = INITIAL_STATE.slice();

  /**
   * Computes the key's states.
   *
   * @param secret The group secret, 32 bytes. Not kept.
   * @throws {RangeError} If it has another size.
   */
  constructor(secret: Uint8Array) {
    if (secret.length !== SECRET_SIZE) {
      throw new RangeError(`Cannot make a MAC key: the secret has ${secret.length} bytes, not 32`);
    }
    const padded = new WireBuffer(BLOCK_SIZE);
    for (const [pad, kept] of [[INNER_PAD, this.#inner], [OUTER_PAD, this.#outer]] as const) {
      for (let i = 0; i < BLOCK_SIZE; i++) padded.bytes[i] = (secret[i] ?? 0) ^ pad;
      compress(kept, padded.view, 0);
    }
    padded.bytes.fill(0);
  }

  /**
   * Writes the MAC of `length` bytes at `at` to `out` at `outAt` (32 bytes).
   *
   * @throws {RangeError} If the message or the MAC lies outside its buffer.
   */
  compute(message: WireBuffer, at: number, length: number, out: WireBuffer, outAt: number): void {
    checkBounds(message, at, length, "a message");
    checkBounds(out, outAt, MAC_SIZE, "a MAC");
    state.set(this.#inner);
    const end = at + length;
    for (; at + BLOCK_SIZE <= end; at += BLOCK_SIZE) compress(state, message.view, at);
    const rest = end - at;
    for (let i = 0; i < rest; i++) block.bytes[i] = message.bytes[at + i]!;
    finish(rest, BLOCK_SIZE + length);
    for (let i = 0; i < STATE_WORDS; i++) block.view.setInt32(4 * i, state[i]!);
    state.set(this.#outer);
    finish(DIGEST_SIZE, BLOCK_SIZE + DIGEST_SIZE);
    for (let i = 0; i < STATE_WORDS; i++) out.view.setInt32(outAt + 4 * i, state[i]!);
  }

  /**
   * Whether the 32 bytes at `macAt` are the MAC of `length` bytes at `at`, in constant time.
   *
   * @throws {RangeError} If either lies outside the buffer.
   */
  verify(message: WireBuffer, at: number, length: number, macAt: number): boolean {
    checkBounds(message, macAt, MAC_SIZE, "a MAC");
    this.compute(message, at, length, computed, 0);
    return equalBytes(computed, 0, message, macAt, MAC_SIZE);
  }
}

/** Pads the `rest` bytes in `block` and takes them into `state` (FIPS 180-4, section 5.1.1). */
function finish(rest: number, totalLength: number): void {
  block.bytes[rest] = END_OF_MESSAGE;
  block.bytes.fill(0, rest + 1);
  if (rest >= BIT_LENGTH) {
    compress(state, block.view, 0);
    block.bytes.fill(0);
  }
  block.view.setUint32(BIT_LENGTH + 4, totalLength * 8);
  compress(state, block.view, 0);
}

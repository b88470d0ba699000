/**
 * HMAC-SHA256 (RFC 2104) over kept arrays.
 *
 * The key's inner and outer states are computed once and kept, which halves the work for a
 * message of one block. Nothing is allocated per message.
 *
 * @module
 */

import type { Hmac } from "./primitives.ts";
import { BLOCK_SIZE, compress, DIGEST_SIZE, INITIAL_STATE, STATE_WORDS } from "./sha256.ts";
import { WireBuffer } from "../bytes/wire_buffer.ts";

/** What the bytes of the key are XORed with before the message, */
export const INNER_PAD = 0x36;
/** and before the hash of that. */
export const OUTER_PAD = 0x5c;
const END_OF_MESSAGE = 0x80;
/** Where a padded block holds the message's length in bits. */
const BIT_LENGTH = BLOCK_SIZE - 8;

// One message is worked on at a time, so the scratch space is shared by all keys.
const state = new Int32Array(STATE_WORDS);
const block = new WireBuffer(BLOCK_SIZE);

/** A key, ready to compute MACs. */
export class HmacSha256 implements Hmac {
  readonly #inner = INITIAL_STATE.slice();
  readonly #outer = INITIAL_STATE.slice();

  /** Computes the key's states. @param key At most 64 bytes. Not kept. */
  constructor(key: Uint8Array) {
    const padded = new WireBuffer(BLOCK_SIZE);
    for (const [pad, kept] of [[INNER_PAD, this.#inner], [OUTER_PAD, this.#outer]] as const) {
      for (let i = 0; i < BLOCK_SIZE; i++) padded.bytes[i] = (key[i] ?? 0) ^ pad;
      compress(kept, padded.view, 0);
    }
    padded.bytes.fill(0);
  }

  /** See {@linkcode Hmac}. */
  compute(message: WireBuffer, at: number, length: number, out: WireBuffer, outAt: number): void {
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

/**
 * XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03, section 2.3.1) in the place of the bytes, of our
 * ChaCha20 and Poly1305.
 *
 * Not `@noble/ciphers`'s: a question and its answer would take ten times as long, and every datagram,
 * garbage too, would make a dozen arrays before its tag is known to be right. Here nothing is made.
 * The tests compare the two.
 *
 * @module
 */

import { LONG_NONCE_SIZE, TAG_SIZE } from "./aead_key.ts";
import { ChaCha20 } from "./chacha20.ts";
import { Poly1305, POLY1305_BLOCK } from "./poly1305.ts";
import type { Aead } from "./primitives.ts";
import { copyBytes, WireBuffer } from "../bytes/wire_buffer.ts";

/** The part of the nonce that makes the key of a message. The rest is the nonce of that key. */
const SUBKEY_NONCE_SIZE = 16;
/** Where that stands in a nonce of ChaCha20, after zeros. */
const REST = 4;
const FIRST_COUNTER = 1;

// One message is worked on at a time, so the scratch space is shared by all keys.
const subkey = new ChaCha20(new Uint8Array(32));
const rest = new WireBuffer(REST + LONG_NONCE_SIZE - SUBKEY_NONCE_SIZE);
const poly1305 = new Poly1305();
const oneTimeKey = new Int32Array(8);
const tag = new Int32Array(TAG_SIZE / 4);
const last = new WireBuffer(POLY1305_BLOCK);

/** A key. The caller has checked sizes and bounds: see {@linkcode Aead}. */
export class XChaCha20Poly1305 implements Aead {
  readonly #key: ChaCha20;

  /** Takes over a key of 32 bytes, which is not kept. */
  constructor(key: Uint8Array) {
    this.#key = new ChaCha20(key);
  }

  /** See {@linkcode Aead}. */
  rekey(key: WireBuffer, at: number): void {
    this.#key.rekey(key, at);
  }

  /** See {@linkcode Aead}. */
  seal(
    nonce: WireBuffer,
    nonceAt: number,
    associated: WireBuffer,
    associatedAt: number,
    associatedLength: number,
    bytes: WireBuffer,
    at: number,
    length: number,
  ): void {
    this.#start(nonce, nonceAt);
    subkey.xor(rest, 0, FIRST_COUNTER, bytes, at, bytes, at, length);
    computeTag(associated, associatedAt, associatedLength, bytes, at, length);
    for (let i = 0; i < tag.length; i++) bytes.view.setInt32(at + length + 4 * i, tag[i]!, true);
  }

  /** See {@linkcode Aead}. */
  open(
    nonce: WireBuffer,
    nonceAt: number,
    associated: WireBuffer,
    associatedAt: number,
    associatedLength: number,
    bytes: WireBuffer,
    at: number,
    length: number,
  ): boolean {
    this.#start(nonce, nonceAt);
    computeTag(associated, associatedAt, associatedLength, bytes, at, length);
    let difference = 0;
    for (let i = 0; i < tag.length; i++) {
      difference |= tag[i]! ^ bytes.view.getInt32(at + length + 4 * i, true);
    }
    if (difference !== 0) return false;
    subkey.xor(rest, 0, FIRST_COUNTER, bytes, at, bytes, at, length);
    return true;
  }

  /** Makes the key of a message, and its nonce. */
  #start(nonce: WireBuffer, nonceAt: number): void {
    this.#key.deriveTo(subkey, nonce, nonceAt);
    copyBytes(nonce, nonceAt + SUBKEY_NONCE_SIZE, rest, REST, rest.size - REST);
  }
}

/** Computes the tag of what was enciphered (RFC 8439, section 2.8). */
function computeTag(
  associated: WireBuffer,
  associatedAt: number,
  associatedLength: number,
  bytes: WireBuffer,
  at: number,
  length: number,
): void {
  subkey.block(rest, 0, 0, oneTimeKey);
  poly1305.start(oneTimeKey);
  oneTimeKey.fill(0);
  updatePadded(associated, associatedAt, associatedLength);
  updatePadded(bytes, at, length);
  last.view.setUint32(0, associatedLength, true);
  last.view.setUint32(4, 0);
  last.view.setUint32(8, length, true);
  last.view.setUint32(12, 0);
  poly1305.update(last, 0, POLY1305_BLOCK);
  poly1305.finish(tag);
}

/** Takes bytes, and zeros up to the end of a block. */
function updatePadded(bytes: WireBuffer, at: number, length: number): void {
  const more = length % POLY1305_BLOCK;
  poly1305.update(bytes, at, length - more);
  if (more === 0) return;
  last.bytes.fill(0);
  copyBytes(bytes, at + length - more, last, 0, more);
  poly1305.update(last, 0, POLY1305_BLOCK);
}

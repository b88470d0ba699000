/**
 * XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03, section 2.3.1) in the place of the bytes: the
 * ChaCha20 and the Poly1305 that are here.
 *
 * Not `@noble/ciphers`: it throws on a wrong tag, which costs more than all else of a datagram that is
 * dropped, and makes small arrays for each message. The tests compare the two.
 *
 * @module
 */

import { LONG_NONCE_SIZE, TAG_SIZE } from "./aead_key.ts";
import { ChaCha20 } from "./chacha20.ts";
import { Poly1305 } from "./poly1305.ts";
import type { Aead } from "./primitives.ts";
import { copyBytes, equalBytes, WireBuffer } from "../bytes/wire_buffer.ts";

/** The part of the nonce that makes the key of a message. The rest is the nonce of that key. */
const SUBKEY_NONCE_SIZE = 16;
/** Where that stands in a nonce of ChaCha20, after zeros. */
const REST = 4;
const FIRST_COUNTER = 1;
/** Size of the two lengths at the end of what the tag covers, in bytes. */
const LENGTHS_SIZE = 16;

// One message is worked on at a time, so the scratch space is shared by all keys.
const subkey = new ChaCha20(new Uint8Array(32));
const rest = new WireBuffer(REST + LONG_NONCE_SIZE - SUBKEY_NONCE_SIZE);
const words = new Int32Array(8);
const mac = new Poly1305();
const tag = new WireBuffer(TAG_SIZE);
const lengths = new WireBuffer(LENGTHS_SIZE);

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
    copyBytes(tag, 0, bytes, at + length, TAG_SIZE);
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
    if (!equalBytes(tag, 0, bytes, at + length, TAG_SIZE)) return false;
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
  subkey.block(rest, 0, 0, words);
  mac.start(words);
  words.fill(0);
  mac.update(associated, associatedAt, associatedLength);
  mac.update(bytes, at, length);
  lengths.view.setUint32(0, associatedLength, true);
  lengths.view.setUint32(8, length, true);
  mac.update(lengths, 0, LENGTHS_SIZE);
  mac.finish(tag);
}

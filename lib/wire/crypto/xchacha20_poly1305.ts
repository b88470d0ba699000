/**
 * XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03, section 2.3.1) by `@noble/ciphers`, in the place of
 * the bytes.
 *
 * The package makes about 2 KB per message, which are garbage at once, also of a message whose tag
 * turns out to be wrong.
 *
 * @module
 */

import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { AEAD_KEY_SIZE, LONG_NONCE_SIZE, TAG_SIZE } from "./aead_key.ts";
import type { Aead } from "./primitives.ts";
import type { WireBuffer } from "../bytes/wire_buffer.ts";

/** A key. The caller has checked sizes and bounds: see {@linkcode Aead}. */
export class XChaCha20Poly1305 implements Aead {
  readonly #key = new Uint8Array(AEAD_KEY_SIZE);

  /** Takes over a key of 32 bytes, which is not kept. */
  constructor(key: Uint8Array) {
    this.#key.set(key);
  }

  /** See {@linkcode Aead}. */
  rekey(key: WireBuffer, at: number): void {
    for (let i = 0; i < AEAD_KEY_SIZE; i++) this.#key[i] = key.bytes[at + i]!;
  }

  /** See {@linkcode Aead}. */
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
    const cipher = this.#cipher(nonce, nonceAt, associated, associatedAt, associatedLength);
    cipher.encrypt(
      bytes.subarray(at, at + length),
      bytes.subarray(at, at + length + TAG_SIZE),
    );
  }

  /** See {@linkcode Aead}. */
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
    const cipher = this.#cipher(nonce, nonceAt, associated, associatedAt, associatedLength);
    try {
      cipher.decrypt(
        bytes.subarray(at, at + length + TAG_SIZE),
        bytes.subarray(at, at + length),
      );
      return true;
    } catch {
      return false;
    }
  }

  #cipher(
    nonce: WireBuffer,
    nonceAt: number,
    associated: WireBuffer,
    associatedAt: number,
    associatedLength: number,
  ) {
    return xchacha20poly1305(
      this.#key,
      nonce.bytes.subarray(nonceAt, nonceAt + LONG_NONCE_SIZE),
      associated.bytes.subarray(associatedAt, associatedAt + associatedLength),
    );
  }
}

/**
 * Answer datagrams in their encrypted form, made when somebody asks in it.
 *
 * @module
 */

import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { CipherKey } from "../../wire/crypto/cipher_key.ts";
import { ENVELOPE_SIZE, sealEnvelope } from "../../wire/wgsig/envelope.ts";
import { RESPONSE_SIZE } from "../../wire/wgsig/response.ts";
import type { NonceSource } from "../net/random.ts";

/** Size of an encrypted datagram, in bytes. */
export const SEALED_SIZE: number = ENVELOPE_SIZE + RESPONSE_SIZE;

/** The encrypted form of the datagrams under one secret. */
export class SealedPages {
  readonly #group: number;
  readonly #key: CipherKey;
  readonly #nonces: NonceSource;
  #sealed = new WireBuffer(0);
  /** Per datagram: not 0 where the encrypted form is older than the plain one. */
  #stale = new Uint8Array(0);

  /**
   * Takes no memory yet.
   *
   * @param group GROUP, 0 to 0xffffffff.
   */
  constructor(group: number, key: CipherKey, nonces: NonceSource) {
    this.#group = group;
    this.#key = key;
    this.#nonces = nonces;
  }

  /** A plain datagram is another than before. */
  changed(page: number): void {
    if (page < this.#stale.length) this.#stale[page] = 1;
  }

  /**
   * Encrypts the datagrams that changed, and returns all of them, 556 bytes each.
   *
   * @param pages The plain ones, 540 bytes each.
   * @param count How many there are.
   * @param most How many there may be before `pages` is another buffer.
   */
  seal(pages: WireBuffer, count: number, most: number): Uint8Array {
    if (this.#stale.length < count) {
      const room = Math.min(most, 2 * count);
      this.#sealed = new WireBuffer(room * SEALED_SIZE);
      this.#stale = new Uint8Array(room).fill(1);
    }
    for (let page = 0; page < count; page++) {
      if (this.#stale[page] === 0) continue;
      this.#stale[page] = 0;
      sealEnvelope(
        this.#key,
        this.#group,
        this.#nonces.buffer,
        this.#nonces.next(),
        pages,
        page * RESPONSE_SIZE,
        RESPONSE_SIZE,
        this.#sealed,
        page * SEALED_SIZE,
      );
    }
    return this.#sealed.bytes;
  }
}

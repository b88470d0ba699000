/**
 * A group's answers, kept ready: the datagrams of its table with trailers and MACs, and the same
 * encrypted. For a batch of requests, each datagram that changed is brought up to date once.
 *
 * @module
 */

import type { CipherKey } from "../../wire/crypto/cipher_key.ts";
import { ENVELOPE_SIZE, sealEnvelope } from "../../wire/wgsig/envelope.ts";
import type { MacKey } from "../../wire/crypto/mac.ts";
import {
  authenticateResponse,
  RESPONSE_SIZE,
  type ResponseTrailer,
} from "../../wire/wgsig/response.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { ReplyBatch } from "../net/datagram_batch.ts";
import type { NonceSource } from "../net/random.ts";
import type { PeerTable } from "./peer_table.ts";

/** Datagrams from which on an answer may be too long for a buffer on the way. */
const LONG_ANSWER = 64;
const SEALED_SIZE = ENVELOPE_SIZE + RESPONSE_SIZE;

/** What a group's secret is used through. */
export interface GroupKeys {
  /** Makes and checks its MACs. */
  readonly mac: MacKey;
  /** Opens and seals its envelopes. */
  readonly cipher: CipherKey;
}

/** The datagrams that a group is answered with. */
export class AnswerPages {
  readonly #table: PeerTable;
  readonly #nonces: NonceSource;
  readonly #trailer: ResponseTrailer;
  #keys: GroupKeys;
  /** Where the last long answer began. */
  #turn = 0;
  /** The number of datagrams that the authenticated ones speak of. */
  #authenticatedCount = 0;
  /** Encrypted answers, made when first asked for. */
  #encrypted: WireBuffer | undefined;
  /** Per datagram: not 0 where the encrypted form is older than the plain one. */
  #stale = new Uint8Array(0);

  /**
   * Makes the answers of a table.
   *
   * @param group GROUP, 0 to 0xffffffff.
   */
  constructor(group: number, table: PeerTable, keys: GroupKeys, nonces: NonceSource) {
    this.#table = table;
    this.#nonces = nonces;
    this.#trailer = { extensions: 0, others: 0, group };
    this.#keys = keys;
  }

  /** Takes other keys: every datagram is made anew. */
  setKeys(keys: GroupKeys): void {
    this.#keys = keys;
    this.#authenticatedCount = 0;
  }

  /** Size of all datagrams of an answer but the first, in bytes. */
  sizeAfterFirst(encrypt: boolean): number {
    return (this.#table.pageCount - 1) * (encrypt ? SEALED_SIZE : RESPONSE_SIZE);
  }

  /**
   * Answers datagram `to` of the batch with all datagrams of the group, or with the first alone.
   *
   * One datagram's ciphertext may go to several clients: it is the same plaintext under the same
   * nonce. A datagram that changed gets a new nonce.
   */
  answer(to: number, encrypt: boolean, isCut: boolean, replies: ReplyBatch): void {
    const count = this.#table.pageCount;
    this.#authenticate(count);
    const buffer = encrypt ? this.#seal(count).bytes : this.#table.pages.bytes;
    const size = encrypt ? SEALED_SIZE : RESPONSE_SIZE;
    if (isCut) replies.add(to, buffer, 0, size, 1);
    else this.#addRuns(to, replies, buffer, size, count);
  }

  /** Brings trailers and MACs of the datagrams that changed up to date. */
  #authenticate(count: number): void {
    const { pages, dirty } = this.#table;
    if (count !== this.#authenticatedCount) {
      dirty.fill(1);
      this.#trailer.others = count - 1;
      this.#authenticatedCount = count;
    }
    for (let page = 0; page < count; page++) {
      if (dirty[page] === 0) continue;
      dirty[page] = 0;
      if (page < this.#stale.length) this.#stale[page] = 1;
      authenticateResponse(this.#trailer, this.#keys.mac, pages, page * RESPONSE_SIZE);
    }
  }

  /** Encrypts the datagrams that changed, and returns all of them, 556 bytes each. */
  #seal(count: number): WireBuffer {
    const { pages, dirty } = this.#table;
    if (this.#encrypted === undefined || this.#encrypted.size < count * SEALED_SIZE) {
      const room = Math.min(dirty.length, 2 * count);
      this.#encrypted = new WireBuffer(room * SEALED_SIZE);
      this.#stale = new Uint8Array(room).fill(1);
    }
    const encrypted = this.#encrypted;
    for (let page = 0; page < count; page++) {
      if (this.#stale[page] === 0) continue;
      this.#stale[page] = 0;
      sealEnvelope(
        this.#keys.cipher,
        this.#trailer.group,
        this.#nonces.buffer,
        this.#nonces.next(),
        pages,
        page * RESPONSE_SIZE,
        RESPONSE_SIZE,
        encrypted,
        page * SEALED_SIZE,
      );
    }
    return encrypted;
  }

  /**
   * The first datagram comes first. In a long answer, which of the others come last, and are lost
   * where a buffer on the way is too small for all, is another each time: who asks again gets them.
   */
  #addRuns(to: number, replies: ReplyBatch, buffer: Uint8Array, size: number, count: number): void {
    if (count < LONG_ANSWER) return replies.add(to, buffer, 0, size, count);
    this.#turn = (this.#turn + Math.ceil(count / 3)) % (count - 1);
    const from = 1 + this.#turn;
    replies.add(to, buffer, 0, size, 1);
    replies.add(to, buffer, from * size, size, count - from);
    if (from > 1) replies.add(to, buffer, size, size, from - 1);
  }
}

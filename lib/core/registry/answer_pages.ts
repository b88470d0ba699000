/**
 * A group's answers, kept ready: the datagrams of its table with trailers and MACs, and the same
 * encrypted. For a batch of requests, each datagram that changed is brought up to date once.
 *
 * While a group has two secrets, who asks with the second is answered with that: what is sent then is
 * a copy, made when it is first asked for.
 *
 * @module
 */

import {
  authenticateResponse,
  RESPONSE_SIZE,
  type ResponseTrailer,
} from "../../wire/wgsig/response.ts";
import { copyBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { ReplyBatch } from "../net/datagram_batch.ts";
import type { NonceSource } from "../net/random.ts";
import type { GroupKeys } from "./group_keys.ts";
import type { PeerTable } from "./peer_table.ts";
import { SEALED_SIZE, SealedPages } from "./sealed_pages.ts";

/** Datagrams from which on an answer may be too long for a buffer on the way. */
const LONG_ANSWER = 64;

/** The datagrams that a group is answered with. */
export class AnswerPages {
  readonly #table: PeerTable;
  readonly #nonces: NonceSource;
  readonly #trailer: ResponseTrailer;
  #secrets: readonly GroupKeys[];
  /** Where the last long answer began. */
  #turn = 0;
  /** The number of datagrams that the authenticated ones speak of. */
  #authenticatedCount = 0;
  /** Encrypted answers. */
  #sealed: SealedPages;
  /** Answers with the second secret, made when first asked for. */
  #second: CopiedPages | undefined;

  /**
   * Makes the answers of a table.
   *
   * @param group GROUP, 0 to 0xffffffff.
   * @param secrets The first makes the table's own MACs.
   */
  constructor(
    group: number,
    table: PeerTable,
    secrets: readonly GroupKeys[],
    nonces: NonceSource,
  ) {
    this.#table = table;
    this.#nonces = nonces;
    this.#trailer = { extensions: 0, others: 0, group };
    this.#secrets = secrets;
    this.#sealed = new SealedPages(group, secrets[0]!.cipher, nonces);
  }

  /** Takes other secrets: every datagram is made anew. */
  setSecrets(secrets: readonly GroupKeys[]): void {
    this.#secrets = secrets;
    this.#sealed = new SealedPages(this.#trailer.group, secrets[0]!.cipher, this.#nonces);
    this.#second = undefined;
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
   *
   * @param secret Which of the group's secrets was asked with.
   */
  answer(
    to: number,
    secret: number,
    encrypt: boolean,
    isCut: boolean,
    replies: ReplyBatch,
  ): void {
    const count = this.#table.pageCount;
    this.#authenticate(count);
    const buffer = secret === 0
      ? this.#firstPages(encrypt, count)
      : this.#secondPages(encrypt, count);
    const size = encrypt ? SEALED_SIZE : RESPONSE_SIZE;
    if (isCut) replies.add(to, buffer, 0, size, 1);
    else this.#addRuns(to, replies, buffer, size, count);
  }

  #firstPages(encrypt: boolean, count: number): Uint8Array {
    const { pages, dirty } = this.#table;
    return encrypt ? this.#sealed.seal(pages, count, dirty.length) : pages.bytes;
  }

  #secondPages(encrypt: boolean, count: number): Uint8Array {
    const keys = this.#secrets[1]!;
    const second = this.#second ??= new CopiedPages(this.#trailer, keys, this.#nonces);
    return second.refresh(this.#table, count, encrypt);
  }

  /** Brings trailers and MACs of the datagrams that changed up to date. */
  #authenticate(count: number): void {
    const { pages, dirty } = this.#table;
    const { mac } = this.#secrets[0]!;
    if (count !== this.#authenticatedCount) {
      dirty.fill(1);
      this.#trailer.others = count - 1;
      this.#authenticatedCount = count;
    }
    for (let page = 0; page < count; page++) {
      if (dirty[page] === 0) continue;
      dirty[page] = 0;
      this.#sealed.changed(page);
      this.#second?.changed(page);
      authenticateResponse(this.#trailer, mac, pages, page * RESPONSE_SIZE);
    }
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

/** Datagrams of a table with the trailers and MACs of another secret. */
class CopiedPages {
  readonly #trailer: ResponseTrailer;
  readonly #keys: GroupKeys;
  readonly #sealed: SealedPages;
  #pages = new WireBuffer(0);
  /** Per datagram: not 0 where the copy is older than the table's. */
  #stale = new Uint8Array(0);

  /** @param trailer What all of them say; the caller changes it. */
  constructor(trailer: ResponseTrailer, keys: GroupKeys, nonces: NonceSource) {
    this.#trailer = trailer;
    this.#keys = keys;
    this.#sealed = new SealedPages(trailer.group, keys.cipher, nonces);
  }

  /** A datagram of the table is another than before. */
  changed(page: number): void {
    if (page < this.#stale.length) this.#stale[page] = 1;
  }

  /** Brings what has changed up to date, and returns all of them, 540 or 556 bytes each. */
  refresh({ pages, dirty }: PeerTable, count: number, encrypt: boolean): Uint8Array {
    if (this.#stale.length < count) {
      const room = Math.min(dirty.length, 2 * count);
      this.#pages = new WireBuffer(room * RESPONSE_SIZE);
      this.#stale = new Uint8Array(room).fill(1);
    }
    for (let page = 0; page < count; page++) {
      if (this.#stale[page] === 0) continue;
      this.#stale[page] = 0;
      const at = page * RESPONSE_SIZE;
      copyBytes(pages, at, this.#pages, at, RESPONSE_SIZE);
      authenticateResponse(this.#trailer, this.#keys.mac, this.#pages, at);
      this.#sealed.changed(page);
    }
    return encrypt ? this.#sealed.seal(this.#pages, count, this.#stale.length) : this.#pages.bytes;
  }
}

/**
 * A request that was taken apart, once: what decides on it and what changes the table take this,
 * whatever form it came in.
 *
 * @module
 */

import type { CipherKey } from "../../wire/crypto/cipher_key.ts";
import { openEnvelope } from "../../wire/wgsig/envelope.ts";
import {
  KEEP_ENDPOINT,
  KEEP_LABEL,
  readRequestFields,
  REQUEST_ID,
  REQUEST_LABEL,
  REQUEST_SIZE,
  type RequestFields,
} from "../../wire/wgsig/request.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { type DatagramBatch, SLOT_SIZE } from "../net/datagram_batch.ts";
import { isIpv4 } from "../net/ip_address.ts";
import { NONE } from "../net/none.ts";

/**
 * The request of one datagram, with where it came from. It is kept, and filled anew for the next
 * datagram, which is read only once this one is dealt with. (One for each of the 64 datagrams of a
 * batch was 5% slower beside 100 000 peers: it takes the cache that their records want.)
 */
export class ParsedRequest implements RequestFields {
  /** Holds the request without encryption, at {@linkcode at}: the batch's bytes, or own ones. */
  buffer: WireBuffer;
  /** Where its 82 bytes are. */
  at: number = 0;
  /** Whether it came in an envelope, and so is answered in one. */
  isEncrypted: boolean = false;
  /** Which of its group's secrets it was made with. Set where it opens, or where it is authentic. */
  secret: number = 0;
  /** Unix seconds of its label, or NaN where that is none. */
  seconds: number = 0;
  /** Nanoseconds of its label, unchecked. */
  nanoseconds: number = 0;
  /** CLFLG. */
  flags: number = 0;
  /** GROUP. */
  group: number = 0;
  /** Holds the address that it came from, 16 bytes, at {@linkcode sourceAt}. */
  sources: WireBuffer;
  /** Where that is. */
  sourceAt: number = 0;
  /** The UDP port that it came from. */
  port: number = 0;
  /** Whether it came over IPv4: no record holds another endpoint. */
  isIpv4: boolean = false;
  /** Who of the group asks, or NONE who is not in its table. Set where the request is judged. */
  peer: number = NONE;
  readonly #opened = new WireBuffer(REQUEST_SIZE);

  /** Makes one that is not filled yet. */
  constructor() {
    this.buffer = this.#opened;
    this.sources = this.#opened;
  }

  /** Where its 32-byte peer ID is in {@linkcode buffer}. */
  get idAt(): number {
    return this.at + REQUEST_ID;
  }

  /** Where its 12-byte label is in {@linkcode buffer}. */
  get labelAt(): number {
    return this.at + REQUEST_LABEL;
  }

  /** Whether the peer's endpoint stays as it is. */
  get keepsEndpoint(): boolean {
    return (this.flags & KEEP_ENDPOINT) !== 0 || !this.isIpv4;
  }

  /** Whether the label that its record shows stays, too. */
  get keepsLabel(): boolean {
    return (this.flags & KEEP_ENDPOINT) !== 0 && (this.flags & KEEP_LABEL) !== 0;
  }

  /** Reads where datagram `i` of the batch comes from. */
  readSource(batch: DatagramBatch, i: number): void {
    this.sources = batch.sources;
    this.sourceAt = batch.sourceAt(i);
    this.port = batch.sourcePort(i);
    this.isIpv4 = isIpv4(batch.sources, this.sourceAt);
  }

  /** Reads datagram `i` as a plain request. The caller has checked that it is as long as one. */
  readPlain(batch: DatagramBatch, i: number): void {
    this.isEncrypted = false;
    this.#read(batch.payloads, i * SLOT_SIZE);
  }

  /** Decrypts datagram `i` and reads it. The caller has checked that it is as long as an envelope. */
  readEncrypted(batch: DatagramBatch, i: number, key: CipherKey): void {
    openEnvelope(key, batch.payloads, i * SLOT_SIZE, REQUEST_SIZE, this.#opened, 0);
    this.isEncrypted = true;
    this.#read(this.#opened, 0);
  }

  #read(buffer: WireBuffer, at: number): void {
    this.buffer = buffer;
    this.at = at;
    readRequestFields(buffer, at, this);
  }
}

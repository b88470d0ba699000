/**
 * A question that was opened and taken apart, with where it came from.
 *
 * @module
 */

import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { DATAGRAM_NONCE } from "../../wire/wgsig2/datagram.ts";
import {
  newQuestion,
  type Question,
  QUESTION_FLAG,
  QUESTION_LABEL,
} from "../../wire/wgsig2/question.ts";
import { type DatagramBatch, SLOT_SIZE } from "../net/datagram_batch.ts";
import { isIpv4 } from "../net/ip_address.ts";
import { NONE } from "../net/none.ts";

/** The question of one datagram. It is kept, and filled anew for the next datagram. */
export class AskedQuestion {
  /** What it says. */
  readonly question: Question = newQuestion();
  /** Which datagram of the batch it is. */
  place: number = 0;
  /** Holds it, opened, at {@linkcode at}: the batch's bytes. */
  buffer: WireBuffer;
  /** Its size, in bytes. */
  length: number = 0;
  /** Holds the address that it came from, 16 bytes, at {@linkcode sourceAt}. */
  sources: WireBuffer;
  /** Where that is. */
  sourceAt: number = 0;
  /** The UDP port that it came from. */
  port: number = 0;
  /** Whether it came over IPv4. */
  isIpv4: boolean = false;
  /** Whether its address has shown that it receives what is sent there. */
  isShown: boolean = false;
  /** Who of the group asks, or NONE who is not in its directory. */
  peer: number = NONE;

  /** Makes one that is not filled yet. */
  constructor() {
    this.buffer = this.question.id;
    this.sources = this.question.id;
  }

  /** Where the datagram begins in {@linkcode buffer}. */
  get at(): number {
    return this.place * SLOT_SIZE;
  }

  /** Where its nonce is in {@linkcode buffer}, to which what is sent for it is bound. */
  get nonceAt(): number {
    return this.at + DATAGRAM_NONCE;
  }

  /** Where its 12-byte label is in {@linkcode buffer}. */
  get labelAt(): number {
    return this.at + QUESTION_LABEL;
  }

  /** Whether it carries a proof. It is right where the question is answered. */
  get isProved(): boolean {
    return (this.question.flags & QUESTION_FLAG.proved) !== 0;
  }

  /** Whether the record of its peer stays as it is. */
  get isKeep(): boolean {
    return (this.question.flags & QUESTION_FLAG.keep) !== 0;
  }

  /** Whether changes are to be pushed. */
  get isSubscribe(): boolean {
    return (this.question.flags & QUESTION_FLAG.subscribe) !== 0;
  }

  /** Reads where datagram `i` of the batch comes from. */
  readSource(batch: DatagramBatch, i: number): void {
    this.place = i;
    this.buffer = batch.payloads;
    this.length = batch.lengths[i]!;
    this.sources = batch.sources;
    this.sourceAt = batch.sourceAt(i);
    this.port = batch.sourcePort(i);
    this.isIpv4 = isIpv4(batch.sources, this.sourceAt);
    this.isShown = false;
    this.peer = NONE;
  }
}

/**
 * Writes answers of wgsig 2, in as many datagrams as there is room for.
 *
 * @module
 */

import { copyBytes } from "../../wire/bytes/wire_buffer.ts";
import { type AeadKey, TAG_SIZE } from "../../wire/crypto/aead_key.ts";
import { setLabel } from "../../wire/wgsig/tai64n.ts";
import { type Answer, ANSWER_FLAG, encodeAnswer, newAnswer } from "../../wire/wgsig2/answer.ts";
import { CANDIDATE, IP_SIZE } from "../../wire/wgsig2/candidate.ts";
import { EPOCH_SIZE } from "../../wire/wgsig2/cursor.ts";
import {
  DATAGRAM,
  MAX_DATAGRAM_SIZE,
  sealDatagram,
  writeDatagramHeader,
} from "../../wire/wgsig2/datagram.ts";
import { peerNewsSize, writePeerNews } from "../../wire/wgsig2/record.ts";
import type { AnswerBudget } from "../net/answer_budget.ts";
import type { Now } from "../net/clock.ts";
import type { ReplyBatch } from "../net/datagram_batch.ts";
import { NONE } from "../net/none.ts";
import type { NonceSource } from "../net/random.ts";
import type { AskedQuestion } from "./asked_question.ts";
import type { RegistryGroup } from "./group.ts";
import type { PeerDirectory } from "./peer_directory.ts";
import { NewsReader } from "./peer_news.ts";
import type { ReplySlots } from "./reply_slots.ts";
import { Vantage } from "./vantage.ts";
import { WantedChanges } from "./wanted_changes.ts";

/** The most datagrams of an answer. */
const MOST_DATAGRAMS = 32;

/** Writes an answer at a time. */
export class AnswerWriter {
  /** What is said in each of its datagrams; the caller fills in cookie, key, offers and flags. */
  readonly answer: Answer = newAnswer();
  /** What limits the datagrams after the first; nothing does while there is none. */
  budget: AnswerBudget | undefined;
  /** Whether it has limited the answer that was written last. */
  isOverBudget: boolean = false;
  readonly #slots: ReplySlots;
  readonly #nonces: NonceSource;
  readonly #wanted = new WantedChanges();
  readonly #reader = new NewsReader();
  readonly #vantage = new Vantage();
  // By datagram of the answer: where it begins, and its size.
  readonly #starts = new Int32Array(MOST_DATAGRAMS);
  readonly #sizes = new Int32Array(MOST_DATAGRAMS);
  #count = 0;

  /** @param nonces Of 24 bytes. */
  constructor(slots: ReplySlots, nonces: NonceSource) {
    this.#slots = slots;
    this.#nonces = nonces;
  }

  /**
   * Writes the answer to a question, at `at` and in further slots.
   *
   * @returns Whether there is one: whoever has not shown its address gets no more bytes than it sent.
   */
  write(
    group: RegistryGroup,
    directory: PeerDirectory,
    asked: AskedQuestion,
    at: number,
    now: Now,
  ): boolean {
    const { answer } = this;
    const { question } = asked;
    const wanted = this.#wanted;
    const { buffer } = this.#slots;
    wanted.start(directory, question.wants, question.epoch, question.version);
    this.#fill(directory, asked, now);
    if (wanted.isWhole) answer.flags |= ANSWER_FLAG.whole;
    this.#look(group, directory, asked, now.mono);
    const most = asked.isShown ? MAX_DATAGRAM_SIZE : asked.length;
    let next = this.#begin(at);
    let told = 0;
    while (wanted.next()) {
      this.#reader.read(group.members, directory, wanted, this.#vantage, now.mono);
      const size = peerNewsSize(this.#reader.news);
      if (next + size + TAG_SIZE > at + most) {
        if (!asked.isShown) return false;
        this.#end(next);
        at = this.#more(asked, now.mono);
        if (at === NONE) {
          answer.flags |= ANSWER_FLAG.cut;
          answer.version = told;
          return true;
        }
        next = this.#begin(at);
      }
      next = writePeerNews(this.#reader.news, buffer, next);
      told = wanted.version;
    }
    if (next + TAG_SIZE > at + most) return false;
    this.#end(next);
    if (wanted.isCut) {
      answer.flags |= ANSWER_FLAG.cut;
      answer.version = wanted.version;
    }
    return true;
  }

  /** Seals what was written, and adds it to what is sent. */
  send(group: RegistryGroup, asked: AskedQuestion, key: AeadKey, replies: ReplyBatch): void {
    const { answer } = this;
    const { buffer } = this.#slots;
    answer.parts = this.#count;
    for (let part = 0; part < this.#count; part++) {
      const at = this.#starts[part]!;
      const size = this.#sizes[part]!;
      answer.part = part;
      // How many there are, and up to where they tell, is known only now.
      if (this.#count > 1 || (answer.flags & ANSWER_FLAG.cut) !== 0) {
        encodeAnswer(answer, buffer, at);
      }
      const nonces = this.#nonces;
      writeDatagramHeader(DATAGRAM.answer, group.id, nonces.buffer, nonces.next(), buffer, at);
      sealDatagram(key, buffer, at, size, asked.buffer, asked.nonceAt);
      replies.add(asked.place, buffer.bytes, at, size, 1);
    }
  }

  #fill({ epoch, log }: PeerDirectory, asked: AskedQuestion, now: Now): void {
    const { answer } = this;
    setLabel(answer, now.unix);
    answer.seen.kind = CANDIDATE.seen;
    answer.seen.port = asked.port;
    copyBytes(asked.sources, asked.sourceAt, answer.seen.address, 0, IP_SIZE);
    copyBytes(epoch, 0, answer.epoch, 0, EPOCH_SIZE);
    answer.version = log.version;
    answer.part = 0;
    answer.parts = 1;
    this.#count = 0;
    this.isOverBudget = false;
  }

  /** Looks from where the question came. */
  #look(group: RegistryGroup, directory: PeerDirectory, asked: AskedQuestion, mono: number): void {
    this.#vantage.start(asked.sources, asked.sourceAt, asked.isIpv4);
    if (asked.isProved && asked.peer !== NONE) {
      this.#vantage.add(asked.peer, directory, group.table, mono);
    }
  }

  #begin(at: number): number {
    this.#starts[this.#count] = at;
    return encodeAnswer(this.answer, this.#slots.buffer, at);
  }

  #end(next: number): void {
    this.#sizes[this.#count] = next + TAG_SIZE - this.#starts[this.#count]!;
    this.#count++;
  }

  /** A slot more, or NONE. */
  #more({ sources, sourceAt }: AskedQuestion, mono: number): number {
    if (this.#count === MOST_DATAGRAMS) return NONE;
    this.isOverBudget = this.budget?.spend(sources, sourceAt, MAX_DATAGRAM_SIZE, mono) === false;
    return this.isOverBudget ? NONE : this.#slots.more();
  }
}

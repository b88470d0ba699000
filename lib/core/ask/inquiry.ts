/**
 * One question of wgsig 2 to a registry, asked again until it is answered: when, and what came of it.
 *
 * @module
 */

import { type Answer, ANSWER_FLAG } from "../../wire/wgsig2/answer.ts";
import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { Now } from "../net/clock.ts";
import type { HostPort } from "../net/host_port.ts";
import { formatAddress } from "../net/ip_address.ts";
import type { AskedQuestion, QuestionOwner, RetryCause } from "./asked_question.ts";
import type { Conversation } from "./conversation.ts";
import type { Wish } from "./question_writer.ts";

/** How long an answer is awaited at first, and at most, before the question is asked again: seconds. */
const FIRST_WAIT = 0.5;
const LAST_WAIT = 4;
/** So long a registry is left alone that says it is busy, in seconds. */
const BUSY_WAIT = 1;
/** So many retries are followed at once: clock, address, key, label, and some that got lost. */
const MAX_AT_ONCE = 8;
/** So many answers without room for all are followed by the next question. */
export const MAX_CUTS = 512;

/** What to do next. */
export type InquiryStep =
  /** Send what {@linkcode Inquiry.write} writes. */
  | { readonly kind: "ask" }
  /** Nothing, until this time of the monotonic clock, or until something has come. */
  | { readonly kind: "wait"; readonly until: number }
  /** Nothing any more. */
  | { readonly kind: "done" };

/** One question, until it is answered. */
export class Inquiry implements QuestionOwner {
  /** The number of the question that was asked last. */
  lastAsked = 0;
  /** What it is for. */
  readonly wish: Wish;
  readonly #conversation: Conversation;
  /** So many addresses are asked in turn. */
  readonly #addresses: number;
  #askAt: number;
  #waits = 0;
  #atOnce = 0;
  #moves = 0;
  #cuts = 0;
  #isHeard = false;
  #isDone = false;
  #isCut = false;
  #isKeyRefused = false;
  #isProofRefused = false;
  #seen: HostPort | undefined;
  #flags = 0;
  #offers = 0;
  #also: readonly number[] = [];
  #received = 0;
  #expected: number | undefined;
  #askedAt = 0;
  #roundTrip: number | undefined;
  /** Parts of answers before the last one. */
  #before = 0;

  /**
   * Is due at once.
   *
   * @param addresses So many are asked in turn: the wait grows once each has been asked.
   */
  constructor(conversation: Conversation, wish: Wish, now: Now, addresses = 1) {
    this.#conversation = conversation;
    this.wish = wish;
    this.#addresses = Math.max(1, addresses);
    this.#askAt = now.mono;
  }

  /** Whether the registry has spoken. */
  get isHeard(): boolean {
    return this.#isHeard;
  }

  /** Whether nothing more is to come. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** Whether all of the answer is here. */
  get isAnswered(): boolean {
    return this.#isDone && !this.#isCut;
  }

  /** Whether the registry has cut its answers more often than is followed. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** Whether somebody has spoken with another key than the one that is pinned, and nobody with that. */
  get isKeyRefused(): boolean {
    return this.#isKeyRefused && !this.#isDone;
  }

  /** Whether the registry wants a proof: there was none, or not the right one. */
  get isProofRefused(): boolean {
    return this.#isProofRefused && !this.#isDone;
  }

  /** Where the registry saw the question come from. */
  get seen(): HostPort | undefined {
    return this.#seen;
  }

  /** Whether that was noted. */
  get isRegistered(): boolean {
    return (this.#flags & ANSWER_FLAG.registered) !== 0;
  }

  /** Whether changes are pushed from now on. */
  get isSubscribed(): boolean {
    return (this.#flags & ANSWER_FLAG.subscribed) !== 0;
  }

  /** What the registry offers: a sum of values of `OFFER`. */
  get offers(): number {
    return this.#offers;
  }

  /** At which other ports of the address that was asked the registry listens. */
  get also(): readonly number[] {
    return this.#also;
  }

  /** How many datagrams of the answer came. */
  get received(): number {
    return this.#before + this.#received;
  }

  /** How many it has, as far as is known. */
  get expected(): number | undefined {
    return this.#expected === undefined ? undefined : this.#before + this.#expected;
  }

  /** Seconds from the question that was answered to the end of its answer; undefined before that. */
  get roundTrip(): number | undefined {
    return this.#roundTrip;
  }

  /** What to do now. */
  next({ mono }: Now): InquiryStep {
    if (this.#isDone) return { kind: "done" };
    return mono >= this.#askAt ? { kind: "ask" } : { kind: "wait", until: this.#askAt };
  }

  /**
   * Writes the question at the start of `out`.
   *
   * @param out At least 1232 bytes.
   * @returns Its size.
   */
  write(out: WireBuffer, now: Now): number {
    // Nobody has answered the one before: it may have been for a key that somebody has made up.
    if (this.#waits > 0) this.#conversation.distrust();
    const { size, number } = this.#conversation.write(out, this.wish, this, now);
    this.lastAsked = number;
    this.#askedAt = now.mono;
    const doublings = Math.floor(this.#waits++ / this.#addresses);
    this.#askAt = now.mono + Math.min(FIRST_WAIT * 2 ** doublings, LAST_WAIT);
    return size;
  }

  partCame(asked: AskedQuestion, answer: Answer): void {
    if (this.#isDone) return;
    this.#isHeard = true;
    const { address, port } = answer.seen;
    this.#seen = { host: formatAddress(address, 0), port };
    this.#flags |= answer.flags;
    this.#offers = answer.offers;
    this.#also = [...answer.also.ports.subarray(0, answer.also.count)];
    this.#received = Math.max(this.#received, asked.received);
    this.#expected = asked.parts;
  }

  answered(asked: AskedQuestion, { mono }: Now): void {
    if (this.#isDone) return;
    this.#isCut = asked.isCut;
    if (asked.about.number === this.lastAsked) this.#roundTrip = mono - this.#askedAt;
    if (asked.isCut && this.wish.asks && this.#cuts < MAX_CUTS) {
      if (asked.about.number !== this.lastAsked) return;
      this.#cuts++;
      this.#before += asked.parts;
      this.#received = 0;
      this.#expected = 1;
      this.#askAgain(mono);
    } else this.#isDone = true;
  }

  retried(cause: RetryCause, helps: boolean, { mono }: Now): void {
    if (this.#isDone) return;
    this.#isHeard = true;
    if (cause === "proof" && !helps) this.#isProofRefused = true;
    if (cause === "busy") this.#askAt = Math.max(this.#askAt, mono + BUSY_WAIT);
    else if (helps && this.#atOnce < MAX_AT_ONCE) {
      this.#atOnce++;
      this.#askAgain(mono);
    }
  }

  keyRefused(): void {
    this.#isHeard = true;
    this.#isKeyRefused = true;
  }

  /**
   * Who was asked is not to be had at that address: another is asked at once. As often as there are
   * addresses, and no more.
   */
  moveOn({ mono }: Now): void {
    if (this.#isDone || this.#moves >= this.#addresses - 1) return;
    this.#moves++;
    this.#askAt = mono;
  }

  #askAgain(mono: number): void {
    this.#askAt = mono;
    this.#waits = 0;
  }
}

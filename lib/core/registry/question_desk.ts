/**
 * The desk of wgsig 2: which questions are let in, and what they are answered, in the order of
 * docs/protocol-2.md, "What is let in".
 *
 * Nothing is kept for an address that has not shown that it receives, and nothing is allocated for a
 * peer that is known.
 *
 * @module
 */

import { LONG_NONCE_SIZE } from "../../wire/crypto/aead_key.ts";
import { compareLabels, NANOSECONDS_PER_SECOND, setLabel } from "../../wire/wgsig/tai64n.ts";
import { ANSWER_FLAG, OFFER } from "../../wire/wgsig2/answer.ts";
import {
  DATAGRAM,
  openDatagram,
  readDatagramGroup,
  readDatagramType,
  sealDatagram,
  writeDatagramHeader,
} from "../../wire/wgsig2/datagram.ts";
import { decodeQuestion, MIN_QUESTION_SIZE, verifyProof } from "../../wire/wgsig2/question.ts";
import { encodeRetry, newRetry, RETRY } from "../../wire/wgsig2/retry.ts";
import type { AnswerBudget } from "../net/answer_budget.ts";
import type { Now } from "../net/clock.ts";
import type { CounterName, Counters } from "../net/counters.ts";
import { type DatagramBatch, type ReplyBatch, SLOT_SIZE } from "../net/datagram_batch.ts";
import { NONE } from "../net/none.ts";
import { drawSeed, NonceSource, type RandomSource } from "../net/random.ts";
import { AnswerWriter } from "./answer_writer.ts";
import { AskedQuestion } from "./asked_question.ts";
import { COOKIE_LIFE } from "./cookies.ts";
import { WorkLimit } from "./work_limit.ts";
import type { GateParts } from "./gate_maker.ts";
import type { RegistryGroup } from "./group.ts";
import type { PeerDirectory } from "./peer_directory.ts";
import type { QuestionKeys } from "./question_keys.ts";
import type { OtherPorts } from "./other_ports.ts";
import type { Outcome } from "./outcome.ts";
import type { RelayDesk } from "./relay_desk.ts";
import { Registrar } from "./registrar.ts";
import { Pusher } from "./pusher.ts";
import { ReplySlots } from "./reply_slots.ts";
import type { RosterGate } from "./roster_gate.ts";

/** What a retry says, by the counter of those. */
const REASONS: Partial<Record<CounterName, number>> = {
  "retry-clock": RETRY.clock,
  "retry-address": RETRY.address,
  "retry-proof": RETRY.proof,
  "retry-label": RETRY.label,
  "retry-busy": RETRY.busy,
};

/** Of more members, keys are computed more often: so that all are known 100 s after a restart. */
const MEMBERS_AT_ONCE = 100_000;
/** That many times at most: it takes a third of a core then. */
const MOST_TIMES = 10;

/** Answers questions. */
export class QuestionDesk {
  /** How far a label may be from the server's clock, in seconds. */
  window = 0;
  /** The question that was taken last; its peer is registered where {@linkcode registrar} says so. */
  readonly asked: AskedQuestion = new AskedQuestion();
  /** Whether it was sealed with a secret that its group changes from. */
  isFormerSecret = false;
  /** What became of its peer's record. */
  readonly registrar: Registrar = new Registrar();
  /** Writes pushes to those who have subscribed. */
  readonly pusher: Pusher;
  /** What relays, if anything does. */
  relays: RelayDesk | undefined;
  /** What takes all that is about rosters, if there are any. */
  gate: RosterGate | undefined;
  readonly #random: RandomSource;
  readonly #counters: Counters;
  readonly #otherPorts: OtherPorts;
  readonly #nonces: NonceSource;
  readonly #slots = new ReplySlots();
  readonly #writer: AnswerWriter;
  /** Keys of peers that have proved theirs before, and of others. */
  readonly #members: WorkLimit;
  readonly #newcomers: WorkLimit;
  readonly #retry = newRetry();
  /** Whether the keys of a proof were computed for this question. */
  #isComputed = false;
  #socket = 0;

  /** @param random Draws nonces, epochs, keys of cookies. */
  constructor(random: RandomSource, counters: Counters, otherPorts: OtherPorts) {
    this.#random = random;
    this.#counters = counters;
    this.#otherPorts = otherPorts;
    this.#nonces = new NonceSource(random, LONG_NONCE_SIZE);
    this.#writer = new AnswerWriter(this.#slots, this.#nonces);
    this.pusher = new Pusher(this.#nonces, counters);
    this.#members = new WorkLimit(drawSeed(random));
    this.#newcomers = new WorkLimit(drawSeed(random));
  }

  /** What else answers in these replies takes. */
  get replying(): Pick<GateParts, "slots" | "nonces"> {
    return { slots: this.#slots, nonces: this.#nonces };
  }

  /** Limits what sources get beyond the first datagram of their answers, and what is pushed to them. */
  limitAnswers(budget: AnswerBudget | undefined): void {
    this.#writer.budget = this.pusher.budget = budget;
  }

  /**
   * Begins with a new batch: what was added to the replies of the last one is sent.
   *
   * @param socket The number of the socket that it came through.
   */
  begin(socket: number): void {
    this.#slots.clear();
    this.#socket = socket;
  }

  /**
   * Takes datagram `i` of the batch, if it is a question, and adds what is sent in reply.
   *
   * @returns What became of it; the name of a counter where it is dropped.
   */
  take(
    groups: ReadonlyMap<number, RegistryGroup>,
    batch: DatagramBatch,
    i: number,
    now: Now,
    replies: ReplyBatch,
  ): Outcome {
    const length = batch.lengths[i]!;
    const at = i * SLOT_SIZE;
    if (length < MIN_QUESTION_SIZE) return "other";
    const type = readDatagramType(batch.payloads, at, length);
    if (type !== DATAGRAM.question) {
      if (type === 0 || this.gate === undefined) return "other";
      return this.gate.take(type, batch, i, this.#socket, now, replies);
    }
    const group = groups.get(readDatagramGroup(batch.payloads, at));
    if (group === undefined) return "other";
    for (const keys of group.questionKeys) {
      if (!openDatagram(keys.shared.question, batch.payloads, at, length)) continue;
      this.asked.readSource(batch, i);
      this.isFormerSecret = keys !== group.questionKeys[0];
      return this.#answer(group, keys, now, replies);
    }
    return group.questionKeys.length > 0 ? "not-opened" : "other";
  }

  /** Answers a question that was opened with these keys. */
  #answer(group: RegistryGroup, keys: QuestionKeys, now: Now, replies: ReplyBatch): Outcome {
    const { asked, registrar } = this;
    registrar.reset();
    this.#counters.add("questions");
    if (asked.port === 0) return "drop-source-port-0";
    if (!decodeQuestion(asked.buffer, asked.at, asked.length, asked.question)) {
      return "drop-damaged";
    }
    if (!group.allows(asked.question.id, 0)) return "drop-not-allowed";
    const { seconds, nanoseconds } = asked.question;
    if (Number.isNaN(seconds) || nanoseconds >= NANOSECONDS_PER_SECOND) return "drop-bad-label";
    const directory = group.openDirectory(this.#random, now.mono);
    asked.peer = directory.find(asked.question.id, 0);
    const cookieAge = this.#cookieAge(directory, now);
    asked.isShown = cookieAge >= 0;
    const slot = this.#slots.first();
    let refusal: CounterName | undefined = this.#judge(directory, keys, now);
    if (refusal === undefined) {
      if (!asked.isKeep) registrar.register(group, directory, asked, now, this.#counters);
      this.#note(directory, keys, now);
      this.#tellRelay(group, directory, now);
      const isNewCookie = !(cookieAge <= COOKIE_LIFE / 2);
      const subscription = this.#subscribe(directory, keys, now);
      this.#writer.answer.flags = (registrar.isRegistered ? ANSWER_FLAG.registered : 0) |
        (subscription === NONE ? 0 : ANSWER_FLAG.subscribed);
      if (this.#write(group, directory, keys, slot, isNewCookie, now)) {
        const { version } = this.#writer.answer;
        if (subscription !== NONE) {
          const { subscriptions } = directory.pushes;
          subscriptions.answered(subscription, version, this.#follows(group));
        }
        const key = asked.isProved ? directory.proofs.keys.answer : keys.shared.answer;
        this.#writer.send(group, asked, key, replies);
        this.#counters.add("answered");
        this.#counters.add(asked.isProved ? "answered-proved" : "answered-unproved");
        return "done";
      }
      refusal = "retry-address";
    }
    const reason = REASONS[refusal];
    if (reason === undefined) return refusal;
    this.#counters.add(refusal);
    this.#refuse(group, directory, keys, reason, slot, now, replies);
    return "done";
  }

  /** How old the cookie is; NaN where there is none that holds. */
  #cookieAge({ cookies }: PeerDirectory, { mono }: Now): number {
    const { question, sources, sourceAt } = this.asked;
    if (!question.cookie.isGiven) return NaN;
    return cookies.ageOf(question.cookie.value, sources, sourceAt, mono);
  }

  /** Why a question is not answered, or undefined if it is. */
  #judge(directory: PeerDirectory, keys: QuestionKeys, now: Now): CounterName | undefined {
    const { asked } = this;
    const { question, isProved } = asked;
    if (!(Math.abs(question.seconds - Math.floor(now.unix)) <= this.window)) return "retry-clock";
    if (isProved && !keys.areMeant(question)) return "retry-proof";
    if (!asked.isShown && (!asked.isKeep || asked.isSubscribe)) return "retry-address";
    if (isProved) {
      const refusal = this.#prove(directory, keys, now);
      if (refusal !== undefined) return refusal;
    }
    const labels = isProved ? directory.provedLabels : directory.otherLabels;
    const latest = Math.floor(now.unix) + this.window;
    if (!labels.isUsed(asked.peer, question.id, 0, question, latest)) return undefined;
    return isProved ? "retry-label" : "drop-replayed";
  }

  /** Why a proof doesn't count, or undefined if it is right. */
  #prove(directory: PeerDirectory, keys: QuestionKeys, now: Now): CounterName | undefined {
    const { proofs } = directory;
    const { peer, isShown, question, sources, sourceAt, buffer, at, length } = this.asked;
    this.#isComputed = !proofs.select(peer, keys);
    if (this.#isComputed) {
      if (!isShown) return "retry-address";
      const isMember = peer !== NONE && directory.isProved(peer);
      const limit = isMember ? this.#members : this.#newcomers;
      const times = Math.min(MOST_TIMES, Math.max(1, directory.provedCount / MEMBERS_AT_ONCE));
      if (!limit.take(sources, sourceAt, now.mono, isMember ? times : 1)) return "retry-busy";
      this.#counters.add("exchanges");
      if (!proofs.compute(question.id, 0, keys)) return "drop-weak-key";
      // They are what they are, whoever asks in its name: nobody has them computed again and again.
      if (isMember && !proofs.has(peer)) proofs.keep(peer, keys);
    }
    return verifyProof(proofs.keys.prove, buffer, at, length) ? undefined : "retry-proof";
  }

  /** Notes what a question has used, and keeps keys: only now is it known that its peer asks, now. */
  #note(directory: PeerDirectory, keys: QuestionKeys, { mono }: Now): void {
    const { question, isProved, isShown, peer } = this.asked;
    if (!isShown) return;
    const labels = isProved ? directory.provedLabels : directory.otherLabels;
    labels.note(peer, question.id, 0, question, mono);
    if (isProved && this.#isComputed && peer !== NONE) directory.proofs.keep(peer, keys);
  }

  /**
   * Begins, renews or ends the subscription of who asks. That of a peer that has proved its key is its
   * own; and a question from elsewhere, such as WireGuard's port, doesn't end it.
   *
   * @returns It, or NONE.
   */
  #subscribe(directory: PeerDirectory, keys: QuestionKeys, { mono }: Now): number {
    const { asked } = this;
    const { peer } = asked;
    if (peer === NONE || !asked.isShown || directory.isProved(peer) && !asked.isProved) return NONE;
    const { subscriptions } = directory.pushes;
    if (asked.isSubscribe) return subscriptions.renew(asked, keys, this.#socket, mono);
    const present = subscriptions.of(peer);
    if (present !== NONE && subscriptions.isFrom(present, asked)) subscriptions.finish(peer);
    return NONE;
  }

  #tellRelay(group: RegistryGroup, directory: PeerDirectory, { mono }: Now): void {
    const { asked, relays, registrar } = this;
    const { peer, sources, sourceAt } = asked;
    if (relays === undefined) return;
    if (registrar.isRegistered) {
      relays.registered(group, peer, sources, sourceAt, this.#socket, mono);
    }
    relays.hear(group, directory, asked, mono);
  }

  /** The version of the roster that who asks is told; Infinity where it isn't asked for. */
  #follows({ roster }: RegistryGroup): number {
    const { isProved, question } = this.asked;
    return isProved && question.roster >= 0 && roster !== undefined ? roster.version : Infinity;
  }

  /** Writes the answer. Returns whether there is one: see `AnswerWriter.write`. */
  #write(
    group: RegistryGroup,
    directory: PeerDirectory,
    keys: QuestionKeys,
    slot: number,
    isNewCookie: boolean,
    now: Now,
  ): boolean {
    const { asked, registrar } = this;
    const { question, sources, sourceAt } = asked;
    const { answer } = this.#writer;
    answer.offers = OFFER.pushes | (group.isProofRequired ? OFFER.proofRequired : 0) |
      (this.relays === undefined ? 0 : OFFER.relays);
    answer.cookie.isGiven = isNewCookie;
    if (isNewCookie) directory.cookies.write(sources, sourceAt, now.mono, answer.cookie.value);
    answer.serverKey.isGiven = false;
    if (!keys.areMeant(question)) keys.tellKey(answer.serverKey);
    const roster = this.#follows(group);
    answer.roster = roster === Infinity || roster === question.roster ? -1 : roster;
    this.#otherPorts.read(asked.isShown ? this.#socket : NONE, answer.also);
    // Whose public address is another has others near, of whom it was told less.
    if (registrar.isElsewhere) question.version = 0;
    const isWritten = this.#writer.write(group, directory, asked, slot, now);
    if (this.#writer.isOverBudget) this.#counters.add("answer-cut");
    return isWritten;
  }

  /** Adds a retry to what is sent. */
  #refuse(
    group: RegistryGroup,
    directory: PeerDirectory,
    keys: QuestionKeys,
    reason: number,
    slot: number,
    now: Now,
    replies: ReplyBatch,
  ): void {
    const { asked } = this;
    const { sources, sourceAt } = asked;
    const retry = this.#retry;
    const { buffer } = this.#slots;
    setLabel(retry, now.unix);
    if (reason === RETRY.label) this.#tellLabel(directory);
    retry.reason = reason;
    retry.cookie.isGiven = !asked.isShown;
    if (!asked.isShown) directory.cookies.write(sources, sourceAt, now.mono, retry.cookie.value);
    keys.tellKey(retry.serverKey);
    const size = encodeRetry(retry, buffer, slot);
    const nonces = this.#nonces;
    writeDatagramHeader(DATAGRAM.retry, group.id, nonces.buffer, nonces.next(), buffer, slot);
    sealDatagram(keys.shared.answer, buffer, slot, size, asked.buffer, asked.nonceAt);
    replies.add(asked.place, buffer.bytes, slot, size, 1);
  }

  /** Puts the least label that will do into the retry. */
  #tellLabel({ provedLabels }: PeerDirectory): void {
    const { peer, question } = this.asked;
    const retry = this.#retry;
    if (provedLabels.readNext(peer, retry) || compareLabels(question, retry) < 0) return;
    // What it was is not kept: it wasn't this one.
    retry.seconds = question.seconds + 1;
    retry.nanoseconds = 0;
  }
}

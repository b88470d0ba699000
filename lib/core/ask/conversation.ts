/**
 * A client's side of wgsig 2 with one registry: what it has asked, what it was told, and what it
 * remembers from question to question. Pure: the caller sends what is written, and hands in what came
 * from the registry's address.
 *
 * An `Inquiry` asks one question until it is answered, and says when. `query` and `config` have one
 * for each family of addresses, and are done then. `sync` keeps the conversation for as long as it
 * runs: what one inquiry was told is known to the next, so that it costs what has changed. In a round,
 * it registers through WireGuard's own port, by an inquiry per family that asks for nobody; and asks
 * and subscribes through a socket that it keeps, by one that registers nothing. Pushes go to where the
 * last question came from that subscribes; those from elsewhere leave that. All that comes at any of these sockets goes into
 * {@linkcode Conversation.receive}. After each datagram, `directory.revision` tells whether something
 * has changed, and {@linkcode Conversation.isBehind} whether a push was missed, so that it is time to
 * ask. What was pushed is acknowledged by the next question.
 *
 * It is a little longer than a file should be because whatever opens is opened here.
 *
 * @module
 */

import { decodeAnswer, newAnswer, type RecordSpan } from "../../wire/wgsig2/answer.ts";
import {
  DATAGRAM,
  openDatagram,
  readDatagramGroup,
  readDatagramType,
} from "../../wire/wgsig2/datagram.ts";
import type { GroupKeys } from "../../wire/wgsig2/keys.ts";
import { decodePush, newPush } from "../../wire/wgsig2/push.ts";
import { decodeRetry, newRetry, RETRY } from "../../wire/wgsig2/retry.ts";
import { equalBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { Now } from "../net/clock.ts";
import { RosterDialogue } from "../roster/client/dialogue.ts";
import type { RosterFollower } from "../roster/client/follower.ts";
import { KEY_SIZE } from "../net/peer_key.ts";
import type { RandomSource } from "../net/random.ts";
import { AskedQuestion, type QuestionOwner, type RetryCause } from "./asked_question.ts";
import type { Directory } from "./directory.ts";
import { FollowedChanges } from "./followed_changes.ts";
import { LabelSequence } from "./label_sequence.ts";
import type { Prover } from "./prover.ts";
import { QuestionWriter, type Wish } from "./question_writer.ts";
import { ServerKey, type ServerKeyNote, type ToldKey } from "./server_key.ts";

/** The most questions whose answers are still taken. */
const MAX_ASKED = 16;

/** Who asks, and whom. */
export interface ConversationOptions {
  /** The own WireGuard public key, 32 bytes. */
  readonly id: Uint8Array;
  /** GROUP, 0 to 0xffffffff. */
  readonly group: number;
  /** The keys of the group's secret. */
  readonly keys: GroupKeys;
  /** Proves that questions are the own ones; without it, nothing is proved. */
  readonly prover?: Prover | undefined;
  /** The public key that the registry must have, 32 bytes. */
  readonly serverKey?: Uint8Array | undefined;
}

/** What became of a datagram that was received. */
export type Hearing =
  | "answer"
  | "retry"
  | "push"
  | "roster"
  | "duplicate"
  | "drop-not-wgsig2"
  | "drop-group-mismatch"
  | "drop-not-opened"
  | "drop-bad-payload"
  | "drop-mixed"
  | "drop-too-many"
  | "drop-key-refused";

const CAUSES = new Map<number, RetryCause>([
  [RETRY.clock, "clock"],
  [RETRY.address, "address"],
  [RETRY.proof, "proof"],
  [RETRY.label, "label"],
  [RETRY.busy, "busy"],
]);

/** A conversation with one registry. */
export class Conversation {
  /** Labels of questions, in both protocols. */
  readonly labels: LabelSequence = new LabelSequence();
  readonly #options: ConversationOptions;
  readonly #serverKey: ServerKey;
  readonly #writer: QuestionWriter;
  readonly #changes = new FollowedChanges();
  readonly #roster: RosterDialogue;
  /** The latest ones, the oldest first. */
  readonly #asked: AskedQuestion[] = [];
  #count = 0;
  /** The question that has subscribed. */
  #subscription: AskedQuestion | undefined;
  /** Those that may have begun its subscription: pushes of a registry that was started anew are theirs. */
  #begun: readonly AskedQuestion[] = [];
  #lastPush = 0;

  readonly #answer = newAnswer();
  readonly #retry = newRetry();
  readonly #push = newPush();
  readonly #span: RecordSpan = { at: 0, end: 0 };

  /**
   * Knows nothing yet.
   *
   * @param random Draws nonces.
   * @throws {RangeError} If a key has another size, or the prover proves another one.
   */
  constructor(options: ConversationOptions, random: RandomSource) {
    const { id, group, keys, prover, serverKey } = options;
    const own = new WireBuffer(id);
    if (
      own.size !== KEY_SIZE || prover && !equalBytes(own, 0, prover.publicKey, 0, KEY_SIZE)
    ) throw new RangeError("Cannot ask: that is no public key, or not that of the private key");
    this.#options = options;
    this.#serverKey = new ServerKey(serverKey, prover);
    this.#writer = new QuestionWriter({ id, group, keys, proves: prover !== undefined }, random);
    this.#roster = new RosterDialogue({ id, group, keys }, random);
  }

  /** What the registry has told of peers. */
  get directory(): Directory {
    return this.#changes.directory;
  }

  /** The registry's public key, 32 bytes: the one that is pinned, or was learnt. */
  get serverKey(): Uint8Array | undefined {
    return this.#serverKey.current?.bytes;
  }

  /** Whether that is pinned. */
  get isPinned(): boolean {
    return this.#serverKey.isPinned;
  }

  /** Whether something was pushed that doesn't follow what is known, or again: it is time to ask. */
  get isBehind(): boolean {
    return this.#changes.isBehind;
  }

  /** What the registry has told of the peers that it knows by name, where that was asked for. */
  get roster(): RosterFollower {
    return this.#roster.follower;
  }

  /** What a person should know of the registry's key, once. */
  takeNote(): ServerKeyNote | undefined {
    return this.#serverKey.takeNote();
  }

  /**
   * Says which peers are wanted from now on: these, in base64, or the whole group. More than a
   * question can name are picked from the whole group here.
   */
  want(publicKeys: Iterable<string> | undefined): void {
    this.#changes.want(publicKeys);
  }

  /** Wants to be told everything anew, since this host is elsewhere now. What is known stays. */
  forget(): void {
    this.#changes.forget();
  }

  /**
   * Writes a question at the start of `out`. An `Inquiry` calls this when it is time.
   *
   * @param out At least 1232 bytes.
   * @returns The size of the datagram, and the question's number.
   */
  write(
    out: WireBuffer,
    wish: Wish,
    owner: QuestionOwner,
    now: Now,
  ): { readonly size: number; readonly number: number } {
    const label = this.labels.next(now.unix);
    const { current: serverKey, shared } = this.#serverKey;
    const { cursor, interest } = this.#changes;
    const ack = this.#lastPush;
    const roster = wish.roster === true && shared !== undefined ? this.roster.version : -1;
    const state = { label, cursor, interest, serverKey, shared, ack, roster };
    const [size, nonce] = this.#writer.write(out, wish, state);
    const number = ++this.#count;
    const proves = this.#options.prover !== undefined;
    this.#asked.push(
      new AskedQuestion({
        number,
        family: wish.family,
        nonce,
        label,
        unix: now.unix,
        // Who proves is answered by who has the registry's private key, or not at all.
        answerKey: proves ? shared?.answer : this.#options.keys.answer,
        provedFor: proves ? serverKey : undefined,
        owner,
        subscribes: wish.subscribes === true,
        interest: wish.asks ? interest.number : undefined,
        wants: interest.changes,
      }),
    );
    if (this.#asked.length > MAX_ASKED) this.#asked.shift();
    if (wish.asks) this.#changes.isBehind = false;
    return { size, number };
  }

  /**
   * Writes a question about the roster at the start of `out`, when `roster` says that it is time.
   *
   * @param out At least 1232 bytes.
   * @returns Its size; 0 where nothing can be proved.
   */
  writeRoster(out: WireBuffer, now: Now): number {
    const { shared } = this.#serverKey;
    if (shared !== undefined) return this.#roster.write(shared, out, now);
    // It counts as asked, all the same.
    this.roster.ask(now);
    return 0;
  }

  /** Nobody has spoken for a key that was told: the next question goes by the one before, if any. */
  distrust(): void {
    this.#serverKey.distrust();
  }

  /**
   * Takes in a datagram that came from the registry's address: `length` bytes at `at`, which are
   * deciphered in their place.
   */
  receive(buffer: WireBuffer, at: number, length: number, now: Now): Hearing {
    const type = readDatagramType(buffer, at, length);
    if (type === 0) return "drop-not-wgsig2";
    if (readDatagramGroup(buffer, at) !== this.#options.group) return "drop-group-mismatch";
    switch (type) {
      case DATAGRAM.answer:
        return this.#takeAnswer(buffer, at, length, now);
      case DATAGRAM.push:
        return this.#takePush(buffer, at, length, now);
      case DATAGRAM.retry:
        return this.#takeRetry(buffer, at, length, now);
      case DATAGRAM.rosterAnswer:
        return this.#roster.receive(buffer, at, length, now) ? "roster" : "drop-not-opened";
      default:
        return "drop-not-wgsig2";
    }
  }

  #takeAnswer(buffer: WireBuffer, at: number, length: number, now: Now): Hearing {
    const asked = this.#opened(buffer, at, length, this.#asked);
    if (asked === undefined) return "drop-not-opened";
    const answer = this.#answer;
    if (!decodeAnswer(buffer, at, length, answer, this.#span)) return "drop-bad-payload";
    const { about } = asked;
    const { owner, provedFor } = about;
    if (provedFor !== undefined) this.#serverKey.proved(provedFor);
    else if (answer.serverKey.isGiven) {
      if (this.#serverKey.told(answer.serverKey.value) === "refused") {
        owner.keyRefused();
        return "drop-key-refused";
      }
    }
    const receipt = asked.take(answer);
    if (receipt === "duplicate") return receipt;
    if (receipt !== "new") return `drop-${receipt}`;
    this.labels.used(about.label);
    this.labels.hear(answer, about.unix, now.unix);
    this.#writer.keepCookie(about.family, answer.cookie);
    if (provedFor !== undefined && answer.roster >= 0) this.roster.told(answer.roster, now);
    this.#changes.takePart(asked, answer, { buffer, ...this.#span }, now.mono);
    owner.partCame(asked, answer);
    if (!asked.isAnswered) return "answer";
    this.#changes.complete(asked);
    if (asked.isSubscribed) this.#subscribed(asked);
    owner.answered(asked, now);
    return "answer";
  }

  /** Takes note of a question that has subscribed. */
  #subscribed(asked: AskedQuestion): void {
    const before = this.#subscription;
    const { number } = asked.about;
    const last = before?.about.number ?? 0;
    if (number < last) return;
    // The answer of the one that came first, of those since, may have been lost.
    if (before === undefined || !asked.continues(before)) {
      this.#begun = this.#asked.filter(({ about }) =>
        about.subscribes && about.number > last && about.number <= number
      );
    }
    this.#subscription = asked;
  }

  #takePush(buffer: WireBuffer, at: number, length: number, now: Now): Hearing {
    const { about: { number: first = Infinity } = {} } = this.#asked[0] ?? {};
    const kept = this.#subscription === undefined
      ? this.#begun
      : [...this.#begun.filter((each) => each !== this.#subscription), this.#subscription];
    const asked = this.#opened(buffer, at, length, [
      ...kept.filter(({ about }) => about.number < first),
      ...this.#asked.filter(({ about }) => about.subscribes),
    ]);
    if (asked === undefined) return "drop-not-opened";
    const push = this.#push;
    if (!decodePush(buffer, at, length, push, this.#span)) return "drop-bad-payload";
    if (push.counter <= asked.lastPush) return "duplicate";
    this.#lastPush = asked.lastPush = push.counter;
    if (asked.about.provedFor !== undefined) this.#serverKey.proved(asked.about.provedFor);
    const isNews = this.#changes.push(asked, push, { buffer, ...this.#span }, now.mono);
    return isNews || this.isBehind ? "push" : "duplicate";
  }

  #takeRetry(buffer: WireBuffer, at: number, length: number, now: Now): Hearing {
    const asked = this.#asked.find((each) => {
      const { about: { owner, number, nonce }, isRetried, parts } = each;
      return owner.lastAsked === number && !isRetried && parts === 0 &&
        openDatagram(this.#options.keys.answer, buffer, at, length, nonce);
    });
    if (asked === undefined) return "drop-not-opened";
    const retry = this.#retry;
    if (!decodeRetry(buffer, at, length, retry)) return "drop-bad-payload";
    const cause = CAUSES.get(retry.reason);
    if (cause === undefined) return "drop-bad-payload";
    asked.isRetried = true;
    const { owner, family, provedFor } = asked.about;
    this.#writer.keepCookie(family, retry.cookie);
    let helps = true;
    let told: ToldKey | undefined;
    switch (cause) {
      case "clock":
        this.labels.goBy(retry, now.unix);
        break;
      case "label":
        this.labels.startAt(retry);
        break;
      case "proof": {
        const { isGiven, value } = retry.serverKey;
        // A proof that was wrong for this key is wrong again; without a private key there is none.
        helps = this.#options.prover !== undefined && isGiven &&
          !(provedFor !== undefined && equalBytes(provedFor, 0, value, 0, KEY_SIZE));
        told = isGiven ? this.#serverKey.told(value) : undefined;
        if (told === "refused") {
          owner.keyRefused();
          helps = false;
        }
      }
    }
    owner.retried(cause, helps, now);
    return told === "refused" ? "drop-key-refused" : "retry";
  }

  /** The question to which a datagram belongs, which is opened then. */
  #opened(
    buffer: WireBuffer,
    at: number,
    length: number,
    asked: readonly AskedQuestion[],
  ): AskedQuestion | undefined {
    return asked.findLast(({ about: { answerKey, nonce } }) =>
      answerKey !== undefined && openDatagram(answerKey, buffer, at, length, nonce)
    );
  }
}

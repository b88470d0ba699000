/**
 * A question that was asked, and how far its answer has come.
 *
 * @module
 */

import type { AeadKey } from "../../wire/crypto/aead_key.ts";
import { EPOCH_SIZE } from "../../wire/wgsig2/cursor.ts";
import { type Answer, ANSWER_FLAG } from "../../wire/wgsig2/answer.ts";
import type { Label } from "../../wire/wgsig/tai64n.ts";
import { type Candidate, IP_SIZE, newCandidate } from "../../wire/wgsig2/candidate.ts";
import { copyBytes, equalBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { Now } from "../net/clock.ts";
import type { Family } from "../net/host_port.ts";

/** The most parts of an answer: 100 000 peers have fewer. */
export const MAX_PARTS = 8192;

/** A question that comes longer after the one before begins another subscription, in seconds. */
const LONGEST_GAP = 180;

/** Why a question is to be asked again. */
export type RetryCause = "clock" | "address" | "proof" | "label" | "busy";

/** Who asks, and hears what becomes of it. */
export interface QuestionOwner {
  /** The number of the question that it has asked last: a retry of an older one is not believed. */
  readonly lastAsked: number;
  /** A part of the answer came. */
  partCame(asked: AskedQuestion, answer: Answer): void;
  /** The whole answer is here. */
  answered(asked: AskedQuestion, now: Now): void;
  /** The question is to be asked again. @param helps Whether it will be another one then. */
  retried(cause: RetryCause, helps: boolean, now: Now): void;
  /** What came goes with another key than the one that is pinned. */
  keyRefused(): void;
}

/** What a question is about. */
export interface AskedAbout {
  /** Counts all questions of a conversation. */
  readonly number: number;
  /** Over which addresses it went. */
  readonly family: Family;
  /** Its NONCE, 24 bytes. */
  readonly nonce: WireBuffer;
  /** Its label. */
  readonly label: Label;
  /** The wall clock when it was asked. */
  readonly unix: number;
  /** What opens its answer; undefined where only a retry can come. */
  readonly answerKey: AeadKey | undefined;
  /** The registry's key for which it was proved; undefined where it wasn't. */
  readonly provedFor: WireBuffer | undefined;
  /** Who asks. */
  readonly owner: QuestionOwner;
  /** Whether it asks to be pushed to. */
  readonly subscribes: boolean;
  /** Which peers it wants, as a number that changes with them; undefined for nobody. */
  readonly interest: number | undefined;
  /** How often these had changed before. */
  readonly wants: number;
}

/** What became of a part. */
export type PartReceipt = "new" | "duplicate" | "mixed" | "too-many";

/** A question that was asked. */
export class AskedQuestion {
  /** What it is about. */
  readonly about: AskedAbout;
  /** Whether a retry was believed. */
  isRetried = false;
  /** COUNTER of the last push that belongs to it. */
  lastPush = 0;
  /** Which whole answer this is, or comes after; 0 until it is known. */
  generation = 0;
  /** EPOCH of the answer, 8 bytes. */
  readonly epoch: WireBuffer = new WireBuffer(EPOCH_SIZE);
  /** Where it came from, as the answer says. */
  readonly seen: Candidate = newCandidate();
  #version = 0;
  #flags = 0;
  #parts = 0;
  #missing = 0;
  #came: Uint8Array = new Uint8Array(0);

  /** No answer has come yet. */
  constructor(about: AskedAbout) {
    this.about = about;
  }

  /** How many parts the answer has; 0 where none has come. */
  get parts(): number {
    return this.#parts;
  }

  /** How many of them came. */
  get received(): number {
    return this.#parts - this.#missing;
  }

  /** Whether all parts came. */
  get isAnswered(): boolean {
    return this.#parts > 0 && this.#missing === 0;
  }

  /** VERSION of the answer. */
  get version(): number {
    return this.#version;
  }

  /** Whether the answer is all that is wanted. */
  get isWhole(): boolean {
    return (this.#flags & ANSWER_FLAG.whole) !== 0;
  }

  /** Whether there is more than the answer had room for. */
  get isCut(): boolean {
    return (this.#flags & ANSWER_FLAG.cut) !== 0;
  }

  /** Whether changes are pushed from now on to where it came from. */
  get isSubscribed(): boolean {
    return (this.#flags & ANSWER_FLAG.subscribed) !== 0;
  }

  /**
   * Whether the subscription that an earlier question has goes on with this one; else this one begins
   * another. docs/protocol-2.md, "Push".
   */
  continues({ about: before, epoch, seen }: AskedQuestion): boolean {
    const { about } = this;
    return about.unix - before.unix <= LONGEST_GAP && about.wants === before.wants &&
      about.answerKey === before.answerKey && equalBytes(epoch, 0, this.epoch, 0, EPOCH_SIZE) &&
      seen.port === this.seen.port && equalBytes(seen.address, 0, this.seen.address, 0, IP_SIZE);
  }

  /** Takes note of a part. All parts of an answer say the same but for what they tell of peers. */
  take({ part, parts, epoch, version, flags, seen }: Answer): PartReceipt {
    if (parts > MAX_PARTS) return "too-many";
    if (this.#parts === 0) {
      this.#parts = this.#missing = parts;
      this.#came = new Uint8Array(parts);
      this.epoch.bytes.set(epoch.bytes);
      copyBytes(seen.address, 0, this.seen.address, 0, IP_SIZE);
      this.seen.port = seen.port;
      this.#version = version;
      this.#flags = flags;
    } else if (
      parts !== this.#parts || version !== this.#version || flags !== this.#flags ||
      !equalBytes(epoch, 0, this.epoch, 0, EPOCH_SIZE)
    ) return "mixed";
    if (this.#came[part] !== 0) return "duplicate";
    this.#came[part] = 1;
    this.#missing--;
    return "new";
  }
}

/**
 * What a registry tells of changes, put together: parts of answers and pushes come in any order, late
 * ones of answers that another has overtaken among them, and the cursor says what is known for certain.
 *
 * docs/protocol-2.md, "Answer", "Push" and "What changes".
 *
 * @module
 */

import { type Answer, ANSWER_FLAG, type RecordSpan } from "../../wire/wgsig2/answer.ts";
import { EPOCH_SIZE } from "../../wire/wgsig2/cursor.ts";
import type { Push } from "../../wire/wgsig2/push.ts";
import { newPeerNews, readPeerNews } from "../../wire/wgsig2/record.ts";
import { equalBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { formatKey } from "../net/peer_key.ts";
import type { AskedQuestion } from "./asked_question.ts";
import { Directory, type Telling } from "./directory.ts";
import { Interest } from "./interest.ts";

/** Where records lie. */
interface Records extends Readonly<RecordSpan> {
  readonly buffer: WireBuffer;
}

/** What is known of a group, and how far. */
export class FollowedChanges {
  /** The peers. */
  readonly directory: Directory = new Directory();
  /** Which of them are wanted. */
  readonly interest: Interest = new Interest();
  /** How far everything is known: EPOCH, and VERSION; zeros where nothing is. */
  readonly cursor: { readonly epoch: WireBuffer; version: number } = {
    epoch: new WireBuffer(EPOCH_SIZE),
    version: 0,
  };
  /** Whether something was told that doesn't follow what is known, or again, since nobody has said so. */
  isBehind = false;
  /** What the directory's versions count, and since which question. */
  readonly #epoch = new WireBuffer(EPOCH_SIZE);
  #epochSince = -1;
  /** Whether the cursor says something. */
  #isKnown = false;
  /** The number of the last question that was answered as a whole. */
  #generation = 0;
  /** The generation of a whole answer that was cut: who is not told of until the end is gone. */
  #unswept = 0;
  readonly #news = newPeerNews();

  /** Wants these peers from now on, in base64, or the whole group. */
  want(publicKeys: Iterable<string> | undefined): void {
    const change = this.interest.set(publicKeys);
    if (change === "fewer") this.directory.narrow((key) => this.interest.includes(key));
    if (change === "more") this.forget();
  }

  /** Wants to be told everything anew. What is known stays until then. */
  forget(): void {
    this.cursor.epoch.bytes.fill(0);
    this.cursor.version = 0;
    this.#isKnown = false;
    this.#unswept = 0;
  }

  /** Takes over what a part of an answer tells. @param mono The monotonic clock. */
  takePart(asked: AskedQuestion, answer: Answer, records: Records, mono: number): void {
    if (asked.about.interest !== this.interest.number) return;
    const isWhole = (answer.flags & ANSWER_FLAG.whole) !== 0;
    if (!this.#isCountedAs(answer.epoch)) {
      // What counts otherwise is the registry after it has started anew, or before.
      if (!isWhole || asked.about.number <= this.#epochSince) return;
      this.forget();
      this.#epoch.bytes.set(answer.epoch.bytes);
      this.#epochSince = asked.about.number;
      this.directory.recount();
    }
    if (answer.version < this.cursor.version) return;
    if (asked.generation === 0) {
      // What was asked earlier doesn't bring back who a later answer leaves out, however late it comes.
      if (isWhole) this.#generation = Math.max(this.#generation, asked.about.number);
      asked.generation = isWhole ? asked.about.number : this.#generation;
    }
    this.#take(records, { version: answer.version, generation: asked.generation }, mono);
  }

  /** Moves on, since all parts of an answer are here. */
  complete(asked: AskedQuestion): void {
    const { cursor } = this;
    if (
      asked.about.interest !== this.interest.number || asked.generation === 0 && asked.isWhole ||
      !this.#isCountedAs(asked.epoch) || asked.version < cursor.version
    ) return;
    // Changes alone say nothing to who has forgotten what they have changed.
    if (!asked.isWhole && !this.#isKnown) return;
    this.#isKnown = true;
    cursor.epoch.bytes.set(this.#epoch.bytes);
    cursor.version = asked.version;
    if (asked.isWhole && (this.#unswept === 0 || !asked.isCut)) this.#unswept = asked.generation;
    if (asked.isCut) return;
    const { version } = cursor;
    if (this.#unswept > 0) this.directory.sweep({ version, generation: this.#unswept });
    this.#unswept = 0;
    this.directory.settle(version);
  }

  /** Takes over what was pushed. Returns whether that was news. */
  push(asked: AskedQuestion, push: Push, records: Records, mono: number): boolean {
    const { cursor } = this;
    if (asked.about.interest !== this.interest.number) return false;
    if (!this.#isKnown || !this.#isCountedAs(push.epoch)) {
      this.isBehind = true;
      return false;
    }
    if (push.version <= cursor.version) {
      // It is pushed again until a question acknowledges it.
      this.isBehind = true;
      return false;
    }
    this.#take(records, { version: push.version, generation: this.#generation }, mono);
    if (push.previous <= cursor.version) cursor.version = push.version;
    else this.isBehind = true;
    return true;
  }

  #isCountedAs(epoch: WireBuffer): boolean {
    return equalBytes(epoch, 0, this.#epoch, 0, EPOCH_SIZE);
  }

  #take({ buffer, at, end }: Records, telling: Telling, mono: number): void {
    const news = this.#news;
    while (at >= 0 && at < end) {
      at = readPeerNews(buffer, at, end, news);
      if (at >= 0 && this.interest.includes(formatKey(news.id.bytes))) {
        this.directory.take(news, telling, mono);
      }
    }
  }
}

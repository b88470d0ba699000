/**
 * When what has changed goes to the disk, and how: added to the end of a file, which is written anew
 * where that has doubled it or where it can't be added to. A driver does what this says and tells what
 * came of it.
 *
 * Who needs something on the disk asks with {@linkcode Journal.want}, and waits for
 * {@linkcode Journal.done}. All else waits as long as its part has patience.
 *
 * While a file is written anew, what changes is added to the old one and to the new. All of it is made
 * in small pieces, and may change meanwhile.
 *
 * @module
 */

import type { Now } from "../net/clock.ts";
import { Encoding, type RestoredFile, sizeOf } from "./encoding.ts";
import { JOURNAL_HEAD, journalHead, MAX_JOURNAL_SIZE } from "./journal_file.ts";
import type { Journaled } from "./journaled.ts";

/** A file is not written anew for less that was added, in bytes. */
const MIN_ADDED = 65_536;
/** So long nothing is tried after a failure, in seconds. */
const RETRY = 1;
/** The same where the file can be added to, but not be written anew. */
const RENEWAL_RETRY = 60;
/** A wall clock that has jumped further, in seconds, makes what was written before wrong. */
const CLOCK_JUMP = 2;
/** A file that is written anew is written in pieces of so many bytes: it may be larger than the memory. */
const PIECE = 1_048_576;

/** What to do next. */
export type JournalStep =
  /** Nothing for so many seconds, unless something changes or is wanted. */
  | { readonly kind: "rest"; readonly seconds: number }
  /** Call {@linkcode Journal.encode} for as long as others can wait. */
  | { readonly kind: "encode" }
  /** Add these bytes to the file, and tell. */
  | { readonly kind: "add"; readonly bytes: readonly Uint8Array[] }
  /**
   * Add these bytes to a file that is to come into the place of the one that is there, and tell; what
   * was begun before with such a one is given up where this is its first piece.
   */
  | { readonly kind: "write"; readonly bytes: readonly Uint8Array[]; readonly isFirst: boolean }
  /** Write this head over the beginning of that file, put it into its place, and tell. */
  | { readonly kind: "replace"; readonly head: Uint8Array }
  /** Nothing any more. */
  | { readonly kind: "end" };

/** What came of a step: the size of what was added to then, in bytes, or what went wrong. */
export type JournalOutcome = { readonly size: number } | { readonly problem: string };

/** What is to be said. */
export type JournalNews =
  | { readonly event: "not-saved"; readonly why: string }
  | { readonly event: "saved-again" };

/** What is being encoded, and what was wanted before. */
interface Work {
  readonly encoding: Encoding;
  readonly wanted: number;
  /** How much of it is written, in bytes. */
  written: number;
}

/** A file that several parts of a server are kept in. */
export class Journal {
  readonly #parts: readonly Journaled[];
  /** What the file says of others. */
  #others: readonly Uint8Array[] = [];
  /** Size of the file, and of what was written whole. */
  #size = 0;
  #wholeSize = 0;
  /** The wall clock less the monotonic one, when the file was read or written whole. */
  #clock: number;
  /** Whether the file is to be written whole before anything is added to it. */
  #isStale = true;
  /** How often something was wanted, and up to which time it is done. */
  #wanted = 0;
  #done = 0;
  /** When what has changed has waited for long enough, on the monotonic clock. */
  #dueAt = Infinity;
  #retryAt = -Infinity;
  #renewAt = -Infinity;
  #hasFailed = false;
  #ending: "no" | "begun" | "ended" = "no";
  /** What is being added, or a file that is being written anew; and what was wanted before it. */
  #adding: Work | undefined;
  #whole: Work | undefined;
  /** Whether the file that is written anew has its turn: it must get on, however much is wanted. */
  #isWholeNext = false;
  /** Whether what was said last is to put that file into its place. */
  #isReplacing = false;

  /** Begins without a file. */
  constructor(parts: readonly Journaled[], now: Now) {
    this.#parts = parts;
    this.#clock = now.unix - now.mono;
  }

  /** Says what was found in the file. @param size Its size in bytes. */
  found({ others, isSound, wholeSize }: RestoredFile, size: number): void {
    this.#others = others;
    this.#size = size;
    this.#wholeSize = wholeSize;
    this.#isStale = !isSound;
  }

  /** Whether the file can't be added to as it is. */
  get isStale(): boolean {
    return this.#isStale;
  }

  /** Size of the file, in bytes. */
  get size(): number {
    return this.#size;
  }

  /** How long what has changed may wait for the disk, in seconds; Infinity where nothing has. */
  get patience(): number {
    let least = Infinity;
    for (const part of this.#parts) least = Math.min(least, part.patience);
    return least;
  }

  /** Wants on the disk what has changed so far. @returns A number to wait for. */
  want(): number {
    return ++this.#wanted;
  }

  /** What was wanted up to this number is on the disk, or it was said that it can't be. */
  get done(): number {
    return this.#done;
  }

  /** Has the file written whole. */
  renew(): void {
    this.#isStale = true;
  }

  /** Ends it: all is written, also what was not worth it before. */
  end(): void {
    if (this.#ending === "no") this.#ending = "begun";
    // What becomes of what is on its way to the disk is not known.
    if (this.#adding !== undefined || this.#whole !== undefined) this.#beStale();
  }

  /** Whether what there was at the end is on the disk. */
  get isSaved(): boolean {
    return !this.#hasFailed;
  }

  /** What to do next. */
  next(now: Now): JournalStep {
    if (this.#ending !== "no") return this.#nextAtEnd(now);
    if (Math.abs(now.unix - now.mono - this.#clock) > CLOCK_JUMP) this.#beStale();
    if (this.#isStale) {
      if (now.mono >= this.#retryAt) return this.#nextOfWhole(now);
      this.#done = this.#wanted;
      return { kind: "rest", seconds: this.#retryAt - now.mono };
    }
    if (this.#adding !== undefined) return this.#nextOfAdding(now);
    const isRenewed = this.#whole !== undefined ||
      (this.#hasDoubled && now.mono >= this.#renewAt);
    if (isRenewed && this.#isWholeNext) {
      this.#isWholeNext = false;
      return this.#nextOfWhole(now);
    }
    const { patience } = this;
    this.#dueAt = patience < Infinity ? Math.min(this.#dueAt, now.mono + patience) : Infinity;
    if (patience < Infinity && (this.#done < this.#wanted || this.#dueAt <= now.mono)) {
      this.#dueAt = Infinity;
      const encoding = new Encoding(this.#parts, "changes");
      this.#adding = { encoding, wanted: this.#wanted, written: 0 };
      return { kind: "encode" };
    }
    this.#done = this.#wanted;
    if (isRenewed) return this.#nextOfWhole(now);
    return { kind: "rest", seconds: this.#dueAt - now.mono };
  }

  /** Makes a piece of what is to be written. @returns Whether there may be more. */
  encode(now: Now): boolean {
    if (this.#adding !== undefined) return this.#adding.encoding.encode(now);
    const encoding = this.#whole?.encoding;
    return encoding !== undefined && encoding.encode(now) && encoding.size < PIECE;
  }

  /** Says what came of adding or writing. @returns What is to be said of it. */
  told(outcome: JournalOutcome, now: Now): JournalNews | undefined {
    if (this.#adding !== undefined) return this.#toldOfAdding(this.#adding, outcome);
    if (this.#whole === undefined) return undefined;
    const { encoding, wanted, written } = this.#whole;
    const isEnded = this.#isReplacing || "problem" in outcome;
    if (this.#ending === "begun" && isEnded) this.#ending = "ended";
    if ("problem" in outcome) return this.#toldOfFailure(outcome.problem, now);
    if (!isEnded) {
      // What would be added now would have to be written to it as well, and so on for ever.
      this.#isWholeNext = encoding.isDone && encoding.size === 0;
      return undefined;
    }
    this.#whole = undefined;
    this.#size = this.#wholeSize = written;
    // What has changed while the file could not be added to has waited for long enough.
    if (this.#isStale && this.patience < Infinity) this.#dueAt = now.mono;
    this.#isStale = false;
    return this.#saved(wanted);
  }

  get #hasDoubled(): boolean {
    return this.#size - this.#wholeSize > Math.max(MIN_ADDED, this.#wholeSize);
  }

  #beStale(): void {
    this.#isStale = true;
    this.#adding = undefined;
    this.#whole = undefined;
  }

  #nextAtEnd(now: Now): JournalStep {
    const isWhole = !this.#isStale && this.patience === Infinity &&
      this.#size === this.#wholeSize && !this.#parts.some(({ wentOn }) => wentOn);
    const isWritten = this.#whole === undefined && isWhole;
    if (this.#ending === "begun" && !isWritten) return this.#nextOfWhole(now);
    this.#ending = "ended";
    this.#done = this.#wanted;
    return { kind: "end" };
  }

  #nextOfWhole(now: Now): JournalStep {
    if (this.#whole === undefined) {
      // The new file will have all that was to be added to the old one, which is not added to any more.
      if (this.#isStale) { for (const part of this.#parts) part.changes(); }
      const encoding = new Encoding(this.#parts, "all");
      this.#whole = { encoding, wanted: this.#wanted, written: 0 };
      this.#clock = now.unix - now.mono;
    }
    const { encoding, written } = this.#whole;
    const isWritable = encoding.isDone || encoding.size >= PIECE;
    if (!isWritable) return { kind: "encode" };
    const isFirst = written === 0;
    this.#isReplacing = !isFirst && encoding.size === 0;
    if (this.#isReplacing) return { kind: "replace", head: journalHead(written) };
    const batches = encoding.take();
    // The head is known once all is written.
    const bytes = isFirst ? [new Uint8Array(JOURNAL_HEAD), ...this.#others, ...batches] : batches;
    this.#whole.written += sizeOf(bytes);
    return { kind: "write", bytes, isFirst };
  }

  #nextOfAdding(now: Now): JournalStep {
    const { encoding, wanted } = this.#adding!;
    if (!encoding.isDone) return { kind: "encode" };
    const { batches } = encoding;
    const size = this.#size + sizeOf(batches);
    if (size <= MAX_JOURNAL_SIZE && size > this.#size) return { kind: "add", bytes: batches };
    this.#isStale = size > MAX_JOURNAL_SIZE;
    this.#taken(batches);
    if (!this.#isStale) this.#done = wanted;
    return this.next(now);
  }

  /** What was taken from the parts is a part of what the new file says. */
  #taken(batches: readonly Uint8Array[]): void {
    this.#adding = undefined;
    this.#whole?.encoding.add(batches);
  }

  #toldOfAdding(
    { encoding: { batches }, wanted }: Work,
    outcome: JournalOutcome,
  ): JournalNews | undefined {
    this.#taken(batches);
    const expected = this.#size + sizeOf(batches);
    // Where the size is another, somebody has changed the file. Where it failed, a part of it may be
    // there: nothing that is added after that could be read.
    if ("problem" in outcome || outcome.size !== expected) {
      this.#isStale = true;
      return undefined;
    }
    this.#size = expected;
    this.#isWholeNext = true;
    return this.#saved(wanted);
  }

  #toldOfFailure(why: string, now: Now): JournalNews | undefined {
    // It is begun anew.
    this.#whole = undefined;
    if (!this.#isStale && this.#ending === "no") {
      // Nothing is lost as long as the file can be added to.
      this.#renewAt = now.mono + RENEWAL_RETRY;
      return undefined;
    }
    const isNews = !this.#hasFailed || this.#ending !== "no";
    this.#retryAt = now.mono + RETRY;
    this.#done = this.#wanted;
    this.#hasFailed = true;
    return isNews ? { event: "not-saved", why } : undefined;
  }

  #saved(wanted: number): JournalNews | undefined {
    this.#done = Math.max(this.#done, wanted);
    if (!this.#hasFailed) return undefined;
    this.#hasFailed = false;
    return { event: "saved-again" };
  }
}

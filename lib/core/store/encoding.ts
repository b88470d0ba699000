/**
 * What parts of a server say, as the batches of a file: all of it, or what has changed.
 *
 * @module
 */

import { joinBytes, type WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { Now } from "../net/clock.ts";
import { magicOf } from "../net/state_magic.ts";
import {
  BATCH_HEAD,
  encodeBatch,
  JOURNAL_HEAD,
  type JournalEnd,
  journalHead,
  readJournal,
} from "./journal_file.ts";
import type { Journaled, Pieces, Restored } from "./journaled.ts";

/** Batches that are made piece by piece. */
export class Encoding {
  #batches: Uint8Array[] = [];
  #size = 0;
  readonly #pieces: (readonly [part: string, pieces: Pieces])[];

  /** Begins with what `parts` say now. @param what All of it, or what has changed. */
  constructor(parts: readonly Journaled[], what: "all" | "changes") {
    this.#pieces = parts.map((part) => [part.part, part[what]()]);
  }

  /** Makes the next batch. @returns Whether there may be more. */
  encode(now: Now): boolean {
    const first = this.#pieces[0];
    if (first === undefined) return false;
    const [part, pieces] = first;
    const content = pieces.next(now);
    if (content === undefined) this.#pieces.shift();
    else this.add([encodeBatch(part, content, now)]);
    return this.#pieces.length > 0;
  }

  /** Adds what was said meanwhile. */
  add(batches: readonly Uint8Array[]): void {
    this.#batches.push(...batches);
    this.#size += sizeOf(batches);
  }

  /** What was made, and not taken yet. */
  get batches(): readonly Uint8Array[] {
    return this.#batches;
  }

  /** The size of that, in bytes. */
  get size(): number {
    return this.#size;
  }

  /** Takes what was made. */
  take(): readonly Uint8Array[] {
    const batches = this.#batches;
    this.#batches = [];
    this.#size = 0;
    return batches;
  }

  /** Whether all is there. */
  get isDone(): boolean {
    return this.#pieces.length === 0;
  }
}

/** A file of these batches, in pieces. */
export function wholeFile(batches: readonly Uint8Array[]): Uint8Array[] {
  return [journalHead(sizeOf(batches) + JOURNAL_HEAD), ...batches];
}

/** The size of some bytes together. */
export function sizeOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((size, { length }) => size + length, 0);
}

/** A file with all that `parts` say. The bytes are the caller's. */
export function encodeFile(parts: readonly Journaled[], now: Now): Uint8Array {
  return joinBytes(wholeFile(encodeAtOnce(parts, "all", now)));
}

/** What is to be added to it for what has changed since, if anything. The bytes are the caller's. */
export function encodeChanges(parts: readonly Journaled[], now: Now): Uint8Array {
  return joinBytes(encodeAtOnce(parts, "changes", now));
}

function encodeAtOnce(parts: readonly Journaled[], what: "all" | "changes", now: Now) {
  const encoding = new Encoding(parts, what);
  while (encoding.encode(now));
  return encoding.batches;
}

/** What was found in a file. */
export interface RestoredFile extends JournalEnd {
  /** What each part has taken over. */
  readonly restored: readonly Restored[];
  /** What is said in it of parts that nobody asked for, as it stands there. */
  readonly others: readonly Uint8Array[];
  /** Whether it may be added to as it is. */
  readonly isSound: boolean;
  /** Size of what was written whole, in bytes. */
  readonly wholeSize: number;
}

/**
 * Has parts of a server take over what a file says of them, also where it is one of a part's own as
 * they were before.
 *
 * @throws {SyntaxError} If it is no state file, or nothing of it can be read.
 */
export function restoreFile(
  file: WireBuffer,
  parts: readonly Journaled[],
  now: Now,
): RestoredFile {
  const magic = magicOf(file.bytes);
  const former = parts.find(({ formerMagics }) => formerMagics.includes(magic ?? ""));
  if (former !== undefined) {
    const { cut, isDamaged, ...restored } = former.restoreFormer(file, now);
    return { restored: [restored], others: [], cut, isDamaged, isSound: false, wholeSize: 0 };
  }
  const { parts: found, wholeSize, cut, isDamaged } = readJournal(file);
  const restored = parts.map((part) => part.restore(file, found.get(part.part) ?? [], now))
    .filter((each) => each !== undefined);
  const others: Uint8Array[] = [];
  for (const [name, batches] of found) {
    if (parts.some(({ part }) => part === name)) continue;
    for (const { at, end } of batches) others.push(file.bytes.slice(at - BATCH_HEAD, end));
  }
  return { restored, others, cut, isDamaged, isSound: cut === 0, wholeSize };
}

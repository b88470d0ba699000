/**
 * The file that keeps what a server knows over a restart. It is written whole now and then, at once or
 * not at all; in between, what changes is added to its end.
 *
 * ```
 * "wgsigst2" | size of what was written whole, this head included (u32) | CRC-32 of both (u32)
 * per batch: size of its content, 1 to 131 072 (u32) | its complement (u32)
 *            | CRC-32 of the rest of it (u32) | written at, Unix seconds (f64)
 *            | part of the server, four letters | content
 * ```
 *
 * What a part says in its batches is its own affair: where it says something twice, the last word
 * counts. A crash can tear what was being added, and nothing else: what is wrong with the end of a
 * file, behind what was written whole, is passed over.
 *
 * @module
 */

import { crc32 } from "../../wire/bytes/crc32.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { Now } from "../net/clock.ts";
import { MAGIC_SIZE, magicOf, STATE_MAGIC } from "../net/state_magic.ts";

/**
 * The largest file that is read, in bytes: 4 000 000 peers that all speak wgsig 2 and have three
 * candidates, of a file that has doubled. Places in a file are numbers of 31 bits.
 */
export const MAX_JOURNAL_SIZE = 1536 * 1024 * 1024;
/** The most bytes that a batch holds. */
export const MAX_CONTENT_SIZE = 131_072;
/** Size of a file that says nothing, in bytes. */
export const JOURNAL_HEAD: number = MAGIC_SIZE + 8;
/** Size of what a batch begins with, in bytes. */
export const BATCH_HEAD = 24;

const WHOLE_SIZE = MAGIC_SIZE;
const HEAD_CRC = WHOLE_SIZE + 4;
const COMPLEMENT = 4;
const BATCH_CRC = 8;
const WRITTEN_AT = 12;
const PART = 20;
const PART_SIZE = 4;

/** Where a batch of a file has its content, in bytes from the beginning of the file. */
export interface Batch {
  /** When it was written, in Unix seconds. */
  readonly writtenAt: number;
  /** Where its content begins. */
  readonly at: number;
  /** Where it ends, and the batch. */
  readonly end: number;
}

/** What is wrong with the end of a file. */
export interface JournalEnd {
  /** Bytes at its end that say nothing. */
  readonly cut: number;
  /** Whether they are more than what a crash leaves of something that was being added. */
  readonly isDamaged: boolean;
}

/** What a file holds. */
export interface JournalContent extends JournalEnd {
  /** By part, in the order in which they were written. */
  readonly parts: ReadonlyMap<string, readonly Batch[]>;
  /** Size of what was written whole, in bytes. */
  readonly wholeSize: number;
}

/** What a file begins with. @param wholeSize Size of what is written whole, with this. */
export function journalHead(wholeSize: number): Uint8Array {
  const { bytes, view } = new WireBuffer(JOURNAL_HEAD);
  for (let i = 0; i < MAGIC_SIZE; i++) bytes[i] = STATE_MAGIC.charCodeAt(i);
  view.setUint32(WHOLE_SIZE, wholeSize);
  view.setUint32(HEAD_CRC, crc32(bytes, 0, HEAD_CRC));
  return bytes;
}

/** A batch with this content. The bytes are the caller's. */
export function encodeBatch(part: string, content: Uint8Array, now: Now): Uint8Array {
  if (content.length === 0 || content.length > MAX_CONTENT_SIZE || part.length !== PART_SIZE) {
    throw new RangeError(`Cannot write a batch of "${part}" with ${content.length} bytes`);
  }
  const { bytes, view } = new WireBuffer(BATCH_HEAD + content.length);
  view.setUint32(0, content.length);
  view.setInt32(COMPLEMENT, ~content.length);
  view.setFloat64(WRITTEN_AT, now.unix);
  for (let i = 0; i < PART_SIZE; i++) bytes[PART + i] = part.charCodeAt(i);
  bytes.set(content, BATCH_HEAD);
  view.setUint32(BATCH_CRC, crc32(bytes, WRITTEN_AT, bytes.length - WRITTEN_AT));
  return bytes;
}

/**
 * Finds the batches of a file.
 *
 * @throws {SyntaxError} If it is no state file, or its head is damaged.
 */
export function readJournal(file: WireBuffer): JournalContent {
  const { bytes, view, size } = file;
  if (magicOf(bytes) !== STATE_MAGIC) throw new SyntaxError("it is no state file");
  if (size < JOURNAL_HEAD) throw new SyntaxError("it is too short");
  const wholeSize = view.getUint32(WHOLE_SIZE);
  if (view.getUint32(HEAD_CRC) !== crc32(bytes, 0, HEAD_CRC) || wholeSize < JOURNAL_HEAD) {
    throw new SyntaxError("its head is damaged");
  }
  const parts = new Map<string, Batch[]>();
  let at = JOURNAL_HEAD;
  while (at < size) {
    const batch = readBatch(file, at);
    // What was written whole is not cut in two by a batch.
    if (batch === undefined || (at < wholeSize && batch.end > wholeSize)) break;
    const part = String.fromCharCode(...bytes.subarray(at + PART, at + BATCH_HEAD));
    const batches = parts.get(part);
    if (batches === undefined) parts.set(part, [batch]);
    else batches.push(batch);
    at = batch.end;
  }
  const isDamaged = at < wholeSize || !isTorn(file, at);
  return { parts, wholeSize, cut: size - at, isDamaged };
}

/** The batch at `at`, or undefined where there is none that is right. */
function readBatch({ bytes, view, size }: WireBuffer, at: number): Batch | undefined {
  const end = endOf(view, at, size);
  if (end === undefined || end > size) return undefined;
  const checked = at + WRITTEN_AT;
  if (view.getUint32(at + BATCH_CRC) !== crc32(bytes, checked, end - checked)) return undefined;
  const writtenAt = view.getFloat64(checked);
  return Number.isFinite(writtenAt) ? { writtenAt, at: at + BATCH_HEAD, end } : undefined;
}

/** Where the batch at `at` says that it ends, or undefined where nothing was ever written so. */
function endOf(view: DataView, at: number, size: number): number | undefined {
  if (at + BATCH_HEAD > size) return undefined;
  const content = view.getUint32(at);
  const isSize = content > 0 && content <= MAX_CONTENT_SIZE &&
    view.getInt32(at + COMPLEMENT) === ~content;
  return isSize ? at + BATCH_HEAD + content : undefined;
}

/** Whether what stands from `at` on may be what a crash has left of something that was being added. */
function isTorn({ bytes, view, size }: WireBuffer, at: number): boolean {
  if (at + BATCH_HEAD > size) return true;
  const end = endOf(view, at, size);
  if (end !== undefined && end >= size) return true;
  // A file system that has lost power may know a file's new size, and not what is there.
  for (let i = at; i < size; i++) if (bytes[i] !== 0) return false;
  return true;
}

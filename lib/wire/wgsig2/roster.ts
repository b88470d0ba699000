/**
 * The payloads of a question about the roster, and of its answer.
 *
 * ```
 * question, 1232 bytes of datagram                    answer, 1232 bytes at most
 *  0         32     40      41                         0         8     16      17
 * +---------+------+-------+-------+-------+          +---------+-----+-------+---------+
 * | peer ID | FROM | FLAGS | zeros | PROOF |          | VERSION | NOW | FLAGS | entries |
 * +---------+------+-------+-------+-------+          +---------+-----+-------+---------+
 *
 * entry
 *  0     32      33
 * +-----+-------+------+-----+------------+-------+----------+
 * | KEY | FLAGS | name | VIA | [via's key] | COUNT | prefixes |
 * +-----+-------+------+-----+------------+-------+----------+
 * ```
 *
 * Offsets are those of the whole datagram at `at`: see `datagram.ts`. `proveQuestion` and
 * `verifyProof` make and check PROOF. docs/protocol-2.md, "The roster".
 *
 * @module
 */

import { TAG_SIZE } from "../crypto/aead_key.ts";
import { EXCHANGE_KEY_SIZE } from "../crypto/exchange_key.ts";
import { checkBounds, checkField, copyBytes, type WireBuffer } from "../bytes/wire_buffer.ts";
import { ID_SIZE } from "../wgsig/record.ts";
import { readVersion, VERSION_SIZE, writeVersion } from "./cursor.ts";
import { DATAGRAM_PAYLOAD, MAX_DATAGRAM_SIZE, MAX_PAYLOAD_END } from "./datagram.ts";
import {
  encodeName,
  MAX_NAME_SIZE,
  MAX_WIRE_PREFIX_SIZE,
  readName,
  readWirePrefix,
  type TunnelPrefix,
  wirePrefixSize,
  writeWirePrefix,
} from "./name.ts";
import { PROOF_SIZE } from "./question.ts";

/** Size of a question about the roster, in bytes: its answer is never longer. */
export const ROSTER_QUESTION_SIZE: number = MAX_DATAGRAM_SIZE;
/** Offset of the peer ID in it. */
const ROSTER_QUESTION_ID = DATAGRAM_PAYLOAD;
const FROM = ROSTER_QUESTION_ID + ID_SIZE;
const QUESTION_FLAGS = FROM + VERSION_SIZE;
const QUESTION_END = ROSTER_QUESTION_SIZE - TAG_SIZE - PROOF_SIZE;

const VERSION = DATAGRAM_PAYLOAD;
const NOW = VERSION + VERSION_SIZE;
const FLAGS = NOW + VERSION_SIZE;
const ENTRIES = FLAGS + 1;

/** So many entries that were taken away a registry tells of, the last ones. */
export const MOST_GONE_ENTRIES = 4096;
/** The most prefixes of an entry. */
export const MAX_ENTRY_PREFIXES = 16;
/** Size of the largest entry, in bytes: one always fits. */
export const MAX_ENTRY_SIZE: number = EXCHANGE_KEY_SIZE + 1 + 1 + MAX_NAME_SIZE + 1 +
  EXCHANGE_KEY_SIZE + 1 + MAX_ENTRY_PREFIXES * MAX_WIRE_PREFIX_SIZE;

/** FLAGS of a question about the roster. */
export const ROSTER_QUESTION_FLAG = {
  /** FROM is the VERSION of the last answer to a question of the same round: never WHOLE again. */
  onward: 0x01,
} as const;

/** FLAGS of its answer. */
export const ROSTER_ANSWER_FLAG = {
  /** What was known before is to be forgotten: this is the beginning of all there is. */
  whole: 0x01,
} as const;

/** FLAGS of an entry. */
const ENTRY_FLAG = {
  /** Take it away: it was forgotten or revoked. */
  gone: 0x01,
} as const;

/** A question about the roster. */
export interface RosterQuestion {
  /** The peer's WireGuard public key, 32 bytes. */
  readonly id: WireBuffer;
  /** VERSION of the last answer, 0 for none. */
  from: number;
  /** {@linkcode ROSTER_QUESTION_FLAG}, 0 to 255. */
  flags: number;
}

/** What stands before the entries of an answer. */
export interface RosterAnswer {
  /** The last change in this answer: the next question asks from there. */
  version: number;
  /** The last change of all: where `version` is less, there is more. */
  now: number;
  /** {@linkcode ROSTER_ANSWER_FLAG}, 0 to 255. */
  flags: number;
}

/** A peer of the roster. */
export interface WireEntry {
  /** Its WireGuard public key, 32 bytes. */
  readonly key: Uint8Array;
  /** Whether it is there no more; it has no name, no prefixes and no `via` then. */
  readonly isGone: boolean;
  /** Its name; "" where it is gone. */
  readonly name: string;
  /** The public key of the peer through which it is reached, 32 bytes. */
  readonly via: Uint8Array | undefined;
  /** Its AllowedIPs, 16 at most. */
  readonly prefixes: readonly TunnelPrefix[];
}

/**
 * Writes the payload of a question about the roster behind its header. PROOF and then the tag are
 * still to be written.
 *
 * @param at Where the datagram begins.
 * @returns The size of the datagram: {@linkcode ROSTER_QUESTION_SIZE}.
 * @throws {RangeError} If it doesn't fit, or a field is out of range.
 */
export function encodeRosterQuestion(
  { id, from, flags }: RosterQuestion,
  buffer: WireBuffer,
  at: number,
): number {
  checkBounds(buffer, at, ROSTER_QUESTION_SIZE, "a question about the roster");
  checkBounds(id, 0, ID_SIZE, "a peer ID");
  checkField(flags, 8, "flags");
  copyBytes(id, 0, buffer, at + ROSTER_QUESTION_ID, ID_SIZE);
  writeVersion(buffer, at + FROM, from);
  buffer.bytes[at + QUESTION_FLAGS] = flags;
  buffer.bytes.fill(0, at + QUESTION_FLAGS + 1, at + QUESTION_END);
  return ROSTER_QUESTION_SIZE;
}

/**
 * Reads the question of `length` bytes at `at`, which was opened, into `question`. Its proof is not
 * looked at. A version that is too large is 0.
 *
 * @returns Whether it is one.
 * @throws {RangeError} If the buffer is smaller than `length` says.
 */
export function decodeRosterQuestion(
  buffer: WireBuffer,
  at: number,
  length: number,
  question: RosterQuestion,
): boolean {
  if (length !== ROSTER_QUESTION_SIZE) return false;
  checkBounds(buffer, at, length, "a question about the roster");
  copyBytes(buffer, at + ROSTER_QUESTION_ID, question.id, 0, ID_SIZE);
  question.from = readVersion(buffer, at + FROM) || 0;
  question.flags = buffer.bytes[at + QUESTION_FLAGS]!;
  return true;
}

/** Size of an entry, in bytes. */
export function entrySize({ name, via, prefixes }: WireEntry): number {
  let size = EXCHANGE_KEY_SIZE + 4 + (via === undefined ? 0 : EXCHANGE_KEY_SIZE);
  if (name !== "") size += encodeName(name).length;
  for (const prefix of prefixes) size += wirePrefixSize(prefix);
  return size;
}

/**
 * Writes an answer behind its header: as many of the entries as fit.
 *
 * @param entries In the order of their changes.
 * @param at Where the datagram begins.
 * @returns The size of the datagram, with its tag, and how many entries are in it.
 * @throws {RangeError} If the buffer is smaller than 1232 bytes or a field is out of range.
 */
export function encodeRosterAnswer(
  { version, now, flags }: RosterAnswer,
  entries: readonly WireEntry[],
  buffer: WireBuffer,
  at: number,
): { readonly length: number; readonly written: number } {
  checkBounds(buffer, at, MAX_DATAGRAM_SIZE, "an answer about the roster");
  checkField(flags, 8, "flags");
  writeVersion(buffer, at + VERSION, version);
  writeVersion(buffer, at + NOW, now);
  buffer.bytes[at + FLAGS] = flags;
  let next = at + ENTRIES;
  let written = 0;
  for (const entry of entries) {
    if (next + entrySize(entry) > at + MAX_PAYLOAD_END) break;
    next = writeEntry(entry, buffer, next);
    written++;
  }
  return { length: next - at + TAG_SIZE, written };
}

/**
 * Writes VERSION of the answer at `at` once more: which change is the last that fits is known at the
 * end only.
 *
 * @throws {RangeError} If the buffer is too small, or it is no version.
 */
export function writeRosterVersion(version: number, buffer: WireBuffer, at: number): void {
  checkBounds(buffer, at, ENTRIES, "an answer about the roster");
  writeVersion(buffer, at + VERSION, version);
}

/**
 * Writes an entry.
 *
 * @returns Where the next byte goes.
 * @throws {RangeError} If it doesn't fit, or a field is out of range.
 */
function writeEntry(entry: WireEntry, buffer: WireBuffer, at: number): number {
  const { key, isGone, name, via, prefixes } = entry;
  for (const each of via === undefined ? [key] : [key, via]) {
    if (each.length === EXCHANGE_KEY_SIZE) continue;
    throw new RangeError(`Cannot write a public key of ${each.length} bytes, it has 32`);
  }
  if (prefixes.length > MAX_ENTRY_PREFIXES) {
    throw new RangeError(`Cannot write ${prefixes.length} prefixes of an entry: 16 at most`);
  }
  if (isGone !== (name === "") || (isGone && (via !== undefined || prefixes.length > 0))) {
    throw new RangeError("Cannot write an entry: it has a name, or is gone and has nothing");
  }
  checkBounds(buffer, at, entrySize(entry), "an entry of the roster");
  const { bytes } = buffer;
  bytes.set(key, at);
  let next = at + EXCHANGE_KEY_SIZE;
  bytes[next++] = isGone ? ENTRY_FLAG.gone : 0;
  const named = isGone ? new Uint8Array(0) : encodeName(name);
  bytes[next++] = named.length;
  bytes.set(named, next);
  next += named.length;
  bytes[next++] = via === undefined ? 0 : 1;
  if (via !== undefined) {
    bytes.set(via, next);
    next += EXCHANGE_KEY_SIZE;
  }
  bytes[next++] = prefixes.length;
  for (const prefix of prefixes) next = writeWirePrefix(prefix, buffer, next);
  return next;
}

/**
 * Reads the entry at `at`, whose bytes are copies.
 *
 * @returns It, and where it ends; undefined where it ends after `end`, or means nothing.
 */
export function readEntry(
  buffer: WireBuffer,
  at: number,
  end: number,
): { readonly entry: WireEntry; readonly next: number } | undefined {
  const { bytes } = buffer;
  let next = at + EXCHANGE_KEY_SIZE + 2;
  if (next > end) return undefined;
  const key = bytes.slice(at, at + EXCHANGE_KEY_SIZE);
  const isGone = (bytes[next - 2]! & ENTRY_FLAG.gone) !== 0;
  const nameSize = bytes[next - 1]!;
  if (next + nameSize + 2 > end) return undefined;
  const name = nameSize === 0 ? "" : readName(buffer, next, nameSize);
  next += nameSize;
  const hasVia = bytes[next++] === 1;
  if (name === undefined || (bytes[next - 1]! > 1)) return undefined;
  let via: Uint8Array | undefined;
  if (hasVia) {
    if (next + EXCHANGE_KEY_SIZE + 1 > end) return undefined;
    via = bytes.slice(next, next + EXCHANGE_KEY_SIZE);
    next += EXCHANGE_KEY_SIZE;
  }
  const count = bytes[next++]!;
  if (count > MAX_ENTRY_PREFIXES) return undefined;
  const prefixes: TunnelPrefix[] = [];
  for (let i = 0; i < count; i++) {
    const prefix = readWirePrefix(buffer, next, end);
    if (prefix === undefined) return undefined;
    prefixes.push(prefix);
    next += wirePrefixSize(prefix);
  }
  if (isGone !== (name === "") || (isGone && (hasVia || count > 0))) return undefined;
  return { entry: { key, isGone, name, via, prefixes }, next };
}

/**
 * Reads the answer of `length` bytes at `at`, which was opened, into `answer`.
 *
 * @returns Its entries, or undefined where it means nothing.
 * @throws {RangeError} If the buffer is smaller than `length` says.
 */
export function decodeRosterAnswer(
  buffer: WireBuffer,
  at: number,
  length: number,
  answer: RosterAnswer,
): WireEntry[] | undefined {
  if (length < ENTRIES + TAG_SIZE || length > MAX_DATAGRAM_SIZE) return undefined;
  checkBounds(buffer, at, length, "an answer about the roster");
  answer.version = readVersion(buffer, at + VERSION);
  answer.now = readVersion(buffer, at + NOW);
  answer.flags = buffer.bytes[at + FLAGS]!;
  if (!(answer.version >= 0 && answer.now >= 0)) return undefined;
  const end = at + length - TAG_SIZE;
  const entries: WireEntry[] = [];
  for (let next = at + ENTRIES; next < end;) {
    const read = readEntry(buffer, next, end);
    if (read === undefined) return undefined;
    entries.push(read.entry);
    next = read.next;
  }
  return entries;
}

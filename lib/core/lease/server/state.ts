/**
 * Leases as a file, so that a restart forgets none. It is written whole now and then; in between,
 * what changes is added to its end. The last word on a peer and an address counts.
 *
 * ```
 * "wgsiglt2"
 * per group: size of its entries, 52 to 53 248 (u32) | CRC-32 of the rest of it (u32)
 *            | written at, Unix seconds (f64)
 *   per entry: public key (32) | address (16) | seconds left when written (u32)
 * ```
 *
 * No seconds left: the lease has ended, and the peer may have the address still. 2^32 - 1: it has it
 * no more. What a crash has left of a last group is passed over.
 *
 * Files of the first version are read, too: `"wgsiglt1"`, saved at (f64), leases (u32), entries as
 * above, CRC-32 of all before (u32).
 *
 * @module
 */

import { crc32 } from "../../../wire/bytes/crc32.ts";
import { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import { ADDRESS_SIZE } from "../../net/ip_address.ts";
import { type LeaseAddress, readLeaseAddress, writeLeaseAddress } from "../address.ts";
import type { LeaseBook, LeaseNote } from "./book.ts";
import { formatKey, KEY_SIZE, parseKey } from "../../net/peer_key.ts";
import type { Now } from "../../net/clock.ts";

/** The largest file of leases that is read, in bytes: more than 600 000 entries. */
export const MAX_LEASE_STATE_SIZE = 32 * 1024 * 1024;
/** The most entries of a group. */
export const MAX_GROUP_ENTRIES = 1024;

const MAGIC = "wgsiglt2";
const FIRST_MAGIC = "wgsiglt1";
const GROUP_CRC = 4;
const GROUP_WRITTEN_AT = 8;
const GROUP_HEAD = 16;
const LEFT = KEY_SIZE + ADDRESS_SIZE;
const ENTRY_SIZE = LEFT + 4;
/** "Seconds left" where the peer has the address no more. */
const TAKEN_OFF = 0xffff_ffff;
const CRC_SIZE = 4;
const FIRST_COUNT = MAGIC.length + 8;
const FIRST_HEAD = FIRST_COUNT + 4;

/** What became of saved leases: how many addresses. */
export interface RestoredLeases {
  /** Held again, by who held them. */
  readonly restored: number;
  /** Ended meanwhile. */
  readonly expired: number;
  /** No longer in a pool, reserved, or another's. */
  readonly dropped: number;
}

/** What is wrong with the end of a file. */
export interface LeaseFileEnd {
  /** Bytes at its end that say nothing. */
  readonly cut: number;
  /** Whether they are more than what a crash leaves of something that was being added. */
  readonly isDamaged: boolean;
}

/** Where a file's groups are. */
interface Group {
  readonly writtenAt: number;
  readonly at: number;
  readonly end: number;
}

/** What is written of a lease that stays the same as long as it is held: key and address. */
const entries = new WeakMap<LeaseAddress, Uint8Array>();

function newEntry(publicKey: string, address: LeaseAddress): Uint8Array | undefined {
  const key = parseKey(publicKey);
  if (key === undefined) return undefined;
  const entry = new WireBuffer(LEFT);
  entry.bytes.set(key);
  writeLeaseAddress(address, entry, KEY_SIZE);
  entries.set(address, entry.bytes);
  return entry.bytes;
}

/** What a file begins with. */
export function leaseStateHead(): Uint8Array {
  return Uint8Array.from(MAGIC, (letter) => letter.charCodeAt(0));
}

/** A group, or as many as are needed; no bytes where there are no notes. The bytes are the caller's. */
export function encodeLeaseNotes(notes: readonly LeaseNote[], now: Now): Uint8Array {
  const groups = Math.ceil(notes.length / MAX_GROUP_ENTRIES);
  const buffer = new WireBuffer(groups * GROUP_HEAD + notes.length * ENTRY_SIZE);
  let end = 0;
  for (let i = 0; i < notes.length; i += MAX_GROUP_ENTRIES) {
    end = writeGroup(notes, i, Math.min(notes.length, i + MAX_GROUP_ENTRIES), now, buffer, end);
  }
  return buffer.bytes.subarray(0, end);
}

/** Writes a group of the notes from `from` to `to`, and returns where it ends. */
function writeGroup(
  notes: readonly LeaseNote[],
  from: number,
  to: number,
  now: Now,
  { bytes, view }: WireBuffer,
  start: number,
): number {
  let at = start + GROUP_HEAD;
  for (let i = from; i < to; i++) {
    const { publicKey, address, expiresAt } = notes[i]!;
    const entry = entries.get(address) ?? newEntry(publicKey, address);
    if (entry === undefined) continue;
    bytes.set(entry, at);
    // Rounded up: nobody was promised less.
    const left = expiresAt === undefined
      ? TAKEN_OFF
      : Math.min(TAKEN_OFF - 1, Math.max(0, Math.ceil(expiresAt - now.mono)));
    view.setUint32(at + LEFT, left);
    at += ENTRY_SIZE;
  }
  if (at === start + GROUP_HEAD) return start;
  view.setUint32(start, at - start - GROUP_HEAD);
  view.setFloat64(start + GROUP_WRITTEN_AT, now.unix);
  const checked = start + GROUP_WRITTEN_AT;
  view.setUint32(start + GROUP_CRC, crc32(bytes, checked, at - checked));
  return at;
}

/** The bytes of a file with all that `book` has to save. */
export function encodeLeases(book: LeaseBook, now: Now): Uint8Array {
  const head = leaseStateHead();
  const notes = encodeLeaseNotes([...book.notes()], now);
  const bytes = new Uint8Array(head.length + notes.length);
  bytes.set(head);
  bytes.set(notes, head.length);
  return bytes;
}

/**
 * Puts the leases of a file into `book`, less the time that has passed since they were written.
 * What a peer can't have any more is a change of the book.
 *
 * @throws {SyntaxError} If it is no file of leases, or one of the first version that is damaged. The
 *   book is then as it was.
 */
export function restoreLeases(
  bytes: Uint8Array,
  book: LeaseBook,
  now: Now,
): RestoredLeases & LeaseFileEnd {
  const buffer = new WireBuffer(bytes);
  const { groups, ...end } = readGroups(buffer);
  const last = lastWords(buffer, groups);
  const counts = { restored: 0, expired: 0, dropped: 0 };
  // The newest come first: where two have the same address, or one has two, an older word was not
  // followed by its end because a crash came in between.
  for (const [at, writtenAt] of [...last.values()].reverse()) {
    const left = buffer.view.getUint32(at + LEFT);
    if (left === TAKEN_OFF) continue;
    const publicKey = formatKey(bytes.subarray(at, at + KEY_SIZE));
    const address = readLeaseAddress(buffer, at + KEY_SIZE);
    // A clock that was set back must not make leases longer than they were.
    const elapsed = Math.max(0, now.unix - writtenAt);
    counts[book.restore(publicKey, address, now.mono + left - elapsed, now.mono)]++;
  }
  return { ...counts, ...end };
}

/** Where the last word on each peer and address is, and when it was written; the oldest first. */
function lastWords(
  { bytes }: WireBuffer,
  groups: readonly Group[],
): Map<string, readonly [at: number, writtenAt: number]> {
  const last = new Map<string, readonly [number, number]>();
  for (const { writtenAt, at: start, end } of groups) {
    for (let at = start; at < end; at += ENTRY_SIZE) {
      const name = String.fromCharCode(...bytes.subarray(at, at + LEFT));
      last.delete(name);
      last.set(name, [at, writtenAt]);
    }
  }
  return last;
}

function readGroups(buffer: WireBuffer): LeaseFileEnd & { readonly groups: readonly Group[] } {
  if (startsWith(buffer, FIRST_MAGIC)) {
    return { groups: [readFirstVersion(buffer)], cut: 0, isDamaged: false };
  }
  if (!startsWith(buffer, MAGIC)) throw new SyntaxError("it is no file of leases");
  const groups: Group[] = [];
  for (let at = MAGIC.length; at < buffer.size;) {
    const group = readGroup(buffer, at);
    if (typeof group === "string") {
      return { groups, cut: buffer.size - at, isDamaged: group === "damaged" };
    }
    groups.push(group);
    at = group.end;
  }
  return { groups, cut: 0, isDamaged: false };
}

/** The group at `at`, which is torn where it may be what was being written in a crash. */
function readGroup(buffer: WireBuffer, at: number): Group | "torn" | "damaged" {
  const { view, bytes, size: fileSize } = buffer;
  if (at + GROUP_HEAD > fileSize) return "torn";
  const size = view.getUint32(at);
  const end = at + GROUP_HEAD + size;
  const isSize = size > 0 && size % ENTRY_SIZE === 0 && size <= MAX_GROUP_ENTRIES * ENTRY_SIZE;
  if (isSize && end > fileSize) return "torn";
  const checked = at + GROUP_WRITTEN_AT;
  if (!isSize || view.getUint32(at + GROUP_CRC) !== crc32(bytes, checked, end - checked)) {
    // A file system that has lost power may know a file's new size, and not what is there.
    const isLast = isSize && end === fileSize;
    return isLast || bytes.subarray(at).every((byte) => byte === 0) ? "torn" : "damaged";
  }
  const writtenAt = view.getFloat64(at + GROUP_WRITTEN_AT);
  return Number.isFinite(writtenAt) ? { writtenAt, at: at + GROUP_HEAD, end } : "damaged";
}

function readFirstVersion({ bytes, view }: WireBuffer): Group {
  const end = bytes.length - CRC_SIZE;
  if (end < FIRST_HEAD) throw new SyntaxError("it is too short");
  if (view.getUint32(end) !== crc32(bytes, 0, end)) throw new SyntaxError("its checksum is wrong");
  if (FIRST_HEAD + view.getUint32(FIRST_COUNT) * ENTRY_SIZE !== end) {
    throw new SyntaxError("its size is not what it says");
  }
  const writtenAt = view.getFloat64(MAGIC.length);
  if (!Number.isFinite(writtenAt)) throw new SyntaxError("it does not say when it was saved");
  return { writtenAt, at: FIRST_HEAD, end };
}

function startsWith({ bytes }: WireBuffer, magic: string): boolean {
  for (let i = 0; i < magic.length; i++) {
    if (bytes[i] !== magic.charCodeAt(i)) return false;
  }
  return true;
}

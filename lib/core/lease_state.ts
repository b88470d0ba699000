/**
 * Leases as a file, so that a restart forgets none.
 *
 * ```
 * "wgsiglt1" | saved at, Unix seconds (f64) | leases (u32)
 *   per lease: public key (32) | address (16) | seconds left when saved (u32)
 * CRC-32 of all before (u32)
 * ```
 *
 * @module
 */

import { crc32 } from "../wire/crc32.ts";
import { MAX_LEASE_NUMBER } from "../wire/lease_message.ts";
import { WireBuffer } from "../wire/wire_buffer.ts";
import { ADDRESS_SIZE } from "./ip_address.ts";
import { type LeaseAddress, readLeaseAddress, writeLeaseAddress } from "./lease_address.ts";
import type { LeaseBook } from "./lease_book.ts";
import { formatKey, KEY_SIZE, parseKey } from "./peer_key.ts";
import type { Now } from "./registry.ts";

/** The largest file of leases that is read, in bytes: more than 200 000 leases. */
export const MAX_LEASE_STATE_SIZE = 16 * 1024 * 1024;

const MAGIC = "wgsiglt1";
const SAVED_AT = MAGIC.length;
const COUNT = SAVED_AT + 8;
const HEADER_SIZE = COUNT + 4;
const LEFT = KEY_SIZE + ADDRESS_SIZE;
const LEASE_SIZE = LEFT + 4;
const CRC_SIZE = 4;

/** What became of saved leases: how many addresses. */
export interface RestoredLeases {
  /** Held again, by who held them. */
  readonly restored: number;
  /** Ended meanwhile. */
  readonly expired: number;
  /** No longer in a pool, reserved, or another's. */
  readonly dropped: number;
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

/** The bytes of a file with the leases of `book`. */
export function encodeLeases(book: LeaseBook, now: Now): Uint8Array {
  const buffer = new WireBuffer(HEADER_SIZE + book.count * LEASE_SIZE + CRC_SIZE);
  const { view, bytes } = buffer;
  for (let i = 0; i < MAGIC.length; i++) view.setUint8(i, MAGIC.charCodeAt(i));
  view.setFloat64(SAVED_AT, now.unix);
  let at = HEADER_SIZE;
  let count = 0;
  for (const { publicKey, address, expiresAt } of book.leases()) {
    const entry = entries.get(address) ?? newEntry(publicKey, address);
    if (entry === undefined) continue;
    bytes.set(entry, at);
    const left = Math.ceil(expiresAt - now.mono);
    view.setUint32(at + LEFT, Math.min(MAX_LEASE_NUMBER, Math.max(0, left)));
    at += LEASE_SIZE;
    count++;
  }
  view.setUint32(COUNT, count);
  view.setUint32(at, crc32(bytes, 0, at));
  return bytes.subarray(0, at + CRC_SIZE);
}

/**
 * Puts the leases of a file into `book`, less the time that has passed since it was saved. What a
 * peer can't have any more is a change of the book.
 *
 * @throws {SyntaxError} If the file is damaged. The book is then as it was.
 */
export function restoreLeases(bytes: Uint8Array, book: LeaseBook, now: Now): RestoredLeases {
  const buffer = new WireBuffer(bytes);
  const { view } = buffer;
  const end = bytes.length - CRC_SIZE;
  if (end < HEADER_SIZE) throw new SyntaxError("it is too short");
  for (let i = 0; i < MAGIC.length; i++) {
    if (bytes[i] !== MAGIC.charCodeAt(i)) throw new SyntaxError("it is no file of leases");
  }
  if (view.getUint32(end) !== crc32(bytes, 0, end)) throw new SyntaxError("its checksum is wrong");
  if (HEADER_SIZE + view.getUint32(COUNT) * LEASE_SIZE !== end) {
    throw new SyntaxError("its size is not what it says");
  }
  const savedAt = view.getFloat64(SAVED_AT);
  if (!Number.isFinite(savedAt)) throw new SyntaxError("it does not say when it was saved");

  // A clock that was set back must not make leases longer than they were.
  const elapsed = Math.max(0, now.unix - savedAt);
  const counts = { restored: 0, expired: 0, dropped: 0 };
  for (let at = HEADER_SIZE; at < end; at += LEASE_SIZE) {
    const publicKey = formatKey(bytes.subarray(at, at + KEY_SIZE));
    const address = readLeaseAddress(buffer, at + KEY_SIZE);
    const expiresAt = now.mono + view.getUint32(at + LEFT) - elapsed;
    counts[book.restore(publicKey, address, expiresAt, now.mono)]++;
  }
  return counts;
}

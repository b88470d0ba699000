/**
 * State files of a lease server.
 *
 * @module
 */

import type { LeaseBook } from "../../lib/core/lease/server/book.ts";
import { LeaseJournal } from "../../lib/core/lease/server/journal.ts";
import type { Now } from "../../lib/core/net/clock.ts";
import { encodeChanges, encodeFile, restoreFile } from "../../lib/core/store/encoding.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";

const SEED = 77;

/** A file with all leases of a book. */
export function encodeLeases(book: LeaseBook, now: Now): Uint8Array {
  return encodeFile([new LeaseJournal(book, SEED)], now);
}

/** What is added to it. */
export function encodeAdded(book: LeaseBook, now: Now): Uint8Array {
  return encodeChanges([new LeaseJournal(book, SEED)], now);
}

/** What became of the leases in a file, and what is wrong with its end. */
export function restoreLeases(bytes: Uint8Array, book: LeaseBook, now: Now) {
  const found = restoreFile(new WireBuffer(bytes), [new LeaseJournal(book, SEED)], now);
  const { restored: [part], cut, isDamaged } = found;
  const { restored, expired, dropped } = part!.counts;
  return { restored: restored!, expired: expired!, dropped: dropped!, cut, isDamaged };
}

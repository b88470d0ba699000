/**
 * What is kept of leases over a restart: who holds which address for how long, and which addresses a
 * peer may still have on the device though it holds them no more. The last word on a peer and an
 * address counts.
 *
 * ```
 * part "leas", per entry: public key (32) | address (16) | seconds left when written (u32)
 * ```
 *
 * No seconds left: the lease has ended, and the peer may have the address still. 2^32 - 1: it has it
 * no more.
 *
 * A grant is on the disk before the client hears of it: whoever answers waits for that. A renewal may
 * wait for a moment; who renews again after a crash loses nothing.
 *
 * @module
 */

import { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import type { Now } from "../../net/clock.ts";
import { ADDRESS_SIZE } from "../../net/ip_address.ts";
import { formatKey, KEY_SIZE, parseKey } from "../../net/peer_key.ts";
import { FORMER_LEASE_MAGICS } from "../../net/state_magic.ts";
import type { Batch, JournalEnd } from "../../store/journal_file.ts";
import type { Journaled, Pieces, Restored } from "../../store/journaled.ts";
import { visitLastWords } from "../../store/last_words.ts";
import { type LeaseAddress, readLeaseAddress, writeLeaseAddress } from "../address.ts";
import type { LeaseBook, LeaseNote } from "./book.ts";
import { readFormerLeases } from "./former_state.ts";

/** Size of an entry, in bytes. */
export const LEASE_ENTRY_SIZE: number = KEY_SIZE + ADDRESS_SIZE + 4;
const LEFT = KEY_SIZE + ADDRESS_SIZE;
/** "Seconds left" where the peer has the address no more. */
const TAKEN_OFF = 0xffff_ffff;
/** The most entries of a batch. */
const MOST_ENTRIES = 1024;
const LAYOUT = { size: LEASE_ENTRY_SIZE, name: LEFT, first: 0 };
/** So long may renewals wait for the disk, in seconds. */
const PATIENCE = 2;

/** What is written of a lease that stays the same as long as it is held: key and address. */
const entries = new WeakMap<LeaseAddress, Uint8Array>();

/** The leases of a book. */
export class LeaseJournal implements Journaled {
  readonly part = "leas";
  readonly formerMagics: readonly string[] = FORMER_LEASE_MAGICS;
  readonly wentOn = false;
  readonly #book: LeaseBook;
  readonly #seed: number;

  /**
   * Says what there is to say of `book`.
   *
   * @param seed Random, for the hashes with which a file is read.
   */
  constructor(book: LeaseBook, seed: number) {
    this.#book = book;
    this.#seed = seed;
  }

  get patience(): number {
    return this.#book.changed ? PATIENCE : Infinity;
  }

  all(): Pieces {
    return new NotePieces(this.#book.notes());
  }

  changes(): Pieces {
    return new NotePieces(this.#book.takeUnsaved()[Symbol.iterator]());
  }

  restore(file: WireBuffer, batches: readonly Batch[], now: Now): Restored {
    const counts = { restored: 0, expired: 0, dropped: 0 };
    // The newest come first: where two have the same address, or one has two, an older word was not
    // followed by its end because a crash came in between.
    visitLastWords(file, batches, LAYOUT, this.#seed, (at, { writtenAt }) => {
      const left = file.view.getUint32(at + LEFT);
      if (left === TAKEN_OFF) return;
      const publicKey = formatKey(file.bytes.subarray(at, at + KEY_SIZE));
      const address = readLeaseAddress(file, at + KEY_SIZE);
      // A clock that was set back must not make leases longer than they were.
      const elapsed = Math.max(0, now.unix - writtenAt);
      counts[this.#book.restore(publicKey, address, now.mono + left - elapsed, now.mono)]++;
    });
    // The disk has all of it.
    this.#book.takeUnsaved();
    return { event: "leases-restored", counts };
  }

  restoreFormer(file: WireBuffer, now: Now): Restored & JournalEnd {
    const { batches, ...end } = readFormerLeases(file);
    return { ...this.restore(file, batches, now), ...end };
  }
}

/** Notes, encoded as many at a time as fit a batch. */
export class NotePieces implements Pieces {
  readonly #notes: Iterator<LeaseNote>;

  /** Takes notes one by one, when they are encoded. */
  constructor(notes: Iterator<LeaseNote>) {
    this.#notes = notes;
  }

  /** See `Pieces`. */
  next(now: Now): Uint8Array | undefined {
    const { bytes, view } = new WireBuffer(MOST_ENTRIES * LEASE_ENTRY_SIZE);
    let at = 0;
    while (at < bytes.length) {
      const next = this.#notes.next();
      if (next.done === true) break;
      const { publicKey, address, expiresAt } = next.value;
      const entry = entries.get(address) ?? newEntry(publicKey, address);
      if (entry === undefined) continue;
      bytes.set(entry, at);
      // Rounded up: nobody was promised less.
      const left = expiresAt === undefined
        ? TAKEN_OFF
        : Math.min(TAKEN_OFF - 1, Math.max(0, Math.ceil(expiresAt - now.mono)));
      view.setUint32(at + LEFT, left);
      at += LEASE_ENTRY_SIZE;
    }
    return at === 0 ? undefined : bytes.subarray(0, at);
  }
}

function newEntry(publicKey: string, address: LeaseAddress): Uint8Array | undefined {
  const key = parseKey(publicKey);
  if (key === undefined) return undefined;
  const entry = new WireBuffer(LEFT);
  entry.bytes.set(key);
  writeLeaseAddress(address, entry, KEY_SIZE);
  entries.set(address, entry.bytes);
  return entry.bytes;
}

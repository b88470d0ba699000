/**
 * Brings a book in line with the log of a store: entry by entry, and from the whole table where the
 * log doesn't tell all.
 *
 * @module
 */

import { formatLeaseCidr, type LeaseAddress } from "../address.ts";
import type { Lease, LeaseBook } from "./book.ts";
import {
  type ClaimCursor,
  type ClaimLog,
  type ClaimStart,
  type LeaseClaim,
  MOST_CLAIMS,
  type SharedLease,
} from "./claims.ts";
import { bring, GO_ON, type StepClock, StepFailure, type Steps } from "./steps.ts";

/** More leases are not read: it is no table of ours. */
const MOST_SCANNED = 1_000_000;
/** A log that is read again and again and always has lost something is given up until later. */
const MOST_GAPS = 3;
/** So many are taken over from one step to the next. */
const A_STEP = 64;
/** So many are taken back at once. */
const MOST_EXPIRED = 512;
/**
 * What the store's clock may lose or gain to the host's before all ends are read again, in seconds: a
 * gain would have leases last for longer here than there.
 */
const MOST_GAINED = 0.5;
const MOST_LOST = 2;
const TOO_FAST = "its log of leases goes on too fast";
/** Nothing is put back for less, in seconds. */
const LEAST_LEFT = 1;
/**
 * What is claimed is worth something for so long, in seconds: a store that was stopped may find it
 * when its peer has been to another server.
 */
const CLAIMS_LAST = 3;
/** No lease lasts longer, in seconds: what says so is damaged. */
const LONGEST = 0xffff_ffff;

/** What came of claims. */
export interface Exchanged {
  /** Entries that were read. */
  readonly entries: number;
  /** By peer and family (`KEY 4`), the last address that was granted, as /32 or /128. */
  readonly logged: ReadonlyMap<string, string>;
  /** Whether the table gives nothing new yet. */
  readonly isYoung: boolean;
}

/** An address by which leases are told apart. */
export function shareName(address: LeaseAddress): string {
  return formatLeaseCidr(address);
}

/** Reads one store's log. */
export class ClaimReader {
  readonly #book: LeaseBook;
  /** Undefined where the whole table is to be read. */
  #cursor: ClaimCursor | undefined;
  #hasScanned = false;
  /** The host's clock minus the store's, the least that it can be, when the table was read. */
  #offset = 0;

  constructor(book: LeaseBook) {
    this.#book = book;
  }

  /** Whether the whole table was read once: before, the book may have what is another's. */
  get hasScanned(): boolean {
    return this.#hasScanned;
  }

  /** Has the whole table read with the next exchange. */
  startAnew(): void {
    this.#cursor = undefined;
  }

  /**
   * Claims, and takes over what the log says up to what became of that.
   *
   * @param isTaken Whether others need not wait any more for what was read before.
   * @throws {StepFailure} Where the store is away: then the claims may have been granted or not.
   */
  *exchange(
    claims: readonly LeaseClaim[],
    clock: StepClock,
    isTaken = true,
  ): Steps<Exchanged> {
    const logged = new Map<string, string>();
    let entries = 0;
    let isYoung = false;
    let gaps = 0;
    let at = 0;
    for (let hasMore = true; hasMore || at < claims.length;) {
      if (this.#cursor === undefined) yield* this.#scan(clock, isTaken);
      const cursor = this.#cursor;
      if (cursor === undefined) throw new StepFailure(TOO_FAST);
      const some = claims.slice(at, at + MOST_CLAIMS);
      const { log, offset } = yield* this.#ask({ ...cursor, isTaken }, some, clock);
      if (log.isGap) {
        this.#cursor = undefined;
        if (++gaps >= MOST_GAPS) throw new StepFailure(TOO_FAST);
        continue;
      }
      yield* this.#takeOver(log.entries, offset, clock);
      this.#cursor = log.cursor;
      ({ hasMore } = log);
      at += some.length;
      isYoung ||= log.isYoung;
      entries += log.entries.length;
      for (const { publicKey, address, isReleased } of log.entries) {
        if (!isReleased) logged.set(`${publicKey} ${address.family}`, shareName(address));
      }
      const gained = this.#offset - (clock.now.mono - log.at);
      if (gained > MOST_GAINED || offset - this.#offset > MOST_LOST) this.#cursor = undefined;
    }
    return { entries, logged, isYoung };
  }

  /** Also brings the host's clock minus the store's, the least that it can be. */
  *#ask(
    after: ClaimStart | undefined,
    claims: readonly LeaseClaim[],
    clock: StepClock,
  ): Steps<{ readonly log: ClaimLog; readonly offset: number }> {
    const before = clock.now.mono;
    const by = claims.length === 0 ? Infinity : before - this.#offset + CLAIMS_LAST;
    const log = yield* bring({ kind: "claim", after, claims, by }, "claim-log");
    return { log, offset: before - log.at };
  }

  /** @param offset The host's clock minus the store's, the least that it can be. */
  *#takeOver(entries: readonly SharedLease[], offset: number, clock: StepClock): Steps {
    yield* this.#expire(clock);
    let count = 0;
    for (const entry of entries) {
      this.#take(entry, offset, clock.now.mono);
      if (++count % A_STEP === 0) yield GO_ON;
    }
  }

  #take({ publicKey, address, ends, isReleased }: SharedLease, offset: number, mono: number): void {
    const endsAt = Math.min(ends + offset, mono + LONGEST);
    if (isReleased || endsAt <= mono) this.#book.drop(publicKey, address);
    else this.#book.adopt(publicKey, address, endsAt);
  }

  *#expire({ now: { mono } }: StepClock): Steps {
    while (this.#book.nothingBefore <= mono) {
      this.#book.expire(mono, MOST_EXPIRED);
      yield GO_ON;
    }
  }

  /**
   * Reads the whole table, and puts back what it has lost. What another has there is the other's.
   */
  *#scan(clock: StepClock, isTaken: boolean): Steps {
    const { log: head } = yield* this.#ask(undefined, [], clock);
    const table = new Map<string, SharedLease>();
    const add = (entries: readonly SharedLease[]) => {
      for (const entry of entries) table.set(shareName(entry.address), entry);
      if (table.size > MOST_SCANNED) throw new StepFailure("it has too many leases");
    };
    for (let from = "0";;) {
      const { entries, next } = yield* bring({ kind: "scan-claims", from }, "claim-scan");
      add(entries);
      yield GO_ON;
      if (next === "0") break;
      from = next;
    }
    // What has changed meanwhile.
    let { cursor } = head;
    for (let hasMore = true; hasMore;) {
      const { log, offset } = yield* this.#ask({ ...cursor, isTaken: false }, [], clock);
      if (log.isGap) throw new StepFailure(TOO_FAST);
      this.#offset = offset;
      add(log.entries);
      ({ cursor, hasMore } = log);
    }
    const lost = yield* this.#compare(table, clock);
    // Also where nothing is: others wait for this server only once it has said what it has read.
    for (let at = 0, hasMore = true; hasMore || at < lost.length;) {
      const some = lost.slice(at, at + MOST_CLAIMS);
      const { log, offset } = yield* this.#ask({ ...cursor, isTaken }, some, clock);
      if (log.isGap) throw new StepFailure(TOO_FAST);
      yield* this.#takeOver(log.entries, offset, clock);
      ({ cursor, hasMore } = log);
      at += some.length;
    }
    this.#cursor = cursor;
    this.#hasScanned = true;
  }

  /** Takes over a table. @returns What it doesn't have. */
  *#compare(table: ReadonlyMap<string, SharedLease>, clock: StepClock): Steps<LeaseClaim[]> {
    const book = this.#book;
    yield* this.#expire(clock);
    const missing: { readonly lease: Lease; readonly time: number }[] = [];
    let count = 0;
    for (const lease of book.leases()) {
      const { publicKey, address, expiresAt } = lease;
      const entry = table.get(shareName(address));
      if (entry === undefined) missing.push({ lease, time: expiresAt - clock.now.mono });
      else if (entry.publicKey !== publicKey) book.drop(publicKey, address);
      if (++count % A_STEP === 0) yield GO_ON;
    }
    yield* this.#takeOver([...table.values()], this.#offset, clock);
    // Also where the peer has another address there: it may have been told of this one later.
    return missing.flatMap(({ lease: { publicKey, address }, time }): LeaseClaim[] =>
      time < LEAST_LEFT ? [] : [{ kind: "put-back", publicKey, address, time }]
    );
  }
}

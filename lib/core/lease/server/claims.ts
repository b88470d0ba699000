/**
 * Leases that several servers share: what is asked of the store in which they are decided, and what
 * it says.
 *
 * The store has a table of leases and a log of what has changed in it. A server claims addresses, and
 * reads the log up to what became of that: its book is what the log says, and never ahead of it. So
 * all servers come to the same, and whoever has read a part knows what was true then.
 *
 * ```
 *            claims, "I have read up to n"
 *   server ────────────────────────────────▶ store: decides all of them at once, by its own clock,
 *          ◀────────────────────────────────        and puts what it grants into the log
 *            the log after n, its time now
 * ```
 *
 * The store sees to it that nobody else gets an address before its lease has ended, and
 * {@linkcode LEASE_GRACE} after that; what is given back, not before all servers that may believe in
 * it have read that. A table that was just made gives nothing new for {@linkcode YOUNG_TABLE}: others
 * may have leases to put back into it.
 *
 * @module
 */

import type { LeaseAddress } from "../address.ts";

/**
 * So long after its end an address is nobody else's, in seconds: a client may have heard of it 10 s
 * late (then it asks again), and a device is looked at every two seconds.
 */
export const LEASE_GRACE = 15;
/** So long a new table only takes leases back that there were, after the last of them, in seconds. */
export const YOUNG_TABLE = 10;
/** The most claims at once. */
export const MOST_CLAIMS = 256;
/** The most entries of the log at once. */
export const MOST_LOGGED = 512;

/** A lease as the store has it, or an entry of its log. */
export interface SharedLease {
  /** In base64. */
  readonly publicKey: string;
  readonly address: LeaseAddress;
  /** When it ends, in Unix seconds by the store's clock. */
  readonly ends: number;
  /** Whether the peer has given it back. */
  readonly isReleased: boolean;
}

/**
 * What to do in the store.
 *
 * - `any`: give the peer this address, or prolong another one of the family that it has.
 * - `exact`: give it this one, and take back another one of the family that it has.
 * - `put-back`: give it this one, which it had. Where it has another one, it is given none, and this one
 *   is nobody else's before its end all the same: it may believe in either.
 * - `release`: take back what it has of this address's family.
 * - `hold`: where it has given this one back, it is nobody else's before its end all the same: it was
 *   told of it by a server that had not heard of that.
 */
export type ClaimKind = "any" | "exact" | "put-back" | "release" | "hold";

/** One claim of a peer. */
export interface LeaseClaim {
  readonly kind: ClaimKind;
  /** In base64. */
  readonly publicKey: string;
  readonly address: LeaseAddress;
  /** For how long, in seconds; a lease that goes on for longer stays so. */
  readonly time: number;
}

/** From where on the log is read. */
export interface ClaimStart extends ClaimCursor {
  /** Whether the book has all that was read until there, so that others need not wait for it. */
  readonly isTaken: boolean;
}

/** How far the log was read. */
export interface ClaimCursor {
  /** Which table it is: another one where the store has lost it. */
  readonly table: string;
  /** Entries that there were until now. */
  readonly count: number;
  /** The last of them: it is another one where the store has lost a part and gone on. */
  readonly last: Uint8Array;
}

/** What the store says to claims, or to none. */
export interface ClaimLog {
  readonly kind: "claim-log";
  /** Its clock, in Unix seconds. */
  readonly at: number;
  /** The end of the entries; where there is a gap or nothing was read yet, that of the log. */
  readonly cursor: ClaimCursor;
  /** What comes after what was read, in order. */
  readonly entries: readonly SharedLease[];
  /** Whether the log goes on after them. */
  readonly hasMore: boolean;
  /** Whether what comes after is not there, or the log is another, or it is too late: nothing was claimed. */
  readonly isGap: boolean;
  /** Whether the table is so new that it gives nothing that is new to it. */
  readonly isYoung: boolean;
}

/** A piece of the table. */
export interface ClaimScan {
  readonly kind: "claim-scan";
  /** What was there all the time comes once at least. */
  readonly entries: readonly SharedLease[];
  /** Where to go on; `0` at the end, as at the beginning. */
  readonly next: string;
}

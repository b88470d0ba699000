/**
 * The store in which leases are decided, slow and readable: what the script does in a real one.
 *
 * @module
 */

import { formatLeaseCidr, type LeaseAddress } from "../../../../lib/core/lease/address.ts";
import {
  type ClaimLog,
  type ClaimScan,
  type ClaimStart,
  LEASE_GRACE,
  type LeaseClaim,
  MOST_LOGGED,
  type SharedLease,
  YOUNG_TABLE,
} from "../../../../lib/core/lease/server/claims.ts";

interface Entry {
  readonly publicKey: string;
  readonly address: LeaseAddress;
  readonly ends: number;
  /** The count at which it was given back, 0 where it was not. */
  readonly released: number;
}

/** What a server has read, and until when it may believe in that. */
interface Reader {
  readonly count: number;
  readonly until: number;
}

/** One table. */
export class ClaimTwin {
  /** Its clock. */
  now: number;
  leases = new Map<string, Entry>();
  log: (SharedLease & { readonly text: string })[] = [];
  /** How much of the log was cut off. */
  cut = 0;
  readers = new Map<string, Reader>();
  table = "";
  since = 0;
  #tables = 0;
  readonly #kept: number;

  /** @param kept Entries of the log that stay. */
  constructor(now: number, kept = 16_384) {
    this.now = now;
    this.#kept = kept;
  }

  /** Loses everything. */
  lose(): void {
    this.table = "";
  }

  /** What a replica has; it goes on with that where it is called. */
  replica(): () => void {
    const { table, since, cut } = this;
    const [log, leases, readers] = [[...this.log], new Map(this.leases), new Map(this.readers)];
    return () => Object.assign(this, { table, since, cut, log, leases, readers });
  }

  /** A server that ends says so. */
  leave(reader: string): void {
    this.readers.delete(reader);
  }

  claim(
    reader: string,
    after: ClaimStart | undefined,
    claims: readonly LeaseClaim[],
    by: number,
  ): ClaimLog {
    if (this.table === "") {
      this.table = `table ${++this.#tables}`;
      this.since = this.now;
      this.leases.clear();
      this.readers.clear();
      this.log = [];
      this.cut = 0;
    }
    const isGap = this.now > by || (after !== undefined && !this.#follows(after));
    const isYoung = this.now < this.since + YOUNG_TABLE;
    const head = () => {
      return { table: this.table, count: this.#count, last: bytesOf(this.log.at(-1)?.text ?? "") };
    };
    if (after === undefined || isGap) {
      const at = this.now;
      return { kind: "claim-log", at, cursor: head(), entries: [], hasMore: false, isGap, isYoung };
    }
    if (after.isTaken) {
      const until = Math.max(-Infinity, ...[...this.leases.values()].map(({ ends }) => ends));
      this.readers.set(reader, { count: after.count, until });
    }
    if (claims.length > 0) this.#sweep();
    for (const claim of claims) this.#claim(claim, isYoung);
    const entries = this.log.slice(after.count - this.cut).slice(0, MOST_LOGGED);
    const count = after.count + entries.length;
    const newest = entries.at(-1)?.text;
    const last = newest === undefined ? after.last : bytesOf(newest);
    return {
      kind: "claim-log",
      at: this.now,
      cursor: { table: this.table, count, last },
      entries,
      hasMore: count < this.#count,
      isGap,
      isYoung,
    };
  }

  scan(_from: string): ClaimScan {
    const entries = [...this.leases.values()].map(({ released, ...lease }) => {
      return { ...lease, isReleased: released > 0 };
    });
    return { kind: "claim-scan", entries, next: "0" };
  }

  get #count(): number {
    return this.cut + this.log.length;
  }

  #follows({ table, count, last }: ClaimStart): boolean {
    if (table !== this.table || count > this.#count || count < this.cut) return false;
    if (count === 0) return true;
    return count > this.cut &&
      this.log[count - this.cut - 1]!.text === new TextDecoder().decode(last);
  }

  /** Removes what is over for everyone. */
  #sweep(): void {
    const isOver = (time: number) => time + LEASE_GRACE <= this.now;
    for (const [name, { ends }] of this.leases) if (isOver(ends)) this.leases.delete(name);
    for (const [name, { until }] of this.readers) if (isOver(until)) this.readers.delete(name);
  }

  #claim({ kind, publicKey, address, time }: LeaseClaim, isYoung: boolean): void {
    const name = formatLeaseCidr(address);
    const entry = this.leases.get(name);
    const isOwn = entry?.publicKey === publicKey;
    const other = this.#heldBy(publicKey, address.family);
    if (kind === "release") {
      if (other !== undefined) this.#release(other);
      return;
    }
    if (kind === "hold") {
      const isBack = entry !== undefined && isOwn && entry.released > 0;
      if (isBack) this.leases.set(name, { ...entry, released: Infinity });
      return;
    }
    if (kind === "put-back") {
      if (entry !== undefined && (isOwn || !this.#isFree(entry))) return;
      const ends = this.now + time;
      if (isYoung) this.since = this.now;
      if (other === undefined || other.ends <= this.now) {
        return this.#grant(publicKey, address, ends);
      }
      // Both are in nobody else's way: it may believe in either.
      return void this.leases.set(name, { publicKey, address, ends, released: Infinity });
    }
    if (kind === "any" && other !== undefined && other.ends > this.now) {
      return this.#grant(publicKey, other.address, this.now + time);
    }
    if (entry !== undefined && !isOwn && !this.#isFree(entry)) return;
    const isNew = !isOwn || entry === undefined || entry.ends <= this.now;
    if (isYoung && isNew) return;
    this.#grant(publicKey, address, this.now + time);
  }

  #grant(publicKey: string, address: LeaseAddress, until: number): void {
    const name = formatLeaseCidr(address);
    const other = this.#heldBy(publicKey, address.family);
    if (other !== undefined && formatLeaseCidr(other.address) !== name) this.#release(other);
    const entry = this.leases.get(name);
    const ends = entry?.publicKey === publicKey ? Math.max(entry.ends, until) : until;
    this.leases.set(name, { publicKey, address, ends, released: 0 });
    this.#write({ publicKey, address, ends, isReleased: false });
  }

  #release(entry: Entry): void {
    const { publicKey, address, ends } = entry;
    this.#write({ publicKey, address, ends, isReleased: true });
    this.leases.set(formatLeaseCidr(address), { ...entry, released: this.#count });
  }

  #write(lease: SharedLease): void {
    const { publicKey, address, ends, isReleased } = lease;
    const text = `${publicKey} ${formatLeaseCidr(address)} ${ends} ${isReleased} ${this.now}`;
    this.log.push({ ...lease, text });
    const much = this.log.length - this.#kept;
    if (much <= 0) return;
    this.log.splice(0, much);
    this.cut += much;
  }

  /** What a peer has and hasn't given back, also where it has ended. */
  #heldBy(publicKey: string, family: number): Entry | undefined {
    return [...this.leases.values()].find((entry) =>
      entry.publicKey === publicKey && entry.released === 0 && entry.address.family === family &&
      entry.ends + LEASE_GRACE > this.now
    );
  }

  /** Whether it can be another's. */
  #isFree({ ends, released }: Entry): boolean {
    if (ends + LEASE_GRACE <= this.now) return true;
    return released > 0 &&
      [...this.readers.values()].every(({ count, until }) =>
        count >= released || until + LEASE_GRACE <= this.now
      );
  }
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/**
 * All leases of a server: who holds which addresses, and what changed for whom.
 *
 * A client is known by its public key alone. What its requests change is collected until the caller
 * takes it, brings the peers' AllowedIPs in line, and says so: until then, a peer owes what it held.
 *
 * @module
 */

import { type Family, formatLeaseCidr, type LeaseAddress } from "../address.ts";
import { type LeaseBookOptions, readLeaseOptions } from "./options.ts";
import { FamilyLeases, type HeldLease, type LeaseObserver } from "./family_leases.ts";
import type { RandomSource } from "../../net/random.ts";

/** What a client asks for: an address a family, 0 for any, undefined to give back what is held. */
export interface LeaseWish {
  /** Below 2^32. */
  readonly ipv4: bigint | undefined;
  /** Below 2^128. */
  readonly ipv6: bigint | undefined;
}

/** What a client is granted. */
export interface LeaseGrant extends LeaseWish {
  /** Whether a family that was asked for got nothing. */
  readonly refused: boolean;
  /** When it ends, on the monotonic clock, where that is not the lease time from now on. */
  readonly endsAt?: number;
}

/** What changed for a peer since it was last said. */
export interface LeaseChange {
  /** In base64. */
  readonly publicKey: string;
  /** All that it holds now, as /32 and /128. */
  readonly addresses: readonly string[];
  /** What it held and holds no more, in the same form. */
  readonly gone: readonly string[];
}

/** A lease, as it is listed. */
export interface Lease extends HeldLease {
  /** In base64. */
  readonly publicKey: string;
}

/** What is to be saved of an address and a peer. */
export interface LeaseNote {
  /** In base64. */
  readonly publicKey: string;
  /** What it holds, or held. */
  readonly address: LeaseAddress;
  /**
   * When the lease ends, on the monotonic clock, in seconds; -Infinity where it has ended, and the
   * peer may still have the address; undefined where it has not.
   */
  readonly expiresAt: number | undefined;
}

/** What became of a lease that was saved. */
export type RestoredLease = "restored" | "expired" | "dropped";

/** So many leases that have ended are taken back with a request; the others wait for `expire`. */
const EXPIRED_AT_ONCE = 64;
/** A peer that owes more addresses gets no other: they can't be taken off it just now. */
const MAX_OWED = 32;

/** The leases of both families. */
export class LeaseBook {
  #options: LeaseBookOptions;
  readonly #ipv4: FamilyLeases;
  readonly #ipv6: FamilyLeases;
  /** Peers for which something changed. */
  #pending = new Set<string>();
  /** By public key and prefix: what a peer held, and may have on the device. */
  readonly #owed = new Map<string, Map<string, LeaseAddress>>();
  readonly #blocked = new Map<string, LeaseAddress>();
  /** Peers whose leases are to be saved. */
  #unsaved = new Set<string>();
  /** What is off a peer, which is not saved yet. */
  #takenOff: LeaseNote[] = [];
  #version = 0;

  /**
   * Makes an empty book.
   *
   * @param random Draws addresses.
   * @throws {SyntaxError} Where an option is none, such as a pool without an address to lease.
   */
  constructor(options: LeaseBookOptions, random: RandomSource) {
    const { pool4, pool6, fixed4, fixed6 } = readLeaseOptions(options);
    const observer: LeaseObserver = {
      granted: (publicKey, { cidr }) => {
        this.#version++;
        this.#pending.add(publicKey);
        this.#unsaved.add(publicKey);
        this.#paid(publicKey, cidr);
      },
      renewed: (publicKey) => void this.#unsaved.add(publicKey),
      released: (publicKey, { cidr, address }) => this.#owes(publicKey, cidr, address),
    };
    this.#options = options;
    this.#ipv4 = new FamilyLeases(4, pool4, fixed4, random, observer);
    this.#ipv6 = new FamilyLeases(6, pool6, fixed6, random, observer);
  }

  /** How long an address is leased, in seconds. */
  get leaseTime(): number {
    return this.#options.leaseTime;
  }

  /** How many addresses are held. */
  get count(): number {
    return this.#ipv4.count + this.#ipv6.count;
  }

  /** Another number whenever somebody has got or lost an address. */
  get version(): number {
    return this.#version;
  }

  /** No lease ends before this time (monotonic, in seconds): {@linkcode expire} can wait for it. */
  get nothingBefore(): number {
    return Math.min(this.#ipv4.nothingBefore, this.#ipv6.nothingBefore);
  }

  /** Does what a client asks for. Its cost doesn't grow with the number of leases. */
  request(publicKey: string, wish: LeaseWish, mono: number): LeaseGrant {
    this.expire(mono, EXPIRED_AT_ONCE);
    const { leaseTime, maxLeases } = this.#options;
    if (this.owesTooMuch(publicKey)) {
      return { ipv4: undefined, ipv6: undefined, refused: true };
    }
    const expiresAt = mono + leaseTime;
    const ipv4 = this.#ipv4.request(publicKey, wish.ipv4, expiresAt, maxLeases);
    const ipv6 = this.#ipv6.request(publicKey, wish.ipv6, expiresAt, maxLeases);
    const refused = (wish.ipv4 !== undefined && ipv4 === undefined) ||
      (wish.ipv6 !== undefined && ipv6 === undefined);
    return { ipv4, ipv6, refused };
  }

  /**
   * Takes back the addresses whose leases have ended.
   *
   * @param most So many of each family. Where there are more, `nothingBefore` stays what it was.
   */
  expire(mono: number, most: number = Infinity): void {
    this.#ipv4.expire(mono, most);
    this.#ipv6.expire(mono, most);
  }

  /**
   * Forgets a peer that was removed: nothing is to be changed for it any more, so that it is not
   * added again.
   */
  forget(publicKey: string): void {
    this.#ipv4.release(publicKey);
    this.#ipv6.release(publicKey);
    this.settled(publicKey, this.owedBy(publicKey));
    this.#pending.delete(publicKey);
  }

  /**
   * Takes over other settings. Leases that they do not allow are taken back; of the others, each
   * keeps its end. It takes a time that grows with the number of leases.
   *
   * @returns How many addresses were taken back.
   * @throws {SyntaxError} As the constructor does. Nothing is changed then.
   */
  configure(options: LeaseBookOptions): number {
    const { pool4, pool6, fixed4, fixed6 } = readLeaseOptions(options);
    this.#options = options;
    for (const { family, value } of this.#blocked.values()) {
      (family === 4 ? pool4 : pool6).block(value);
    }
    return this.#ipv4.replace(pool4, fixed4) + this.#ipv6.replace(pool6, fixed6);
  }

  /**
   * Keeps an address from being leased, as if it was reserved, without the cost of
   * {@linkcode configure}. It stays so until {@linkcode unblock}.
   *
   * @returns How many addresses were taken back: 1 where somebody held it.
   */
  block(address: LeaseAddress): number {
    const key = formatLeaseCidr(address);
    if (this.#blocked.has(key)) return 0;
    this.#blocked.set(key, address);
    return this.#family(address.family).block(address.value);
  }

  /** Undoes {@linkcode block}. */
  unblock(address: LeaseAddress): void {
    if (!this.#blocked.delete(formatLeaseCidr(address))) return;
    this.#family(address.family).unblock(address.value);
  }

  /** Undoes every {@linkcode block}. */
  unblockAll(): void {
    for (const address of [...this.#blocked.values()]) this.unblock(address);
  }

  /**
   * Gives a peer what it held before a restart. Where it can't have it any more, that is a change
   * like any other.
   *
   * @param expiresAt When the lease ends, on the clock of `mono`.
   */
  restore(
    publicKey: string,
    address: LeaseAddress,
    expiresAt: number,
    mono: number,
  ): RestoredLease {
    const family = this.#family(address.family);
    if (family.held.get(publicKey)?.address.value === address.value) return "restored";
    const result = expiresAt <= mono
      ? "expired"
      : family.restore(publicKey, address.value, expiresAt)
      ? "restored"
      : "dropped";
    if (result !== "restored") this.#owes(publicKey, formatLeaseCidr(address), address);
    return result;
  }

  /** What to ask a shared store for, as {@linkcode FamilyLeases.candidate} says. */
  candidate(publicKey: string, family: Family, wanted: bigint): bigint | undefined {
    return this.#family(family).candidate(publicKey, wanted, this.#options.maxLeases);
  }

  /** Takes over what a shared store says, as {@linkcode FamilyLeases.adopt} does. */
  adopt(publicKey: string, { family, value }: LeaseAddress, expiresAt: number): boolean {
    return this.#family(family).adopt(publicKey, value, expiresAt, this.#options.maxLeases);
  }

  /** Takes an address back from a peer, where that holds it. */
  drop(publicKey: string, { family, value }: LeaseAddress): void {
    const leases = this.#family(family);
    if (leases.held.get(publicKey)?.address.value === value) leases.release(publicKey);
  }

  /** What a peer holds of a family. */
  heldBy(publicKey: string, family: Family): HeldLease | undefined {
    return this.#family(family).held.get(publicKey);
  }

  /** Whether a peer owes so much that it gets nothing. */
  owesTooMuch(publicKey: string): boolean {
    return (this.#owed.get(publicKey)?.size ?? 0) > MAX_OWED;
  }

  /** What a peer holds, as /32 and /128. */
  addressesOf(publicKey: string): string[] {
    const ipv4 = this.#ipv4.held.get(publicKey);
    const ipv6 = this.#ipv6.held.get(publicKey);
    return [...(ipv4 === undefined ? [] : [ipv4.cidr]), ...(ipv6 === undefined ? [] : [ipv6.cidr])];
  }

  /** All leases. */
  *leases(): Generator<Lease> {
    for (const family of [this.#ipv4, this.#ipv6]) {
      for (const [publicKey, lease] of family.held) yield { publicKey, ...lease };
    }
  }

  /** What changed since this was last called. What is gone is owed until it is {@linkcode settled}. */
  takeChanges(): LeaseChange[] {
    const pending = this.#pending;
    if (pending.size === 0) return [];
    this.#pending = new Set();
    return Array.from(pending, (publicKey) => this.changeOf(publicKey));
  }

  /** What a peer's AllowedIPs must have, and must not. */
  changeOf(publicKey: string): LeaseChange {
    return { publicKey, addresses: this.addressesOf(publicKey), gone: this.owedBy(publicKey) };
  }

  /** What a peer held and may still have on the device, as /32 and /128. */
  owedBy(publicKey: string): string[] {
    return [...this.#owed.get(publicKey)?.keys() ?? []];
  }

  /** Says that a peer has some addresses no more. */
  settled(publicKey: string, gone: readonly string[]): void {
    for (const cidr of gone) {
      const address = this.#paid(publicKey, cidr);
      if (address !== undefined) this.#takenOff.push({ publicKey, address, expiresAt: undefined });
    }
  }

  /** Whether something is to be saved. */
  get changed(): boolean {
    return this.#unsaved.size > 0 || this.#takenOff.length > 0;
  }

  /** What is to be saved since this was last called, in order: the last word on an address counts. */
  takeUnsaved(): LeaseNote[] {
    const notes = this.#takenOff;
    const unsaved = this.#unsaved;
    this.#takenOff = [];
    this.#unsaved = new Set();
    for (const publicKey of unsaved) {
      for (const family of [this.#ipv4, this.#ipv6]) {
        const held = family.held.get(publicKey);
        if (held !== undefined) notes.push({ publicKey, ...held });
      }
    }
    return notes;
  }

  /**
   * All that is to be saved. The book may be changed on the way: what it says then, with what is
   * unsaved since the start after it, is right again.
   */
  *notes(): Generator<LeaseNote> {
    for (const family of [this.#ipv4, this.#ipv6]) {
      for (const [publicKey, { address, expiresAt }] of family.held) {
        yield { publicKey, address, expiresAt };
      }
    }
    // After what is held: what is released on the way is not to be missed.
    for (const [publicKey, owed] of this.#owed) {
      for (const address of owed.values()) yield { publicKey, address, expiresAt: -Infinity };
    }
  }

  #owes(publicKey: string, cidr: string, address: LeaseAddress): void {
    this.#version++;
    this.#pending.add(publicKey);
    let owed = this.#owed.get(publicKey);
    if (owed === undefined) this.#owed.set(publicKey, owed = new Map());
    owed.set(cidr, address);
  }

  /** A peer owes an address no more, which is returned where it did. */
  #paid(publicKey: string, cidr: string): LeaseAddress | undefined {
    const owed = this.#owed.get(publicKey);
    const address = owed?.get(cidr);
    if (owed?.delete(cidr) && owed.size === 0) this.#owed.delete(publicKey);
    return address;
  }

  #family(family: Family): FamilyLeases {
    return family === 4 ? this.#ipv4 : this.#ipv6;
  }
}

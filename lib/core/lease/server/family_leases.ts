/**
 * Who holds which address of one family, and for how long.
 *
 * @module
 */

import { type Family, formatLeaseCidr, type LeaseAddress } from "../address.ts";
import { ExpiryQueue } from "./expiry_queue.ts";
import type { LeasePool } from "./pool.ts";
import type { RandomSource } from "../../net/random.ts";

/** An address that a peer holds. */
export interface HeldLease {
  /** What it holds. */
  readonly address: LeaseAddress;
  /** The same as /32 or /128. */
  readonly cidr: string;
  /** When it ends, on the monotonic clock, in seconds. */
  readonly expiresAt: number;
}

/** Told what becomes of the addresses of peers. */
export interface LeaseObserver {
  /** The peer has it now, which it had not before. */
  granted(publicKey: string, lease: HeldLease): void;
  /** The peer has it for longer. */
  renewed(publicKey: string, lease: HeldLease): void;
  /** The peer has it no more. */
  released(publicKey: string, lease: HeldLease): void;
}

/** The addresses of one family. A peer holds at most one. */
export class FamilyLeases {
  readonly #family: Family;
  #pool: LeasePool;
  /** By public key. No address of it is in the pool. */
  #fixed: ReadonlyMap<string, bigint>;
  readonly #random: RandomSource;
  readonly #observer: LeaseObserver;
  readonly #held = new Map<string, HeldLease>();
  readonly #expiry = new ExpiryQueue();

  /** Starts with nothing held. */
  constructor(
    family: Family,
    pool: LeasePool,
    fixed: ReadonlyMap<string, bigint>,
    random: RandomSource,
    observer: LeaseObserver,
  ) {
    this.#family = family;
    this.#pool = pool;
    this.#fixed = fixed;
    this.#random = random;
    this.#observer = observer;
  }

  /** How many addresses are held. */
  get count(): number {
    return this.#held.size;
  }

  /** No address ends before this time. Infinity where none is held. */
  get nothingBefore(): number {
    return this.#expiry.first;
  }

  /** What is held, by public key. */
  get held(): ReadonlyMap<string, HeldLease> {
    return this.#held;
  }

  /**
   * Does what a client asks for.
   *
   * @param wanted The address; 0 for any; undefined to give back what is held.
   * @param expiresAt When the lease will end.
   * @param maxHeld One more peer than so many gets nothing.
   * @returns What is granted, or undefined. A refused peer keeps what it held, until that ends.
   */
  request(
    publicKey: string,
    wanted: bigint | undefined,
    expiresAt: number,
    maxHeld: number,
  ): bigint | undefined {
    if (wanted === undefined) {
      this.release(publicKey);
      return undefined;
    }
    const held = this.#held.get(publicKey);
    if (held === undefined && this.#held.size >= maxHeld) return undefined;
    if (wanted === 0n) {
      this.release(publicKey);
      const address = this.#fixed.get(publicKey) ?? this.#pool.draw(this.#random);
      if (address !== undefined) this.#hold(publicKey, address, expiresAt);
      return address;
    }
    if (held?.address.value !== wanted) {
      if (!this.#take(publicKey, wanted)) return undefined;
      this.release(publicKey);
    }
    this.#hold(publicKey, wanted, expiresAt);
    return wanted;
  }

  /** Gives a peer an address that it held before, if it may still have it. */
  restore(publicKey: string, address: bigint, expiresAt: number): boolean {
    if (this.#held.has(publicKey) || !this.#take(publicKey, address)) return false;
    this.#hold(publicKey, address, expiresAt);
    return true;
  }

  /**
   * What to ask for in a store that several servers share, for what a client wants here. Nothing is
   * changed.
   *
   * @param wanted The address; 0 for any: what is held, before others.
   * @param maxHeld One more peer than so many gets nothing.
   * @returns Undefined where there is none that it may have here.
   */
  candidate(publicKey: string, wanted: bigint, maxHeld: number): bigint | undefined {
    const fixed = this.#fixed.get(publicKey);
    const held = this.#held.get(publicKey)?.address.value;
    if (held === undefined && this.#held.size >= maxHeld) return undefined;
    if (wanted === 0n) return fixed ?? held ?? this.#pool.pick(this.#random);
    const isOpen = fixed === undefined ? this.#pool.isFree(wanted) : fixed === wanted;
    return isOpen || held === wanted ? wanted : undefined;
  }

  /**
   * Takes over what a shared store says: nobody else has the address, and the peer no other one of
   * this family.
   *
   * @returns Whether the peer may have it here; else it has none here.
   */
  adopt(publicKey: string, address: bigint, expiresAt: number, maxHeld: number): boolean {
    const held = this.#held.get(publicKey);
    if (held?.address.value !== address) {
      this.release(publicKey);
      if (this.#held.size >= maxHeld) return false;
      if (!this.#take(publicKey, address)) {
        // What it ended with is behind us, or a clock of ours was: a look at all, which is rare.
        for (const [other, lease] of this.#held) {
          if (lease.address.value === address) this.release(other);
        }
        if (!this.#take(publicKey, address)) return false;
      }
    }
    this.#hold(publicKey, address, expiresAt);
    return true;
  }

  /** Takes back what a peer holds. */
  release(publicKey: string): void {
    const held = this.#held.get(publicKey);
    if (held === undefined) return;
    this.#pool.giveBack(held.address.value);
    this.#drop(publicKey, held);
  }

  /** Takes back what has ended, at most so much. Returns how much that was. */
  expire(mono: number, most: number): number {
    let count = 0;
    for (; count < most && this.#expiry.first <= mono; count++) {
      this.release(this.#expiry.firstKey!);
    }
    return count;
  }

  /**
   * Goes on with another pool, in which nothing is taken, and other fixed addresses. What does not
   * fit is taken back.
   *
   * @returns How many addresses that were.
   */
  replace(pool: LeasePool, fixed: ReadonlyMap<string, bigint>): number {
    this.#pool = pool;
    this.#fixed = fixed;
    const before = this.#held.size;
    for (const [publicKey, held] of this.#held) {
      if (!this.#take(publicKey, held.address.value)) this.#drop(publicKey, held);
    }
    return before - this.#held.size;
  }

  /**
   * Keeps an address of the pool from being leased, until {@linkcode unblock}. Who holds it loses
   * it, but not one that is fixed.
   *
   * @returns How many addresses were taken back.
   */
  block(address: bigint): number {
    if (!this.#pool.block(address)) return 0;
    for (const [publicKey, held] of this.#held) {
      if (held.address.value !== address) continue;
      this.#drop(publicKey, held);
      return 1;
    }
    return 0;
  }

  /** Undoes {@linkcode block}. */
  unblock(address: bigint): void {
    this.#pool.unblock(address);
  }

  /** A peer that has a fixed address gets no other one, and nobody else gets that. */
  #take(publicKey: string, address: bigint): boolean {
    const fixed = this.#fixed.get(publicKey);
    return fixed === undefined ? this.#pool.take(address) : fixed === address;
  }

  #hold(publicKey: string, value: bigint, expiresAt: number): void {
    const before = this.#held.get(publicKey);
    const address = before?.address ?? { family: this.#family, value };
    const held = { address, cidr: before?.cidr ?? formatLeaseCidr(address), expiresAt };
    this.#held.set(publicKey, held);
    this.#expiry.set(publicKey, expiresAt);
    if (before === undefined) this.#observer.granted(publicKey, held);
    else this.#observer.renewed(publicKey, held);
  }

  #drop(publicKey: string, held: HeldLease): void {
    this.#held.delete(publicKey);
    this.#expiry.delete(publicKey);
    this.#observer.released(publicKey, held);
  }
}

/**
 * All leases of a server: who holds which addresses, and what changed for whom.
 *
 * A client is known by its public key alone. What its requests change is collected until the caller
 * takes it, and brings the peers' AllowedIPs in line.
 *
 * @module
 */

import {
  type AddressPrefix,
  FAMILY_BITS,
  formatLeaseAddress,
  formatLeaseCidr,
  type LeaseAddress,
  parseLeasePrefix,
} from "./lease_address.ts";
import { isNeverLeased, LeasePool } from "./lease_pool.ts";
import { type HeldLease, type LeaseObserver, LeaseShelf } from "./lease_shelf.ts";
import type { RandomSource } from "./nonce_source.ts";

/** Settings of a lease server. */
export interface LeaseBookOptions {
  /** Prefixes that addresses are drawn from, of both families. */
  readonly pools: readonly string[];
  /** Addresses and prefixes that are never leased: the server's own, static AllowedIPs of peers. */
  readonly reserved: readonly string[];
  /** Addresses of certain peers, by public key: at most one a family, in the pools or not. */
  readonly fixed: ReadonlyMap<string, readonly string[]>;
  /** Seconds, 1 to 4294967295. */
  readonly leaseTime: number;
  /** The most peers that hold an address of one family. */
  readonly maxLeases: number;
}

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

/** A lease, as it is listed and saved. */
export interface Lease extends HeldLease {
  /** In base64. */
  readonly publicKey: string;
}

/** What became of a lease that was saved. */
export type RestoredLease = "restored" | "expired" | "dropped";

interface Shelves {
  readonly pool4: LeasePool;
  readonly pool6: LeasePool;
  readonly fixed4: ReadonlyMap<string, bigint>;
  readonly fixed6: ReadonlyMap<string, bigint>;
}

/** The leases of both families. */
export class LeaseBook {
  /** Whether something changed since the caller set it to false: there is something to save. */
  changed: boolean = false;
  #options: LeaseBookOptions;
  readonly #ipv4: LeaseShelf;
  readonly #ipv6: LeaseShelf;
  /** What went from each peer for which something changed. */
  #pending = new Map<string, Set<string>>();

  /**
   * Makes an empty book.
   *
   * @param random Draws addresses.
   * @throws {SyntaxError} Where an option is none, such as a pool without an address to lease.
   */
  constructor(options: LeaseBookOptions, random: RandomSource) {
    const { pool4, pool6, fixed4, fixed6 } = readOptions(options);
    const observer: LeaseObserver = {
      granted: (publicKey, address) => this.#goneFrom(publicKey).delete(formatLeaseCidr(address)),
      released: (publicKey, address) => this.#goneFrom(publicKey).add(formatLeaseCidr(address)),
    };
    this.#options = options;
    this.#ipv4 = new LeaseShelf(4, pool4, fixed4, random, observer);
    this.#ipv6 = new LeaseShelf(6, pool6, fixed6, random, observer);
  }

  /** How long an address is leased, in seconds. */
  get leaseTime(): number {
    return this.#options.leaseTime;
  }

  /** How many addresses are held. */
  get count(): number {
    return this.#ipv4.count + this.#ipv6.count;
  }

  /** No lease ends before this time (monotonic, in seconds): {@linkcode expire} can wait for it. */
  get nothingBefore(): number {
    return Math.min(this.#ipv4.nothingBefore, this.#ipv6.nothingBefore);
  }

  /** Does what a client asks for. */
  request(publicKey: string, wish: LeaseWish, mono: number): LeaseGrant {
    this.expire(mono);
    const { leaseTime, maxLeases } = this.#options;
    const expiresAt = mono + leaseTime;
    const ipv4 = this.#ipv4.request(publicKey, wish.ipv4, expiresAt, maxLeases);
    const ipv6 = this.#ipv6.request(publicKey, wish.ipv6, expiresAt, maxLeases);
    // A renewal is to be saved, too.
    if (ipv4 !== undefined || ipv6 !== undefined) this.changed = true;
    const refused = (wish.ipv4 !== undefined && ipv4 === undefined) ||
      (wish.ipv6 !== undefined && ipv6 === undefined);
    return { ipv4, ipv6, refused };
  }

  /** Takes back the addresses whose leases have ended. */
  expire(mono: number): void {
    this.#ipv4.expire(mono);
    this.#ipv6.expire(mono);
  }

  /**
   * Forgets a peer that was removed: nothing is to be changed for it any more, so that it is not
   * added again.
   */
  forget(publicKey: string): void {
    this.#ipv4.release(publicKey);
    this.#ipv6.release(publicKey);
    this.#pending.delete(publicKey);
  }

  /**
   * Takes over other settings. Leases that they do not allow are taken back; of the others, each
   * keeps its end.
   *
   * @returns How many addresses were taken back.
   * @throws {SyntaxError} As the constructor does. Nothing is changed then.
   */
  configure(options: LeaseBookOptions): number {
    const { pool4, pool6, fixed4, fixed6 } = readOptions(options);
    this.#options = options;
    return this.#ipv4.replace(pool4, fixed4) + this.#ipv6.replace(pool6, fixed6);
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
    const shelf = address.family === 4 ? this.#ipv4 : this.#ipv6;
    if (shelf.held.get(publicKey)?.address.value === address.value) return "restored";
    const result = expiresAt <= mono
      ? "expired"
      : shelf.restore(publicKey, address.value, expiresAt)
      ? "restored"
      : "dropped";
    if (result !== "restored") this.#goneFrom(publicKey).add(formatLeaseCidr(address));
    return result;
  }

  /** What a peer holds, as /32 and /128. */
  addressesOf(publicKey: string): string[] {
    return [this.#ipv4, this.#ipv6]
      .flatMap((shelf) => shelf.held.get(publicKey) ?? [])
      .map(({ address }) => formatLeaseCidr(address));
  }

  /** All leases. */
  *leases(): Generator<Lease> {
    for (const shelf of [this.#ipv4, this.#ipv6]) {
      for (const [publicKey, { address, expiresAt }] of shelf.held) {
        yield { publicKey, address, expiresAt };
      }
    }
  }

  /** What changed since this was last called. */
  takeChanges(): LeaseChange[] {
    const pending = this.#pending;
    if (pending.size === 0) return [];
    this.#pending = new Map();
    return Array.from(pending, ([publicKey, gone]) => ({
      publicKey,
      addresses: this.addressesOf(publicKey),
      gone: [...gone],
    }));
  }

  #goneFrom(publicKey: string): Set<string> {
    this.changed = true;
    let gone = this.#pending.get(publicKey);
    if (gone === undefined) this.#pending.set(publicKey, gone = new Set());
    return gone;
  }
}

function readOptions(options: LeaseBookOptions): Shelves {
  const pools = options.pools.map(parseLeasePrefix);
  const reserved = options.reserved.map(parseLeasePrefix);
  const fixed4 = new Map<string, bigint>();
  const fixed6 = new Map<string, bigint>();
  const owners = new Map<string, string>();
  for (const [publicKey, texts] of options.fixed) {
    for (const text of texts) {
      const prefix = readFixed(text);
      const { family, first: value } = prefix;
      const fixed = family === 4 ? fixed4 : fixed6;
      const address = formatLeaseAddress({ family, value });
      if (fixed.has(publicKey)) {
        throw new SyntaxError(`peer ${publicKey} has two fixed addresses of one family`);
      }
      if (owners.has(address)) {
        throw new SyntaxError(`${address} is fixed for two peers`);
      }
      fixed.set(publicKey, value);
      owners.set(address, publicKey);
      reserved.push(prefix);
    }
  }
  options.pools.forEach((text, i) => {
    const { family } = pools[i]!;
    if (new LeasePool(family, [pools[i]!], []).size > 0n) return;
    throw new SyntaxError(`"${text}" has no address that a peer can have`);
  });
  return {
    pool4: new LeasePool(4, pools, reserved),
    pool6: new LeasePool(6, pools, reserved),
    fixed4,
    fixed6,
  };
}

function readFixed(text: string): AddressPrefix {
  const prefix = parseLeasePrefix(text);
  const { family, first, length } = prefix;
  if (length !== FAMILY_BITS[family] || isNeverLeased(family, first)) {
    throw new SyntaxError(`"${text}" is no address that a peer can have`);
  }
  return prefix;
}

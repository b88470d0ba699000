/**
 * Settings of a lease server, as they are written and as they are needed.
 *
 * @module
 */

import {
  type AddressPrefix,
  FAMILY_BITS,
  formatLeaseAddress,
  isNeverLeased,
  parseLeasePrefix,
} from "../address.ts";
import { LeasePool } from "./pool.ts";

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

/** Settings as they are needed: a pool of each family, and the fixed addresses by public key. */
export interface LeaseLayout {
  /** Nothing is taken. */
  readonly pool4: LeasePool;
  /** Nothing is taken. */
  readonly pool6: LeasePool;
  /** None is in the pool. */
  readonly fixed4: ReadonlyMap<string, bigint>;
  /** None is in the pool. */
  readonly fixed6: ReadonlyMap<string, bigint>;
}

/**
 * Reads settings.
 *
 * @throws {SyntaxError} Where one is none, such as a pool without an address to lease.
 */
export function readLeaseOptions(options: LeaseBookOptions): LeaseLayout {
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

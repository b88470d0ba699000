/**
 * What a lease server leases.
 *
 * @module
 */

import type { LeaseBookOptions } from "./options.ts";

/** More peers don't get an address of one family. */
const MAX_LEASES = 100_000;

/** Settings of a lease server. */
export interface LeaseServerConfig {
  /** Prefixes that addresses are drawn from, of both families. */
  readonly pools: readonly string[];
  /** Addresses and prefixes that are never leased. */
  readonly reserved: readonly string[];
  /** Addresses of certain peers, by public key. */
  readonly fixed: ReadonlyMap<string, readonly string[]>;
  /** Seconds. */
  readonly leaseTime: number;
  /** Prefixes that clients that ask for it are told to send through the tunnel. */
  readonly routes: readonly string[];
  /** Whether to do what is missing on the interface; else it is only said. */
  readonly configure: boolean;
}

/** The same for a book. @param ranges What is not to be leased either. */
export function bookOptions(
  { pools, reserved, fixed, leaseTime }: LeaseServerConfig,
  ranges: readonly string[] = [],
): LeaseBookOptions {
  return { pools, reserved: [...reserved, ...ranges], fixed, leaseTime, maxLeases: MAX_LEASES };
}

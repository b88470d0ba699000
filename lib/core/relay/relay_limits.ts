/**
 * What a relay carries at most, and how much work it does for it.
 *
 * @module
 */

import { MOST_PAIRS } from "./relayed_pairs.ts";
import { MOST_PEERS } from "./relayed_peers.ts";
import { TokenBuckets } from "./token_buckets.ts";

/** In bytes a second; 0 is no limit. A packet counts for {@linkcode LEAST_COST} at least. */
export interface RelayRates {
  /** Between two peers, both ways together. */
  readonly pairRate: number;
  /** From one peer. */
  readonly peerRate: number;
  /** In all. */
  readonly totalRate: number;
}

/** So that the rate of packets is bounded as well. */
export const LEAST_COST = 128;
/** What a bucket holds, in seconds of its rate, */
const BURST_SECONDS = 0.5;
/** and at least, in bytes: WireGuard sends up to 128 packets at once. */
const LEAST_BURST = 262_144;
/** MACs that are computed for a peer a second: it has so many receivers at once. */
const MACS = { rate: 500, burst: 2000 } as const;
/** In all. Each takes 3 µs on Bun. */
const ALL_MACS = { rate: 5000, burst: 10_000 } as const;
/** Initiations that a peer gets: each costs it X25519. WireGuard repeats one after 5 s. */
const GREETINGS = { rate: 50, burst: 200 } as const;

/** Budgets of pairs and peers. */
export class RelayLimits {
  readonly #pairs = new TokenBuckets(MOST_PAIRS, 0, 0);
  readonly #peers = new TokenBuckets(MOST_PEERS, 0, 0);
  readonly #all = new TokenBuckets(1, 0, 0);
  readonly #macs = new TokenBuckets(MOST_PEERS, MACS.rate, MACS.burst);
  readonly #allMacs = new TokenBuckets(1, ALL_MACS.rate, ALL_MACS.burst);
  readonly #greetings = new TokenBuckets(MOST_PEERS, GREETINGS.rate, GREETINGS.burst);

  /** Nothing is spent. */
  constructor(rates: RelayRates) {
    this.configure(rates);
  }

  /** Other rates from now on. */
  configure({ pairRate, peerRate, totalRate }: RelayRates): void {
    this.#pairs.configure(pairRate, burstOf(pairRate));
    this.#peers.configure(peerRate, burstOf(peerRate));
    this.#all.configure(totalRate, burstOf(totalRate));
  }

  /** Whether so many bytes may be carried from a peer of a pair. */
  allow(pair: number, peer: number, length: number, mono: number): boolean {
    const cost = Math.max(LEAST_COST, length);
    return this.#pairs.has(pair, cost, mono) && this.#peers.has(peer, cost, mono) &&
      this.#all.has(0, cost, mono);
  }

  /** They are carried: they were allowed just now. */
  spend(pair: number, peer: number, length: number): void {
    const cost = Math.max(LEAST_COST, length);
    this.#pairs.spend(pair, cost);
    this.#peers.spend(peer, cost);
    this.#all.spend(0, cost);
  }

  /** Whether a MAC may be computed for a datagram of a peer; it is counted then. */
  takeMac(peer: number, mono: number): boolean {
    if (!this.#macs.has(peer, 1, mono) || !this.#allMacs.has(0, 1, mono)) return false;
    this.#macs.spend(peer, 1);
    this.#allMacs.spend(0, 1);
    return true;
  }

  /** Whether a peer may get an initiation; it is counted then. */
  takeGreeting(peer: number, mono: number): boolean {
    if (!this.#greetings.has(peer, 1, mono)) return false;
    this.#greetings.spend(peer, 1);
    return true;
  }
}

function burstOf(rate: number): number {
  return Math.max(LEAST_BURST, BURST_SECONDS * rate);
}

/**
 * What a relay carries at most, and how much work it does for it.
 *
 * @module
 */

import { MOST_PAIRS } from "./relayed_pairs.ts";
import { MOST_PEERS } from "./relayed_peers.ts";
import { TokenBuckets } from "./token_buckets.ts";

/**
 * What is carried, in bytes a second: 0 is no limit, and a packet counts for {@linkcode LEAST_COST} at
 * least. And what is computed.
 */
export interface RelayRates {
  /** Between two peers, both ways together. */
  readonly pairRate: number;
  /** From one peer. */
  readonly peerRate: number;
  /** In all. */
  readonly totalRate: number;
  /** MACs a second, by which initiations find their receivers: as many as this host can afford. */
  readonly macRate: number;
}

/** So that the rate of packets is bounded as well. */
export const LEAST_COST = 128;
/** What a bucket holds, in seconds of its rate, */
const BURST_SECONDS = 0.5;
/** and at least, in bytes: WireGuard sends up to 128 packets at once. */
const LEAST_BURST = 262_144;
/** Of all MACs, a peer gets this part, */
const PEER_MACS = 0.1;
/** what it gets in so many seconds at once, since it has many receivers, */
const PEER_MACS_SECONDS = 4;
/** and all of them what they get in so many. */
const MACS_SECONDS = 2;
/** Initiations that a peer gets: each costs it X25519. WireGuard repeats one after 5 s. */
const GREETINGS = { rate: 50, burst: 200 } as const;

/** Budgets of pairs and peers. */
export class RelayLimits {
  readonly #pairs = new TokenBuckets(MOST_PAIRS, 0, 0);
  readonly #peers = new TokenBuckets(MOST_PEERS, 0, 0);
  readonly #all = new TokenBuckets(1, 0, 0);
  readonly #macs = new TokenBuckets(MOST_PEERS, 0, 0);
  readonly #allMacs = new TokenBuckets(1, 0, 0);
  readonly #greetings = new TokenBuckets(MOST_PEERS, GREETINGS.rate, GREETINGS.burst);

  /** Nothing is spent. */
  constructor(rates: RelayRates) {
    this.configure(rates);
  }

  /** Other rates from now on. */
  configure({ pairRate, peerRate, totalRate, macRate }: RelayRates): void {
    const peerMacs = PEER_MACS * macRate;
    this.#macs.configure(peerMacs, PEER_MACS_SECONDS * peerMacs);
    this.#allMacs.configure(macRate, MACS_SECONDS * macRate);
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

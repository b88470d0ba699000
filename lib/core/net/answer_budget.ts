/**
 * Keeps the server from being an amplifier: a forged source gets no more bytes than it seems to
 * have sent, but for a budget.
 *
 * @module
 */

import { ID_SIZE } from "../../wire/wgsig/record.ts";
import { copyBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { hashId } from "./id_hash.ts";
import { ADDRESS_SIZE, isIpv4 } from "./ip_address.ts";

/** Limits of a budget. */
export interface AnswerBudgetOptions {
  /** What each source prefix may get beyond what it sends, in bytes a second; 0 is no limit. */
  readonly bytesPerSecond: number;
  /** What it may get at once, in bytes. */
  readonly burst: number;
}

/** Enough for a client that asks for a hundred peers one by one, several times a minute. */
export const DEFAULT_ANSWER_BUDGET: AnswerBudgetOptions = {
  bytesPerSecond: 16_384,
  burst: 131_072,
};

/** A source that was quiet for so long, in seconds, gets all of that at once. */
const BURST_SECONDS = 16;

/** The budget of a registry: sixty clients behind one NAT that ask for 1000 peers every 12.5 s. */
export const REGISTRY_BUDGET = 262_144;

/** The limits of a budget of so many bytes a second; 0 is no limit. */
export function registryBudget(bytesPerSecond: number): AnswerBudgetOptions {
  return { bytesPerSecond, burst: BURST_SECONDS * bytesPerSecond };
}

const BUCKETS = 4096;
/** Bytes of an address, /24 of an IPv4-mapped one and /56 of another, that are one source. */
const IPV4_PREFIX = ADDRESS_SIZE - 1;
const IPV6_PREFIX = 7;

/**
 * Token buckets by source prefix, in a table of fixed size. Prefixes whose hashes collide share a
 * bucket: a flood of forged sources spends budgets, but never makes new ones.
 */
export class AnswerBudget {
  readonly #rate: number;
  readonly #burst: number;
  readonly #seed: number;
  /** Bytes left, as of the time in `#times`. */
  readonly #left: Float64Array;
  readonly #times: Float64Array;
  // Filled up to the size that the hash takes.
  readonly #prefix = new WireBuffer(ID_SIZE);

  /**
   * Makes a budget with nothing spent.
   *
   * @param seed Random, so that nobody can choose prefixes that share a bucket.
   */
  constructor(options: AnswerBudgetOptions, seed: number) {
    this.#rate = options.bytesPerSecond;
    this.#burst = options.burst;
    this.#seed = seed;
    const buckets = this.#rate > 0 ? BUCKETS : 0;
    this.#left = new Float64Array(buckets).fill(this.#burst);
    this.#times = new Float64Array(buckets).fill(-Infinity);
  }

  /** Whether {@linkcode spend} would say now that there is enough. Takes nothing. */
  has(source: WireBuffer, at: number, bytes: number, mono: number): boolean {
    return this.#rate === 0 || bytes <= this.#leftOf(this.#bucketOf(source, at), mono);
  }

  /**
   * Takes `bytes` out of the budget of the 16-byte address at `at`.
   *
   * @param bytes What is to be sent beyond what came in; 0 or less is free.
   * @param mono A clock that never jumps, in seconds.
   * @returns Whether there was enough. If not, nothing is taken.
   */
  spend(source: WireBuffer, at: number, bytes: number, mono: number): boolean {
    if (bytes <= 0 || this.#rate === 0) return true;
    const i = this.#bucketOf(source, at);
    const left = this.#leftOf(i, mono);
    const enough = bytes <= left;
    this.#left[i] = enough ? left - bytes : left;
    this.#times[i] = mono;
    return enough;
  }

  #bucketOf(source: WireBuffer, at: number): number {
    const size = isIpv4(source, at) ? IPV4_PREFIX : IPV6_PREFIX;
    this.#prefix.bytes.fill(0);
    copyBytes(source, at, this.#prefix, 0, size);
    return hashId(this.#prefix, 0, this.#seed) & (BUCKETS - 1);
  }

  #leftOf(i: number, mono: number): number {
    const elapsed = mono - this.#times[i]!;
    return Math.min(this.#burst, this.#left[i]! + elapsed * this.#rate);
  }
}

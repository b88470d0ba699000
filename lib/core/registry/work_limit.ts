/**
 * How much of what takes long is done: X25519 for peers that are not known, answers about rosters. So
 * neither many of them at once nor one network keep those waiting who ask something else.
 *
 * @module
 */

import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { AnswerBudget } from "../net/answer_budget.ts";

/** How often it is done. */
export interface Rates {
  /** In all, a second. */
  readonly rate: number;
  /** Of them at once. */
  readonly burst: number;
  /** The same for each source prefix: as many peers as a company may have behind one address. */
  readonly sourceRate: number;
  readonly sourceBurst: number;
}

/** Each takes 35 µs on Bun, with the keys that are derived from it. */
const EXCHANGES: Rates = { rate: 1000, burst: 50, sourceRate: 50, sourceBurst: 200 };

/** Counts them. */
export class WorkLimit {
  readonly #bySource: AnswerBudget;
  readonly #rates: Rates;
  #left: number;
  #at = -Infinity;

  /** @param seed Random, so that nobody can choose prefixes that share a budget. */
  constructor(seed: number, rates: Rates = EXCHANGES) {
    this.#rates = rates;
    this.#left = rates.burst;
    const { sourceRate: bytesPerSecond, sourceBurst: burst } = rates;
    this.#bySource = new AnswerBudget({ bytesPerSecond, burst }, seed);
  }

  /**
   * Whether one may be done now for the 16-byte address at `at`; it is counted then.
   *
   * @param times So many times as often, in all, where there are many that need one.
   */
  take(sources: WireBuffer, at: number, mono: number, times = 1): boolean {
    const { rate, burst } = this.#rates;
    this.#left = Math.min(burst * times, this.#left + (mono - this.#at) * rate * times);
    this.#at = mono;
    if (this.#left < 1 || !this.#bySource.spend(sources, at, 1, mono)) return false;
    this.#left--;
    return true;
  }
}

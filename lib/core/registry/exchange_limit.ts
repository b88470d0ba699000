/**
 * How many X25519 are computed for peers that are not known: so that neither many of them at once nor
 * one network keep those waiting who are known.
 *
 * @module
 */

import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { AnswerBudget } from "../net/answer_budget.ts";

/** In all, a second; each takes 35 µs on Bun, with the keys that are derived from it. */
const RATE = 1000;
/** Of them at once. */
const BURST = 50;
/** The same for each source prefix: as many peers as a company may have behind one address. */
const SOURCE_RATE = 50;
const SOURCE_BURST = 200;

/** Counts them. */
export class ExchangeLimit {
  readonly #bySource: AnswerBudget;
  #left = BURST;
  #at = -Infinity;

  /** @param seed Random, so that nobody can choose prefixes that share a budget. */
  constructor(seed: number) {
    this.#bySource = new AnswerBudget({ bytesPerSecond: SOURCE_RATE, burst: SOURCE_BURST }, seed);
  }

  /** Whether one may be computed now for the 16-byte address at `at`; it is counted then. */
  take(sources: WireBuffer, at: number, mono: number): boolean {
    this.#left = Math.min(BURST, this.#left + (mono - this.#at) * RATE);
    this.#at = mono;
    if (this.#left < 1 || !this.#bySource.spend(sources, at, 1, mono)) return false;
    this.#left--;
    return true;
  }
}

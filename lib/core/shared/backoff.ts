/**
 * When something that fails is tried again: later each time, and not by all at once.
 *
 * @module
 */

/** The first wait and the longest, in seconds. */
const FIRST = 1;
const LONGEST = 30;
/** The part of a wait that chance may take away. */
const JITTER = 0.5;

/** Waits that double. */
export class Backoff {
  readonly #random: () => number;
  #failures = 0;
  #until = -Infinity;

  /** @param random From 0 up to 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** How often it has failed since it last worked. */
  get failures(): number {
    return this.#failures;
  }

  /** When it may be tried again, on the monotonic clock. */
  get until(): number {
    return this.#until;
  }

  /** It has failed. */
  failed(mono: number): void {
    const wait = Math.min(LONGEST, FIRST * 2 ** Math.min(this.#failures++, 16));
    this.#until = mono + wait * (1 - JITTER * this.#random());
  }

  /** It may be tried at once, however often it has failed. */
  hurry(): void {
    this.#until = -Infinity;
  }

  /** It works. */
  worked(): void {
    this.#failures = 0;
    this.#until = -Infinity;
  }
}

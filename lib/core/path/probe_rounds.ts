/**
 * When ways to a peer are probed, all of them at once each time.
 *
 * ```
 * while there is none      0, 0.1, 0.2, 0.3 … 10 s, then every 20 s
 * while there may be a     0, 0.2, 0.5, 1 s, then after 20, 40, 80 s, then every 2 minutes
 * better one
 * ```
 *
 * @module
 */

const EAGER: readonly number[] = [0, 0.1, 0.2, 0.3, 0.4, 0.7, 1, 1.5, 2, 2.5, 3, 4, 5, 7, 10];
const CALM: readonly number[] = [0, 0.2, 0.5, 1];
/** Both NATs stay open for 30 s. */
const GAP = 20;
const LONGEST_GAP = 120;
/** Rounds whose datagrams only open the own NAT; see {@linkcode ProbeRound.isShort}. */
const SHORT_ROUNDS = 4;

/** One time to probe. */
export interface ProbeRound {
  /**
   * Whether what goes out is to die on the way. A router that masquerades and drops nothing keeps what
   * comes too early in mind, and gives the peer's own next datagram another port for it.
   */
  readonly isShort: boolean;
}

/** Keeps the time of one search. All times are seconds of the monotonic clock. */
export class ProbeRounds {
  #startedAt = Infinity;
  #isEager = false;
  #round = 0;
  #nextAt = Infinity;
  #gap = GAP;

  /** When it began; Infinity where none is under way. */
  get startedAt(): number {
    return this.#startedAt;
  }

  /** When the next round is due; Infinity where there is none. */
  get nextAt(): number {
    return this.#nextAt;
  }

  /** Begins anew. @param isEager Whether there is no way at all. */
  start(isEager: boolean, mono: number): void {
    this.#startedAt = mono;
    this.#isEager = isEager;
    this.#round = 0;
    this.#nextAt = mono;
    this.#gap = GAP;
  }

  /** Goes on if it is under way already, and at least as eager; else begins. */
  need(isEager: boolean, mono: number): void {
    if (this.#startedAt === Infinity || (isEager && !this.#isEager)) this.start(isEager, mono);
  }

  /** Ends it. */
  stop(): void {
    this.#startedAt = Infinity;
    this.#nextAt = Infinity;
  }

  /** The round that is due, if one is; it counts as done. */
  take(mono: number): ProbeRound | undefined {
    if (mono < this.#nextAt) return undefined;
    const round = this.#round++;
    const offsets = this.#isEager ? EAGER : CALM;
    const next = offsets[this.#round];
    if (next !== undefined) this.#nextAt = Math.max(this.#startedAt + next, mono + 0.05);
    else {
      this.#nextAt = mono + this.#gap;
      if (!this.#isEager) this.#gap = Math.min(2 * this.#gap, LONGEST_GAP);
    }
    return { isShort: this.#isEager && round < SHORT_ROUNDS };
  }
}

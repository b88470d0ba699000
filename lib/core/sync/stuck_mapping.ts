/**
 * Notices a NAT that keeps an old mapping for WireGuard's port: Linux's `snat to ADDRESS` goes on with
 * the address from before for a flow that something refreshes, although nothing comes back to it.
 *
 * ```
 * the own port is silent, 3 times ──► another port is asked ── silent ──► again in 30 s
 *                                        │ answered
 *                                        ▼
 *                            the own port is silent, still: the mapping is stuck
 *                                        │
 *                            200 s without a word from the own port: the mapping dies
 *                                        │
 *                            the own port is asked again …
 * ```
 *
 * @module
 */

/** So many questions through the own port must have been in vain. */
const SILENT = 3;
/** Between two questions through another port while nobody answers that either, in seconds. */
const NEXT_PROBE = 30;
/** Linux forgets a UDP flow after 120 s, or 180 s before 4.20, in seconds. */
const QUIET = 200;

/** Watches through which ports servers answer. All times are seconds of the monotonic clock. */
export class StuckMapping {
  /** Questions through the own port, in a row, that no server has answered. */
  #silent = 0;
  /** Whether another port has been answered since the own one became silent. */
  #isOtherAnswered = false;
  #probeAt = -Infinity;
  #quietUntil = -Infinity;

  /** Whether the mapping is known to be stuck. */
  get isStuck(): boolean {
    return this.#quietUntil > -Infinity;
  }

  /** Whether another port is to be asked through now. */
  asksElsewhere(mono: number): boolean {
    const isProbeDue = this.#silent >= SILENT && !this.#isOtherAnswered && mono >= this.#probeAt;
    return mono < this.#quietUntil || isProbeDue;
  }

  /** The port is another one. */
  forget(): void {
    this.#silent = 0;
    this.#isOtherAnswered = false;
    this.#probeAt = -Infinity;
    this.#quietUntil = -Infinity;
  }

  /**
   * Takes in what came of a question.
   *
   * @param own Whether it went through the own port.
   * @param isAnswered Whether a server has answered.
   * @returns Whether it shows that the mapping is stuck.
   */
  took(own: boolean, isAnswered: boolean, mono: number): boolean {
    if (own && isAnswered) this.forget();
    else if (own) {
      this.#silent++;
      if (this.#isOtherAnswered && this.#silent >= SILENT) {
        this.#quietUntil = mono + QUIET;
        return true;
      }
    } else if (isAnswered) this.#isOtherAnswered = this.#silent > 0;
    else this.#probeAt = mono + NEXT_PROBE;
    return false;
  }
}

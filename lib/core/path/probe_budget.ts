/**
 * How many probes a peer may cost: whoever tells of other places all the time, of others' too, has few
 * sent there.
 *
 * @module
 */

/** A search over many ways, and predicted ports, at once; */
const BURST = 256;
/** and then so many in a second. */
const RATE = 4;

/** Of one peer. All times are seconds of the monotonic clock. */
export class ProbeBudget {
  #left = BURST;
  #at = -Infinity;

  /** Whether one more may be sent now; it counts as sent. */
  take(mono: number): boolean {
    this.#left = Math.min(BURST, this.#left + RATE * Math.min(BURST, mono - this.#at));
    this.#at = mono;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}

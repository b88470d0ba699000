/**
 * Notices a NAT that keeps an old mapping for WireGuard's port: Linux's `snat to ADDRESS` goes on with
 * the address from before for a flow that something refreshes, although nothing comes back to it.
 *
 * ```
 * the own port is silent ──► from now on, another port is asked through at the same time
 *                              │                  │
 *                              │ answered,        │ silent as well: the server is away;
 *                              │ 3 times in a row │ only the own port is asked for 30 s
 *                              ▼                  ▼
 *                    the mapping is stuck       again
 *                              │
 *                    200 s without a word from the own port: the mapping dies
 *                              │
 *                    both are asked again …
 * ```
 *
 * Any answer to the own port ends all that. One port after the other would tell a server that goes up
 * and down from a NAT by luck alone: it may be up whenever the other port is asked.
 *
 * @module
 */

/** What to do about it. */
export const MAPPING_HINT =
  "a NAT keeps an old mapping for this port, while others are answered: have its " +
  "router forget connections (conntrack -F), or WireGuard listen on another port (--move-port)";

/** So many questions in a row must have been answered to another port only. */
const ANSWERED_ELSEWHERE = 3;
/** Between two questions through another port while nobody answers that either, in seconds. */
const NEXT_PROBE = 30;
/** Linux forgets a UDP flow after 120 s, or 180 s before 4.20, in seconds. */
const QUIET = 200;

/** Watches through which ports servers answer. All times are seconds of the monotonic clock. */
export class StuckMapping {
  #isSilent = false;
  /** Questions in a row that were answered to another port only. */
  #elsewhere = 0;
  #probeAt = -Infinity;
  #quietUntil = -Infinity;

  /** Whether the mapping is known to be stuck. */
  get isStuck(): boolean {
    return this.#quietUntil > -Infinity;
  }

  /** Whether the own port is to be left alone now, and another asked through in its place. */
  isQuiet(mono: number): boolean {
    return mono < this.#quietUntil;
  }

  /** Whether another port is to be asked through as well, at the same time. */
  asksBeside(mono: number): boolean {
    return this.#isSilent && mono >= this.#probeAt;
  }

  /** The port is another one, or was answered. */
  forget(): void {
    this.#isSilent = false;
    this.#elsewhere = 0;
    this.#probeAt = -Infinity;
    this.#quietUntil = -Infinity;
  }

  /**
   * Takes in what came of a question through the own port.
   *
   * @param own Whether a server has answered it.
   * @param beside The same of the question beside it; undefined where there was none.
   * @returns Whether it shows that the mapping is stuck.
   */
  took(own: boolean, beside: boolean | undefined, mono: number): boolean {
    if (own) {
      this.forget();
      return false;
    }
    this.#isSilent = true;
    if (beside === undefined) return false;
    if (!beside) {
      this.#probeAt = mono + NEXT_PROBE;
      this.#elsewhere = 0;
      return false;
    }
    this.#elsewhere++;
    if (!this.isStuck && this.#elsewhere < ANSWERED_ELSEWHERE) return false;
    this.#quietUntil = mono + QUIET;
    return true;
  }
}

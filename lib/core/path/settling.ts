/**
 * When WireGuard is given the endpoint of the way that was chosen. It follows whatever comes last, and
 * what was still under way may pull it back: so it is given it again.
 *
 * @module
 */

/** After so long each, in seconds, where there is a session already. */
const AGAIN: readonly number[] = [0, 0.05, 0.3, 0.8];
/** Then the interface is read, whether it has stayed there. */
const READS: readonly number[] = [1.4, 3, 6];
/** So long after the choice WireGuard is not followed where it goes by itself. */
const LASTS = 30;
/** How often it is given it again in that time. */
const MOST_RESETS = 5;

/** Knows when for one peer. All times are seconds of the monotonic clock. */
export class Settling {
  #at: number[] = [];
  #readsAt: number[] = [];
  #begunAt = -Infinity;
  #resets = 0;

  /** When something is due; Infinity where nothing is. */
  get nextAt(): number {
    return Math.min(this.#at[0] ?? Infinity, this.#readsAt[0] ?? Infinity);
  }

  /** A way was chosen. @param wait Until it is set first. @param hasSession Whether one is under way. */
  begin(wait: number, hasSession: boolean, mono: number): void {
    this.#begunAt = mono;
    this.#resets = 0;
    // Without a session there is nothing that pulls back.
    this.#at = (hasSession ? AGAIN : AGAIN.slice(0, 1)).map((after) => mono + wait + after);
    this.#readsAt = hasSession ? READS.map((after) => mono + after) : [];
  }

  /** It is set, and nothing is to be done for it any more. */
  end(mono: number): void {
    this.#at = [];
    this.#readsAt = [];
    this.#begunAt = mono;
    this.#resets = MOST_RESETS;
  }

  /** What is due, if something is: to set the endpoint, or to read the interface. It counts as done. */
  take(mono: number): "set" | "read" | undefined {
    if (mono >= (this.#at[0] ?? Infinity)) {
      this.#at.shift();
      return "set";
    }
    if (mono < (this.#readsAt[0] ?? Infinity)) return undefined;
    this.#readsAt.shift();
    return "read";
  }

  /** WireGuard has gone elsewhere by itself. @returns Whether it is given the endpoint again. */
  insists(mono: number): boolean {
    if (this.#at.length > 0) return true;
    if (mono - this.#begunAt > LASTS || this.#resets === MOST_RESETS) return false;
    this.#resets++;
    this.#at = [mono];
    return true;
  }
}

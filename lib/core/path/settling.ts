/**
 * When WireGuard is given the endpoint of the way that was chosen. It follows whatever comes last, and
 * what was still under way may pull it back: so it is given it again.
 *
 * @module
 */

/** After so long each, in seconds, where nothing arrives on the way before: the relay stops for a second. */
const STOPPED: readonly number[] = [0, 0.05, 0.3, 0.8];
/**
 * Where something does, so often within some round trips: what comes to one side has it answer the same
 * way at once, but what it sends by itself goes the new way once that was set again.
 */
const OFTEN = 12;
const ROUND_TRIPS = 4;
const [SHORTEST, LONGEST] = [0.25, 1.5];
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

  /**
   * A way was chosen.
   *
   * @param wait Until it is set first, in seconds.
   * @param before The way before: none, one on which nothing arrives any more, or one on which it does.
   * @param roundTrip Of the slower of both, in seconds.
   */
  begin(wait: number, before: "none" | "stopped" | "alive", roundTrip: number, mono: number): void {
    this.#begunAt = mono;
    const at = mono + wait;
    if (before === "none") this.#at = [at];
    else if (before === "stopped") this.#at = STOPPED.map((after) => at + after);
    else {
      const lasts = Math.min(Math.max(ROUND_TRIPS * roundTrip, SHORTEST), LONGEST);
      this.#at = Array.from({ length: OFTEN }, (_, i) => at + lasts * i / (OFTEN - 1));
    }
    this.#readsAt = before === "none" ? [] : READS.map((after) => mono + after);
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

  /** WireGuard has gone elsewhere by itself. @returns Whether both sides are to move once more. */
  insists(mono: number): boolean {
    if (mono - this.#begunAt > LASTS || this.#resets === MOST_RESETS) return false;
    this.#resets++;
    return true;
  }

  /** Whether it is still being set. */
  get isSetting(): boolean {
    return this.#at.length > 0;
  }

  /** Whether WireGuard isn't followed yet where it goes by itself. */
  isUnderWay(mono: number): boolean {
    return mono - this.#begunAt <= LASTS && this.#resets < MOST_RESETS;
  }

  /** Another way is chosen than before. */
  forget(): void {
    this.#resets = 0;
  }
}

/**
 * Moves both sides to a way that is proved: the registry stops what is relayed, the other side is told,
 * and both set it at once. WireGuard follows whatever comes last, so what is still under way would pull
 * it back.
 *
 * @module
 */

import type { Path } from "./path.ts";

/** What to do: the registry is to be told, the other side is, it is in vain, or wait. */
export type SwitchStep = "tell" | "probe" | "vain" | "wait";

const AGAIN = 0.15;
const MOST_TRIES = 5;
/** So long the registry may take, in seconds. */
const TELLING = 1.5;

/** One move. All times are seconds of the monotonic clock. */
export class PathSwitch {
  /** Where to. */
  readonly path: Path;
  #tells: boolean;
  #isTelling = false;
  #tries = 0;
  #nextAt: number;

  /** @param tells Whether the registry is told first. */
  constructor(path: Path, tells: boolean, mono: number) {
    this.path = path;
    this.#tells = tells;
    this.#nextAt = mono;
  }

  /** When something is due. */
  get nextAt(): number {
    return this.#nextAt;
  }

  /** What is due; it counts as done. */
  take(mono: number): SwitchStep {
    if (mono < this.#nextAt) return "wait";
    if (this.#tells) {
      this.#tells = false;
      this.#isTelling = true;
      this.#nextAt = mono + TELLING;
      return "tell";
    }
    this.#isTelling = false;
    if (this.#tries++ === MOST_TRIES) return "vain";
    // The last echo has to come back, however far it is.
    const isLast = this.#tries === MOST_TRIES && this.path.roundTrip < Infinity;
    this.#nextAt = mono + (isLast ? Math.max(AGAIN, 2 * this.path.roundTrip) : AGAIN);
    return "probe";
  }

  /** The registry has been told. */
  told(mono: number): void {
    if (this.#isTelling) this.#nextAt = mono;
  }
}

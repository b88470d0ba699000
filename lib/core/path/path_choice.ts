/**
 * Which of the ways that were proved is taken, and when: a better one may be a moment behind the first.
 *
 * @module
 */

import { type Path, rankOf } from "./path.ts";

/** An echo says so long that a way works, in seconds. */
const FRESH = 2;
/** So long a better way than the first that is proved is waited for. */
const BETTER_WAIT = 0.3;
/** So long who has the larger key waits for the other side to act. */
const SECOND_WAIT = 0.7;

/** Chooses among the ways to one peer. All times are seconds of the monotonic clock. */
export class PathChoice {
  readonly #isFirst: boolean;
  /** When the first proof since the last choice came. */
  #provedAt = Infinity;

  /** @param isFirst Whether this side acts first. */
  constructor(isFirst: boolean) {
    this.#isFirst = isFirst;
  }

  /** A way was proved. */
  proved(mono: number): void {
    this.#provedAt = Math.min(this.#provedAt, mono);
  }

  /** What was proved until now is no reason to choose any more. */
  forget(): void {
    this.#provedAt = Infinity;
  }

  /** When to choose; Infinity where nothing is proved. */
  at(paths: readonly Path[]): number {
    if (this.#provedAt === Infinity) return Infinity;
    const best = this.best(paths, this.#provedAt);
    const isBest = best !== undefined &&
      paths.every(({ kind }) => rankOf(kind) >= rankOf(best.kind));
    return this.#provedAt + (isBest ? 0 : BETTER_WAIT) + (this.#isFirst ? 0 : SECOND_WAIT);
  }

  /** The best way that was just proved. */
  best(paths: readonly Path[], mono: number): Path | undefined {
    let best: Path | undefined;
    for (const path of paths) {
      if (mono - path.provedAt > FRESH || path.provedAt <= path.deadAt) continue;
      if (mono < path.barredUntil) continue;
      if (best === undefined || isBetter(path, best)) best = path;
    }
    return best;
  }
}

function isBetter(a: Path, b: Path): boolean {
  const difference = rankOf(a.kind) - rankOf(b.kind);
  return difference < 0 || (difference === 0 && a.roundTrip < b.roundTrip);
}

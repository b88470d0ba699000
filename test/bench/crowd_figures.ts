/**
 * What a crowd's process prints.
 *
 * @module
 */

/** What a part came to. */
export interface CrowdFigures {
  readonly part: string;
  readonly seconds: number;
  readonly asked: number;
  readonly answered: number;
  readonly lost: number;
  readonly busy: number;
  readonly retries: number;
  readonly bytes: number;
  /** {@linkcode quantiles} of the milliseconds that answers took, */
  readonly answers: readonly number[];
  /** and pushes after the move that they tell of. */
  readonly pushes: readonly number[];
  /** By process: seconds of CPU. */
  readonly cpu: readonly number[];
  /** Peers that are known, of those that speak wgsig 2. */
  readonly known: number;
}

/** What a probe found since it printed last. */
export interface ProbeFigures {
  /** Milliseconds that each answer took. */
  readonly took: readonly number[];
  /** Requests that were not answered. */
  readonly lost: number;
}

/** How many there are; half of them, 99 of 100, 999 of 1000 are at most so large; the largest. */
export function quantiles(numbers: readonly number[]): number[] {
  const sorted = Float64Array.from(numbers).sort();
  const last = sorted.length - 1;
  const at = (share: number) => sorted[Math.min(last, Math.floor(share * sorted.length))] ?? NaN;
  return [sorted.length, at(0.5), at(0.99), at(0.999), at(1)];
}

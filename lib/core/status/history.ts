/**
 * How figures went in the last hour: a ring of samples, from which the page draws its plots.
 *
 * Totals that only grow (counters) become rates per second, levels stay as they are. A series takes 480
 * bytes, four for each sample.
 *
 * @module
 */

/** A sample is taken so often, in seconds. */
export const HISTORY_INTERVAL = 30;
/** So many are kept: an hour of them. */
export const HISTORY_SAMPLES = 120;
/** Significant digits of a rate: more of them say nothing. */
const RATE_DIGITS = 4;

/** Figures by name, at one moment. What is left out is not known. */
export type Figures = Readonly<Record<string, number>>;

/** What was noted. */
export interface HistoryReport {
  /** Between two samples, in seconds. */
  readonly interval: number;
  /** Of the newest sample, in seconds; null where there is none. */
  readonly age: number | null;
  /** Samples by name, the oldest first, all of the same length; null where it is not known. */
  readonly series: Readonly<Record<string, readonly (number | null)[]>>;
}

interface Series {
  readonly isTotal: boolean;
  readonly samples: Float32Array;
  /** The total at the last sample. */
  total: number;
}

/** Keeps what it is told of at its intervals. */
export class History {
  readonly #series: ReadonlyMap<string, Series>;
  #notedAt = NaN;
  /** Where the next sample is put. */
  #next = 0;
  #count = 0;

  /**
   * @param totals Names of figures that grow, and are kept as rates per second.
   * @param levels Names of those that are kept as they are.
   */
  constructor(totals: readonly string[], levels: readonly string[]) {
    const series = (isTotal: boolean): Series => ({
      isTotal,
      samples: new Float32Array(HISTORY_SAMPLES),
      total: NaN,
    });
    this.#series = new Map([
      ...totals.map((name) => [name, series(true)] as const),
      ...levels.map((name) => [name, series(false)] as const),
    ]);
  }

  /**
   * Notes what is known now. Where more than an interval has gone by (the host has slept), the samples
   * that nobody has taken are unknown. A total that has fallen was begun anew: its rate is unknown.
   *
   * @param mono Of the clock that never jumps; nothing is noted where it stands.
   */
  note(figures: Figures, mono: number): void {
    const elapsed = mono - this.#notedAt;
    if (elapsed <= 0) return;
    const slots = Math.round(elapsed / HISTORY_INTERVAL);
    // The first has none before it.
    const missed = Math.min(Math.max(0, slots - 1) || 0, HISTORY_SAMPLES);
    for (let i = 0; i < missed; i++) this.#put(() => NaN);
    this.#put((name, series) => {
      const figure = figures[name] ?? NaN;
      if (!series.isTotal) return figure;
      const rate = (figure - series.total) / elapsed;
      series.total = figure;
      return rate >= 0 ? rate : NaN;
    });
    this.#notedAt = mono;
  }

  #put(valueOf: (name: string, series: Series) => number): void {
    for (const [name, series] of this.#series) series.samples[this.#next] = valueOf(name, series);
    this.#next = (this.#next + 1) % HISTORY_SAMPLES;
    this.#count = Math.min(this.#count + 1, HISTORY_SAMPLES);
  }

  /** What was noted until now. @param mono Of the same clock. */
  report(mono: number): HistoryReport {
    const first = this.#next - this.#count + HISTORY_SAMPLES;
    const shown: Record<string, readonly (number | null)[]> = {};
    for (const [name, { samples, isTotal }] of this.#series) {
      shown[name] = Array.from({ length: this.#count }, (_, i) => {
        const value = samples[(first + i) % HISTORY_SAMPLES]!;
        if (!Number.isFinite(value)) return null;
        // JSON has no -0.
        return isTotal ? Number(value.toPrecision(RATE_DIGITS)) : value + 0;
      });
    }
    const age = mono - this.#notedAt;
    return {
      interval: HISTORY_INTERVAL,
      age: Number.isNaN(age) ? null : Math.max(0, Math.round(age)),
      series: shown,
    };
  }
}

/**
 * What may be spent a second, of many that each have a budget of their own.
 *
 * @module
 */

/** Token buckets by number. */
export class TokenBuckets {
  #rate: number;
  #burst: number;
  /** What is spent, as of the time in `#times`: zeros are a full bucket. */
  readonly #spent: Float64Array;
  readonly #times: Float64Array;

  /**
   * Nothing is spent.
   *
   * @param rate A second; 0 is no limit.
   * @param burst At once, after a pause.
   */
  constructor(count: number, rate: number, burst: number) {
    this.#rate = rate;
    this.#burst = burst;
    this.#spent = new Float64Array(count);
    this.#times = new Float64Array(count);
  }

  /** Other limits from now on. */
  configure(rate: number, burst: number): void {
    this.#rate = rate;
    this.#burst = burst;
  }

  /** Fills a bucket: its number stands for something else from now on. */
  reset(i: number): void {
    this.#spent[i] = 0;
  }

  /** Whether so much is left. */
  has(i: number, cost: number, mono: number): boolean {
    if (this.#rate === 0) return true;
    const spent = Math.max(0, this.#spent[i]! - (mono - this.#times[i]!) * this.#rate);
    this.#spent[i] = spent;
    this.#times[i] = mono;
    return spent + cost <= this.#burst;
  }

  /** Spends so much. {@linkcode has} was asked at the same time. */
  spend(i: number, cost: number): void {
    if (this.#rate > 0) this.#spent[i]! += cost;
  }
}

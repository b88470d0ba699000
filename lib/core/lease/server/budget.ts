/**
 * What each peer may be sent by a lease server, over however many connections.
 *
 * @module
 */

/**
 * What a peer may get: so many bytes at once, and then so many a second. A small reply counts for
 * 256. It keeps a peer from turning the server into a load on `wg`, or on its memory.
 */
export const REPLY_BURST = 262_144;
/** See {@linkcode REPLY_BURST}. */
export const REPLY_BYTES_PER_SECOND = 8192;
/**
 * Of so many peers it is kept what they have spent, for as long as that matters (32 s). Where more
 * come, the one that asked longest ago is forgotten.
 */
export const MAX_BUDGETS = 16_384;

const MIN_REPLY_COST = 256;

interface Spent {
  /** Bytes that may still be sent, as of `at`. */
  left: number;
  /** Seconds on the monotonic clock. */
  at: number;
}

/** The budgets of all peers. */
export class LeaseBudgets {
  /** By public key; who asked last is last. Who is not here has spent nothing. */
  readonly #spent = new Map<string, Spent>();
  readonly #limit: number;

  /**
   * Makes it with nothing spent.
   *
   * @param limit The most peers of which it is kept.
   */
  constructor(limit: number = MAX_BUDGETS) {
    this.#limit = limit;
  }

  /** Of how many peers it is kept. */
  get size(): number {
    return this.#spent.size;
  }

  /** Whether a peer may be sent something: it has something left. */
  mayAsk(publicKey: string, mono: number): boolean {
    const spent = this.#spent.get(publicKey);
    return spent === undefined || leftOf(spent, mono) > 0;
  }

  /** Takes a reply of so many bytes out of a peer's budget. It may be more than is left. */
  spend(publicKey: string, bytes: number, mono: number): void {
    const spent = this.#spent.get(publicKey);
    const left = spent === undefined ? REPLY_BURST : leftOf(spent, mono);
    // Set anew, it is the last.
    this.#spent.delete(publicKey);
    this.#spent.set(publicKey, { left: left - Math.max(MIN_REPLY_COST, bytes), at: mono });
    // One that is full again is not needed. One comes with a call, so two go at most.
    for (let tries = 0; tries < 2; tries++) {
      const [oldest] = this.#spent;
      if (oldest === undefined) return;
      const [key, value] = oldest;
      if (this.#spent.size <= this.#limit && leftOf(value, mono) < REPLY_BURST) return;
      this.#spent.delete(key);
    }
  }
}

function leftOf({ left, at }: Spent, mono: number): number {
  return Math.min(REPLY_BURST, left + Math.max(0, mono - at) * REPLY_BYTES_PER_SECOND);
}

/**
 * A lock in memory that threads share: one at a time is inside.
 *
 * @module
 */

const FREE = 0;
const HELD = 1;
/** Held, and others may be asleep. */
const AWAITED = 2;
/** Looks before a thread goes to sleep: for some microseconds, which is what a batch takes. */
const LOOKS = 200;

/** A lock. Every thread makes one over the same word. */
export class SharedLock {
  readonly #words: Int32Array;
  readonly #at: number;

  /** @param words Shared memory; the word at `at` is the lock's, and is 0 at first. */
  constructor(words: Int32Array, at: number) {
    this.#words = words;
    this.#at = at;
  }

  /**
   * Waits until no other thread is inside. One that is inside already must not ask again.
   *
   * @param timeout How many milliseconds of sleep without an end are too many.
   * @returns Whether it was got; false says that another thread has been inside all the time.
   */
  acquire(timeout: number): boolean {
    const words = this.#words;
    const at = this.#at;
    for (let looks = LOOKS; looks > 0; looks--) {
      if (Atomics.load(words, at) !== FREE) continue;
      if (Atomics.compareExchange(words, at, FREE, HELD) === FREE) return true;
    }
    // Who was asleep doesn't know whether others still are: it takes the lock as an awaited one.
    while (Atomics.exchange(words, at, AWAITED) !== FREE) {
      if (Atomics.wait(words, at, AWAITED, timeout) === "timed-out") return false;
    }
    return true;
  }

  /** Lets the next in. */
  release(): void {
    if (Atomics.exchange(this.#words, this.#at, FREE) === AWAITED) {
      Atomics.notify(this.#words, this.#at, 1);
    }
  }
}

/**
 * Peers with which no keys were agreed upon yet: each costs an X25519, and all of them the private key.
 *
 * @module
 */

/** X25519s in one go. */
const MOST_AGREED = 16;
/** After the private key could not be read, in seconds: it may just be another one; then seldom. */
const [FIRST_AGAIN, LONGEST_AGAIN] = [1, 60];

/** Knows who they are. All times are seconds of the monotonic clock. */
export class KeylessPeers {
  readonly #keyless = new Set<string>();
  /** Those that have none. */
  readonly #hopeless = new Set<string>();
  #at = -Infinity;
  #again = FIRST_AGAIN;
  #isUnreadable = false;

  /** When keys are to be made; Infinity where none are missing, or they are just being made. */
  get nextAt(): number {
    return this.#keyless.size > 0 ? this.#at : Infinity;
  }

  /** Whether a peer is to have its keys in a moment. */
  isAwaited(publicKey: string): boolean {
    return this.#keyless.has(publicKey) && !this.#isUnreadable;
  }

  /** Whether keys are to be made now; that counts as begun. */
  isDue(mono: number): boolean {
    if (mono < this.nextAt) return false;
    this.#at = Infinity;
    return true;
  }

  /** A peer has none yet, unless it can have none. */
  add(publicKey: string): void {
    if (!this.#hopeless.has(publicKey)) this.#keyless.add(publicKey);
  }

  /** Only these are left. */
  keep(present: ReadonlySet<string>): void {
    for (const some of [this.#keyless, this.#hopeless]) {
      for (const publicKey of some) if (!present.has(publicKey)) some.delete(publicKey);
    }
  }

  /** All are forgotten. */
  forget(): void {
    this.#keyless.clear();
    this.#hopeless.clear();
    this.#at = -Infinity;
    this.#again = FIRST_AGAIN;
  }

  /** The private key could not be read, or is another one's. */
  unreadable(mono: number): void {
    this.#isUnreadable = true;
    this.#at = mono + this.#again;
    this.#again = Math.min(8 * this.#again, LONGEST_AGAIN);
  }

  /** The next ones, whose keys are made now. */
  take(mono: number): readonly string[] {
    this.#isUnreadable = false;
    this.#again = FIRST_AGAIN;
    this.#at = mono;
    const next = [...this.#keyless].slice(0, MOST_AGREED);
    for (const publicKey of next) this.#keyless.delete(publicKey);
    return next;
  }

  /** There are no keys with this one. */
  hopeless(publicKey: string): void {
    this.#hopeless.add(publicKey);
  }
}

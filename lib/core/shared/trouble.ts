/**
 * What is said of a fault that lasts: once when it begins, once an hour, and once when it is over.
 *
 * @module
 */

/** Seconds between two reminders. */
const REMINDER = 3600;

/** What went wrong, as it is said. */
interface Said {
  readonly why: string;
  readonly hint?: string | undefined;
}

/** What is to be said. */
export type TroubleNews =
  | (Said & { readonly event: "begun" })
  | (Said & { readonly event: "lasting"; readonly seconds: number })
  | { readonly event: "over"; readonly seconds: number };

/** One kind of fault. All times are seconds of the monotonic clock. */
export class Trouble {
  #said: Said | undefined;
  #since = 0;
  #saidAt = 0;

  /** Whether it lasts. */
  get isThere(): boolean {
    return this.#said !== undefined;
  }

  /** For how long it has lasted. */
  secondsAt(mono: number): number {
    return this.isThere ? mono - this.#since : 0;
  }

  /** It has gone wrong, perhaps once more. */
  begun({ why, hint }: Said, mono: number): TroubleNews | undefined {
    if (this.#said !== undefined) {
      this.#said = { why, hint };
      return undefined;
    }
    this.#said = { why, hint };
    this.#since = mono;
    this.#saidAt = mono;
    return { event: "begun", why, hint };
  }

  /** What is to be said of it again. */
  remind(mono: number): TroubleNews | undefined {
    if (this.#said === undefined || mono - this.#saidAt < REMINDER) return undefined;
    this.#saidAt = mono;
    return { event: "lasting", ...this.#said, seconds: mono - this.#since };
  }

  /** It works. */
  over(mono: number): TroubleNews | undefined {
    if (this.#said === undefined) return undefined;
    this.#said = undefined;
    return { event: "over", seconds: mono - this.#since };
  }
}

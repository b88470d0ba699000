/**
 * The labels of one peer's questions to one registry: each is later than the one before, and they go
 * by the registry's time where this host's clock is wrong. That clock itself is left alone.
 *
 * docs/protocol-2.md, "Question" and "Retry".
 *
 * @module
 */

import { compareLabels, type Label, labelOf } from "../../wire/wgsig/tai64n.ts";

/** A clock that is off by less is right enough, in seconds: a registry lets in 30. */
const TOLERANCE = 5;
const LAST_NANOSECOND = 999_999_999;
/** The year 36812. What is later comes from nobody whose clock could be gone by. */
const LATEST = 2 ** 40;

/** Hands out labels. */
export class LabelSequence {
  /** What the registry's clock shows more than this host's, in seconds. */
  #ahead = 0;
  #last: Label = { seconds: 0, nanoseconds: -1 };
  /** The last one that the registry is known to have let in. */
  #used: Label = this.#last;

  /** By how many seconds the registry's clock is ahead of this host's, as far as it matters. */
  get ahead(): number {
    return this.#ahead;
  }

  /** The registry's time. @param unix The wall clock. */
  timeAt(unix: number): number {
    return Math.max(0, unix + this.#ahead);
  }

  /** A label for a new question. @param unix The wall clock. */
  next(unix: number): Label {
    const label = labelOf(this.timeAt(unix));
    return this.#last = compareLabels(label, this.#last) > 0 ? label : after(this.#last);
  }

  /** The registry has let in the question with this label. */
  used(label: Label): void {
    if (compareLabels(label, this.#used) > 0) this.#used = label;
  }

  /**
   * Goes by the registry's time, since it has refused a label. That one was not used, so that later
   * ones may be earlier.
   *
   * @param unix The wall clock.
   */
  goBy(time: Label, unix: number): void {
    if (time.seconds > LATEST) return;
    this.#ahead = time.seconds + time.nanoseconds / 1e9 - unix;
    this.#last = this.#used;
  }

  /** A later label was used already: this is the least one that will do. */
  startAt(least: Label): void {
    if (least.seconds > LATEST) return;
    const { seconds } = least;
    const nanoseconds = Math.min(least.nanoseconds, LAST_NANOSECOND);
    const before = nanoseconds > 0
      ? { seconds, nanoseconds: nanoseconds - 1 }
      : { seconds: seconds - 1, nanoseconds: LAST_NANOSECOND };
    if (compareLabels(before, this.#last) > 0) this.#last = before;
  }

  /**
   * Takes note of the time in an answer, and goes by it where the clock is wrong.
   *
   * @param askedAt The wall clock when the question was asked.
   * @param unix The wall clock now.
   */
  hear(time: Label, askedAt: number, unix: number): void {
    if (time.seconds > LATEST) return;
    const seconds = time.seconds + time.nanoseconds / 1e9;
    const isBehind = this.timeAt(unix) < seconds - TOLERANCE;
    const isAhead = this.timeAt(askedAt) > seconds + TOLERANCE;
    if (isBehind || isAhead) this.#ahead = seconds - unix;
  }
}

function after({ seconds, nanoseconds }: Label): Label {
  return nanoseconds < LAST_NANOSECOND
    ? { seconds, nanoseconds: nanoseconds + 1 }
    : { seconds: seconds + 1, nanoseconds: 0 };
}

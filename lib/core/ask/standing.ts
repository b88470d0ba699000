/**
 * How a server is asked while others answer, by what became of it before: one that is dead costs the
 * others its time once.
 *
 * ```
 * in full ── of no use ──► aside: after 5, 10, 20, 40, 60, 60 … s, and nobody waits for it
 *    ▲                       │ a word from it
 *    └───────────────────────┘ in the same round, or in one of its own; briefly at first
 * ```
 *
 * @module
 */

import type { Now } from "../net/clock.ts";

/** One that is of no use is asked aside after so many seconds, twice as many, … */
const FIRST_ASIDE = 5;
const LAST_ASIDE = 60;
const MOST_DOUBLINGS = 4;
/**
 * So long one is asked briefly, in seconds: longer where it didn't do, since it may be far away. Who
 * doesn't say all in any of these isn't given more again.
 */
const BRIEF = [1, 2, 4] as const;

/** How it is asked in a round. */
export type AskedHow =
  /** As long as a question may take. */
  | "in-full"
  /** For a second or some: it did not say all the last time, or has been away. */
  | "briefly"
  /** Once, whether it is there: nobody waits for it. */
  | "aside"
  | "not";

/** What became of it in a round. */
export type Became =
  /** It has answered, or as far as there was time. */
  | "answered"
  /** It is there, and has not said what it was asked for. */
  | "in-part"
  /** It was of no use: silent, refused, or not believed. */
  | "nothing";

/** How it stands with one server. */
export class Standing {
  #hasFailed = false;
  #isDoubtful = false;
  #isBack = false;
  #failures = 0;
  /** How often it was asked briefly since it has answered. */
  #briefs = 0;
  #asideAt = -Infinity;
  #how: AskedHow = "not";

  /** Whether it was of no use when it was asked last. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** How it is asked in this round. */
  get how(): AskedHow {
    return this.#how;
  }

  /** Whether others are asked in its place. */
  get isAside(): boolean {
    return this.#how === "aside" || this.#how === "not";
  }

  /** Whether it has said itself that it is there again, and has not been asked in full since. */
  get isBack(): boolean {
    return this.#isBack;
  }

  /** How long it is asked where it is asked briefly, in seconds. */
  get patience(): number {
    return BRIEF[this.#briefs] ?? BRIEF[0];
  }

  /** Asks it in the next round, whether its turn has come or not: this host or it is elsewhere. */
  hurry(): void {
    this.#asideAt = -Infinity;
  }

  /** A round begins. @param othersAnswer Whether there are others which were of use the last time. */
  begin(othersAnswer: boolean, { mono }: Pick<Now, "mono">): AskedHow {
    if (!othersAnswer) {
      this.#how = "in-full";
      // Where nobody answers, that says nothing of this one: it may just be slower when all are back.
      this.#failures = 0;
    } else if (this.#hasFailed) this.#how = mono >= this.#asideAt ? "aside" : "not";
    else this.#how = this.#isDoubtful || this.#isBack ? "briefly" : "in-full";
    if (!this.isAside) this.#isBack = false;
    return this.#how;
  }

  /** A word has come from it. @param isOfUse Whether more can be expected than that. */
  heard(isOfUse: boolean): void {
    if (!this.isAside || !isOfUse || !this.#hasFailed) return;
    this.#hasFailed = false;
    this.#isBack = true;
  }

  /** It is asked in the rest of the round, since it is there again. @returns Whether it is so. */
  takeBack(): boolean {
    if (this.#how !== "aside" || !this.#isBack) return false;
    this.#how = "briefly";
    this.#isBack = false;
    return true;
  }

  /** The round in which it was asked is over. */
  finish(became: Became, { mono }: Pick<Now, "mono">): void {
    if (this.#how === "not") return;
    this.#isDoubtful = became !== "answered";
    if (became === "answered") this.#briefs = 0;
    else if (this.#how === "briefly") this.#briefs++;
    this.#hasFailed = became === "nothing" && !this.#isBack;
    if (this.#hasFailed) {
      const seconds = FIRST_ASIDE * 2 ** Math.min(this.#failures++, MOST_DOUBLINGS);
      this.#asideAt = mono + Math.min(seconds, LAST_ASIDE);
    } else if (!this.#isBack) this.#failures = 0;
  }
}

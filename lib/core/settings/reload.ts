/**
 * Reading the settings again while a program runs: when, what of them is in force then, and what waits
 * for a restart. A driver loads and applies; if either fails, the settings before stay in force.
 *
 * ```
 *   idle ──asked──► loading ──loaded──► applying ──applied──► idle
 *                      └──failed──► idle ◄──failed──┘
 * ```
 *
 * Who asks while that goes on has the settings read once more after it.
 *
 * @module
 */

import { type Fixed, needsRestart } from "./restart.ts";

/** What of settings `S` needs a restart. */
export interface ReloadRules<S> {
  /** What is bound or in use, as the log calls it. */
  readonly fixed: Fixed<S>;
  /** What is wanted, as far as it needs no restart, beside that of the start. */
  inForce(first: S, wanted: S): S;
}

/** What to do next. */
export type ReloadStep<S, F> =
  /** Nothing, until it is asked for. */
  | { readonly kind: "rest" }
  /** Read the settings and all files that they name, and tell. */
  | { readonly kind: "load" }
  /** Put these settings and what was in their files into force, and tell. */
  | { readonly kind: "apply"; readonly settings: S; readonly files: F };

/** What came of a step: settings and their files, why not, or that they are in force. */
export type ReloadOutcome<S, F> =
  | { readonly kind: "loaded"; readonly settings: S; readonly files: F }
  | { readonly kind: "failed"; readonly why: string }
  | { readonly kind: "applied" };

/** What is to be said. */
export type ReloadNews =
  | { readonly event: "reloaded" }
  | { readonly event: "restart-needed"; readonly changed: string }
  | { readonly event: "not-reloaded"; readonly why: string };

/**
 * Reloads settings, one time after the other. `S` are settings, `F` is what the files hold that they
 * name.
 */
export class Reload<S, F> {
  /** What is bound or in use: that of the start. */
  readonly #first: S;
  readonly #rules: ReloadRules<S>;
  #running: S;
  #isAsked = false;
  #isLoading = false;
  #loaded: { readonly wanted: S; readonly settings: S; readonly files: F } | undefined;

  /** @param first The settings that the program was started with. */
  constructor(first: S, rules: ReloadRules<S>) {
    this.#first = first;
    this.#rules = rules;
    this.#running = first;
  }

  /** The settings in force. */
  get running(): S {
    return this.#running;
  }

  /** Asks for the settings to be read again. */
  ask(): void {
    this.#isAsked = true;
  }

  /** What to do next. */
  next(): ReloadStep<S, F> {
    if (this.#loaded !== undefined) return { kind: "apply", ...this.#loaded };
    if (this.#isLoading || !this.#isAsked) return { kind: "rest" };
    this.#isAsked = false;
    this.#isLoading = true;
    return { kind: "load" };
  }

  /** Says what came of a step. @returns What is to be said of it. */
  told(outcome: ReloadOutcome<S, F>): ReloadNews[] {
    const loaded = this.#loaded;
    this.#loaded = undefined;
    this.#isLoading = false;
    if (outcome.kind === "failed") return [{ event: "not-reloaded", why: outcome.why }];
    if (outcome.kind === "loaded") {
      const { settings: wanted, files } = outcome;
      this.#loaded = { wanted, settings: this.#rules.inForce(this.#first, wanted), files };
      return [];
    }
    if (loaded === undefined) return [];
    this.#running = loaded.settings;
    const changed = needsRestart(this.#rules.fixed, this.#first, loaded.wanted).join(",");
    const news: ReloadNews[] = [{ event: "reloaded" }];
    if (changed !== "") news.push({ event: "restart-needed", changed });
    return news;
  }
}

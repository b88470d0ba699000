/**
 * Reading the settings again while a server runs: when, what of them is in force then, and what waits
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

import { type Fixed, needsRestart } from "../settings/restart.ts";

/** The settings of which some can't be changed while the server runs. */
export interface Reloadable {
  readonly listen: unknown;
  readonly maxPeers: number;
  readonly maxAnswer: number;
  readonly state: string | undefined;
  readonly key: string | undefined;
  readonly dns: { readonly listen: unknown } | undefined;
  readonly lease: { readonly interface: string; readonly state: string | undefined } | undefined;
  readonly punch: unknown;
}

/** What needs a restart, as the log calls it: what is bound or in use. */
export const FIXED: Fixed<Reloadable> = {
  listen: ({ listen }) => listen,
  "max-peers": ({ maxPeers }) => maxPeers,
  "max-answer": ({ maxAnswer }) => maxAnswer,
  state: ({ state }) => state,
  key: ({ key }) => key,
  dns: ({ dns }) => dns?.listen,
  lease: ({ lease }) => lease && [lease.interface, lease.state],
  punch: ({ punch }) => punch,
};

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
export class Reload<S extends Reloadable, F> {
  /** What is bound or in use: that of the start. */
  readonly #first: S;
  #running: S;
  #isAsked = false;
  #isLoading = false;
  #loaded: { readonly wanted: S; readonly settings: S; readonly files: F } | undefined;

  /** @param first The settings that the server was started with. */
  constructor(first: S) {
    this.#first = first;
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
      this.#loaded = { wanted, settings: inForce(this.#first, wanted), files };
      return [];
    }
    if (loaded === undefined) return [];
    this.#running = loaded.settings;
    const changed = needsRestart(FIXED, this.#first, loaded.wanted).join(",");
    const news: ReloadNews[] = [{ event: "reloaded" }];
    if (changed !== "") news.push({ event: "restart-needed", changed });
    return news;
  }
}

/** What is wanted, as far as it needs no restart: a new group has the limits of the others. */
export function inForce<S extends Reloadable>(first: S, wanted: S): S {
  const { listen, maxPeers, maxAnswer, state, key } = first;
  return { ...wanted, listen, maxPeers, maxAnswer, state, key };
}

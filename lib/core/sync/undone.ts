/**
 * Actions that failed.
 *
 * @module
 */

import type { SyncAction } from "./actions.ts";
import type { SyncNotes } from "./notes.ts";

type Kind = SyncAction["kind"];

/** Tells of the first of each kind, and again only when that was over meanwhile. */
export class UndoneActions {
  readonly #notes: SyncNotes;
  /** Those that were told of and that are not over. */
  readonly #told = new Set<Kind>();
  readonly #done = new Set<Kind>();
  readonly #failed = new Set<Kind>();

  /** Nothing has failed yet. */
  constructor(notes: SyncNotes) {
    this.#notes = notes;
  }

  /** Whether something failed in this round. */
  get some(): boolean {
    return this.#failed.size > 0;
  }

  /** An action was done. */
  done(kind: Kind): void {
    this.#done.add(kind);
  }

  /** An action could not be done. */
  failed(kind: Kind, why: string): void {
    if (this.#failed.has(kind)) return;
    this.#failed.add(kind);
    this.#told.add(kind);
    this.#notes.once("warn", "not-done", { why }, topicOf(kind));
  }

  /**
   * A round is over: what was done in it, and did not fail, works again.
   *
   * @param isWell Whether it was a look that found all well: then whatever did not fail is over.
   */
  endRound(isWell: boolean): void {
    for (const kind of this.#told) {
      if (this.#failed.has(kind) || !(isWell || this.#done.has(kind))) continue;
      this.#told.delete(kind);
      this.#notes.forget(topicOf(kind));
    }
    this.#done.clear();
    this.#failed.clear();
  }
}

function topicOf(kind: Kind): string {
  return `not-done ${kind}`;
}

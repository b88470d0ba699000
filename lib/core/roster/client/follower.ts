/**
 * Follows the roster of one registry: which version is known, when to ask for more, and what is known.
 * docs/protocol-2.md, "Roster".
 *
 * ```
 *              an answer tells of another version
 *   known ────────────────────────────────────────► ask FROM the one that is known
 *     ▲                                                │
 *     │ VERSION = NOW                                  │ VERSION < NOW: again, from there
 *     └────────────────────────────────────────────────┤
 *                                                      │ NOW < FROM: it counts anew; from 0
 *                                                      └──────────────────────────────────
 * ```
 *
 * @module
 */

import type { Now } from "../../net/clock.ts";
import type { Roster, RosterEntry } from "./entry.ts";

/** How long an answer is awaited at first, and at most, before it is asked for again: seconds. */
const [FIRST_WAIT, LAST_WAIT] = [0.5, 2];
/** So many questions without an answer, and it is left to the next time that a version is told. */
const MOST_TRIES = 4;
/** The most entries that are kept, those that were taken away among them. */
export const MAX_ROSTER: number = 16_384;

/** What to do next. */
export type FollowerStep =
  /** Send a question; {@linkcode RosterFollower.ask} says from which version on. */
  | { readonly kind: "ask" }
  /** Nothing, until this time of the monotonic clock, or until something has come. */
  | { readonly kind: "wait"; readonly until: number }
  /** Nothing: all is known, or nobody answers. */
  | { readonly kind: "done" };

/** A part of the roster, as a registry has answered. */
export interface RosterPart {
  /** FROM of the question. */
  readonly from: number;
  /** VERSION: the last change in this answer. */
  readonly version: number;
  /** NOW: the roster's version. */
  readonly now: number;
  /** In the order of their last change. */
  readonly entries: readonly RosterEntry[];
}

/** Follows one registry's roster. */
export class RosterFollower implements Roster {
  #version = 0;
  /** The version that the registry has told last. */
  #told = 0;
  #entries = new Map<string, RosterEntry>();
  /** What is being read anew, from a registry that counts anew. */
  #anew: Map<string, RosterEntry> | undefined;
  #revision = 0;
  #askAt = -Infinity;
  #tries = 0;

  get revision(): number {
    return this.#revision;
  }

  get entries(): ReadonlyMap<string, RosterEntry> {
    return this.#entries;
  }

  /** How far everything is known; 0 where nothing is. For option ROSTER of a question. */
  get version(): number {
    return this.#version;
  }

  /** Whether the registry has said that there is more. */
  get isBehind(): boolean {
    return this.#told !== this.#version;
  }

  /** The registry has said, to a question that was proved, which version it has. */
  told(version: number, { mono }: Now): void {
    this.#told = version;
    this.#askAt = mono;
    this.#tries = 0;
  }

  /** What to do now. */
  next({ mono }: Now): FollowerStep {
    if (!this.isBehind) return { kind: "done" };
    if (mono < this.#askAt) return { kind: "wait", until: this.#askAt };
    return this.#tries < MOST_TRIES ? { kind: "ask" } : { kind: "done" };
  }

  /** It is asked now. @returns FROM. */
  ask({ mono }: Now): number {
    this.#askAt = mono + Math.min(FIRST_WAIT * 2 ** this.#tries++, LAST_WAIT);
    return this.#version;
  }

  /** Takes in an answer. @returns Whether it was one to a question from where is known now. */
  take({ from, version, now, entries }: RosterPart, { mono }: Now): boolean {
    if (from !== this.#version) return false;
    this.#told = now;
    this.#tries = 0;
    this.#askAt = mono;
    if (now < from) {
      this.#version = 0;
      this.#anew = new Map();
      return true;
    }
    // Who says that there is more, and doesn't say what, is asked no more before it says so again.
    if (version > now || version < from || version === from && now > from) {
      this.#told = this.#version;
      return true;
    }
    const kept = this.#anew ?? this.#entries;
    for (const entry of entries) {
      if (kept.size < MAX_ROSTER || kept.has(entry.publicKey)) kept.set(entry.publicKey, entry);
    }
    this.#version = version;
    const isComplete = version === now;
    if (this.#anew !== undefined && isComplete) {
      this.#entries = this.#anew;
      this.#anew = undefined;
      this.#revision++;
    } else if (this.#anew === undefined && entries.length > 0) this.#revision++;
    return true;
  }
}

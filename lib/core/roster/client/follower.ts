/**
 * Follows the roster of one registry: which version is known, when to ask for more, and what is known.
 * docs/protocol-2.md, "Roster".
 *
 * ```
 *              an answer tells of another version
 *   known ────────────────────────────────────────► ask FROM the one that is known
 *     ▲                                                │
 *     │ VERSION = NOW                                  │ VERSION < NOW: onward, from there
 *     └────────────────────────────────────────────────┴─────────────────────────────────
 * ```
 *
 * Where an answer is the beginning of all there is (WHOLE), what was known holds until the end is here.
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

/** A question to ask. */
export interface RosterRequest {
  /** The last change that is known. */
  readonly from: number;
  /** Whether that is VERSION of an answer of the same round. */
  readonly isOnward: boolean;
}

/** A part of the roster, as a registry has answered. */
export interface RosterPart {
  /** The question that it answers. */
  readonly asked: RosterRequest;
  /** VERSION: the last change in this answer. */
  readonly version: number;
  /** NOW: the roster's version. */
  readonly now: number;
  /** Whether what was known before is to be forgotten: this is the beginning of all there is. */
  readonly isWhole: boolean;
  /** In the order of their last change. */
  readonly entries: readonly RosterEntry[];
}

/** Follows one registry's roster. */
export class RosterFollower implements Roster {
  /** The last version of which all is known. */
  #version = 0;
  /** How far this round is. */
  #reached = 0;
  #isOnward = false;
  /** The version that the registry has told last. */
  #told = 0;
  #entries = new Map<string, RosterEntry>();
  /** All there is, while it is being read. */
  #anew: Map<string, RosterEntry> | undefined;
  #revision = 0;
  #askAt = -Infinity;
  #tries = 0;
  /** How many answers this round has had. */
  #answers = 0;

  get revision(): number {
    return this.#revision;
  }

  get entries(): ReadonlyMap<string, RosterEntry> {
    return this.#entries;
  }

  get isComplete(): boolean {
    return this.#version > 0;
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
    if (this.#tries >= MOST_TRIES) this.#isOnward = false;
    if (!this.#isOnward) this.#answers = 0;
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

  /** It is asked now. */
  ask({ mono }: Now): RosterRequest {
    this.#askAt = mono + Math.min(FIRST_WAIT * 2 ** this.#tries++, LAST_WAIT);
    return { from: this.#reached, isOnward: this.#isOnward };
  }

  /** Takes in an answer. @returns Whether it goes on from where is known now. */
  take({ asked, version, now, isWhole, entries }: RosterPart, { mono }: Now): boolean {
    const { from, isOnward } = asked;
    if (from !== this.#reached || isOnward !== this.#isOnward) return false;
    const isLost = isWhole && isOnward;
    const isForward = isWhole || version > from || version === from && now === from;
    const isEmpty = entries.length === 0 && version < now;
    // Who says that there is more, and doesn't say what, or never comes to an end, is asked no more
    // before it says so again.
    if (isLost || !isForward || isEmpty || version > now || ++this.#answers > MAX_ROSTER) {
      this.#told = this.#version;
      this.#isOnward = false;
      return true;
    }
    this.#told = now;
    this.#tries = 0;
    this.#askAt = mono;
    if (isWhole) this.#anew = new Map();
    const kept = this.#anew ?? this.#entries;
    for (const entry of entries) {
      const isRoom = kept.size < MAX_ROSTER || kept.has(entry.publicKey) || forgetGone(kept);
      if (isRoom) kept.set(entry.publicKey, entry);
    }
    this.#reached = version;
    this.#isOnward = version < now;
    if (this.#anew === undefined && entries.length > 0) this.#revision++;
    if (this.#isOnward) return true;
    this.#version = version;
    if (this.#anew === undefined) return true;
    this.#entries = this.#anew;
    this.#anew = undefined;
    this.#revision++;
    return true;
  }
}

/** Forgets half of those that were taken away, the first first. @returns Whether there was one. */
function forgetGone(kept: Map<string, RosterEntry>): boolean {
  const gone = [...kept.values()].filter(({ isGone }) => isGone);
  const most = Math.ceil(gone.length / 2);
  for (const { publicKey } of gone.slice(0, most)) kept.delete(publicKey);
  return gone.length > 0;
}

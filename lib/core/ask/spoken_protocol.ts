/**
 * Which protocol a registry speaks, as far as a client knows: it asks in both at the same moment until
 * there is a word, so that a server that knows only the first one costs a datagram and no time.
 *
 * Whoever has pinned the registry's key never asks in the first protocol: an attacker who drops what
 * belongs to wgsig 2 would have an answer then that proves nothing.
 *
 * @module
 */

import type { Now } from "../net/clock.ts";

/** When wgsig 2 is tried again after a first, second, … answer in the first protocol, in seconds. */
const TRIED_AGAIN = [30, 120, 600];
/** After so many questions without a word, a registry that spoke wgsig 2 may be another one. */
const MAX_SILENT = 3;

/** The protocols in which a question goes out; where both, wgsig 2 goes first. */
export interface AskedProtocols {
  /** Whether it goes out in the first protocol. */
  readonly v1: boolean;
  /** Whether it goes out in wgsig 2. */
  readonly v2: boolean;
}

const BOTH: AskedProtocols = { v1: true, v2: true };
const FIRST: AskedProtocols = { v1: true, v2: false };
const SECOND: AskedProtocols = { v1: false, v2: true };

/** What one registry speaks. */
export class SpokenProtocol {
  readonly #isPinned: boolean;
  #known: 1 | 2 | undefined;
  /** When wgsig 2 is tried again with a registry that speaks the first one: the monotonic clock. */
  #secondAt = 0;
  #tries = 0;
  #silent = 0;

  /** Knows nothing yet. @param isPinned Whether the registry's key is pinned. */
  constructor(isPinned: boolean) {
    this.#isPinned = isPinned;
  }

  /** What it speaks; undefined where that isn't known. */
  get known(): 1 | 2 | undefined {
    return this.#known;
  }

  /** The protocols of the next question. */
  asks({ mono }: Now): AskedProtocols {
    if (this.#isPinned || this.#known === 2) return SECOND;
    return this.#known === undefined || mono >= this.#secondAt ? BOTH : FIRST;
  }

  /** Takes in that it has spoken: in wgsig 2 any word counts, in the first protocol a whole answer. */
  heard(protocol: 1 | 2, { mono }: Now): void {
    this.#silent = 0;
    if (protocol === 2) {
      this.#tries = 0;
      this.#known = 2;
    } else if (this.#known !== 2 && !this.#isPinned) {
      if (this.#known === undefined || mono >= this.#secondAt) {
        this.#secondAt = mono + TRIED_AGAIN[Math.min(this.#tries++, TRIED_AGAIN.length - 1)]!;
      }
      this.#known = 1;
    }
  }

  /** Takes in that a question was given up without a word. */
  wasSilent({ mono }: Now): void {
    if (this.#known === 1) this.#secondAt = mono;
    else if (this.#known === 2 && ++this.#silent >= MAX_SILENT) this.#known = undefined;
  }
}

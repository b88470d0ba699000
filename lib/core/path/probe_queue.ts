/**
 * The probes that look for a way to one peer: rounds over the ways that there may be, and single ones.
 *
 * @module
 */

import type { Path } from "./path.ts";
import { ProbeBudget } from "./probe_budget.ts";
import { ProbeRounds } from "./probe_rounds.ts";

/** The most ways of which registries tell that are probed in one round, and the most others. */
const [MOST_TOLD, MOST_MET] = [12, 4];
/** What goes through the own NAT dies behind it, before it comes to the other one. */
const SHORT_HOPS = 2;

/** A probe to send. */
export interface QueuedProbe {
  readonly path: Path;
  /** Hops that it goes; undefined for as many as usual. */
  readonly hops: number | undefined;
}

/** What a round is made of. */
export interface RoundWays {
  /** Ways that are better than the one in use, the best first. */
  readonly better: () => readonly Path[];
  /** Whether there is a session: then the NAT is open already. */
  readonly hasSession: boolean;
}

/** Says which is due. All times are seconds of the monotonic clock. */
export class ProbeQueue {
  /** When all ways are probed. */
  readonly rounds: ProbeRounds = new ProbeRounds();
  readonly #budget = new ProbeBudget();
  #queue: Path[] = [];
  #hops: number | undefined;

  /** One more, at once. */
  add(path: Path): void {
    this.#queue.push(path);
  }

  /** The probe that is due, if one is; it counts as sent. */
  take({ better, hasSession }: RoundWays, mono: number): QueuedProbe | undefined {
    if (this.#queue.length === 0) {
      const round = this.rounds.take(mono);
      if (round === undefined) return undefined;
      const ways = better();
      const told = ways.filter(({ isTold }) => isTold).slice(0, MOST_TOLD);
      // Whoever plays probes back from forged addresses adds others.
      this.#queue = [...told, ...ways.filter(({ isTold }) => !isTold).slice(-MOST_MET)];
      this.#hops = round.isShort && !hasSession ? SHORT_HOPS : undefined;
    }
    const path = this.#queue.shift();
    if (path === undefined) return undefined;
    if (!this.#budget.take(mono)) {
      this.#queue = [];
      return undefined;
    }
    // Only an IPv4 NAT is opened by what never arrives.
    return { path, hops: path.kind === "punched" ? this.#hops : undefined };
  }
}

/**
 * What is known of the labels that a group's peers have used: so that a request is heard once, and an
 * old one that may have been heard before moves nobody.
 *
 * @module
 */

import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { NANOSECONDS_PER_SECOND } from "../../wire/wgsig/tai64n.ts";
import type { Now } from "../net/clock.ts";
import { NONE } from "../net/none.ts";
import type { ParsedRequest } from "./parsed_request.ts";
import type { PeerTable } from "./peer_table.ts";
import { ReplayFilter } from "./replay_filter.ts";

/**
 * Seconds by which clocks that are right differ: many show whole milliseconds, and who asks twice in one
 * takes the next one's label. Whoever was heard before was heard by another process, which ended longer
 * ago than twice that.
 */
export const CLOCK_GRAIN = 0.002;

/** The labels of a group's peers, in its table or not. */
export class UsedLabels {
  readonly #table: PeerTable;
  /** Of those that are not in the table. */
  readonly #others: ReplayFilter;
  #window: number;
  /** Since when all of them are known, on the monotonic clock. */
  #knownSince = -Infinity;
  /** Those of the group of the same number that there was before. */
  #former: UsedLabels | undefined;

  /**
   * Knows what `table` says of its peers.
   *
   * @param seed Random.
   * @param window How far a label may be from the server's clock, in seconds.
   */
  constructor(table: PeerTable, seed: number, window: number) {
    this.#table = table;
    this.#others = new ReplayFilter(seed, window);
    this.#window = window;
  }

  /** Replaces the window. */
  setWindow(window: number): void {
    this.#window = window;
    this.#others.setWindow(window);
  }

  /** See `RegistryGroup.distrustBefore`. */
  distrustBefore(mono: number, former: UsedLabels | undefined): void {
    this.#knownSince = mono;
    this.#former = former;
  }

  /**
   * Whether the request's peer, who is `peer` in the table or NONE, has used its label or a later one.
   * A clock that was ahead and is set back locks nobody out for longer than a window: no label is
   * remembered as later than what is let in now.
   */
  isReplay(peer: number, request: ParsedRequest, now: Now): boolean {
    if (peer !== NONE) {
      const latest = this.latest(now);
      if (this.#table.labelSeconds(peer) > latest) this.#table.setHighestLabel(peer, latest, 0);
      return !this.#table.isLater(peer, request);
    }
    const { buffer, idAt, seconds, nanoseconds } = request;
    if (this.#others.isReplay(buffer, idAt, seconds, nanoseconds)) return true;
    const former = this.#former;
    return former !== undefined && former.isReplay(former.#table.find(buffer, idAt), request, now);
  }

  /**
   * Whether a label may have been used before anything is known of it: it is from before that time, by
   * a clock that may have been ahead by so many seconds.
   */
  isFromBefore({ seconds, nanoseconds }: ParsedRequest, ahead: number, now: Now): boolean {
    const known = now.mono - this.#knownSince;
    if (known > this.#longestUse) return false;
    return now.unix - seconds - nanoseconds / NANOSECONDS_PER_SECOND + ahead > known + CLOCK_GRAIN;
  }

  /** Notes that the ID at `at`, which is not in the table, has used this label. */
  note(
    buffer: WireBuffer,
    at: number,
    seconds: number,
    nanoseconds: number,
    mono: number,
  ): void {
    this.#others.note(buffer, at, seconds, nanoseconds, mono);
  }

  /** The latest label that is let in, in whole Unix seconds. */
  latest(now: Now): number {
    return Math.floor(now.unix) + this.#window;
  }

  /** Forgets what can't be used any more. */
  expire(mono: number): void {
    if (mono - this.#knownSince > this.#longestUse) this.#former = undefined;
  }

  /** For how long a label can be used, in seconds: one of now + window until now + 2 * window. */
  get #longestUse(): number {
    return 2 * this.#window + 1;
  }
}

/**
 * The labels that the questions of a group's peers have used; those of proved ones and the others each
 * have one of these.
 *
 * @module
 */

import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { type Label, NANOSECONDS_PER_SECOND } from "../../wire/wgsig/tai64n.ts";
import { NONE } from "../net/none.ts";
import { grown } from "../net/grown.ts";
import { ReplayFilter } from "./replay_filter.ts";

const FIRST_PEERS = 64;

/** The latest label of each peer, in the directory or not. */
export class QuestionLabels {
  /** Of those that are not in the directory. */
  readonly #others: ReplayFilter;
  // By peer.
  /** Seconds of its label + 1; 0 for none. */
  #seconds = new Float64Array(FIRST_PEERS);
  #nanoseconds = new Uint32Array(FIRST_PEERS);

  /**
   * Knows of none.
   *
   * @param seed Random.
   * @param window How far a label may be from the server's clock, in seconds.
   */
  constructor(seed: number, window: number) {
    this.#others = new ReplayFilter(seed, window);
  }

  /** Replaces the window. */
  setWindow(window: number): void {
    this.#others.setWindow(window);
  }

  /** Makes room for the peers below `count`. */
  reserve(count: number): void {
    if (count <= this.#seconds.length) return;
    this.#seconds = grown(this.#seconds, new Float64Array(count));
    this.#nanoseconds = grown(this.#nanoseconds, new Uint32Array(count));
  }

  /**
   * Whether `peer`, or where it is NONE the ID at `at`, has used a label or a later one.
   *
   * @param latest The latest label that is let in, in whole seconds: a clock that was ahead and is set
   *   back locks nobody out.
   */
  isUsed(
    peer: number,
    buffer: WireBuffer,
    at: number,
    { seconds, nanoseconds }: Label,
    latest: number,
  ): boolean {
    // Who came in by the other kind, or in the first protocol, may have used one before.
    if (peer === NONE || this.#seconds[peer] === 0) {
      return this.#others.isReplay(buffer, at, seconds, nanoseconds);
    }
    if (this.#seconds[peer]! - 1 > latest) {
      this.#seconds[peer] = latest + 1;
      this.#nanoseconds[peer] = 0;
    }
    const highest = this.#seconds[peer]! - 1;
    return seconds < highest ||
      (seconds === highest && nanoseconds <= this.#nanoseconds[peer]!);
  }

  /** Notes that `peer`, or where it is NONE the ID at `at`, has used a label. */
  note(peer: number, buffer: WireBuffer, at: number, label: Label, mono: number): void {
    const { seconds, nanoseconds } = label;
    if (peer === NONE) this.#others.note(buffer, at, seconds, nanoseconds, mono);
    else {
      this.#seconds[peer] = seconds + 1;
      this.#nanoseconds[peer] = nanoseconds;
    }
  }

  /** Writes the least label that `peer` can use now; only where it has used one. */
  readNext(peer: number, into: Label): boolean {
    if (peer === NONE || this.#seconds[peer] === 0) return false;
    const isCarried = this.#nanoseconds[peer]! + 1 >= NANOSECONDS_PER_SECOND;
    into.seconds = this.#seconds[peer]! - 1 + (isCarried ? 1 : 0);
    into.nanoseconds = isCarried ? 0 : this.#nanoseconds[peer]! + 1;
    return true;
  }

  /** A peer comes into the directory, or leaves it: its ID is at `at`. What it has used stays known. */
  leave(peer: number, buffer: WireBuffer, at: number, mono: number): void {
    const seconds = this.#seconds[peer]! - 1;
    if (seconds >= 0) {
      this.#others.note(buffer, at, seconds, this.#nanoseconds[peer]!, mono);
    }
    this.#seconds[peer] = 0;
    this.#nanoseconds[peer] = 0;
  }
}

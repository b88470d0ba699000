/**
 * Remembers the labels of peers that are not in the table, so that their requests can't be
 * replayed either: peers that only ask, peers that found no room, peers that were removed.
 *
 * Two generations of a fixed size: a full or an outlived one gives way. What is forgotten can be
 * replayed only while its label is inside the window, so a generation that lives as long as a
 * label can be accepted is enough; it is cut short only when more members than it holds ask
 * within that time.
 *
 * @module
 */

import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { hashId } from "../net/id_hash.ts";

/** IDs in a generation. */
const CAPACITY = 4096;
/** Places of a generation, a power of two: at most half full. */
const PLACES = 2 * CAPACITY;

/** IDs are kept as two 32-bit hashes, labels as they are. */
class Generation {
  readonly high = new Int32Array(PLACES);
  readonly low = new Int32Array(PLACES);
  readonly seconds = new Float64Array(PLACES).fill(-1);
  readonly nanoseconds = new Uint32Array(PLACES);
  count = 0;
  bornAt = -Infinity;

  /** The place of an ID, or the free place where it would go. */
  place(high: number, low: number): number {
    let i = high & (PLACES - 1);
    while (this.seconds[i] !== -1 && (this.high[i] !== high || this.low[i] !== low)) {
      i = (i + 1) & (PLACES - 1);
    }
    return i;
  }

  clear(now: number): void {
    this.seconds.fill(-1);
    this.count = 0;
    this.bornAt = now;
  }
}

/** The highest label per peer ID, for as long as it could be accepted. */
export class ReplayFilter {
  readonly #seed: number;
  #lifetime = 0;
  #young = new Generation();
  #old = new Generation();

  /**
   * Makes an empty filter.
   *
   * @param seed Random.
   * @param window How far a label may be from the server's clock, in seconds.
   */
  constructor(seed: number, window: number) {
    this.#seed = seed;
    this.setWindow(window);
  }

  /** Replaces the window. */
  setWindow(window: number): void {
    // A label of now + window is acceptable until now + 2 * window.
    this.#lifetime = 2 * window + 1;
  }

  /** Whether the ID at `at` has used this label or a later one. */
  isReplay(buffer: WireBuffer, at: number, seconds: number, nanoseconds: number): boolean {
    const high = hashId(buffer, at, this.#seed);
    const low = hashId(buffer, at, Number.MAX_SAFE_INTEGER - this.#seed);
    return covers(this.#young, high, low, seconds, nanoseconds) ||
      covers(this.#old, high, low, seconds, nanoseconds);
  }

  /** Notes that the ID at `at` has used this label. `now` is monotonic, in seconds. */
  note(buffer: WireBuffer, at: number, seconds: number, nanoseconds: number, now: number): void {
    if (this.#young.count === CAPACITY || now - this.#young.bornAt > this.#lifetime) {
      const emptied = this.#old;
      this.#old = this.#young;
      this.#young = emptied;
      emptied.clear(now);
    }
    const young = this.#young;
    const high = hashId(buffer, at, this.#seed);
    const low = hashId(buffer, at, Number.MAX_SAFE_INTEGER - this.#seed);
    if (covers(young, high, low, seconds, nanoseconds)) return;
    const i = young.place(high, low);
    if (young.seconds[i] === -1) young.count++;
    young.high[i] = high;
    young.low[i] = low;
    young.seconds[i] = seconds;
    young.nanoseconds[i] = nanoseconds;
  }
}

function covers(
  generation: Generation,
  high: number,
  low: number,
  seconds: number,
  nanoseconds: number,
): boolean {
  const i = generation.place(high, low);
  const known = generation.seconds[i]!;
  return known > seconds || (known === seconds && generation.nanoseconds[i]! >= nanoseconds);
}

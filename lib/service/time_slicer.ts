/**
 * Long work in slices, so that everything else of the process has its turn.
 *
 * @module
 */

import { type Clock, pause } from "../host/clock.ts";

/** How long a slice may take, in seconds. */
const SLICE = 0.003;

/** One long piece of work. */
export class TimeSlicer {
  readonly #host: Clock;
  #start: number;

  /** Begins with a slice. */
  constructor(host: Clock) {
    this.#host = host;
    this.#start = host.now().mono;
  }

  /** Whether it has gone on for long enough: {@linkcode rest} is due. */
  get isOver(): boolean {
    return this.#host.now().mono - this.#start > SLICE;
  }

  /** Lets others have their turn, and begins with another slice. */
  async rest(): Promise<void> {
    await pause(this.#host, 0);
    this.#start = this.#host.now().mono;
  }
}

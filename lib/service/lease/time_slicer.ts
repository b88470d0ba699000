/**
 * Long work in slices, so that everything else of the process has its turn.
 *
 * @module
 */

import type { Host } from "../../host/host.ts";

/** How long a slice may take, in milliseconds. */
const SLICE_MS = 3;

/** One long piece of work. */
export class TimeSlicer {
  readonly #host: Host;
  #start: number;

  /** Begins with a slice. */
  constructor(host: Host) {
    this.#host = host;
    this.#start = host.mono();
  }

  /** Whether it has gone on for long enough: {@linkcode rest} is due. */
  get isOver(): boolean {
    return this.#host.mono() - this.#start > SLICE_MS;
  }

  /** Lets others have their turn, and begins with another slice. */
  async rest(): Promise<void> {
    await new Promise<void>((done) => void this.#host.timer(0, done));
    this.#start = this.#host.mono();
  }
}

/**
 * Room for what is sent in reply to a batch of questions.
 *
 * @module
 */

import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { MAX_DATAGRAM_SIZE } from "../../wire/wgsig2/datagram.ts";
import { BATCH_SIZE, MOST_PARTS } from "../net/datagram_batch.ts";
import { NONE } from "../net/none.ts";

/** Slots of one datagram each. Every datagram of a batch finds one. */
export class ReplySlots {
  /** Holds them. */
  readonly buffer: WireBuffer = new WireBuffer((BATCH_SIZE + MOST_PARTS) * MAX_DATAGRAM_SIZE);
  #used = 0;
  #extra = MOST_PARTS;

  /** Begins with a new batch. */
  clear(): void {
    this.#used = 0;
    this.#extra = MOST_PARTS;
  }

  /** The offset of the first slot of an answer. */
  first(): number {
    return this.#used++ * MAX_DATAGRAM_SIZE;
  }

  /** The offset of the next slot of an answer that needs more than one; NONE where there is none. */
  more(): number {
    if (this.#extra === 0) return NONE;
    this.#extra--;
    return this.first();
  }
}

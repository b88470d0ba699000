/**
 * Whether a gateway still knows of its mappings: each answer says for how many seconds it has kept
 * them (RFC 6887, section 8.5; RFC 6886, section 3.6 says the same less strictly).
 *
 * @module
 */

/** What a clock may be off, as a part of the time that has passed. */
const DRIFT = 1 / 16;
/** What rounding and the way there make of a time, in seconds. */
const SLACK = 2;

/** The epoch of a gateway. */
export class Epoch {
  #epoch = -1;
  #mono = 0;

  /**
   * Takes in the epoch of an answer.
   *
   * @param epoch Seconds.
   * @param mono When it came.
   * @returns Whether the gateway may have lost what it had at the answer before.
   */
  take(epoch: number, mono: number): boolean {
    const before = this.#epoch;
    const passed = mono - this.#mono;
    this.#epoch = epoch;
    this.#mono = mono;
    if (before < 0) return false;
    const passedThere = epoch - before;
    // It counts whole seconds, and may seem to go back by one.
    if (passedThere < -1) return true;
    return passed + SLACK < passedThere * (1 - DRIFT) || passedThere + SLACK < passed * (1 - DRIFT);
  }
}

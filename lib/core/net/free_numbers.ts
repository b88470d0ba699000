/**
 * Numbers for what comes and goes: small ones, and those that were given back first.
 *
 * @module
 */

import { grown } from "./grown.ts";
import { NONE } from "./none.ts";

/** Hands out the numbers below a capacity, and takes them back. */
export class FreeNumbers {
  /** Those that were given back, the last one last. */
  #back: Int32Array;
  #backCount = 0;
  #end = 0;

  /** For the numbers below `capacity`. */
  constructor(capacity: number) {
    this.#back = new Int32Array(capacity);
  }

  /** How many are handed out. */
  get count(): number {
    return this.#end - this.#backCount;
  }

  /** All that are handed out are below this. */
  get end(): number {
    return this.#end;
  }

  /** A number that nobody has, or NONE where all are handed out. */
  take(): number {
    if (this.#backCount > 0) return this.#back[--this.#backCount]!;
    return this.#end < this.#back.length ? this.#end++ : NONE;
  }

  /** Takes one back. */
  giveBack(number: number): void {
    this.#back[this.#backCount++] = number;
    // Where nobody has one, they begin anew.
    if (this.#backCount === this.#end) this.#backCount = this.#end = 0;
  }

  /** Makes room for the numbers below `capacity`, which is more than before. */
  grow(capacity: number): void {
    this.#back = grown(this.#back, new Int32Array(capacity));
  }
}

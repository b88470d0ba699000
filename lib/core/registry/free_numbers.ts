/**
 * Numbers for what comes and goes: small ones, and those that were given back first.
 *
 * @module
 */

import { grown } from "./grown.ts";

/** Hands out numbers from 0 on. */
export class FreeNumbers {
  /** Those that were given back, the last one last. */
  #back: Int32Array;
  #backCount = 0;
  #end = 0;

  /** For the numbers below `capacity`. */
  constructor(capacity: number) {
    this.#back = new Int32Array(capacity);
  }

  /** All that were ever handed out are below this. */
  get end(): number {
    return this.#end;
  }

  /** A number that nobody has; the caller sees to it that there is one. */
  take(): number {
    return this.#backCount > 0 ? this.#back[--this.#backCount]! : this.#end++;
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

/**
 * How many connections there may be on a runtime that doesn't say when descriptors run out.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import { descriptorsForConnections, LIMITS_FILE } from "../descriptors.ts";

const OPEN_FILES = "/proc/self/fd";

/** The descriptors that connections of all listeners may take together. */
export class ConnectionRoom {
  readonly #takenAtOnce: number;
  #most = Infinity;
  #count = 0;

  /** @param takenAtOnce Connections that the runtime takes before the first can be refused. */
  constructor(takenAtOnce: number) {
    this.#takenAtOnce = takenAtOnce;
  }

  /** Looks at what the process may have and what it has open: one more listener, say. */
  measure(): void {
    let limits: string | undefined;
    let open = 0;
    try {
      limits = readFileSync(LIMITS_FILE, "utf8");
      open = readdirSync(OPEN_FILES).length;
    } catch {
      // Not Linux, or no /proc: nothing is known.
    }
    const others = open - this.#count + this.#takenAtOnce;
    this.#most = Math.max(1, descriptorsForConnections(limits) - others);
  }

  /** Takes one, if there is one. */
  take(): boolean {
    if (this.#count >= this.#most) return false;
    this.#count++;
    return true;
  }

  /** Gives one back. */
  leave(): void {
    this.#count--;
  }
}

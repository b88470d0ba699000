/**
 * Names that are looked up again and again.
 *
 * @module
 */

import type { LookUpOptions, Names } from "../../host/names.ts";

/** Looks a name up, anew each time, and notices where it has moved. */
export class NameMoves {
  readonly #resolve: Names["resolve"];
  readonly #onMove: (name: string, addresses: readonly string[]) => void;
  readonly #addresses = new Map<string, readonly string[]>();

  /**
   * @param resolve Asks the host.
   * @param onMove Is told when a name has none of its addresses any more, but others.
   */
  constructor(
    resolve: Names["resolve"],
    onMove: (name: string, addresses: readonly string[]) => void,
  ) {
    this.#resolve = resolve;
    this.#onMove = onMove;
  }

  /** The addresses of a name. Throws what the host says. */
  async resolve(name: string, options?: LookUpOptions): Promise<string[]> {
    const found = await this.#resolve(name, options);
    const before = this.#addresses.get(name);
    this.#addresses.set(name, found);
    if (before !== undefined && !found.some((address) => before.includes(address))) {
      this.#onMove(name, found);
    }
    return found;
  }
}

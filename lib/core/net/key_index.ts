/**
 * Finds a WireGuard key's place in a list: nothing is made to look one up.
 *
 * @module
 */

import { ID_SIZE } from "../../wire/wgsig/record.ts";
import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { hashId } from "./id_hash.ts";
import { NONE } from "./none.ts";

/** An index of keys that lie side by side, 32 bytes each. */
export class KeyIndex {
  readonly #keys: WireBuffer;
  /** Open addressing: place + 1, or 0. At most half full. */
  readonly #index: Int32Array;
  readonly #seed: number;

  /**
   * Makes an index of the first `count` keys. Of the same key twice, the first counts.
   *
   * @param keys Kept, and not changed while the index is used.
   * @param seed Random, so that nobody can choose keys that collide.
   */
  constructor(keys: WireBuffer, count: number, seed: number) {
    this.#keys = keys;
    this.#index = new Int32Array(2 ** Math.ceil(Math.log2(2 * count + 2)));
    this.#seed = seed;
    for (let key = 0; key < count; key++) {
      const i = this.#place(keys, key * ID_SIZE);
      if (this.#index[i] === 0) this.#index[i] = key + 1;
    }
  }

  /** The place of the key at `at`, or NONE. */
  find(buffer: WireBuffer, at: number): number {
    return this.#index[this.#place(buffer, at)]! + NONE;
  }

  #place(buffer: WireBuffer, at: number): number {
    const mask = this.#index.length - 1;
    let i = hashId(buffer, at, this.#seed) & mask;
    while (this.#index[i] !== 0 && !this.#isAt(this.#index[i]! - 1, buffer, at)) i = (i + 1) & mask;
    return i;
  }

  #isAt(key: number, buffer: WireBuffer, at: number): boolean {
    const from = key * ID_SIZE;
    for (let i = 0; i < ID_SIZE; i += 4) {
      if (this.#keys.view.getInt32(from + i) !== buffer.view.getInt32(at + i)) return false;
    }
    return true;
  }
}

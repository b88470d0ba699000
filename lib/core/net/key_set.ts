/**
 * A set of peer IDs that is asked per datagram: nothing is allocated to look one up.
 *
 * @module
 */

import { ID_SIZE } from "../../wire/wgsig/record.ts";
import { copyBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { hashId } from "./id_hash.ts";

/** An unchanging set of 32-byte peer IDs. */
export class KeySet {
  readonly #ids: WireBuffer;
  readonly #index: Int32Array;
  readonly #seed: number;

  /**
   * Makes a set.
   *
   * @param ids 32 bytes each. Not kept.
   * @param seed Random, so that nobody can choose IDs that collide.
   */
  constructor(ids: readonly Uint8Array[], seed: number) {
    this.#ids = new WireBuffer(ids.length * ID_SIZE);
    this.#index = new Int32Array(2 ** Math.ceil(Math.log2(2 * ids.length + 2)));
    this.#seed = seed;
    ids.forEach((id, i) => {
      copyBytes(new WireBuffer(id), 0, this.#ids, i * ID_SIZE, ID_SIZE);
      this.#index[this.#place(this.#ids, i * ID_SIZE)] = i + 1;
    });
  }

  /** Whether the ID at `at` is in the set. */
  has(buffer: WireBuffer, at: number): boolean {
    return this.#index[this.#place(buffer, at)] !== 0;
  }

  #place(buffer: WireBuffer, at: number): number {
    const mask = this.#index.length - 1;
    let i = hashId(buffer, at, this.#seed) & mask;
    while (this.#index[i] !== 0 && !this.#isAt(this.#index[i]! - 1, buffer, at)) i = (i + 1) & mask;
    return i;
  }

  #isAt(entry: number, buffer: WireBuffer, at: number): boolean {
    const from = entry * ID_SIZE;
    for (let i = 0; i < ID_SIZE; i += 4) {
      if (this.#ids.view.getInt32(from + i) !== buffer.view.getInt32(at + i)) return false;
    }
    return true;
  }
}

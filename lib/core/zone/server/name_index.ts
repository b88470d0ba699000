/**
 * Finds what has a DNS name: nothing is made to look, and what it costs doesn't grow with how many
 * there are.
 *
 * @module
 */

import { matchesName, MAX_NAME_SIZE } from "../../../wire/dns/name.ts";
import { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";

/** FNV-1a. The names are those of the settings: whoever asks can't choose any that collide. */
const FNV_OFFSET = 0x811c_9dc5;
const FNV_PRIME = 0x0100_0193;
const SMALL = 0x20;
/** More names than one have a size. */
const SEVERAL = -1;

/** An unchanging index. */
export class NameIndex<T> {
  readonly #names: Uint8Array[] = [];
  readonly #values: T[] = [];
  /** Open addressing: place + 1, or 0. At most half full. */
  readonly #places: Int32Array;
  /**
   * By size: place + 1 of the only name that has it; 0 where none has, as for most of what is looked
   * for; SEVERAL, of which only the hash says which.
   */
  readonly #ofSize = new Int32Array(MAX_NAME_SIZE + 1);

  /** @param entries By names as encodeName makes them. Of the same name twice, the first counts. */
  constructor(entries: readonly (readonly [name: Uint8Array, value: T])[]) {
    this.#places = new Int32Array(2 ** Math.ceil(Math.log2(2 * entries.length + 2)));
    for (const [name, value] of entries) {
      const i = this.#place(new WireBuffer(name.slice()), 0, name.length);
      if (this.#places[i] !== 0) continue;
      this.#values.push(value);
      const place = this.#names.push(name);
      this.#places[i] = place;
      this.#ofSize[name.length] = this.#ofSize[name.length] === 0 ? place : SEVERAL;
    }
  }

  /**
   * What has the name of `size` bytes at `at`, in either case and without pointers. The caller has
   * checked bounds.
   */
  find(buffer: WireBuffer, at: number, size: number): T | undefined {
    const only = this.#ofSize[size]!;
    if (only === 0) return undefined;
    if (only !== SEVERAL) {
      return this.#isAt(only - 1, buffer, at, size) ? this.#values[only - 1] : undefined;
    }
    const place = this.#places[this.#place(buffer, at, size)]!;
    return place === 0 ? undefined : this.#values[place - 1];
  }

  #place(buffer: WireBuffer, at: number, size: number): number {
    const { bytes } = buffer;
    let hash = FNV_OFFSET;
    // Of letters, the bit that makes them small: what else it makes the same is compared later.
    for (let i = at; i < at + size; i++) hash = Math.imul(hash ^ (bytes[i]! | SMALL), FNV_PRIME);
    const mask = this.#places.length - 1;
    let i = (hash ^ (hash >>> 16)) & mask;
    while (this.#places[i] !== 0 && !this.#isAt(this.#places[i]! - 1, buffer, at, size)) {
      i = (i + 1) & mask;
    }
    return i;
  }

  #isAt(place: number, buffer: WireBuffer, at: number, size: number): boolean {
    const name = this.#names[place]!;
    return name.length === size && matchesName(buffer, at, name);
  }
}

/**
 * Public keys that settings name.
 *
 * @module
 */

import { ID_SIZE } from "../../../wire/wgsig/record.ts";
import { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import { KeyIndex } from "../../net/key_index.ts";
import { NONE } from "../../net/none.ts";
import { parseKey } from "../../net/peer_key.ts";

/** An unchanging set of public keys. Nothing is made to ask it. */
export class ChosenKeys {
  /** The keys, 32 bytes each, in the order in which they were named. */
  readonly bytes: WireBuffer;
  /** How many there are. */
  readonly count: number;
  readonly #index: KeyIndex;

  /**
   * Takes keys in base64; one that is named twice counts once.
   *
   * @param seed Random, so that nobody can choose keys that collide.
   * @throws {SyntaxError} Where one is none.
   */
  constructor(texts: readonly string[], seed: number) {
    const keys = [...new Set(texts)];
    this.count = keys.length;
    this.bytes = new WireBuffer(this.count * ID_SIZE);
    keys.forEach((text, i) => {
      const key = parseKey(text);
      if (key === undefined) throw new SyntaxError(`"${text}" is no public key`);
      this.bytes.bytes.set(key, i * ID_SIZE);
    });
    this.#index = new KeyIndex(this.bytes, this.count, seed);
  }

  /** The place among them of the 32-byte key at `at`, or NONE. */
  find(key: WireBuffer, at: number): number {
    return this.#index.find(key, at);
  }

  /** Whether the 32-byte key at `at` is one of them. */
  has(key: WireBuffer, at: number): boolean {
    return this.find(key, at) !== NONE;
  }
}

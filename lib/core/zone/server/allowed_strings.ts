/**
 * AllowedIPs as the strings of a TXT record, ready to be copied into answers:
 *
 * ```
 * allowed=CIDR,CIDR,…   allowed2=CIDR,…   allowed3=…
 * ```
 *
 * A string holds 255 bytes (RFC 1035, section 3.3), and of strings with the same key only the first
 * counts (RFC 6763, section 6.4): so a long list goes on under another key. It is cut at commas.
 *
 * @module
 */

import { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";

const MAX_STRING = 255;
const FIRST_SIZE = 1024;

/** The strings of many peers. */
export class AllowedStrings {
  #bytes = new WireBuffer(FIRST_SIZE);
  /** Where the strings of each peer start; those of the next one start where they end. */
  readonly #starts: Uint32Array;
  #size = 0;

  /** Makes the strings of each list of CIDRs (at most 200 characters each, not checked). */
  constructor(lists: readonly (readonly string[])[]) {
    this.#starts = new Uint32Array(lists.length + 1);
    lists.forEach((list, i) => {
      this.#add(list);
      this.#starts[i + 1] = this.#size;
    });
  }

  /** Holds all strings, each with its length before it. */
  get bytes(): WireBuffer {
    return this.#bytes;
  }

  /** Where the strings of list `i` start in {@linkcode bytes}. */
  startOf(i: number): number {
    return this.#starts[i]!;
  }

  /** The size of the strings of list `i`, lengths included. */
  sizeOf(i: number): number {
    return this.#starts[i + 1]! - this.#starts[i]!;
  }

  #add(list: readonly string[]): void {
    let string = "allowed=";
    let strings = 1;
    let isFirst = true;
    for (const each of list) {
      if (!isFirst && string.length + 1 + each.length > MAX_STRING) {
        this.#write(string);
        strings++;
        string = `allowed${strings}=`;
        isFirst = true;
      }
      string += isFirst ? each : `,${each}`;
      isFirst = false;
    }
    this.#write(string);
  }

  #write(string: string): void {
    const size = 1 + string.length;
    if (this.#size + size > this.#bytes.size) {
      const grown = new Uint8Array(2 * this.#bytes.size);
      grown.set(this.#bytes.bytes);
      this.#bytes = new WireBuffer(grown);
    }
    const { bytes } = this.#bytes;
    bytes[this.#size] = string.length;
    for (let i = 0; i < string.length; i++) bytes[this.#size + 1 + i] = string.charCodeAt(i);
    this.#size += size;
  }
}

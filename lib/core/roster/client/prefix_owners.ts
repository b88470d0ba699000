/**
 * Who has which prefix, so that whatever overlaps it is found however many there are.
 *
 * A prefix is a text of its bits, with its family before them: what lies in it begins with that, and
 * stands next to it in the order of texts.
 *
 * @module
 */

import { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import { ADDRESS_SIZE, isIpv4 } from "../../net/ip_address.ts";
import { IPV4_BITS, parsePrefix } from "../../net/ip_prefix.ts";

/** Prefixes, and whose they are. */
export class PrefixOwners {
  readonly #owners = new Map<string, string>();
  readonly #inOrder: string[] = [];
  /** Of the texts that there are. */
  readonly #lengths = new Set<number>();

  /** From now on, the prefix is this owner's. @param prefix As `wg` shows it. */
  set(prefix: string, owner: string): void {
    const bits = bitsOf(prefix);
    if (!this.#owners.has(bits)) this.#inOrder.splice(this.#placeOf(bits), 0, bits);
    this.#owners.set(bits, owner);
    this.#lengths.add(bits.length);
  }

  /** Another one than `owner` who has addresses of a prefix; undefined where there is none. */
  otherThan(owner: string, prefix: string): string | undefined {
    const bits = bitsOf(prefix);
    for (const length of this.#lengths) {
      if (length > bits.length) continue;
      const other = this.#owners.get(bits.slice(0, length));
      if (other !== undefined && other !== owner) return other;
    }
    for (let i = this.#placeOf(bits); this.#inOrder[i]?.startsWith(bits); i++) {
      const other = this.#owners.get(this.#inOrder[i]!);
      if (other !== owner) return other;
    }
    return undefined;
  }

  /** The place of the first that doesn't come before it. */
  #placeOf(bits: string): number {
    let low = 0;
    let high = this.#inOrder.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#inOrder[middle]! < bits) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function bitsOf(prefix: string): string {
  const address = new WireBuffer(ADDRESS_SIZE);
  const length = parsePrefix(prefix, address, 0);
  const all = Array.from(address.bytes, (byte) => byte.toString(2).padStart(8, "0")).join("");
  const [family, before] = isIpv4(address, 0) ? ["4", IPV4_BITS] : ["6", 0];
  return family + all.slice(before, length);
}

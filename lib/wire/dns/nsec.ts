/**
 * The data of an NSEC record (RFC 4034, section 4): the next name, and which types there are.
 *
 * ```
 * +-----------+   of each block of 256 types that has any:
 * | next name |   +------------+-----------+--------------------+
 * +-----------+   | block (1)  | size (1)  | bits (1 to 32)     |
 *                 +------------+-----------+--------------------+
 * ```
 *
 * @module
 */

import { MAX_LABEL_SIZE, MAX_NAME_SIZE } from "./name.ts";
import { copyBytes, type WireBuffer } from "../bytes/wire_buffer.ts";

/** Types by block. */
const BLOCK = 256;
/** What a label before a name takes: its length and one zero. */
const ZERO_LABEL_SIZE = 2;
const BEFORE_UPPER_A = 0x40;
const AFTER_UPPER_Z = 0x5b;

/** The type bit maps that say that there are these types (RFC 4034, section 4.1.2). */
export function typeBitmap(types: readonly number[]): Uint8Array {
  const bytes: number[] = [];
  for (const block of new Set(types.map((type) => type >> 8).toSorted((a, b) => a - b))) {
    const inBlock = types.filter((type) => type >> 8 === block).map((type) => type % BLOCK);
    const bits = new Array<number>((Math.max(...inBlock) >> 3) + 1).fill(0);
    for (const type of inBlock) bits[type >> 3]! |= 0x80 >> (type & 7);
    bytes.push(block, bits.length, ...bits);
  }
  return Uint8Array.from(bytes);
}

/**
 * Writes the name that comes next in canonical order (RFC 4034, section 6.1) after one in a zone: a
 * zero octet as a label before it (RFC 9824, section 3.1). Where that is too long, it is the longest
 * name that there can be here, and what comes next is beside it or above (RFC 4470, section 5).
 *
 * @param name The name, in lower case and uncompressed, `size` bytes at `at`.
 * @param zoneSize Size of the zone's name, in which it ends: after the zone's last name comes the
 *   first one.
 * @param out Where it goes, up to 255 bytes.
 * @returns Its size.
 */
export function writeNextName(
  name: WireBuffer,
  at: number,
  size: number,
  zoneSize: number,
  out: WireBuffer,
  outAt: number,
): number {
  if (size + ZERO_LABEL_SIZE <= MAX_NAME_SIZE) {
    out.bytes[outAt] = 1;
    out.bytes[outAt + 1] = 0;
    copyBytes(name, at, out, outAt + ZERO_LABEL_SIZE, size);
    return size + ZERO_LABEL_SIZE;
  }
  for (let left = size; left > zoneSize;) {
    const length = name.bytes[at]!;
    if (length < MAX_LABEL_SIZE && left < MAX_NAME_SIZE) {
      // A zero octet behind its first label.
      copyBytes(name, at, out, outAt, 1 + length);
      out.bytes[outAt] = length + 1;
      out.bytes[outAt + 1 + length] = 0;
      copyBytes(name, at + 1 + length, out, outAt + length + 2, left - 1 - length);
      return left + 1;
    }
    // Its last octet one more: behind it there is no room, so nothing lies between.
    let last = length;
    while (last > 0 && name.bytes[at + last] === 0xff) last--;
    if (last > 0) {
      copyBytes(name, at, out, outAt, 1 + last);
      out.bytes[outAt] = last;
      const next = name.bytes[at + last]! + 1;
      out.bytes[outAt + last] = next === BEFORE_UPPER_A + 1 ? AFTER_UPPER_Z : next;
      copyBytes(name, at + 1 + length, out, outAt + 1 + last, left - 1 - length);
      return left - length + last;
    }
    at += 1 + length;
    left -= 1 + length;
  }
  copyBytes(name, at, out, outAt, zoneSize);
  return zoneSize;
}

/**
 * Arrays that grow, by number: by doubling while there are few. From some on, they have room for all
 * that there may be, so that nothing is copied while many come: a copy of a million records keeps
 * everybody waiting for half a second. What is not written to yet is memory that the system gives only
 * once it is, so all of these begin as zeros, and zero is what stands for nothing.
 *
 * @module
 */

import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";

/** From so many on there is room for all. To copy what there is of them takes 15 ms. */
const MANY = 32_768;

/**
 * For how many there is to be room.
 *
 * @param wanted How many are to fit, more than before.
 * @param before For how many there was room.
 * @param most The most that there can be.
 */
export function roomFor(wanted: number, before: number, most: number): number {
  const room = Math.max(wanted, 2 * before);
  return Math.max(wanted, room > MANY ? most : Math.min(room, most));
}

/** A larger buffer that begins with the same bytes. */
export function larger(from: WireBuffer, size: number): WireBuffer {
  const to = new WireBuffer(size);
  to.bytes.set(from.bytes);
  return to;
}

/** The larger array, which begins with what is in the smaller one. */
export function grown<
  T extends Uint8Array | Uint16Array | Uint32Array | Int32Array | Float32Array | Float64Array,
>(
  from: T,
  to: T,
): T {
  to.set(from);
  return to;
}

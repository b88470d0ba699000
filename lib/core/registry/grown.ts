/**
 * Arrays that grow by doubling.
 *
 * @module
 */

import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";

/** A larger buffer that begins with the same bytes. */
export function larger(from: WireBuffer, size: number): WireBuffer {
  const to = new WireBuffer(size);
  to.bytes.set(from.bytes);
  return to;
}

/** The larger array, which begins with what is in the smaller one. */
export function grown<T extends Uint8Array | Uint32Array | Int32Array | Float64Array>(
  from: T,
  to: T,
): T {
  to.set(from);
  return to;
}

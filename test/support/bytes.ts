/**
 * Bytes in places: what every codec test needs to run at offsets that are not 0.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";

/** Where bytes lie: in a view that starts `shift` into its memory, `at` into the view. */
export interface Place {
  readonly shift: number;
  readonly at: number;
  /** Bytes in the view after them. */
  readonly tail: number;
}

/** A place that is nowhere 0. */
export const ODD_PLACE: Place = { shift: 3, at: 5, tail: 7 };

function noise(size: number, salt: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: size }, (_, i) => (i * 167 + salt) & 0xff);
}

/** A buffer in which `bytes` lie at `place`, with noise all around. */
export function placed(bytes: Uint8Array, place: Place): WireBuffer {
  const { shift, at, tail } = place;
  const memory = noise(shift + at + bytes.length + tail + shift, 11);
  memory.set(bytes, shift + at);
  return new WireBuffer(memory.subarray(shift, memory.length - shift));
}

/**
 * The `size` bytes that `write` leaves at `place`. Checks that it touches nothing around them, in
 * the view or outside of it, and that what was there before does not matter.
 */
export function written(
  size: number,
  place: Place,
  write: (buffer: WireBuffer, at: number) => void,
): Uint8Array {
  const { shift, at, tail } = place;
  const results = [0x5b, 0xe0].map((salt) => {
    const memory = noise(shift + at + size + tail + shift, salt);
    const before = memory.slice();
    write(new WireBuffer(memory.subarray(shift, memory.length - shift)), at);
    const from = shift + at;
    assertEquals(memory.slice(0, from), before.slice(0, from), "bytes before were touched");
    assertEquals(memory.slice(from + size), before.slice(from + size), "bytes after were touched");
    return memory.slice(from, from + size);
  });
  assertEquals(results[0], results[1], "not all bytes were written");
  return results[0]!;
}

/** Checks that `access` throws a RangeError wherever `size` bytes do not fit, and nowhere else. */
export function assertNeeds(
  size: number,
  access: (buffer: WireBuffer, at: number) => unknown,
): void {
  access(new WireBuffer(size), 0);
  access(new WireBuffer(size + 9), 9);
  for (const [bufferSize, at] of [[size - 1, 0], [size, 1], [size, -1], [size + 8, 9], [0, 0]]) {
    assertThrows(() => access(new WireBuffer(bufferSize!), at!), RangeError);
  }
}

const HEX_DIGITS = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));

/** Bytes as hexadecimal digits. */
export function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX_DIGITS[byte]!;
  return text;
}

/** The bytes of hexadecimal digits. */
export function unhex(text: string): Uint8Array<ArrayBuffer> {
  if (!/^([0-9a-f]{2})*$/.test(text)) throw new SyntaxError(`Cannot parse hex digits: ${text}`);
  return Uint8Array.from(
    { length: text.length / 2 },
    (_, i) => parseInt(text.slice(2 * i, 2 * i + 2), 16),
  );
}

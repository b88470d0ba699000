import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  checkBounds,
  copyBytes,
  equalBytes,
  WireBuffer,
} from "../../../lib/wire/bytes/wire_buffer.ts";
import { bytesOf, place } from "../../support/arbitraries.ts";
import { ODD_PLACE, placed, written } from "../../support/bytes.ts";
import { test } from "../../testing.ts";

test("a buffer made from a size is that many zero bytes", () => {
  const buffer = new WireBuffer(7);
  assertEquals(buffer.size, 7);
  assertEquals(buffer.bytes, new Uint8Array(7));
});

test("a buffer made from bytes shares them and keeps their byteOffset", () => {
  const memory = new Uint8Array(16);
  const buffer = new WireBuffer(memory.subarray(5, 13));
  assertEquals(buffer.size, 8);
  assertEquals(buffer.view.byteLength, 8);
  buffer.view.setUint32(0, 0x0102_0304);
  assertEquals(Array.from(memory.subarray(4, 10)), [0, 1, 2, 3, 4, 0]);
  memory[12] = 9;
  assertEquals(buffer.view.getUint8(7), 9);
});

test("the view ends where the bytes end, though the memory goes on", () => {
  const buffer = new WireBuffer(new Uint8Array(16).subarray(5, 13));
  assertThrows(() => buffer.view.setUint8(8, 1), RangeError);
});

test("copyBytes copies the bytes that it is told to and no others", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), place, place, (bytes, from, to) => {
    const source = placed(bytes, from);
    assertEquals(
      written(bytes.length, to, (buffer, at) => {
        copyBytes(source, from.at, buffer, at, bytes.length);
      }),
      Uint8Array.from(bytes),
    );
  }));
});

test("equalBytes is true for equal bytes wherever they lie", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), place, place, (bytes, a, b) => {
    assert(equalBytes(placed(bytes, a), a.at, placed(bytes, b), b.at, bytes.length));
  }));
});

test("equalBytes sees every single bit", () => {
  const bytes = Uint8Array.from({ length: 35 }, (_, i) => i * 37);
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const other = bytes.slice();
    other[bit >> 3] = other[bit >> 3]! ^ (1 << (bit & 7));
    const { at } = ODD_PLACE;
    assert(!equalBytes(placed(bytes, ODD_PLACE), at, new WireBuffer(other), 0, bytes.length));
  }
});

test("equalBytes does not look beyond its length", () => {
  fc.assert(fc.property(bytesOf(16), bytesOf(4), bytesOf(4), (bytes, a, b) => {
    const left = new WireBuffer(Uint8Array.from([...bytes, ...a]));
    const right = new WireBuffer(Uint8Array.from([...bytes, ...b]));
    assert(equalBytes(left, 0, right, 0, bytes.length));
  }));
});

test("checkBounds lets in exactly what fits", () => {
  fc.assert(fc.property(fc.nat(40), fc.integer({ min: -5, max: 45 }), fc.nat(45), (size, at, n) => {
    const buffer = new WireBuffer(size);
    if (at >= 0 && at + n <= size) checkBounds(buffer, at, n, "it");
    else assertThrows(() => checkBounds(buffer, at, n, "it"), RangeError);
  }));
});

test("checkBounds says what was too large for what", () => {
  assertThrows(
    () => checkBounds(new WireBuffer(9), 3, 7, "a thing"),
    RangeError,
    "Cannot access a thing: it needs 7 bytes at offset 3, the buffer has 9",
  );
});

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { MAX_NAME_SIZE } from "../../../lib/wire/dns/name.ts";
import { typeBitmap, writeNextName } from "../../../lib/wire/dns/nsec.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { canonicalName, checkNext, labelsOf, readNsec, sizeOf } from "../../support/dnssec.ts";
import { test } from "../../testing.ts";

const AT = 5;
const ZONE = labelsOf("wg.example");

function nextOf(name: readonly string[]): readonly string[] {
  const bytes = canonicalName(name);
  const from = new WireBuffer(Uint8Array.from([...new Uint8Array(AT), ...bytes]));
  const out = new WireBuffer(new Uint8Array(AT + MAX_NAME_SIZE + 1).fill(0xa5));
  const size = writeNextName(from, AT, bytes.length, canonicalName(ZONE).length, out, AT);
  assert(out.bytes.subarray(AT + size).every((byte) => byte === 0xa5), "bytes behind were touched");
  return readNsec(out.bytes.slice(AT, AT + size)).next;
}

test("the bit maps of types are those of RFC 4034, section 4.3, and of RFC 9824", () => {
  const map = typeBitmap([1, 15, 46, 47, 1234]);
  const zeros = new Array<number>(26).fill(0);
  assertEquals([...map], [0, 6, 0x40, 1, 0, 0, 0, 3, 4, 27, ...zeros, 0x20]);
  assertEquals([...typeBitmap([47, 46, 128])], [
    ...[0, 17, 0, 0, 0, 0, 0, 3],
    ...new Array<number>(10).fill(0),
    0x80,
  ]);
  assertEquals([...typeBitmap([])], []);
});

test("of any types, a bit map has these and no others", () => {
  fc.assert(fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 0xffff })), (types) => {
    const map = typeBitmap(types);
    assertEquals(readNsec(Uint8Array.from([0, ...map])).types, types.toSorted((a, b) => a - b));
  }));
});

const byte = fc.constantFrom(0x00, 0x2d, 0x40, 0x5b, 0x61, 0x7a, 0xfe, 0xff, 0xff, 0xff);
const label = fc.oneof(
  fc.array(byte, { minLength: 1, maxLength: 63 }),
  fc.array(byte, { minLength: 60, maxLength: 63 }),
  fc.integer({ min: 1, max: 63 }).map((size) => new Array<number>(size).fill(0xff)),
).map((bytes) => String.fromCharCode(...bytes));

test("between a name and the next one there is none", () => {
  fc.assert(
    fc.property(fc.array(label, { maxLength: 4 }), (labels) => {
      const name = [...labels, ...ZONE];
      if (sizeOf(name) <= MAX_NAME_SIZE) checkNext(name, nextOf(name), ZONE);
    }),
    { numRuns: 2000 },
  );
});

/** A name of `size` bytes in the zone, its first label of `first` bytes. */
function nameOf(size: number, first: number, byte: string): readonly string[] {
  const labels = [byte.repeat(first)];
  let left = size - sizeOf(ZONE) - 1 - first;
  for (; left > 0;) {
    const more = left <= 64 ? left : left === 65 ? 32 : 64;
    labels.push("m".repeat(more - 1));
    left -= more;
  }
  return [...labels, ...ZONE];
}

test("names that are too long for a label more have a next one, too", () => {
  for (const size of [252, 253, 254, 255]) {
    for (const byte of ["a", "@", "Z".toLowerCase(), "\xff", "\0"]) {
      for (const first of [1, 7, 57, 62, 63]) {
        const name = nameOf(size, first, byte);
        if (name.some((each) => each.length === 0)) continue;
        assertEquals(sizeOf(name), size);
        checkNext(name, nextOf(name), ZONE);
      }
    }
  }
});

test("after the last name of a zone comes the zone's", () => {
  const last = ["\xff".repeat(63), "\xff".repeat(63), "\xff".repeat(63)];
  const rest = MAX_NAME_SIZE - sizeOf([...last, ...ZONE]) - 1;
  const name = [...last, "\xff".repeat(rest), ...ZONE];
  assertEquals(sizeOf(name), 255);
  const next = nextOf(name);
  checkNext(name, next, ZONE);
  // The label before the zone's is short enough to be longer by a zero octet.
  assertEquals(next, ["\xff".repeat(rest) + "\0", ...ZONE]);
  const full = [
    "\xff".repeat(63),
    ...labelsOf(`${"z".repeat(63)}.${"y".repeat(63)}.${"x".repeat(61)}`),
  ];
  const bytes = canonicalName(full);
  const out = new WireBuffer(MAX_NAME_SIZE);
  const size = writeNextName(
    new WireBuffer(Uint8Array.from(bytes)),
    0,
    bytes.length,
    bytes.length - 64,
    out,
    0,
  );
  assertEquals([...out.bytes.subarray(0, size)], bytes.slice(64));
});

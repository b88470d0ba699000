import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  compareLabels,
  LABEL_SIZE,
  labelOf,
  readNanoseconds,
  readSeconds,
  writeLabel,
} from "../../../lib/wire/wgsig/tai64n.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { bytesOf, nanoseconds, place, unixSeconds } from "../../support/arbitraries.ts";
import { assertNeeds, hex, ODD_PLACE, placed, unhex, written } from "../../support/bytes.ts";
import { fromBigEndian, twinLabel } from "../../support/twins.ts";
import { test } from "../../testing.ts";

function labelHex(seconds: number, nanoseconds: number): string {
  return hex(
    written(
      LABEL_SIZE,
      ODD_PLACE,
      (buffer, at) => writeLabel(buffer, at, { seconds, nanoseconds }),
    ),
  );
}

test("known moments have known labels", () => {
  assertEquals(labelHex(0, 0), "400000000000000000000000");
  assertEquals(labelHex(1_700_000_000, 0), "400000006553f10000000000");
  assertEquals(labelHex(1_823_456_789, 999_999_999), "400000006cafbe153b9ac9ff");
  assertEquals(labelHex(4_102_444_800, 16_777_216), "40000000f486570001000000");
  assertEquals(labelHex(2 ** 32, 1), "400000010000000000000001");
  assertEquals(labelHex(2 ** 53 - 1, 1), "401fffffffffffff00000001");
});

test("a label is written as its twin has it, at any offset", () => {
  fc.assert(fc.property(unixSeconds, nanoseconds, place, (seconds, nanoseconds, where) => {
    assertEquals(
      Array.from(written(LABEL_SIZE, where, (buffer, at) => {
        writeLabel(buffer, at, { seconds, nanoseconds });
      })),
      twinLabel(seconds, nanoseconds),
    );
  }));
});

test("a label is read back as it was written", () => {
  fc.assert(fc.property(unixSeconds, nanoseconds, place, (seconds, nanoseconds, where) => {
    const buffer = placed(Uint8Array.from(twinLabel(seconds, nanoseconds)), where);
    assertEquals(readSeconds(buffer, where.at), seconds);
    assertEquals(readNanoseconds(buffer, where.at), nanoseconds);
  }));
});

test("any bytes are read as exact seconds or as NaN", () => {
  const bytes = fc.tuple(
    fc.oneof(bytesOf(2), fc.constantFrom([0x40, 0], [0x40, 0x1f], [0x40, 0x20], [0x3f, 0xff])),
    bytesOf(10),
  ).map(([high, low]) => Uint8Array.from([...high, ...low]));
  fc.assert(fc.property(bytes, place, (label, where) => {
    const exact = fromBigEndian(label.slice(0, 8)) - 2n ** 62n;
    const buffer = placed(label, where);
    const valid = exact >= 0n && exact < 2n ** 53n;
    assertEquals(readSeconds(buffer, where.at), valid ? Number(exact) : NaN);
    assertEquals(readNanoseconds(buffer, where.at), Number(fromBigEndian(label.slice(8))));
  }));
});

test("seconds with bit 63, without bit 62, or with bit 61 are none", () => {
  for (const seconds of ["c00000006553f100", "000000006553f100", "600000006553f100"]) {
    assertEquals(readSeconds(new WireBuffer(unhex(seconds)), 0), NaN);
  }
});

test("fields out of range are not written", () => {
  const buffer = new WireBuffer(LABEL_SIZE);
  for (const seconds of [-1, 0.5, NaN, Infinity, 2 ** 53]) {
    assertThrows(() => writeLabel(buffer, 0, { seconds, nanoseconds: 0 }), RangeError, "seconds");
  }
  for (const nanoseconds of [-1, 0.5, NaN, 1_000_000_000]) {
    assertThrows(() => writeLabel(buffer, 0, { seconds: 0, nanoseconds }), RangeError, "nanosec");
  }
  assertEquals(buffer.bytes, new Uint8Array(LABEL_SIZE));
});

test("a label needs 12 bytes", () => {
  assertNeeds(12, (buffer, at) => writeLabel(buffer, at, { seconds: 1, nanoseconds: 2 }));
});

test("labels are in the order of their bytes", () => {
  const label = fc.record({ seconds: fc.nat(3), nanoseconds: fc.nat(3) });
  fc.assert(fc.property(label, label, (a, b) => {
    const left = hex(Uint8Array.from(twinLabel(a.seconds, a.nanoseconds)));
    const right = hex(Uint8Array.from(twinLabel(b.seconds, b.nanoseconds)));
    assertEquals(Math.sign(compareLabels(a, b)), left < right ? -1 : left > right ? 1 : 0);
  }));
});

test("the label of a time keeps its fractions", () => {
  assertEquals(labelOf(0), { seconds: 0, nanoseconds: 0 });
  assertEquals(labelOf(1_700_000_000), { seconds: 1_700_000_000, nanoseconds: 0 });
  assertEquals(labelOf(1_700_000_000.875), { seconds: 1_700_000_000, nanoseconds: 875_000_000 });
  assertEquals(labelOf(1.500_244_140_625), { seconds: 1, nanoseconds: 500_244_140 });
});

test("the label of any time can be written and never goes back when time goes on", () => {
  const time = (max: number) =>
    fc.tuple(fc.integer({ min: 0, max }), fc.nat(999)).map(([ms, us]) => (ms + us / 1000) / 1000);
  fc.assert(fc.property(time(8.64e15), time(5000), (now, later) => {
    const label = labelOf(now);
    writeLabel(new WireBuffer(LABEL_SIZE), 0, label);
    assert(compareLabels(label, labelOf(now + later)) <= 0);
    assert(Math.abs(label.seconds + label.nanoseconds / 1e9 - now) <= 0.001);
  }));
});

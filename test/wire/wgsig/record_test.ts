import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  ADDRESS_MASK,
  decodeRecord,
  encodeRecord,
  newRecord,
  readAddress,
  RECORD_ADDRESS,
  RECORD_LABEL,
  RECORD_PORT,
  RECORD_SIZE,
  writeEndpoint,
} from "../../../lib/wire/wgsig/record.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { bytesOf, place, record, uint16, uint32 } from "../../support/arbitraries.ts";
import { assertNeeds, hex, ODD_PLACE, placed, written } from "../../support/bytes.ts";
import { libRecord } from "../../support/codecs.ts";
import { bigEndian, twinRecord } from "../../support/twins.ts";
import { test } from "../../testing.ts";

test("the layout is the protocol's", () => {
  assertEquals([RECORD_ADDRESS, RECORD_PORT, RECORD_LABEL, RECORD_SIZE], [32, 36, 38, 50]);
  assertEquals(ADDRESS_MASK, 0x322dccac);
});

test("a record is written as its twin has it, at any offset", () => {
  fc.assert(fc.property(record, place, (fields, where) => {
    assertEquals(
      Array.from(written(RECORD_SIZE, where, (buffer, at) => {
        encodeRecord(libRecord(fields), buffer, at);
      })),
      twinRecord(fields),
    );
  }));
});

test("a record is read back as it was written", () => {
  fc.assert(fc.property(record, place, (fields, where) => {
    const decoded = newRecord();
    assert(decodeRecord(placed(Uint8Array.from(twinRecord(fields)), where), where.at, decoded));
    assertEquals(decoded, libRecord(fields));
  }));
});

test("the address is masked, so that 198.51.100.1 is f41ea8ad on the wire", () => {
  const buffer = new WireBuffer(RECORD_SIZE);
  writeEndpoint(buffer, 0, 0xc6336401, 10_000);
  assertEquals(hex(buffer.bytes.slice(RECORD_ADDRESS, RECORD_LABEL)), "f41ea8ad2710");
  assertEquals(readAddress(buffer, 0), 0xc6336401);
});

test("an endpoint is written at its place in the record and nowhere else", () => {
  fc.assert(fc.property(uint32, uint16, place, (address, port, where) => {
    const before = { ...where, at: where.at + RECORD_ADDRESS };
    const bytes = written(6, before, (buffer, at) => {
      writeEndpoint(buffer, at - RECORD_ADDRESS, address, port);
    });
    const masked = BigInt(address) ^ BigInt(ADDRESS_MASK);
    assertEquals(Array.from(bytes), [...bigEndian(masked, 4), ...bigEndian(port, 2)]);
  }));
});

test("50 zero bytes are no record, and leave the fields as they were", () => {
  const decoded = newRecord();
  decoded.port = 7;
  decoded.id.bytes[3] = 1;
  const before = structuredClone({ ...decoded, id: decoded.id.bytes });
  assert(!decodeRecord(placed(new Uint8Array(RECORD_SIZE), ODD_PLACE), ODD_PLACE.at, decoded));
  assertEquals({ ...decoded, id: decoded.id.bytes }, before);
});

test("a single bit anywhere makes it a record", () => {
  for (let bit = 0; bit < 8 * RECORD_SIZE; bit++) {
    const bytes = new Uint8Array(RECORD_SIZE);
    bytes[bit >> 3] = 1 << (bit & 7);
    assert(decodeRecord(placed(bytes, ODD_PLACE), ODD_PLACE.at, newRecord()), `bit ${bit}`);
  }
});

test("any 50 bytes are read without an error, and written back the same if their label is one", () => {
  fc.assert(fc.property(bytesOf(RECORD_SIZE), place, (bytes, where) => {
    bytes[RECORD_LABEL] = 0x40;
    bytes[RECORD_LABEL + 1] = bytes[RECORD_LABEL + 1]! & 0x3f;
    const decoded = newRecord();
    assert(decodeRecord(placed(bytes, where), where.at, decoded));
    const valid = !Number.isNaN(decoded.seconds) && decoded.nanoseconds < 1e9;
    const encode = () => written(RECORD_SIZE, where, (b, at) => encodeRecord(decoded, b, at));
    if (valid) assertEquals(encode(), Uint8Array.from(bytes));
    else assertThrows(encode, RangeError);
  }));
});

test("fields out of range are not written", () => {
  const buffer = new WireBuffer(RECORD_SIZE);
  const good = { ...newRecord(), address: 1, port: 2, seconds: 3, nanoseconds: 4 };
  encodeRecord(good, buffer, 0);
  for (const port of [-1, 0x1_0000, 0.5, NaN]) {
    assertThrows(() => encodeRecord({ ...good, port }, buffer, 0), RangeError, `${port}`);
  }
  for (const address of [-1, 2 ** 32, 0.5, NaN]) {
    assertThrows(() => encodeRecord({ ...good, address }, buffer, 0), RangeError, `${address}`);
  }
  assertThrows(() => encodeRecord({ ...good, seconds: NaN }, buffer, 0), RangeError);
  assertThrows(() => encodeRecord({ ...good, nanoseconds: 1e9 }, buffer, 0), RangeError);
  assertThrows(() => encodeRecord({ ...good, id: new WireBuffer(31) }, buffer, 0), RangeError);
});

test("a record needs 50 bytes", () => {
  assertNeeds(50, (buffer, at) => encodeRecord(newRecord(), buffer, at));
  assertNeeds(50, (buffer, at) => decodeRecord(buffer, at, newRecord()));
});

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  decodeNatPmpAddress,
  decodeNatPmpMapping,
  encodeNatPmpAddressQuestion,
  encodeNatPmpMapQuestion,
  NAT_PMP_ADDRESS_QUESTION_SIZE,
  NAT_PMP_MAP_QUESTION_SIZE,
} from "../../../lib/wire/portmap/nat_pmp.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { place, uint16, uint32 } from "../../support/arbitraries.ts";
import { assertNeeds, hex, ODD_PLACE, placed, unhex, written } from "../../support/bytes.ts";
import { bigEndian } from "../../support/twins.ts";
import vectors from "../../vectors/portmap.json" with { type: "json" };
import { test } from "../../testing.ts";

function decoded<T>(
  digits: string,
  decode: (buffer: WireBuffer, at: number, length: number) => T,
): T {
  const bytes = unhex(digits);
  return decode(placed(bytes, ODD_PLACE), ODD_PLACE.at, bytes.length);
}

test("NAT-PMP: questions are those that miniupnpd answers", () => {
  const question = written(NAT_PMP_ADDRESS_QUESTION_SIZE, ODD_PLACE, encodeNatPmpAddressQuestion);
  assertEquals(hex(question), vectors["nat-pmp-address"].question);
  const map = (wanted: number, lifetime: number) =>
    hex(written(
      NAT_PMP_MAP_QUESTION_SIZE,
      ODD_PLACE,
      (buffer, at) => encodeNatPmpMapQuestion(51820, wanted, lifetime, buffer, at),
    ));
  assertEquals(map(51820, 7200), vectors["nat-pmp-map"].question);
  assertEquals(map(0, 0), vectors["nat-pmp-release"].question);
});

test("NAT-PMP: its answers are read", () => {
  assertEquals(decoded(vectors["nat-pmp-address"].answer, decodeNatPmpAddress), {
    result: 0,
    epoch: 2,
    address: 0xcb00_7315,
  });
  const mapping = { result: 0, epoch: 2, internalPort: 51820 };
  assertEquals(decoded(vectors["nat-pmp-map"].answer, decodeNatPmpMapping), {
    ...mapping,
    externalPort: 51820,
    lifetime: 7200,
  });
  assertEquals(decoded(vectors["nat-pmp-release"].answer, decodeNatPmpMapping), {
    ...mapping,
    externalPort: 0,
    lifetime: 0,
  });
});

test("NAT-PMP: a refusal may be short, and a success may not", () => {
  assertEquals(decoded("0081000200000007", decodeNatPmpMapping)?.result, 2);
  assertEquals(decoded("0080000300000007", decodeNatPmpAddress)?.result, 3);
  for (const short of ["", "00", "00810002", "0081000000000007ca6cca6c00001c"]) {
    assertEquals(decoded(short, decodeNatPmpMapping), undefined, short);
  }
  assertEquals(decoded("0080000000000007cb0073", decodeNatPmpAddress), undefined);
});

test("NAT-PMP: what answers another question, or is a question, is no answer", () => {
  for (const name of ["nat-pmp-address", "nat-pmp-other-operation", "pcp-map"] as const) {
    assertEquals(decoded(vectors[name].answer, decodeNatPmpMapping), undefined, name);
  }
  assertEquals(decoded(vectors["nat-pmp-map"].question, decodeNatPmpMapping), undefined);
  assertEquals(decoded(vectors["nat-pmp-map"].answer, decodeNatPmpAddress), undefined);
});

test("NAT-PMP: a mapping is read as it was written, whatever follows", () => {
  fc.assert(fc.property(
    uint32,
    uint16,
    uint16,
    uint32,
    fc.uint8Array({ maxLength: 20 }),
    place,
    (epoch, internalPort, externalPort, lifetime, more, where) => {
      const bytes = Uint8Array.from([
        ...[0, 129, 0, 0],
        ...bigEndian(epoch, 4),
        ...bigEndian(internalPort, 2),
        ...bigEndian(externalPort, 2),
        ...bigEndian(lifetime, 4),
        ...more,
      ]);
      const read = decodeNatPmpMapping(placed(bytes, where), where.at, bytes.length);
      assertEquals(read, { result: 0, epoch, internalPort, externalPort, lifetime });
    },
  ));
});

test("NAT-PMP: any bytes are an answer or none", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
    const buffer = new WireBuffer(bytes);
    for (const decode of [decodeNatPmpMapping, decodeNatPmpAddress]) {
      const answer = decode(buffer, 0, bytes.length);
      if (answer !== undefined) assertEquals([bytes[0], bytes[1]! >= 128], [0, true]);
    }
  }));
});

test("NAT-PMP: bounds are checked", () => {
  assertNeeds(NAT_PMP_ADDRESS_QUESTION_SIZE, encodeNatPmpAddressQuestion);
  assertNeeds(
    NAT_PMP_MAP_QUESTION_SIZE,
    (buffer, at) => encodeNatPmpMapQuestion(1, 1, 1, buffer, at),
  );
  assertNeeds(16, (buffer, at) => decodeNatPmpMapping(buffer, at, 16));
  assertNeeds(12, (buffer, at) => decodeNatPmpAddress(buffer, at, 12));
});

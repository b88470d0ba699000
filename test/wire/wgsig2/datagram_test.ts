import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { AeadKey } from "../../../lib/wire/crypto/aead_key.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import {
  DATAGRAM,
  DATAGRAM_PAYLOAD,
  type DatagramType,
  MAX_DATAGRAM_SIZE,
  MIN_DATAGRAM_SIZE,
  openDatagram,
  readDatagramGroup,
  readDatagramType,
  sealDatagram,
  writeDatagramHeader,
} from "../../../lib/wire/wgsig2/datagram.ts";
import { key32, place, uint32 } from "../../support/arbitraries.ts";
import { assertNeeds, hex, ODD_PLACE, type Place, placed, written } from "../../support/bytes.ts";
import { nonce24 } from "../../support/wgsig2_arbitraries.ts";
import { twinHeader, twinReadHeader, twinSeal, twinUnseal } from "../../support/wgsig2_twin.ts";
import { test } from "../../testing.ts";

const type = fc.constantFrom<DatagramType>(...Object.values(DATAGRAM));
const payload = fc.uint8Array({ maxLength: MAX_DATAGRAM_SIZE - MIN_DATAGRAM_SIZE });
const asked = fc.option(nonce24, { nil: undefined });

interface Made {
  readonly type: DatagramType;
  readonly group: number;
  readonly nonce: Uint8Array;
  readonly key: Uint8Array;
  readonly payload: Uint8Array;
  readonly asked: Uint8Array | undefined;
}

const made: fc.Arbitrary<Made> = fc.record({
  type,
  group: uint32,
  nonce: nonce24,
  key: key32,
  payload,
  asked,
});

function twin({ type, group, nonce, key, payload, asked }: Made): Uint8Array {
  return twinSeal(key, twinHeader(type, group, nonce), [...payload], asked);
}

/** Opens a datagram at a place; the payload, or undefined. Bytes that don't open stay as they were. */
function open(datagram: Uint8Array, where: Place, key: Uint8Array, asked?: Uint8Array) {
  const buffer = placed(datagram, where);
  const before = buffer.bytes.slice();
  const { length } = datagram;
  const nonce = asked === undefined ? undefined : placed(asked, where);
  if (openDatagram(new AeadKey(key, PORTABLE), buffer, where.at, length, nonce, where.at)) {
    return buffer.bytes.slice(where.at + DATAGRAM_PAYLOAD, where.at + length - 16);
  }
  assertEquals(buffer.bytes, before);
  return undefined;
}

test("a datagram is sealed as its twin has it, at any offset", () => {
  fc.assert(fc.property(made, place, place, (given, where, from) => {
    const { type, group, nonce, key, payload, asked } = given;
    const length = MIN_DATAGRAM_SIZE + payload.length;
    const sealed = written(length, where, (buffer, at) => {
      writeDatagramHeader(type, group, placed(nonce, from), from.at, buffer, at);
      buffer.bytes.set(payload, at + DATAGRAM_PAYLOAD);
      const question = asked === undefined ? undefined : placed(asked, from);
      sealDatagram(new AeadKey(key, PORTABLE), buffer, at, length, question, from.at);
    });
    assertEquals(hex(sealed), hex(twin(given)));
  }));
});

test("a datagram is opened, and its type and group read, at any offset", () => {
  fc.assert(fc.property(made, place, (given, where) => {
    const datagram = twin(given);
    const buffer = placed(datagram, where);
    assertEquals(readDatagramType(buffer, where.at, datagram.length), given.type);
    assertEquals(readDatagramGroup(buffer, where.at), given.group);
    const opened = open(datagram, where, given.key, given.asked);
    assertEquals(opened && hex(opened), hex(given.payload));
  }));
});

test("a datagram that was changed anywhere doesn't open, and stays as it was", () => {
  fc.assert(fc.property(made, fc.nat(), fc.integer({ min: 1, max: 255 }), (given, at, change) => {
    const datagram = twin(given);
    datagram[at % datagram.length]! ^= change;
    assertEquals(open(datagram, ODD_PLACE, given.key, given.asked), undefined);
  }));
});

test("a datagram opens for its own question only, at its whole length", () => {
  fc.assert(fc.property(made, nonce24, (given, other) => {
    const datagram = twin(given);
    for (const question of [undefined, given.asked, other]) {
      const opened = open(datagram, ODD_PLACE, given.key, question);
      assertEquals(opened !== undefined, question === given.asked);
    }
    const [shorter, longer] = [datagram.slice(0, -1), Uint8Array.from([...datagram, 0])];
    for (const wrong of [shorter, longer]) {
      assertEquals(open(wrong, ODD_PLACE, given.key, given.asked), undefined);
    }
  }));
});

test("any bytes are read as their twin reads them, and open with no key", () => {
  const bytes = fc.uint8Array({ maxLength: MAX_DATAGRAM_SIZE + 9 });
  fc.assert(fc.property(bytes, key32, (bytes, key) => {
    const buffer = placed(bytes, ODD_PLACE);
    const header = twinReadHeader(bytes);
    assertEquals(readDatagramType(buffer, ODD_PLACE.at, bytes.length), header?.type ?? 0);
    assertEquals(open(bytes, ODD_PLACE, key), undefined);
    assertEquals(bytes.length < 48 ? undefined : twinUnseal(key, bytes), undefined);
  }));
});

test("a type that is not known is told, and another version is none", () => {
  const bytes = Uint8Array.from(
    twinSeal(new Uint8Array(32), twinHeader(200, 7, new Uint8Array(24)), []),
  );
  assertEquals(readDatagramType(new WireBuffer(bytes), 0, bytes.length), 200);
  for (let bit = 0; bit < 24; bit++) {
    const other = bytes.slice();
    other[4 + (bit >> 3)]! ^= 1 << bit % 8;
    assertEquals(readDatagramType(new WireBuffer(other), 0, other.length), 0);
  }
});

test("headers, nonces and datagrams must lie inside their buffers, and have a datagram's size", () => {
  const key = new AeadKey(new Uint8Array(32), PORTABLE);
  const nonce = new WireBuffer(24);
  const big = new WireBuffer(2000);
  assertNeeds(32, (buffer, at) => writeDatagramHeader(1, 0, nonce, 0, buffer, at));
  assertNeeds(24, (buffer, at) => writeDatagramHeader(1, 0, buffer, at, big, 0));
  assertNeeds(60, (buffer, at) => readDatagramType(buffer, at, 60));
  assertNeeds(60, (buffer, at) => sealDatagram(key, buffer, at, 60));
  assertNeeds(24, (buffer, at) => sealDatagram(key, big, 0, 60, buffer, at));
  assertNeeds(60, (buffer, at) => openDatagram(key, buffer, at, 60));
  assertNeeds(24, (buffer, at) => openDatagram(key, big, 0, 60, buffer, at));
  for (const group of [-1, 2 ** 32, 0.5]) {
    assertThrows(
      () => writeDatagramHeader(1, group, nonce, 0, big, 0),
      RangeError,
      "a group number",
    );
  }
  for (const size of [47, 1233]) {
    assertThrows(() => sealDatagram(key, big, 0, size), RangeError, "48 to 1232");
    assertEquals(openDatagram(key, big, 0, size), false);
    assertEquals(readDatagramType(big, 0, size), 0);
  }
});

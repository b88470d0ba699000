import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { formatAddress, writeIpv4 } from "../../../lib/core/net/ip_address.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { envelopeKey, openEnvelope, sealEnvelope } from "../../../lib/wire/wgsig/envelope.ts";
import { MacKey } from "../../../lib/wire/crypto/mac.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { newRecord, type PeerRecord } from "../../../lib/wire/wgsig/record.ts";
import {
  authenticateResponse,
  decodeResponseRecord,
  decodeTrailer,
  encodeResponse,
  RECORDS_PER_RESPONSE,
  RESPONSE_EXTENSIONS,
  RESPONSE_GROUP,
  RESPONSE_MAC,
  RESPONSE_OTHERS,
  RESPONSE_SIZE,
  type ResponseTrailer,
  verifyResponse,
} from "../../../lib/wire/wgsig/response.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { bytesOf, key32, place, record, trailer } from "../../support/arbitraries.ts";
import { assertNeeds, hex, ODD_PLACE, placed, written } from "../../support/bytes.ts";
import { libRecord } from "../../support/codecs.ts";
import { twinResponse } from "../../support/twins.ts";
import { clientVectors, serverResponses, serverVectors } from "../../support/vectors.ts";
import { test } from "../../testing.ts";

const { at } = ODD_PLACE;
const records = fc.array(record, { maxLength: 10 });

function newTrailer(): ResponseTrailer {
  return { extensions: 0, others: 0, group: 0 };
}

function recordAt(buffer: WireBuffer, at: number, index: number): PeerRecord | undefined {
  const decoded = newRecord();
  return decodeResponseRecord(buffer, at, index, decoded) ? decoded : undefined;
}

function allRecords(buffer: WireBuffer, at: number): (PeerRecord | undefined)[] {
  return Array.from({ length: 10 }, (_, index) => recordAt(buffer, at, index));
}

test("the layout is the protocol's", () => {
  assertEquals(
    [RESPONSE_EXTENSIONS, RESPONSE_OTHERS, RESPONSE_GROUP, RESPONSE_MAC, RESPONSE_SIZE],
    [500, 502, 504, 508, 540],
  );
  assertEquals(RECORDS_PER_RESPONSE, 10);
});

test("a response is written as its twin has it, at any offset", () => {
  fc.assert(fc.property(records, trailer, key32, place, (records, trailer, secret, where) => {
    assertEquals(
      written(RESPONSE_SIZE, where, (buffer, at) => {
        encodeResponse(records.map(libRecord), trailer, new MacKey(secret, PORTABLE), buffer, at);
      }),
      twinResponse(records, trailer, secret),
    );
  }));
});

test("a response is read back as it was written", () => {
  fc.assert(fc.property(records, trailer, key32, place, (records, trailer, secret, where) => {
    const buffer = placed(twinResponse(records, trailer, secret), where);
    const decoded = newTrailer();
    assert(decodeTrailer(buffer, where.at, RESPONSE_SIZE + where.tail, decoded));
    assertEquals(decoded, trailer);
    assertEquals(
      allRecords(buffer, where.at),
      Array.from({ length: 10 }, (_, i) => {
        const record = records[i];
        return record === undefined ? undefined : libRecord(record);
      }),
    );
    assert(verifyResponse(new MacKey(secret, PORTABLE), buffer, where.at));
  }));
});

test("sealing leaves the records alone and makes the response valid", () => {
  fc.assert(fc.property(bytesOf(500), trailer, key32, place, (bytes, trailer, secret, where) => {
    const key = new MacKey(secret, PORTABLE);
    const before = Uint8Array.from([...bytes, ...new Uint8Array(40)]);
    const buffer = placed(before, where);
    authenticateResponse(trailer, key, buffer, where.at);
    assertEquals(
      hex(buffer.bytes.slice(where.at, where.at + RESPONSE_EXTENSIONS)),
      hex(bytes),
    );
    assert(verifyResponse(key, buffer, where.at));
    const decoded = newTrailer();
    assert(decodeTrailer(buffer, where.at, RESPONSE_SIZE, decoded));
    assertEquals(decoded, trailer);
  }));
});

test("a response with any one bit changed is not verified", () => {
  const key = new MacKey(new Uint8Array(32).fill(4), PORTABLE);
  const bytes = written(RESPONSE_SIZE, ODD_PLACE, (buffer, at) => {
    encodeResponse([], newTrailer(), key, buffer, at);
  });
  const buffer = placed(bytes, ODD_PLACE);
  assert(verifyResponse(key, buffer, at));
  for (let bit = 0; bit < 8 * RESPONSE_SIZE; bit++) {
    buffer.bytes[at + (bit >> 3)]! ^= 1 << (bit & 7);
    assert(!verifyResponse(key, buffer, at), `bit ${bit}`);
    buffer.bytes[at + (bit >> 3)]! ^= 1 << (bit & 7);
  }
});

test("540 zero bytes, as the C server sends them, are not verified", () => {
  assert(
    !verifyResponse(new MacKey(serverVectors.secret, PORTABLE), new WireBuffer(RESPONSE_SIZE), 0),
  );
});

test("what is shorter than a response is none, and leaves the fields as they were", () => {
  for (const length of [0, 1, 82, 539]) {
    const decoded = { extensions: 1, others: 2, group: 3 };
    assert(!decodeTrailer(new WireBuffer(length), 0, length, decoded));
    assertEquals(decoded, { extensions: 1, others: 2, group: 3 });
  }
});

test("any bytes of any declared length are read without an error", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 500, maxLength: 600 }), place, (bytes, where) => {
      const buffer = placed(bytes, where);
      const long = bytes.length >= RESPONSE_SIZE;
      assertEquals(decodeTrailer(buffer, where.at, bytes.length, newTrailer()), long);
      assertEquals(allRecords(buffer, where.at).length, 10);
      if (long) assert(!verifyResponse(new MacKey(new Uint8Array(32), PORTABLE), buffer, where.at));
    }),
  );
});

test("there are ten places for records and no more", () => {
  const key = new MacKey(new Uint8Array(32), PORTABLE);
  const buffer = new WireBuffer(RESPONSE_SIZE + 100);
  const eleven = Array.from({ length: 11 }, newRecord);
  assertThrows(
    () => encodeResponse(eleven, newTrailer(), key, buffer, 0),
    RangeError,
    "11 records",
  );
  for (const index of [-1, 10, NaN]) {
    assertThrows(() => decodeResponseRecord(buffer, 0, index, newRecord()), RangeError);
  }
});

test("a response needs 540 bytes, or as many as are declared", () => {
  const key = new MacKey(new Uint8Array(32), PORTABLE);
  assertNeeds(540, (buffer, at) => encodeResponse([], newTrailer(), key, buffer, at));
  assertNeeds(540, (buffer, at) => authenticateResponse(newTrailer(), key, buffer, at));
  assertNeeds(540, (buffer, at) => decodeTrailer(buffer, at, 540, newTrailer()));
  assertNeeds(541, (buffer, at) => decodeTrailer(buffer, at, 541, newTrailer()));
  assertNeeds(540, (buffer, at) => verifyResponse(key, buffer, at));
  assertNeeds(50, (buffer, at) => decodeResponseRecord(buffer, at, 0, newRecord()));
});

test("every recorded response of the real server is read as it was recorded", () => {
  const key = new MacKey(serverVectors.secret, PORTABLE);
  const responses = serverResponses();
  for (const { where, plain, fields } of responses) {
    assert(fields !== undefined, where);
    assertEquals(plain.length, RESPONSE_SIZE, where);
    const buffer = placed(plain, ODD_PLACE);
    const decoded = newTrailer();
    assert(decodeTrailer(buffer, at, plain.length, decoded), where);
    const { extensions, others, group } = fields;
    assertEquals(decoded, { extensions, others, group }, where);
    assertEquals(verifyResponse(key, buffer, at), fields.macValid, where);
    assertEquals(hex(plain.slice(RESPONSE_MAC)), hex(fields.mac), where);
    assertEquals(
      allRecords(buffer, at).flatMap((record, slot) =>
        record === undefined ? [] : [{
          slot,
          id: formatKey(record.id.bytes),
          address: addressText(record),
          port: record.port,
          seconds: record.seconds,
          nanoseconds: record.nanoseconds,
        }]
      ),
      [...fields.records],
      where,
    );
  }
  assertEquals(responses.length, 103);
});

test("every recorded response that can be is written back as the same bytes", () => {
  const macKey = new MacKey(serverVectors.secret, PORTABLE);
  const cipherKey = envelopeKey(serverVectors.secret, PORTABLE);
  let same = 0;
  for (const { where, payload, plain, envelope, fields } of serverResponses()) {
    assert(fields !== undefined, where);
    const found = allRecords(placed(plain, ODD_PLACE), at).filter((record) => record !== undefined);
    const encode = () =>
      written(RESPONSE_SIZE, ODD_PLACE, (buffer, at) => {
        encodeResponse(found, fields, macKey, buffer, at);
      });
    if (found.some(({ nanoseconds }) => nanoseconds >= 1e9)) {
      assertThrows(encode, RangeError);
      continue;
    }
    const response = encode();
    // The C server leaves the MAC of an empty database 0.
    const compared = fields.macValid ? RESPONSE_SIZE : RESPONSE_MAC;
    assertEquals(hex(response.slice(0, compared)), hex(plain.slice(0, compared)), where);
    same++;
    if (envelope === undefined || !fields.macValid) continue;
    const sealed = written(payload.length, ODD_PLACE, (buffer, at) => {
      const nonce = new WireBuffer(envelope.nonce);
      const source = new WireBuffer(response);
      sealEnvelope(cipherKey, fields.group, nonce, 0, source, 0, RESPONSE_SIZE, buffer, at);
    });
    assertEquals(hex(sealed), hex(payload), where);
  }
  assertEquals(same, 101);
});

test("responses to the real client say what it printed, and are valid where it took them", () => {
  const macKey = new MacKey(clientVectors.secret, PORTABLE);
  const cipherKey = envelopeKey(clientVectors.secret, PORTABLE);
  let read = 0;
  for (const { name, responses, ownId, localPort, clock, output } of clientVectors.entries) {
    let printed = "";
    let answered = false;
    for (const { payload, plain } of responses) {
      const size = Math.max(0, payload.length - 16);
      const opened = new WireBuffer(size);
      if (payload.length >= 16) {
        openEnvelope(cipherKey, placed(payload, ODD_PLACE), at, size, opened, 0);
      }
      assertEquals(hex(opened.bytes), hex(plain), name);
      const decoded = newTrailer();
      const whole = decodeTrailer(opened, 0, size, decoded);
      if (!whole || !verifyResponse(macKey, opened, 0)) {
        printed += "received datagram with wrong hmac\n";
        continue;
      }
      const found = allRecords(opened, 0).filter((record) => record !== undefined);
      printed += clientText(found, ownId, clock, localPort);
      answered = true;
      read++;
      const again = new WireBuffer(RESPONSE_SIZE);
      const gaps = allRecords(opened, 0).findIndex((record) => record === undefined);
      const contiguous = gaps < 0 || gaps === found.length;
      if (!contiguous || found.some(({ seconds }) => Number.isNaN(seconds))) continue;
      encodeResponse(found, decoded, macKey, again, 0);
      assertEquals(hex(again.bytes), hex(plain.slice(0, RESPONSE_SIZE)), name);
    }
    if (!answered) printed += "Timed out\n";
    assertEquals(printed, output, name);
  }
  assertEquals(read, 19);
});

/** What the C client prints for these records. It takes a label's low 32 bits for its seconds. */
function clientText(
  records: readonly PeerRecord[],
  ownId: string,
  clock: number,
  localPort: number,
): string {
  let text = "";
  for (const record of records) {
    const id = formatKey(record.id.bytes);
    const endpoint = `${addressText(record)}:${record.port}`;
    if (id === ownId) {
      text += `# Public endpoint = ${endpoint}\n\n`;
      continue;
    }
    const age = Number.isNaN(record.seconds) ? 0 : clock - record.seconds;
    text += `[Peer]\n# Seen ${age} s ago\nPublicKey = ${id}\nEndpoint = ${endpoint}\n\n`;
  }
  return localPort % 2 === 0 ? `${text}[Interface]\nListenPort = ${localPort}\n` : text;
}

function addressText(record: PeerRecord): string {
  const buffer = new WireBuffer(16);
  writeIpv4(buffer, 0, record.address);
  return formatAddress(buffer, 0);
}

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { decodeBase64 } from "@std/encoding/base64";
import { openEnvelope, readEnvelopeGroup, sealEnvelope } from "../../../lib/wire/wgsig/envelope.ts";
import { envelopeKey } from "../../../lib/wire/wgsig/envelope.ts";
import { MacKey } from "../../../lib/wire/crypto/mac.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import {
  decodeRequest,
  encodeRequest,
  KEEP_ENDPOINT,
  KEEP_LABEL,
  newRequest,
  REQUEST_FLAGS,
  REQUEST_GROUP,
  REQUEST_ID,
  REQUEST_LABEL,
  REQUEST_MAC,
  REQUEST_SIZE,
  verifyRequest,
} from "../../../lib/wire/wgsig/request.ts";
import { readSeconds } from "../../../lib/wire/wgsig/tai64n.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { key32, place, request } from "../../support/arbitraries.ts";
import { assertNeeds, hex, ODD_PLACE, placed, written } from "../../support/bytes.ts";
import { libRequest } from "../../support/codecs.ts";
import { twinRequest } from "../../support/twins.ts";
import { clientVectors, serverRequests, serverVectors } from "../../support/vectors.ts";
import { test } from "../../testing.ts";

const { at } = ODD_PLACE;

test("the layout is the protocol's", () => {
  assertEquals(
    [REQUEST_ID, REQUEST_LABEL, REQUEST_FLAGS, REQUEST_GROUP, REQUEST_MAC, REQUEST_SIZE],
    [0, 32, 44, 46, 50, 82],
  );
  assertEquals([KEEP_ENDPOINT, KEEP_LABEL], [1, 2]);
});

test("a request is written as its twin has it, at any offset", () => {
  fc.assert(fc.property(request, key32, place, (fields, secret, where) => {
    assertEquals(
      written(REQUEST_SIZE, where, (buffer, at) => {
        encodeRequest(libRequest(fields), new MacKey(secret, PORTABLE), buffer, at);
      }),
      twinRequest(fields, secret),
    );
  }));
});

test("a request is read back as it was written, whatever follows it", () => {
  fc.assert(fc.property(request, key32, place, (fields, secret, where) => {
    const buffer = placed(twinRequest(fields, secret), where);
    for (const length of [REQUEST_SIZE, REQUEST_SIZE + where.tail]) {
      const decoded = newRequest();
      assert(decodeRequest(buffer, where.at, length, decoded));
      assertEquals(decoded, libRequest(fields));
    }
    assert(verifyRequest(new MacKey(secret, PORTABLE), buffer, where.at));
  }));
});

test("what is shorter than a request is none, and leaves the fields as they were", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: REQUEST_SIZE - 1 }), place, (bytes, where) => {
    const decoded = newRequest();
    assert(!decodeRequest(placed(bytes, where), where.at, bytes.length, decoded));
    assertEquals(decoded, newRequest());
  }));
});

test("any bytes of any declared length are read without an error", () => {
  const bytes = fc.uint8Array({ minLength: 0, maxLength: 200 });
  fc.assert(fc.property(bytes, key32, place, (bytes, secret, where) => {
    const buffer = placed(bytes, where);
    const long = bytes.length >= REQUEST_SIZE;
    assertEquals(decodeRequest(buffer, where.at, bytes.length, newRequest()), long);
    if (long) assert(!verifyRequest(new MacKey(secret, PORTABLE), buffer, where.at));
  }));
});

test("a request with any one bit changed is not verified", () => {
  const secret = new Uint8Array(32).fill(3);
  const fields = { ...newRequest(), seconds: 1, nanoseconds: 2, flags: 3, group: 4 };
  const bytes = written(REQUEST_SIZE, ODD_PLACE, (buffer, at) => {
    encodeRequest(fields, new MacKey(secret, PORTABLE), buffer, at);
  });
  assert(verifyRequest(new MacKey(secret, PORTABLE), placed(bytes, ODD_PLACE), at));
  for (let bit = 0; bit < 8 * REQUEST_SIZE; bit++) {
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    assert(
      !verifyRequest(new MacKey(secret, PORTABLE), placed(bytes, ODD_PLACE), at),
      `bit ${bit}`,
    );
    bytes[bit >> 3]! ^= 1 << (bit & 7);
  }
});

test("fields out of range are not written", () => {
  const buffer = new WireBuffer(REQUEST_SIZE);
  const key = new MacKey(new Uint8Array(32), PORTABLE);
  const good = newRequest();
  encodeRequest(good, key, buffer, 0);
  for (const flags of [-1, 0x1_0000, 0.5, NaN]) {
    assertThrows(() => encodeRequest({ ...good, flags }, key, buffer, 0), RangeError, `${flags}`);
  }
  for (const group of [-1, 2 ** 32, 0.5, NaN]) {
    assertThrows(() => encodeRequest({ ...good, group }, key, buffer, 0), RangeError, `${group}`);
  }
  assertThrows(() => encodeRequest({ ...good, seconds: NaN }, key, buffer, 0), RangeError);
  assertThrows(() => encodeRequest({ ...good, nanoseconds: 1e9 }, key, buffer, 0), RangeError);
  assertThrows(
    () => encodeRequest({ ...good, id: new WireBuffer(31) }, key, buffer, 0),
    RangeError,
  );
});

test("a request needs 82 bytes, or as many as are declared", () => {
  const key = new MacKey(new Uint8Array(32), PORTABLE);
  assertNeeds(82, (buffer, at) => encodeRequest(newRequest(), key, buffer, at));
  assertNeeds(82, (buffer, at) => decodeRequest(buffer, at, 82, newRequest()));
  assertNeeds(100, (buffer, at) => decodeRequest(buffer, at, 100, newRequest()));
  assertNeeds(82, (buffer, at) => verifyRequest(key, buffer, at));
});

test("every recorded request to the real server is read as it was recorded", () => {
  const macKey = new MacKey(serverVectors.secret, PORTABLE);
  let whole = 0;
  for (const { where, plain, fields } of serverRequests()) {
    const buffer = placed(plain, ODD_PLACE);
    const decoded = newRequest();
    assertEquals(decodeRequest(buffer, at, plain.length, decoded), fields !== undefined, where);
    if (fields === undefined) continue;
    whole++;
    assertEquals(
      {
        id: hex(decoded.id.bytes),
        nanoseconds: decoded.nanoseconds,
        flags: decoded.flags,
        group: decoded.group,
        macValid: verifyRequest(macKey, buffer, at),
      },
      {
        id: hex(decodeBase64(fields.id)),
        nanoseconds: fields.nanoseconds,
        flags: fields.flags,
        group: fields.group,
        macValid: fields.macValid,
      },
      where,
    );
    assertEquals(hex(plain.slice(REQUEST_LABEL, REQUEST_LABEL + 8)), hex(fields.tai64), where);
    assertEquals(decoded.seconds, readSeconds(new WireBuffer(fields.tai64), 0), where);
    assertEquals(hex(plain.slice(REQUEST_MAC, REQUEST_SIZE)), hex(fields.mac), where);
  }
  assertEquals(whole, 136);
});

test("every recorded request that can be is written back as the same bytes", () => {
  const macKey = new MacKey(serverVectors.secret, PORTABLE);
  const cipherKey = envelopeKey(serverVectors.secret, PORTABLE);
  let same = 0;
  for (const { where, payload, plain, envelope, fields } of serverRequests()) {
    if (fields === undefined || !fields.macValid) continue;
    const decoded = newRequest();
    decodeRequest(placed(plain, ODD_PLACE), at, plain.length, decoded);
    const encode = () =>
      written(REQUEST_SIZE, ODD_PLACE, (buffer, at) => {
        encodeRequest(decoded, macKey, buffer, at);
      });
    if (Number.isNaN(decoded.seconds) || decoded.nanoseconds >= 1e9) {
      assertThrows(encode, RangeError);
      continue;
    }
    const request = encode();
    assertEquals(hex(request), hex(plain.slice(0, REQUEST_SIZE)), where);
    same++;
    if (envelope === undefined) continue;
    const size = 16 + REQUEST_SIZE;
    const group = readEnvelopeGroup(placed(payload, ODD_PLACE), at);
    const sealed = written(size, ODD_PLACE, (buffer, at) => {
      const nonce = new WireBuffer(envelope.nonce);
      sealEnvelope(
        cipherKey,
        group,
        nonce,
        0,
        new WireBuffer(request),
        0,
        request.length,
        buffer,
        at,
      );
    });
    assertEquals(hex(sealed), hex(payload.slice(0, size)), where);
  }
  assertEquals(same, 117);
});

test("every request of the real client is read, verified and written back as the same bytes", () => {
  const macKey = new MacKey(clientVectors.secret, PORTABLE);
  const cipherKey = envelopeKey(clientVectors.secret, PORTABLE);
  let count = 0;
  for (const { name, requests, ownId, localPort, clock } of clientVectors.entries) {
    for (const payload of requests) {
      assertEquals(payload.length, 16 + REQUEST_SIZE, name);
      const sealed = placed(payload, ODD_PLACE);
      const plain = new WireBuffer(REQUEST_SIZE);
      openEnvelope(cipherKey, sealed, at, REQUEST_SIZE, plain, 0);
      const decoded = newRequest();
      assert(decodeRequest(plain, 0, REQUEST_SIZE, decoded), name);
      assert(verifyRequest(macKey, plain, 0), name);
      assertEquals(hex(decoded.id.bytes), hex(decodeBase64(ownId)), name);
      assertEquals(decoded.seconds, clock, name);
      assertEquals(decoded.flags, localPort % 2 === 1 ? KEEP_ENDPOINT : 0, name);
      assertEquals([decoded.group, readEnvelopeGroup(sealed, at)], [0, 0], name);
      const encoded = new WireBuffer(REQUEST_SIZE);
      encodeRequest(decoded, macKey, encoded, 0);
      const resealed = written(payload.length, ODD_PLACE, (buffer, at) => {
        sealEnvelope(cipherKey, 0, sealed, ODD_PLACE.at + 4, encoded, 0, REQUEST_SIZE, buffer, at);
      });
      assertEquals(hex(resealed), hex(payload), name);
      count++;
    }
  }
  assertEquals(count, 22);
});

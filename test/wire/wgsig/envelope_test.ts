import { assertEquals, assertNotEquals } from "@std/assert";
import { sha256 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { CipherKey } from "../../../lib/wire/crypto/cipher_key.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import {
  ENVELOPE_SIZE,
  envelopeKey,
  openEnvelope,
  readEnvelopeGroup,
  sealEnvelope,
} from "../../../lib/wire/wgsig/envelope.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { key32, nonce12, place, uint32 } from "../../support/arbitraries.ts";
import { assertNeeds, hex, ODD_PLACE, placed, written } from "../../support/bytes.ts";
import { twinEnvelope, twinOpen } from "../../support/twins.ts";
import {
  clientVectors,
  serverRequests,
  serverResponses,
  serverVectors,
} from "../../support/vectors.ts";
import { test } from "../../testing.ts";

const payload = fc.uint8Array({ maxLength: 600 });

test("an envelope adds 16 bytes", () => {
  assertEquals(ENVELOPE_SIZE, 16);
});

test("an envelope is written as its twin has it, at any offset", () => {
  fc.assert(
    fc.property(
      payload,
      uint32,
      nonce12,
      key32,
      fc.tuple(place, place, place),
      (bytes, group, nonce, secret, [nonceIs, from, to]) => {
        const nonces = placed(nonce, nonceIs);
        const source = placed(bytes, from);
        const { length } = bytes;
        assertEquals(
          written(ENVELOPE_SIZE + length, to, (out, at) => {
            const key = envelopeKey(secret, PORTABLE);
            sealEnvelope(key, group, nonces, nonceIs.at, source, from.at, length, out, at);
          }),
          twinEnvelope(bytes, group, nonce, secret),
        );
      },
    ),
  );
});

test("an envelope is opened to its group and payload, whatever padding follows", () => {
  fc.assert(
    fc.property(
      payload,
      uint32,
      nonce12,
      key32,
      fc.tuple(place, place),
      (bytes, group, nonce, secret, [from, to]) => {
        const sealed = placed(twinEnvelope(bytes, group, nonce, secret), from);
        assertEquals(readEnvelopeGroup(sealed, from.at), group);
        assertEquals(
          written(bytes.length, to, (out, at) => {
            openEnvelope(envelopeKey(secret, PORTABLE), sealed, from.at, bytes.length, out, at);
          }),
          Uint8Array.from(bytes),
        );
      },
    ),
  );
});

test("a payload that already lies in the envelope's place is encrypted there", () => {
  fc.assert(fc.property(payload, uint32, nonce12, key32, (bytes, group, nonce, secret) => {
    const { length } = bytes;
    const buffer = new WireBuffer(Uint8Array.from([...new Uint8Array(16), ...bytes]));
    sealEnvelope(
      envelopeKey(secret, PORTABLE),
      group,
      new WireBuffer(nonce),
      0,
      buffer,
      16,
      length,
      buffer,
      0,
    );
    assertEquals(hex(buffer.bytes), hex(twinEnvelope(bytes, group, nonce, secret)));
  }));
});

test("an envelope may be opened in place", () => {
  fc.assert(fc.property(payload, uint32, nonce12, key32, (bytes, group, nonce, secret) => {
    const buffer = new WireBuffer(twinEnvelope(bytes, group, nonce, secret));
    openEnvelope(envelopeKey(secret, PORTABLE), buffer, 0, bytes.length, buffer, 16);
    assertEquals(hex(buffer.bytes.slice(16)), hex(bytes));
  }));
});

test("any bytes have a group and can be opened", () => {
  const bytes = fc.uint8Array({ minLength: ENVELOPE_SIZE, maxLength: 700 });
  fc.assert(fc.property(bytes, key32, place, (bytes, secret, where) => {
    const sealed = placed(bytes, where);
    const { group, payload } = twinOpen(bytes, secret);
    assertEquals(readEnvelopeGroup(sealed, where.at), group);
    const out = new WireBuffer(payload.length);
    openEnvelope(envelopeKey(secret, PORTABLE), sealed, where.at, payload.length, out, 0);
    assertEquals(hex(out.bytes), hex(payload));
  }));
});

test("envelopes, nonces and payloads must lie inside their buffers", () => {
  const key = envelopeKey(new Uint8Array(32), PORTABLE);
  const nonce = new WireBuffer(12);
  const big = new WireBuffer(100);
  assertNeeds(12, (buffer, at) => sealEnvelope(key, 0, buffer, at, big, 0, 84, big, 0));
  assertNeeds(84, (buffer, at) => sealEnvelope(key, 0, nonce, 0, buffer, at, 84, big, 0));
  assertNeeds(100, (buffer, at) => sealEnvelope(key, 0, nonce, 0, big, 0, 84, buffer, at));
  assertNeeds(100, (buffer, at) => openEnvelope(key, buffer, at, 84, big, 0));
  assertNeeds(84, (buffer, at) => openEnvelope(key, big, 0, 84, buffer, at));
});

test("the cipher key is the SHA-256 of the secret, as the recorder noted it", () => {
  for (const { secret, cipherKey } of [serverVectors, clientVectors]) {
    assertEquals(hex(sha256(secret)), hex(cipherKey));
    const results = [envelopeKey(secret, PORTABLE), new CipherKey(cipherKey, PORTABLE)].map(
      (key) => {
        const out = new WireBuffer(64);
        key.xor(new WireBuffer(12), 0, 1, new WireBuffer(64), 0, out, 0, 64);
        return hex(out.bytes);
      },
    );
    assertEquals(results[0], results[1]);
    assertNotEquals(results[0], hex(new Uint8Array(64)));
  }
});

test("every recorded encrypted datagram is opened and sealed as it was recorded", () => {
  const key = envelopeKey(serverVectors.secret, PORTABLE);
  const datagrams = [...serverRequests(), ...serverResponses()];
  let opened = 0;
  for (const { where, payload, plain, envelope } of datagrams) {
    if (envelope === undefined) continue;
    const sealed = placed(payload, ODD_PLACE);
    const { at } = ODD_PLACE;
    const size = payload.length - ENVELOPE_SIZE;
    assertEquals(plain.length, size, where);
    const out = written(size, ODD_PLACE, (out, outAt) => {
      openEnvelope(key, sealed, at, size, out, outAt);
    });
    assertEquals(hex(out), hex(plain), where);
    assertEquals(hex(payload.slice(0, 4)), hex(envelope.scrambledGroup), where);
    assertEquals(hex(payload.slice(4, 16)), hex(envelope.nonce), where);
    const group = readEnvelopeGroup(sealed, at);
    assertEquals(group, 0, where);
    const again = written(payload.length, ODD_PLACE, (buffer, at) => {
      const nonce = new WireBuffer(envelope.nonce);
      sealEnvelope(key, group, nonce, 0, new WireBuffer(plain), 0, size, buffer, at);
    });
    assertEquals(hex(again), hex(payload), where);
    opened++;
  }
  assertEquals(opened, 130);
});

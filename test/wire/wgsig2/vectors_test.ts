/**
 * What an independent implementation has made of docs/protocol-2.md: read, and written the same.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { AeadKey } from "../../../lib/wire/crypto/aead_key.ts";
import { ExchangeKey } from "../../../lib/wire/crypto/exchange_key.ts";
import { MacKey } from "../../../lib/wire/crypto/mac.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { envelopeKey, openEnvelope, readEnvelopeGroup } from "../../../lib/wire/wgsig/envelope.ts";
import { decodeRequest, newRequest, verifyRequest } from "../../../lib/wire/wgsig/request.ts";
import {
  decodeAnswer,
  encodeAnswer,
  newAnswer,
  type RecordSpan,
} from "../../../lib/wire/wgsig2/answer.ts";
import {
  DATAGRAM,
  DATAGRAM_PAYLOAD,
  type DatagramType,
  openDatagram,
  readDatagramGroup,
  readDatagramType,
  sealDatagram,
  writeDatagramHeader,
} from "../../../lib/wire/wgsig2/datagram.ts";
import { GroupKeys, PeerAgreement, PeerKeys } from "../../../lib/wire/wgsig2/keys.ts";
import { decodePush, encodePush, newPush } from "../../../lib/wire/wgsig2/push.ts";
import {
  decodeQuestion,
  encodeQuestion,
  newQuestion,
  proveQuestion,
  verifyProof,
} from "../../../lib/wire/wgsig2/question.ts";
import { newPeerNews, readPeerNews, writePeerNews } from "../../../lib/wire/wgsig2/record.ts";
import { decodeRetry, encodeRetry, newRetry } from "../../../lib/wire/wgsig2/retry.ts";
import { hex, ODD_PLACE, placed, unhex, written } from "../../support/bytes.ts";
import {
  plainAnswer,
  plainPush,
  plainQuestion,
  plainRecords,
  plainRetry,
} from "../../support/wgsig2_codecs.ts";
import {
  type Wgsig2Datagram,
  wgsig2Datagrams,
  wgsig2Groups,
  wgsig2Lookalikes,
  wgsig2LowOrder,
  wgsig2Peers,
  wgsig2Refused,
} from "../../support/wgsig2_vectors.ts";
import { test } from "../../testing.ts";

const { at } = ODD_PLACE;
const GROUP = wgsig2Groups[0]!;
const PEER = wgsig2Peers[0]!;
const KEYS = {
  question: new AeadKey(GROUP.question, PORTABLE),
  answer: new AeadKey(GROUP.answer, PORTABLE),
  peer: new AeadKey(PEER.answer, PORTABLE),
};
const PROVE = new MacKey(PEER.prove, PORTABLE);

/** Fields as the file has them. */
function told(value: unknown): unknown {
  if (value === undefined) return null;
  if (!Array.isArray(value)) {
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, each]) => [name, name === "also" ? each : told(each)]),
    );
  }
  const isBytes = value.length > 0 && value.every((each) => typeof each === "number");
  return isBytes ? hex(Uint8Array.from(value)) : value.map(told);
}

/** The fields of an opened datagram; undefined where it means nothing. */
function read(type: number, buffer: WireBuffer, length: number): unknown {
  const records: RecordSpan = { at: 0, end: 0 };
  switch (type) {
    case DATAGRAM.question: {
      const question = newQuestion();
      return decodeQuestion(buffer, at, length, question) && told(plainQuestion(question));
    }
    case DATAGRAM.answer: {
      const answer = newAnswer();
      if (!decodeAnswer(buffer, at, length, answer, records)) return false;
      return told(plainAnswer(answer, plainRecords(buffer, records)));
    }
    case DATAGRAM.push: {
      const push = newPush();
      if (!decodePush(buffer, at, length, push, records)) return false;
      return told(plainPush(push, plainRecords(buffer, records)));
    }
    default: {
      const retry = newRetry();
      return decodeRetry(buffer, at, length, retry) && told(plainRetry(retry));
    }
  }
}

/** Writes the records that were read, and returns the size of the datagram. */
function again(
  source: WireBuffer,
  { at: from, end }: RecordSpan,
  out: WireBuffer,
  next: number,
): number {
  const news = newPeerNews();
  while (from < end) {
    from = readPeerNews(source, from, end, news);
    next = writePeerNews(news, out, next);
  }
  return next - at + 16;
}

/** Writes what was read of an opened datagram once more. Returns its size. */
function write(type: number, source: WireBuffer, length: number, out: WireBuffer): number {
  const records: RecordSpan = { at: 0, end: 0 };
  switch (type) {
    case DATAGRAM.question: {
      const question = newQuestion();
      decodeQuestion(source, at, length, question);
      return encodeQuestion(question, out, at);
    }
    case DATAGRAM.answer: {
      const answer = newAnswer();
      decodeAnswer(source, at, length, answer, records);
      return again(source, records, out, encodeAnswer(answer, out, at));
    }
    case DATAGRAM.push: {
      const push = newPush();
      decodePush(source, at, length, push, records);
      return again(source, records, out, encodePush(push, out, at));
    }
    default: {
      const retry = newRetry();
      decodeRetry(source, at, length, retry);
      return encodeRetry(retry, out, at);
    }
  }
}

function opened({ datagram, key, asked }: Pick<Wgsig2Datagram, "datagram" | "key" | "asked">) {
  const buffer = placed(datagram, ODD_PLACE);
  const question = asked === undefined ? undefined : new WireBuffer(asked);
  const is = openDatagram(KEYS[key], buffer, at, datagram.length, question);
  return is ? buffer : undefined;
}

function typeOf(type: number): DatagramType {
  const known = Object.values(DATAGRAM).find((each) => each === type);
  assert(known !== undefined);
  return known;
}

/** What a key makes of nothing. */
function tag(key: AeadKey): string {
  const out = new WireBuffer(16);
  key.seal(new WireBuffer(24), 0, out, 0, 0, out, 0, 0);
  return hex(out.bytes);
}

test("the keys of groups are those of the vectors", () => {
  for (const { secret, group, question, answer } of wgsig2Groups) {
    const keys = new GroupKeys(secret, group, PORTABLE);
    const wanted = [question, answer].map((key) => tag(new AeadKey(key, PORTABLE)));
    assertEquals([tag(keys.question), tag(keys.answer)], wanted);
  }
  assertEquals(wgsig2Groups.length, 3);
});

test("the keys of peers are those of the vectors, on both sides", () => {
  for (const peer of wgsig2Peers) {
    const own = new ExchangeKey(peer.privateKey, PORTABLE);
    const server = new ExchangeKey(peer.serverPrivate, PORTABLE);
    assertEquals(hex(own.publicKey.bytes), hex(peer.publicKey));
    assertEquals(hex(server.publicKey.bytes), hex(peer.serverPublic));
    for (const [side, key, other] of [["peer", own, server], ["registry", server, own]] as const) {
      const out = new WireBuffer(64);
      const agreement = new PeerAgreement(key, side, peer.secret, PORTABLE);
      assert(agreement.agree(other.publicKey, 0, out, 0));
      assertEquals(hex(out.bytes), hex(peer.prove) + hex(peer.answer));
      assertEquals(
        tag(new PeerKeys(out, 0, PORTABLE).answer),
        tag(new AeadKey(peer.answer, PORTABLE)),
      );
    }
  }
  const own = new ExchangeKey(PEER.serverPrivate, PORTABLE);
  const agreement = new PeerAgreement(own, "registry", GROUP.secret, PORTABLE);
  for (const point of wgsig2LowOrder) {
    assertEquals(agreement.agree(new WireBuffer(point), 0, new WireBuffer(64), 0), false);
  }
});

for (const vector of wgsig2Datagrams) {
  const { name, type, group, nonce, asked, key, payload, datagram, isCanonical, proof } = vector;

  test(`${name}: is read`, () => {
    const buffer = placed(datagram, ODD_PLACE);
    assertEquals(readDatagramType(buffer, at, datagram.length), type);
    assertEquals(readDatagramGroup(buffer, at), group);
    const plain = opened(vector);
    assert(plain !== undefined);
    assertEquals(
      hex(plain.bytes.slice(at + DATAGRAM_PAYLOAD, at + datagram.length - 16)),
      hex(payload),
    );
    if (proof !== undefined) {
      assertEquals(verifyProof(PROVE, plain, at, datagram.length), proof);
    }
    assertEquals(read(type, plain, datagram.length), vector.fields);
  });

  if (!isCanonical || proof === false) continue;
  test(`${name}: is written`, () => {
    const plain = opened(vector)!;
    const out = written(datagram.length, ODD_PLACE, (buffer, at) => {
      writeDatagramHeader(typeOf(type), group, new WireBuffer(nonce), 0, buffer, at);
      assertEquals(write(type, plain, datagram.length, buffer), datagram.length);
      if (proof !== undefined) proveQuestion(PROVE, buffer, at, datagram.length);
      const question = asked === undefined ? undefined : new WireBuffer(asked);
      sealDatagram(KEYS[key], buffer, at, datagram.length, question);
    });
    assertEquals(hex(out), hex(datagram));
  });
}

for (const vector of wgsig2Refused) {
  test(`${vector.name}: means nothing`, () => {
    const plain = opened(vector);
    assertEquals(plain !== undefined, vector.opens);
    if (plain === undefined) return;
    assertEquals(read(vector.type, plain, vector.datagram.length), false);
  });
}

for (const { name, isEncrypted, request, datagram } of wgsig2Lookalikes) {
  test(`${name} looks like a question, doesn't open, and is one of the first protocol`, () => {
    const buffer = placed(datagram, ODD_PLACE);
    assertEquals(readDatagramType(buffer, at, datagram.length), DATAGRAM.question);
    assertEquals(readDatagramGroup(buffer, at), GROUP.group);
    assertEquals(openDatagram(KEYS.question, buffer, at, datagram.length), false);

    const plain = new WireBuffer(request.length);
    if (isEncrypted) {
      assertEquals(readEnvelopeGroup(buffer, at), GROUP.group);
      openEnvelope(envelopeKey(GROUP.secret, PORTABLE), buffer, at, plain.size, plain, 0);
    } else plain.bytes.set(buffer.bytes.subarray(at, at + plain.size));
    assertEquals(hex(plain.bytes), hex(request));
    assert(verifyRequest(new MacKey(GROUP.secret, PORTABLE), plain, 0));
    const read = newRequest();
    assert(decodeRequest(plain, 0, plain.size, read));
    assertEquals([read.group, hex(read.id.bytes)], [
      GROUP.group,
      hex(unhex(hex(request)).slice(0, 32)),
    ]);
  });
}

/**
 * Joining and the roster: what an independent implementation has made of docs/protocol-2.md is read,
 * and written the same; and what is written is read again.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { AeadKey } from "../../../lib/wire/crypto/aead_key.ts";
import { ExchangeKey } from "../../../lib/wire/crypto/exchange_key.ts";
import { MacKey } from "../../../lib/wire/crypto/mac.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import {
  DATAGRAM,
  DATAGRAM_PAYLOAD,
  type DatagramType,
  MAX_DATAGRAM_SIZE,
  openDatagram,
  readDatagramGroup,
  readDatagramType,
  sealDatagram,
  writeDatagramHeader,
} from "../../../lib/wire/wgsig2/datagram.ts";
import {
  decodeJoined,
  encodeJoin,
  encodeJoined,
  isJoin,
  JOIN_KEY,
  JOIN_SIZE,
  type Joined,
  MAX_JOIN_ADDRESSES,
  MAX_JOINED_SIZE,
  newJoined,
} from "../../../lib/wire/wgsig2/join.ts";
import { JoinKeys, TokenKeys } from "../../../lib/wire/wgsig2/join_keys.ts";
import { isName, type TunnelPrefix } from "../../../lib/wire/wgsig2/name.ts";
import { proveQuestion, verifyProof } from "../../../lib/wire/wgsig2/question.ts";
import {
  decodeRosterAnswer,
  decodeRosterQuestion,
  encodeRosterAnswer,
  encodeRosterQuestion,
  entrySize,
  MAX_ENTRY_SIZE,
  readEntry,
  ROSTER_QUESTION_SIZE,
  type RosterAnswer,
  type RosterQuestion,
  type WireEntry,
  writeRosterVersion,
} from "../../../lib/wire/wgsig2/roster.ts";
import { bytesOf, key32, nanoseconds, unixSeconds } from "../../support/arbitraries.ts";
import { assertNeeds, hex, ODD_PLACE, placed, written } from "../../support/bytes.ts";
import {
  joinPairs,
  rosterDatagrams,
  rosterKeys,
  rosterLowOrder,
  rosterProofs,
  rosterRefused,
  tokenVectors,
} from "../../support/roster_vectors.ts";
import { test } from "../../testing.ts";

const { at } = ODD_PLACE;
const TAG_SIZE = 16;
const KEYS = {
  token: new AeadKey(rosterKeys.token, PORTABLE),
  join: new AeadKey(rosterKeys.join, PORTABLE),
  question: new AeadKey(rosterKeys.question, PORTABLE),
  peer: new AeadKey(rosterKeys.peer, PORTABLE),
};

function proofKey(type: number): MacKey {
  return new MacKey(rosterProofs[type === DATAGRAM.join ? "join" : "question"], PORTABLE);
}

/** What a key makes of nothing. */
function tag(key: AeadKey): string {
  const out = new WireBuffer(TAG_SIZE);
  key.seal(new WireBuffer(24), 0, out, 0, 0, out, 0, 0);
  return hex(out.bytes);
}

function mac(key: MacKey): string {
  const out = new WireBuffer(32);
  key.compute(new WireBuffer(3), 0, 3, out, 0);
  return hex(out.bytes);
}

function newRosterQuestion(): RosterQuestion {
  return { id: new WireBuffer(32), from: 99, flags: 99 };
}

function newRosterAnswer(): RosterAnswer {
  return { version: 99, now: 99, flags: 99 };
}

function plainPrefix({ address, length }: TunnelPrefix) {
  return { address: hex(address), length };
}

function plainEntry({ key, isGone, name, via, prefixes }: WireEntry) {
  return {
    key: hex(key),
    isGone,
    name,
    via: via === undefined ? null : hex(via),
    prefixes: prefixes.map(plainPrefix),
  };
}

function plainJoined({ secret, name, addresses, ...rest }: Joined) {
  return {
    ...rest,
    secret: hex(secret.bytes),
    name: name ?? null,
    addresses: addresses.map(plainPrefix),
  };
}

/** The fields of an opened datagram, and how it is written; undefined where it means nothing. */
function read(type: number, buffer: WireBuffer, length: number): {
  readonly fields: unknown;
  readonly write: (out: WireBuffer, at: number) => number;
} | undefined {
  switch (type) {
    case DATAGRAM.join: {
      if (!isJoin(buffer, at, length)) return undefined;
      const key = new WireBuffer(buffer.bytes.slice(at + JOIN_KEY, at + JOIN_KEY + 32));
      return { fields: { key: hex(key.bytes) }, write: (out, at) => encodeJoin(key, out, at) };
    }
    case DATAGRAM.joined: {
      const joined = newJoined();
      if (!decodeJoined(buffer, at, length, joined)) return undefined;
      return { fields: plainJoined(joined), write: (out, at) => encodeJoined(joined, out, at) };
    }
    case DATAGRAM.rosterQuestion: {
      const question = newRosterQuestion();
      if (!decodeRosterQuestion(buffer, at, length, question)) return undefined;
      const fields = { ...question, id: hex(question.id.bytes) };
      return { fields, write: (out, at) => encodeRosterQuestion(question, out, at) };
    }
    default: {
      const answer = newRosterAnswer();
      const entries = decodeRosterAnswer(buffer, at, length, answer);
      if (entries === undefined) return undefined;
      return {
        fields: { ...answer, entries: entries.map(plainEntry) },
        write(out, at) {
          // It is written into a buffer that has room for the largest one.
          const room = new WireBuffer(at + MAX_DATAGRAM_SIZE);
          const { length, written } = encodeRosterAnswer(answer, entries, room, at);
          assertEquals(written, entries.length);
          out.bytes.set(
            room.bytes.subarray(at + DATAGRAM_PAYLOAD, at + length - TAG_SIZE),
            at + DATAGRAM_PAYLOAD,
          );
          return length;
        },
      };
    }
  }
}

function opened({ datagram, key, asked }: typeof rosterRefused[number]): WireBuffer | undefined {
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

test("what a token makes is that of the vectors", () => {
  for (const { token, server, join, tag: wanted } of tokenVectors) {
    const keys = new TokenKeys(token, server, PORTABLE);
    assertEquals([tag(keys.join), keys.tag], [tag(new AeadKey(join, PORTABLE)), wanted]);
  }
  assertEquals(tokenVectors.length, 5);
});

test("the keys of a join are those of the vectors, on both sides", () => {
  for (const pair of joinPairs) {
    const own = new ExchangeKey(pair.privateKey, PORTABLE);
    const server = new ExchangeKey(pair.serverPrivate, PORTABLE);
    for (
      const keys of [
        JoinKeys.agree(own, "peer", pair.serverPublic, pair.token, PORTABLE),
        JoinKeys.agree(server, "registry", pair.publicKey, pair.token, PORTABLE),
      ]
    ) {
      assert(keys !== undefined);
      assertEquals(mac(keys.prove), mac(new MacKey(pair.prove, PORTABLE)));
      assertEquals(tag(keys.answer), tag(new AeadKey(pair.answer, PORTABLE)));
    }
  }
  const { serverPrivate, token } = joinPairs[0]!;
  const own = new ExchangeKey(serverPrivate, PORTABLE);
  for (const point of rosterLowOrder) {
    assertEquals(JoinKeys.agree(own, "registry", point, token, PORTABLE), undefined);
  }
  for (const size of [15, 17]) {
    assertThrows(
      () => JoinKeys.agree(own, "registry", own.publicKey.bytes, new Uint8Array(size), PORTABLE),
      RangeError,
    );
    assertThrows(() => new TokenKeys(new Uint8Array(size), own.publicKey.bytes, PORTABLE));
  }
});

for (const vector of rosterDatagrams) {
  const { name, type, number, nonce, asked, key, datagram, proof } = vector;

  test(`${name}: is read`, () => {
    const buffer = placed(datagram, ODD_PLACE);
    assertEquals(readDatagramType(buffer, at, datagram.length), type);
    assertEquals(readDatagramGroup(buffer, at), number);
    const plain = opened(vector);
    assert(plain !== undefined);
    if (proof !== undefined) {
      assertEquals(verifyProof(proofKey(type), plain, at, datagram.length), proof);
    }
    assertEquals(read(type, plain, datagram.length)?.fields, vector.fields);
  });

  if (!vector.isCanonical || proof === false) continue;
  test(`${name}: is written`, () => {
    const { write } = read(type, opened(vector)!, datagram.length)!;
    const out = written(datagram.length, ODD_PLACE, (buffer, at) => {
      writeDatagramHeader(typeOf(type), number, new WireBuffer(nonce), 0, buffer, at);
      assertEquals(write(buffer, at), datagram.length);
      if (proof !== undefined) proveQuestion(proofKey(type), buffer, at, datagram.length);
      const question = asked === undefined ? undefined : new WireBuffer(asked);
      sealDatagram(KEYS[key], buffer, at, datagram.length, question);
    });
    assertEquals(hex(out), hex(datagram));
  });
}

for (const vector of rosterRefused) {
  test(`${vector.name}: means nothing`, () => {
    const plain = opened(vector);
    assert(plain !== undefined);
    assertEquals(read(vector.type, plain, vector.datagram.length), undefined);
  });
}

test("every flipped bit and every other length of a join, and of its answer, is noticed", () => {
  for (const name of ["a join", "who joined is told all it needs"]) {
    const vector = rosterDatagrams.find((each) => each.name === name)!;
    const { datagram } = vector;
    for (let i = 0; i < 8 * datagram.length; i += datagram.length > 300 ? 3 : 1) {
      const bytes = datagram.slice();
      bytes[i >> 3]! ^= 1 << (i & 7);
      assertEquals(opened({ ...vector, datagram: bytes }), undefined);
    }
    for (let size = 0; size < datagram.length; size += 5) {
      assertEquals(opened({ ...vector, datagram: datagram.slice(0, size) }), undefined);
    }
  }
});

const ipv4Prefix = fc.record({ address: bytesOf(4), length: fc.integer({ min: 0, max: 32 }) });
const ipv6Prefix = fc.record({ address: bytesOf(16), length: fc.integer({ min: 0, max: 128 }) });
const prefix: fc.Arbitrary<TunnelPrefix> = fc.oneof(ipv4Prefix, ipv6Prefix);
const name = fc.oneof(
  fc.array(fc.constantFrom(..."aB9.-_ßë携ж😀"), { minLength: 1, maxLength: 20 }).map((all) =>
    all.join("")
  ),
  fc.string({ minLength: 60, maxLength: 63 }),
).filter(isName);
const version = fc.maxSafeNat();
const entry: fc.Arbitrary<WireEntry> = fc.oneof(
  fc.record({
    key: key32,
    isGone: fc.constant(false),
    name,
    via: fc.option(key32, { nil: undefined }),
    prefixes: fc.array(prefix, { maxLength: 16 }),
  }),
  key32.map((key) => ({ key, isGone: true, name: "", via: undefined, prefixes: [] })),
);
const joined: fc.Arbitrary<Joined> = fc.record({
  result: fc.integer({ min: 0, max: 255 }),
  seconds: unixSeconds,
  nanoseconds,
  group: fc.integer({ min: 0, max: 0xffff_ffff }),
  secret: key32.map((bytes) => new WireBuffer(bytes)),
  name: fc.option(name, { nil: undefined }),
  addresses: fc.array(prefix, { maxLength: MAX_JOIN_ADDRESSES }),
});

test("what a registry says to a join is read as it was written, and never longer than a join", () => {
  fc.assert(fc.property(joined, (given) => {
    const buffer = new WireBuffer(at + JOIN_SIZE);
    const length = encodeJoined(given, buffer, at);
    const again = newJoined();
    assert(length <= JOIN_SIZE && decodeJoined(buffer, at, length, again));
    assertEquals(plainJoined(again), plainJoined(given));
  }));
  assert(MAX_JOINED_SIZE <= JOIN_SIZE);
});

test("entries are read as they were written; as many as fit are", () => {
  fc.assert(fc.property(fc.array(entry, { maxLength: 12 }), version, (entries, now) => {
    const buffer = new WireBuffer(at + MAX_DATAGRAM_SIZE);
    const head = { version: 0, now, flags: 1 };
    const { length, written } = encodeRosterAnswer(head, entries, buffer, at);
    writeRosterVersion(now, buffer, at);
    const answer = newRosterAnswer();
    const again = decodeRosterAnswer(buffer, at, length, answer);
    assertEquals(again?.map(plainEntry), entries.slice(0, written).map(plainEntry));
    assertEquals(answer, { version: now, now, flags: 1 });
    const next = entries[written];
    if (next !== undefined) assert(length + entrySize(next) > MAX_DATAGRAM_SIZE);
    for (const each of entries) assert(entrySize(each) <= MAX_ENTRY_SIZE);
  }));
});

test("bytes at random are read without a fault", () => {
  const any = fc.uint8Array({ minLength: 0, maxLength: 300 });
  fc.assert(fc.property(any, (bytes) => {
    const buffer = new WireBuffer(Uint8Array.from([...new Uint8Array(DATAGRAM_PAYLOAD), ...bytes]));
    const entries = decodeRosterAnswer(buffer, 0, buffer.size, newRosterAnswer());
    for (const each of entries ?? []) assert(each.isGone || isName(each.name));
    const told = newJoined();
    if (decodeJoined(buffer, 0, buffer.size, told)) {
      assert(told.name === undefined || isName(told.name));
    }
    const read = readEntry(buffer, 0, buffer.size);
    if (read !== undefined) assertEquals(read.next, entrySize(read.entry));
  }));
});

test("whatever is no name is none", () => {
  for (
    const text of [
      "",
      " a",
      "a ",
      "a\tb",
      "\u0085",
      "\u007f",
      "a".repeat(64),
      "ß".repeat(32),
      "\ud800",
    ]
  ) {
    assert(!isName(text), JSON.stringify(text));
  }
  for (const text of ["a", "a b", "Zoë", "a".repeat(63), "ß".repeat(31), "携帯"]) {
    assert(isName(text));
  }
});

test("codecs look at bounds, and at fields", () => {
  const key = new WireBuffer(32);
  assertNeeds(JOIN_SIZE, (buffer, at) => encodeJoin(key, buffer, at));
  assertNeeds(JOIN_SIZE, (buffer, at) => isJoin(buffer, at, JOIN_SIZE));
  assertNeeds(97, (buffer, at) => encodeJoined(newJoined(), buffer, at));
  assertNeeds(97, (buffer, at) => decodeJoined(buffer, at, 97, newJoined()));
  const question = { id: key, from: 1, flags: 0 };
  assertNeeds(ROSTER_QUESTION_SIZE, (buffer, at) => encodeRosterQuestion(question, buffer, at));
  assertNeeds(
    ROSTER_QUESTION_SIZE,
    (buffer, at) => decodeRosterQuestion(buffer, at, ROSTER_QUESTION_SIZE, newRosterQuestion()),
  );
  assertNeeds(
    MAX_DATAGRAM_SIZE,
    (buffer, at) => encodeRosterAnswer({ version: 0, now: 0, flags: 0 }, [], buffer, at),
  );
  const buffer = new WireBuffer(MAX_DATAGRAM_SIZE);
  const head = { version: 0, now: 0, flags: 0 };
  const good: WireEntry = {
    key: key.bytes,
    isGone: false,
    name: "a",
    via: undefined,
    prefixes: [],
  };
  const many = Array.from({ length: 17 }, () => ({ address: new Uint8Array(4), length: 1 }));
  for (
    const bad of [
      { ...good, key: new Uint8Array(31) },
      { ...good, via: new Uint8Array(33) },
      { ...good, name: "" },
      { ...good, name: "\n" },
      { ...good, isGone: true },
      { ...good, prefixes: many },
      { ...good, prefixes: [{ address: new Uint8Array(5), length: 1 }] },
      { ...good, prefixes: [{ address: new Uint8Array(4), length: 33 }] },
      { ...good, prefixes: [{ address: new Uint8Array(16), length: 1.5 }] },
    ]
  ) {
    assertThrows(() => encodeRosterAnswer(head, [bad], buffer, 0), RangeError);
  }
  assertThrows(() => encodeJoined({ ...newJoined(), addresses: many }, buffer, 0), RangeError);
  assertThrows(() => encodeJoined({ ...newJoined(), name: "" }, buffer, 0), RangeError);
  assertThrows(() => encodeJoined({ ...newJoined(), result: 256 }, buffer, 0), RangeError);
});

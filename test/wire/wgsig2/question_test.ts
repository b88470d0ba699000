import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { MacKey } from "../../../lib/wire/crypto/mac.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { DATAGRAM_PAYLOAD, writeDatagramHeader } from "../../../lib/wire/wgsig2/datagram.ts";
import {
  decodeQuestion,
  encodeQuestion,
  MAX_PREFIXES,
  newQuestion,
  proveQuestion,
  QUESTION_FLAG,
  verifyProof,
} from "../../../lib/wire/wgsig2/question.ts";
import { key32, place } from "../../support/arbitraries.ts";
import { assertNeeds, hex, ODD_PLACE, type Place, placed, written } from "../../support/bytes.ts";
import { nonce24, twinQuestion as question } from "../../support/wgsig2_arbitraries.ts";
import { libQuestion, plainQuestion } from "../../support/wgsig2_codecs.ts";
import {
  twinCandidate,
  twinHeader,
  type TwinOption,
  twinProof,
  type TwinQuestion,
  twinQuestion,
  twinQuestionOptions,
} from "../../support/wgsig2_twin.ts";
import { test } from "../../testing.ts";

const PROVED = QUESTION_FLAG.proved;
const TAG = new Array<number>(16).fill(0xaa);
const NONE: TwinQuestion = {
  id: new Array<number>(32).fill(1),
  seconds: 1_700_000_000,
  nanoseconds: 5,
  flags: 0,
  epoch: new Array<number>(8).fill(2),
  version: 3,
  wants: undefined,
  relayed: undefined,
  directs: undefined,
  candidates: [],
  cookie: undefined,
  key: undefined,
  ack: 0,
  roster: -1,
};

/** A whole datagram as it is when it was opened. */
function datagram(
  given: TwinQuestion,
  key: Uint8Array,
  nonce: Uint8Array = new Uint8Array(24),
  options: readonly TwinOption[] = twinQuestionOptions(given),
): Uint8Array {
  const header = twinHeader(1, 7, nonce);
  const payload = twinQuestion(given, options);
  const proof = (given.flags & PROVED) === 0 ? [] : twinProof(key, header, payload);
  return Uint8Array.from([...header, ...payload, ...proof, ...TAG]);
}

function decoded(bytes: Uint8Array, where: Place = ODD_PLACE): TwinQuestion | undefined {
  const question = newQuestion();
  // What is left of a former question must not matter.
  for (const list of [question.wants, question.relayed, question.directs]) {
    Object.assign(list, { isGiven: true, count: 9 });
  }
  for (const each of [question.cookie, question.key]) each.isGiven = true;
  Object.assign(question, { ack: 77 });
  question.candidates.count = 3;
  const is = decodeQuestion(placed(bytes, where), where.at, bytes.length, question);
  return is ? plainQuestion(question) : undefined;
}

test("a question is written and proved as its twin has it, at any offset", () => {
  fc.assert(fc.property(question, key32, nonce24, place, (given, secret, nonce, where) => {
    const wanted = datagram(given, secret, nonce);
    const key = new MacKey(secret, PORTABLE);
    const result = written(wanted.length, where, (buffer, at) => {
      writeDatagramHeader(1, 7, new WireBuffer(nonce), 0, buffer, at);
      const length = encodeQuestion(libQuestion(given), buffer, at);
      assertEquals(length, wanted.length);
      if ((given.flags & PROVED) !== 0) proveQuestion(key, buffer, at, length);
      buffer.bytes.fill(0xaa, at + length - 16, at + length);
    });
    assertEquals(hex(result), hex(wanted));
  }));
});

test("a question is read as its twin has written it, at any offset", () => {
  fc.assert(fc.property(question, key32, place, (given, secret, where) => {
    assertEquals(decoded(datagram(given, secret), where), given);
  }));
});

test("options are read in any order, between padding and options that are not known", () => {
  const other = fc.tuple(
    fc.integer({ min: 10, max: 255 }),
    fc.array(fc.nat(255), { maxLength: 30 }),
  );
  const between = fc.array(fc.oneof(other, fc.constant<[number, number[]]>([0, []])), {
    maxLength: 6,
  });
  fc.assert(fc.property(question, key32, between, fc.nat(), (given, secret, more, seed) => {
    // Lists keep their order; all else may stand anywhere.
    const parts = [...twinQuestionOptions(given)];
    more.forEach((each, i) => parts.splice((seed + 7 * i) % (parts.length + 1), 0, each));
    assertEquals(decoded(datagram(given, secret, undefined, parts)), given);
    const types = [...new Set(parts.map(([type]) => type))].reverse();
    const turned = types.flatMap((type) => parts.filter(([each]) => each === type));
    assertEquals(decoded(datagram(given, secret, undefined, turned)), given);
  }));
});

test("a proof is verified; one that was changed, or is another key's, is not", () => {
  const change = fc.integer({ min: 1, max: 255 });
  fc.assert(fc.property(question, key32, key32, fc.nat(), change, (given, one, two, i, change) => {
    const bytes = datagram({ ...given, flags: given.flags | PROVED }, one);
    const verify = (secret: Uint8Array) => {
      const buffer = placed(bytes, ODD_PLACE);
      return verifyProof(new MacKey(secret, PORTABLE), buffer, ODD_PLACE.at, bytes.length);
    };
    assertEquals([verify(one), verify(two)], [true, hex(one) === hex(two)]);
    const proofAt = bytes.length - TAG.length - 16;
    for (const at of [i % proofAt, proofAt + i % 16, proofAt + 15]) {
      bytes[at]! ^= change;
      assertEquals(verify(one), false);
      bytes[at]! ^= change;
    }
  }));
});

test("any bytes are a question or none, and nothing is thrown", () => {
  let read = 0;
  const bytes = fc.uint8Array({ minLength: 0, maxLength: 1300, size: "max" });
  const start = fc.uint8Array({ minLength: 94, maxLength: 94 });
  fc.assert(fc.property(start, bytes, (start, rest) => {
    const all = Uint8Array.from([...start, ...rest]);
    if (decoded(all) !== undefined) read++;
  }));
  fc.assert(fc.property(question, key32, fc.nat(), fc.nat(255), (given, secret, at, byte) => {
    const all = datagram(given, secret);
    all[DATAGRAM_PAYLOAD + at % (all.length - DATAGRAM_PAYLOAD)] = byte;
    if (decoded(all) !== undefined) read++;
    decoded(all.slice(0, at % all.length));
  }));
  assert(read > 0);
});

test("what is known and too short is passed over, what is longer is taken for its beginning", () => {
  const read = (...options: TwinOption[]) =>
    decoded(datagram(NONE, new Uint8Array(32), undefined, options));
  const long = (size: number) => Array.from({ length: size }, (_, i) => i + 1);
  for (const [type, size] of [[2, 16], [4, 8], [7, 4], [3, 7]] as const) {
    const value = type === 3 ? [0x24, ...long(8)] : long(size + 2);
    assertEquals(read([type, value.slice(0, size - 1)]), NONE, `${type}`);
    const [exact, longer] = [size, size + 2].map((each) => read([type, value.slice(0, each)]));
    assertEquals(exact, longer);
    assert(exact?.id !== undefined && JSON.stringify(exact) !== JSON.stringify(NONE), `${type}`);
  }
  assertEquals(read([1, long(17)])?.wants, [long(8), long(16).slice(8)]);
  assertEquals(read([1, []])?.wants, []);
  assertEquals(read([1, long(7)])?.wants, []);
  assertEquals(read([2, long(16)], [2, long(17).slice(1)])?.cookie, long(17).slice(1));
});

test("candidates that no question has are passed over, and so are those after the eighth", () => {
  const candidate = (kind: number, address = [10, 0, 0, kind]) => ({ kind, address, port: kind });
  const read = (...candidates: readonly (readonly number[])[]) => {
    const options = candidates.map((each): TwinOption => [3, each]);
    return decoded(datagram(NONE, new Uint8Array(32), undefined, options))?.candidates;
  };
  const kinds = Array.from({ length: 16 }, (_, kind) => twinCandidate(candidate(kind)));
  assertEquals(read(...kinds), [2, 3, 4].map((kind) => candidate(kind)));
  const lan = twinCandidate(candidate(2));
  assertEquals(read(...new Array<number[]>(11).fill(lan)), new Array(8).fill(candidate(2)));
  const mapped = [...new Uint8Array(10), 255, 255, 10, 0, 0, 1];
  assertEquals(read([0x25, ...lan.slice(1)], twinCandidate(candidate(2, mapped)), lan), [
    candidate(2),
  ]);
});

test("options that end in the middle of one are no question", () => {
  const bytes = datagram(NONE, new Uint8Array(32));
  const end = bytes.length - TAG.length;
  const changed = (...last: readonly number[]) => {
    const all = bytes.slice();
    all.set(last, end - last.length);
    return decoded(all);
  };
  assertEquals(changed(200, 1, 9), NONE);
  for (const last of [[200], [200, 1], [200, 2, 9], [1, 8, 1, 2, 3]]) {
    assertEquals(changed(...last), undefined, `${last}`);
  }
});

test("a version that is no safe number is none", () => {
  const bytes = datagram({ ...NONE, version: Number.MAX_SAFE_INTEGER }, new Uint8Array(32));
  assertEquals(decoded(bytes)?.version, Number.MAX_SAFE_INTEGER);
  bytes[DATAGRAM_PAYLOAD + 54 + 1] = 0x20;
  assertEquals(decoded(bytes)?.version, 0);
});

test("a question has 160 to 1232 bytes, and fields in their range", () => {
  const big = new WireBuffer(3000);
  const encode = (change: Partial<TwinQuestion>) =>
    encodeQuestion(libQuestion({ ...NONE, ...change }), big, 0);
  assertEquals([encode({}), encode({ flags: PROVED })], [160, 160]);
  const wants = (count: number) =>
    Array.from({ length: count }, () => new Array<number>(8).fill(3));
  assertEquals(encode({ wants: wants(MAX_PREFIXES - 2) }) <= 1232, true);
  assertThrows(() => encode({ wants: wants(MAX_PREFIXES) }), RangeError, "1232 at most");
  for (const flags of [-1, 0x1_0000]) assertThrows(() => encode({ flags }), RangeError, "flags");
  for (const version of [-1, 0.5, 2 ** 53]) {
    assertThrows(() => encode({ version }), RangeError, "a version");
  }
  assertThrows(() => encode({ ack: 2 ** 32 }), RangeError, "a push");
  assertThrows(() => encode({ seconds: NaN }), RangeError, "TAI64N");
  const full = libQuestion({ ...NONE, flags: PROVED, wants: wants(20) });
  const size = encodeQuestion(full, big, 0);
  assertNeeds(size, (buffer, at) => encodeQuestion(full, buffer, at));
  assertNeeds(160, (buffer, at) => encodeQuestion(libQuestion(NONE), buffer, at));
  const key = new MacKey(new Uint8Array(32), PORTABLE);
  assertNeeds(160, (buffer, at) => proveQuestion(key, buffer, at, 160));
  assertNeeds(160, (buffer, at) => verifyProof(key, buffer, at, 160));
  assertNeeds(160, (buffer, at) => decodeQuestion(buffer, at, 160, newQuestion()));
  for (const length of [0, 159, 1233]) {
    assertEquals(decodeQuestion(big, 0, length, newQuestion()), false);
    assertThrows(() => proveQuestion(key, big, 0, length), RangeError, "160 to 1232");
    assertThrows(() => verifyProof(key, big, 0, length), RangeError, "160 to 1232");
  }
});

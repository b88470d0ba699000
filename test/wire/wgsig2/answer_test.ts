import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import {
  type Answer,
  decodeAnswer,
  encodeAnswer,
  newAnswer,
  type RecordSpan,
  writeAnswerPart,
} from "../../../lib/wire/wgsig2/answer.ts";
import { DATAGRAM_PAYLOAD } from "../../../lib/wire/wgsig2/datagram.ts";
import {
  flagsOfNat,
  NAT,
  NAT_FLAGS,
  natOfFlags,
  PATH_FLAGS,
} from "../../../lib/wire/wgsig2/nat.ts";
import { decodePush, encodePush, newPush } from "../../../lib/wire/wgsig2/push.ts";
import { QUESTION_FLAG } from "../../../lib/wire/wgsig2/question.ts";
import {
  newPeerNews,
  readPeerNews,
  RECORD_FLAG,
  writePeerNews,
} from "../../../lib/wire/wgsig2/record.ts";
import { decodeRetry, encodeRetry, newRetry } from "../../../lib/wire/wgsig2/retry.ts";
import { place } from "../../support/arbitraries.ts";
import { assertNeeds, hex, ODD_PLACE, type Place, placed, written } from "../../support/bytes.ts";
import {
  twinAnswer as answer,
  twinPush as push,
  twinRetry as retry,
} from "../../support/wgsig2_arbitraries.ts";
import {
  libAnswer,
  libNews,
  libPush,
  libRetry,
  plainAnswer,
  plainPush,
  plainRecords,
  plainRetry,
} from "../../support/wgsig2_codecs.ts";
import {
  type TwinAnswer,
  twinAnswer,
  twinCandidate,
  type TwinNews,
  twinNews,
  type TwinPush,
  twinPush,
  type TwinRetry,
  twinRetry,
} from "../../support/wgsig2_twin.ts";
import { test } from "../../testing.ts";

const NONE: TwinAnswer = {
  seconds: 1_700_000_000,
  nanoseconds: 5,
  epoch: new Array<number>(8).fill(2),
  version: 3,
  part: 0,
  parts: 1,
  flags: 0,
  seen: { kind: 1, address: [192, 0, 2, 1], port: 51820 },
  cookie: undefined,
  serverKey: undefined,
  offers: 0,
  also: [],
  roster: -1,
  records: [],
};
const NEWS: TwinNews = { id: new Array<number>(32).fill(9), flags: 1, age: 4, candidates: [] };

/** A whole datagram as it is when it was opened. */
function opened(payload: readonly number[]): Uint8Array {
  return Uint8Array.from([...new Uint8Array(DATAGRAM_PAYLOAD), ...payload, ...new Uint8Array(16)]);
}

function decodedAnswer(payload: readonly number[], where: Place = ODD_PLACE) {
  const bytes = opened(payload);
  const buffer = placed(bytes, where);
  const read: Answer = { ...newAnswer(), offers: 9 };
  for (const each of [read.cookie, read.serverKey]) each.isGiven = true;
  read.also.count = 3;
  const records: RecordSpan = { at: 0, end: 0 };
  if (!decodeAnswer(buffer, where.at, bytes.length, read, records)) return undefined;
  return plainAnswer(read, plainRecords(buffer, records));
}

function decodedPush(payload: readonly number[], where: Place = ODD_PLACE) {
  const bytes = opened(payload);
  const buffer = placed(bytes, where);
  const read = newPush();
  const records: RecordSpan = { at: 0, end: 0 };
  if (!decodePush(buffer, where.at, bytes.length, read, records)) return undefined;
  return plainPush(read, plainRecords(buffer, records));
}

function decodedRetry(payload: readonly number[], where: Place = ODD_PLACE) {
  const bytes = opened(payload);
  const read = newRetry();
  for (const each of [read.cookie, read.serverKey]) each.isGiven = true;
  const is = decodeRetry(placed(bytes, where), where.at, bytes.length, read);
  return is ? plainRetry(read) : undefined;
}

/** What stands between the header and the tag, at any offset. */
function payload(size: number, where: Place, write: (buffer: WireBuffer, at: number) => void) {
  return written(DATAGRAM_PAYLOAD + size + 16, where, (buffer, at) => {
    buffer.bytes.fill(0, at, at + DATAGRAM_PAYLOAD);
    buffer.bytes.fill(0, at + DATAGRAM_PAYLOAD + size, at + DATAGRAM_PAYLOAD + size + 16);
    write(buffer, at);
  }).slice(DATAGRAM_PAYLOAD, -16);
}

test("an answer is written as its twin has it, at any offset", () => {
  fc.assert(fc.property(answer, place, (given, where) => {
    const wanted = Uint8Array.from(twinAnswer(given));
    const result = payload(wanted.length, where, (buffer, at) => {
      // How many parts there are is known when the last record was written.
      let next = encodeAnswer({ ...libAnswer(given), part: 0, parts: 1, flags: 0 }, buffer, at);
      for (const each of given.records) next = writePeerNews(libNews(each), buffer, next);
      writeAnswerPart(given, buffer, at);
      assertEquals(next, at + DATAGRAM_PAYLOAD + wanted.length);
    });
    assertEquals(hex(result), hex(wanted));
  }));
});

test("an answer is read as its twin has written it, at any offset", () => {
  fc.assert(fc.property(answer, place, (given, where) => {
    assertEquals(decodedAnswer(twinAnswer(given), where), given);
  }));
});

test("a push is written and read as its twin has it, at any offset", () => {
  fc.assert(fc.property(push, place, (given, where) => {
    const wanted = Uint8Array.from(twinPush(given));
    const result = payload(wanted.length, where, (buffer, at) => {
      let next = encodePush(libPush(given), buffer, at);
      for (const each of given.records) next = writePeerNews(libNews(each), buffer, next);
    });
    assertEquals(hex(result), hex(wanted));
    assertEquals(decodedPush([...wanted], where), given);
  }));
});

test("a retry is written and read as its twin has it, at any offset", () => {
  fc.assert(fc.property(retry, place, (given, where) => {
    const wanted = Uint8Array.from(twinRetry(given));
    const result = payload(wanted.length, where, (buffer, at) => {
      const length = encodeRetry(libRetry(given), buffer, at);
      assertEquals(length, DATAGRAM_PAYLOAD + wanted.length + 16);
      assert(length <= 113);
    });
    assertEquals(hex(result), hex(wanted));
    assertEquals(decodedRetry([...wanted], where), given);
  }));
});

test("any bytes are an answer, a push, a retry or none, and nothing is thrown", () => {
  let read = 0;
  const decode = (payload: readonly number[]) => {
    for (const each of [decodedAnswer, decodedPush, decodedRetry]) {
      if (each(payload) !== undefined) read++;
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 1300, size: "max" }), (bytes) => {
    decode([...bytes]);
  }));
  const nearly = fc.oneof(
    answer.map(twinAnswer),
    push.map(twinPush),
    retry.map(twinRetry),
  );
  fc.assert(fc.property(nearly, fc.nat(), fc.nat(255), (payload, at, byte) => {
    const changed = payload.slice();
    changed[at % changed.length] = byte;
    decode(changed);
    decode(payload.slice(0, at % payload.length));
  }));
  assert(read > 0);
});

test("an answer or a push with half a record is none", () => {
  const records = [NEWS, { ...NEWS, candidates: [{ ...NONE.seen, age: 1 }] }];
  const whole = twinAnswer({ ...NONE, records });
  const pushed = twinPush({ counter: 1, epoch: NONE.epoch, previous: 1, version: 2, records });
  const sizes = records.map((each) => twinNews(each).length);
  for (let cut = 0; cut <= sizes[0]! + sizes[1]!; cut++) {
    const isWhole = [0, sizes[1]!, sizes[0]! + sizes[1]!].includes(cut);
    assertEquals(decodedAnswer(whole.slice(0, whole.length - cut)) !== undefined, isWhole);
    assertEquals(decodedPush(pushed.slice(0, pushed.length - cut)) !== undefined, isWhole);
  }
});

test("what can't be told of a peer is passed over, and the records after it are read", () => {
  const aged = (kind: number, address = [10, 0, 0, kind]) => ({ kind, address, port: 1, age: 2 });
  const read = (...candidates: readonly (readonly number[])[]) => {
    const all = candidates.flat();
    const record = [...twinNews(NEWS).slice(0, -1), all.length, ...all];
    const found = decodedAnswer([...twinAnswer(NONE), ...record, ...twinNews(NEWS)])?.records;
    assertEquals(found?.[1], NEWS);
    return found?.[0]?.candidates;
  };
  const kinds = Array.from({ length: 16 }, (_, kind) => twinCandidate(aged(kind)));
  assertEquals(read(...kinds), [1, 2, 3, 4, 5].map((kind) => aged(kind)));
  const lan = twinCandidate(aged(2));
  assertEquals(read(...new Array<number[]>(11).fill(lan)), new Array(8).fill(aged(2)));
  const mapped = [...new Uint8Array(10), 255, 255, 10, 0, 0, 1];
  assertEquals(read(twinCandidate(aged(2, mapped)), lan), [aged(2)]);
  // Of another family it isn't known where they end.
  assertEquals(read(lan, [0x25, 1, 2, 3], lan), [aged(2)]);
  assertEquals(read(lan, lan.slice(0, -1)), [aged(2)]);
});

test("options of answers and retries that are not known are passed over", () => {
  const options = [0, 99, 2, 1, 1, 0, 6, 2, 5, 7, 2, 3, 1, 1, 1];
  const bytes = twinAnswer(NONE);
  bytes[34] = options.length;
  assertEquals(decodedAnswer([...bytes, ...options]), { ...NONE, offers: 5 });
  const last: TwinRetry = {
    ...{ seconds: 1, nanoseconds: 2, reason: 200 },
    ...{ cookie: undefined, serverKey: undefined },
  };
  assertEquals(decodedRetry([...twinRetry(last), ...options]), last);
  assertEquals(decodedRetry([...twinRetry(last), 99, 1]), undefined);
  bytes[34] = 1;
  assertEquals(decodedAnswer([...bytes, 99]), undefined);
  assertEquals(decodedAnswer([...bytes]), undefined);
});

test("of other ports, the first four of the last option that are any are taken", () => {
  const read = (...options: readonly number[]) => {
    const bytes = twinAnswer(NONE);
    bytes[34] = options.length;
    return decodedAnswer([...bytes, ...options])?.also;
  };
  assertEquals(read(10, 0), []);
  assertEquals(read(10, 1, 9), []);
  assertEquals(read(10, 3, 0, 1, 2), [1]);
  assertEquals(read(10, 12, 0, 0, 0, 1, 255, 255, 0, 3, 0, 4, 0, 5), [1, 65535, 3, 4]);
  assertEquals(read(10, 4, 0, 1, 0, 2, 10, 2, 0, 3), [3]);
});

test("the flags of questions and records have room for what a NAT does", () => {
  const kinds = Object.values(NAT);
  for (const other of [0, 0xffcf]) {
    assertEquals(kinds.map((nat) => natOfFlags(other | flagsOfNat(nat))), kinds);
  }
  const known = [...Object.values(QUESTION_FLAG), ...Object.values(RECORD_FLAG)];
  assertEquals(kinds.map(flagsOfNat), [0, 0x10, 0x20, 0x30]);
  assertEquals(known.filter((flag) => (flag & NAT_FLAGS) !== 0), []);
  // A registry takes them from the one over into the other.
  for (const { probes } of [QUESTION_FLAG, RECORD_FLAG]) {
    assertEquals(probes | NAT_FLAGS, PATH_FLAGS);
  }
});

test("an answer that makes no sense is none", () => {
  const change = (fields: Partial<TwinAnswer>, at: number, ...bytes: readonly number[]) => {
    const all = twinAnswer({ ...NONE, ...fields });
    all.splice(at, bytes.length, ...bytes);
    return decodedAnswer(all);
  };
  assertEquals(change({}, 0), NONE);
  assertEquals(change({}, 0, 0x80), undefined, "a time that is none");
  assertEquals(change({}, 20, 0, 0x20), undefined, "a version that is no safe number");
  assertEquals(change({}, 28, 0, 1), undefined, "part 1 of 1");
  assertEquals(change({}, 30, 0, 0), undefined, "no part");
  assertEquals(change({}, 35, 0x24), undefined, "another kind of candidate");
  assertEquals(change({}, 35, 0x15), undefined, "another family");
  const one: TwinPush = { counter: 1, epoch: NONE.epoch, previous: 1, version: 2, records: [] };
  for (const at of [12, 20]) {
    const bytes = twinPush(one);
    bytes[at + 1] = 0x20;
    assertEquals(decodedPush(bytes), undefined);
  }
});

test("answers, pushes, retries and records must lie inside their buffers", () => {
  const encoded = libAnswer({ ...NONE, cookie: new Array<number>(16).fill(1), offers: 1 });
  const big = new WireBuffer(2000);
  const size = encodeAnswer(encoded, big, 0);
  assertNeeds(size, (buffer, at) => encodeAnswer(encoded, buffer, at));
  const span: RecordSpan = { at: 0, end: 0 };
  assertNeeds(200, (buffer, at) => decodeAnswer(buffer, at, 200, newAnswer(), span));
  assertNeeds(60, (buffer, at) => encodePush(newPush(), buffer, at));
  assertNeeds(200, (buffer, at) => decodePush(buffer, at, 200, newPush(), span));
  assertNeeds(61, (buffer, at) => encodeRetry(newRetry(), buffer, at));
  assertNeeds(200, (buffer, at) => decodeRetry(buffer, at, 200, newRetry()));
  assertNeeds(38, (buffer, at) => writePeerNews(newPeerNews(), buffer, at));
  const size39 = placed(Uint8Array.from([...twinNews(NEWS).slice(0, -1), 1, 0]), ODD_PLACE);
  const ends = [37, 38, 39].map((end) =>
    readPeerNews(size39, ODD_PLACE.at, ODD_PLACE.at + end, newPeerNews())
  );
  assertEquals(ends, [-1, -1, ODD_PLACE.at + 39]);
  for (const length of [0, 60, 1233]) {
    assertEquals(decodeAnswer(big, 0, length, newAnswer(), span), false);
    assertEquals(decodeRetry(big, 0, length, newRetry()), false);
  }
});

test("what doesn't fit into its field is not written", () => {
  const big = new WireBuffer(2000);
  const encode = (change: Partial<TwinAnswer>) =>
    encodeAnswer(libAnswer({ ...NONE, ...change }), big, 0);
  assertThrows(() => encode({ version: 2 ** 53 }), RangeError, "a version");
  assertThrows(() => encode({ part: 1 }), RangeError, "part 1 of 1");
  assertThrows(() => encode({ parts: 2 ** 16 }), RangeError, "parts");
  assertThrows(() => encode({ flags: 256 }), RangeError, "flags");
  assertThrows(() => encode({ offers: 256 }), RangeError, "offers");
  for (const kind of [0, 16]) {
    assertThrows(() => encode({ seen: { ...NONE.seen, kind } }), RangeError, "its kind");
  }
  assertThrows(() => encode({ seen: { ...NONE.seen, port: 2 ** 16 } }), RangeError, "a UDP port");
  const write = (change: Partial<TwinNews>) =>
    writePeerNews(libNews({ ...NEWS, ...change }), big, 0);
  assertThrows(() => write({ age: -1 }), RangeError, "an age");
  assertThrows(() => write({ flags: 256 }), RangeError, "flags");
  const old = { ...NONE.seen, age: 2 ** 32 };
  assertThrows(() => write({ candidates: [old] }), RangeError, "an age");
  assertThrows(() => encodePush({ ...newPush(), counter: 2 ** 32 }, big, 0), RangeError, "a push");
  assertThrows(() => encodeRetry({ ...newRetry(), reason: 256 }, big, 0), RangeError, "a reason");
});

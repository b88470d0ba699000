import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { encodeName, MAX_POINTERS, readName } from "../../../lib/wire/dns/name.ts";
import {
  checkMessage,
  signMessage,
  TSIG_FUDGE,
  tsigErrorSize,
  TsigKey,
  tsigSize,
  writeServerTime,
  writeTsigError,
} from "../../../lib/wire/dns/tsig.ts";
import {
  isInTime,
  newTsigFields,
  readServerTime,
  readTsig,
  SERVER_TIME_SIZE,
  TSIG_ERROR,
  type TsigFields,
} from "../../../lib/wire/dns/tsig_record.ts";
import { bytesOf, place, uint16, unixSeconds } from "../../support/arbitraries.ts";
import { assertNeeds, hex, ODD_PLACE, type Place, placed, written } from "../../support/bytes.ts";
import { headerBytes, nameBytes, optBytes, queryBytes, questionBytes } from "../../support/dns.ts";
import { tsigKey, tsigMessages } from "../../support/tsig_vectors.ts";
import { test } from "../../testing.ts";

const NOW = 1_700_000_000;
const KEY = tsigKey("ops.example.com");
const QUESTION = queryBytes("wg.example.com", "SOA", { edns: { size: 1232 } });

/** What is read of a message, and whether its MAC is right. Nothing behind it may be looked at. */
function read(
  bytes: Uint8Array,
  key: TsigKey,
  requestMac?: Uint8Array,
  where: Place = { ...ODD_PLACE, tail: 0 },
): { status: string; tsig: TsigFields; isRight: boolean } {
  const tsig = newTsigFields();
  const buffer = placed(bytes, where);
  const status = readTsig(buffer, where.at, bytes.length, tsig);
  const isRight = status === "tsig" && key.isNamedIn(tsig) &&
    checkMessage(key, buffer, where.at, bytes.length, tsig, requestMac);
  return { status, tsig, isRight };
}

function signed(
  message: Uint8Array,
  { key = KEY, time = NOW, fudge = TSIG_FUDGE, requestMac, error = 0, other = new Uint8Array(0) }: {
    key?: TsigKey;
    time?: number;
    fudge?: number;
    requestMac?: Uint8Array | undefined;
    error?: number;
    other?: Uint8Array;
  } = {},
): Uint8Array<ArrayBuffer> {
  const size = message.length + tsigSize(key, other.length);
  return Uint8Array.from(written(size, ODD_PLACE, (buffer, at) => {
    buffer.bytes.set(message, at);
    const { length } = message;
    const end = signMessage(key, buffer, at, length, time, fudge, requestMac, error, other);
    assertEquals(end, size);
  }));
}

/** The message as it was before it was signed. */
function unsigned(
  { message, originalId }: { message: Uint8Array; originalId: number },
): Uint8Array {
  const tsig = newTsigFields();
  assertEquals(readTsig(new WireBuffer(message), 0, message.length, tsig), "tsig");
  const before = message.slice(0, tsig.at);
  const { view } = new WireBuffer(before);
  view.setUint16(0, originalId);
  view.setUint16(10, view.getUint16(10) - 1);
  return before;
}

test("what other programs have signed is read, and is right with their key alone", () => {
  const other = tsigKey("wg.example.com", new Uint8Array(32));
  for (const each of tsigMessages) {
    const { status, tsig, isRight } = read(each.message, each.key, each.requestMac);
    assertEquals([status, isRight], ["tsig", true], each.name);
    assertEquals(tsig.name.bytes.slice(0, tsig.nameSize), each.key.name);
    assertEquals([tsig.time, tsig.fudge], [each.time, each.fudge]);
    assertEquals([tsig.originalId, tsig.error], [each.originalId, each.error]);
    assertEquals([tsig.macSize, hex(tsig.mac)], [32, hex(each.mac)]);
    assertEquals(tsig.otherSize, each.other.length);
    const without = each.requestMac === undefined ? new Uint8Array(32) : undefined;
    assert(!read(each.message, each.key, without).isRight, "the question's MAC is of no effect");
    const buffer = new WireBuffer(each.message);
    const { length } = each.message;
    assert(!checkMessage(other, buffer, 0, length, unplaced(each.message), each.requestMac));
  }
});

function unplaced(message: Uint8Array): TsigFields {
  const tsig = newTsigFields();
  readTsig(new WireBuffer(message), 0, message.length, tsig);
  return tsig;
}

test("signed here, a message has the MAC that other programs have given it", () => {
  for (const each of tsigMessages) {
    const made = signed(unsigned(each), each);
    const tsig = unplaced(made);
    assertEquals([hex(tsig.mac), tsig.time, tsig.fudge], [hex(each.mac), each.time, each.fudge]);
    assertEquals(hex(made.slice(tsig.otherAt)), hex(each.other));
    assert(read(made, each.key, each.requestMac).isRight);
  }
});

test("whatever is signed is right, at every place, until a bit of it is another", () => {
  const name = fc.constantFrom("a", "k.example", `${"x".repeat(63)}.${"y".repeat(63)}.example`);
  const secret = fc.uint8Array({ minLength: 16, maxLength: 64 });
  fc.assert(fc.property(
    fc.record({ name, secret, time: unixSeconds, fudge: uint16, error: uint16 }),
    fc.uint8Array({ maxLength: 20 }),
    fc.option(bytesOf(32), { nil: undefined }),
    place,
    fc.nat(),
    ({ name, secret, time, fudge, error }, other, requestMac, where, flip) => {
      const key = new TsigKey(encodeName(name), secret, PORTABLE);
      const seconds = time % 2 ** 48;
      const made = signed(QUESTION, { key, time: seconds, fudge, requestMac, error, other });
      const { tsig, isRight } = read(made, key, requestMac, where);
      assert(isRight);
      assertEquals([tsig.time, tsig.fudge, tsig.error], [seconds, fudge, error]);
      const bit = 16 + flip % (8 * made.length - 16);
      made[bit >> 3]! ^= 1 << (bit & 7);
      assert(!read(made, key, requestMac).isRight || isCase(bit, made, unplaced(made)));
    },
  ));
});

/** Whether that bit is the case of a letter in one of the names, which the MAC has in lower case. */
function isCase(bit: number, { length }: Uint8Array, tsig: TsigFields): boolean {
  const at = bit >> 3;
  const isInName = (at > tsig.at && at < tsig.at + tsig.nameSize) ||
    (at > tsig.algorithmAt && at < tsig.algorithmAt + tsig.algorithmSize);
  return at < length && (bit & 7) === 5 && isInName;
}

test("no bit of a signed question can be flipped but the ID's, and the case of the key's name", () => {
  // Of each program one question, and an answer.
  const isTried =
    /^(?:what dig|what kdig|what nsupdate|a question with an OPT|an answer that says)/;
  for (const each of tsigMessages.filter(({ name }) => isTried.test(name))) {
    const right = unplaced(each.message);
    const nameEnd = right.algorithmAt - 10;
    for (let bit = 0; bit < 8 * each.message.length; bit++) {
      const flipped = each.message.slice();
      const at = bit >> 3;
      flipped[at]! ^= 1 << (bit & 7);
      const isId = at < 2;
      const isOwner = at > right.at && at < nameEnd;
      const isAlgorithm = at > right.algorithmAt &&
        at < right.algorithmAt + right.algorithmSize;
      const mayBe = isId || ((isOwner || isAlgorithm) && (bit & 7) === 5);
      const { isRight } = read(flipped, each.key, each.requestMac);
      assert(!isRight || mayBe, `${each.name}: bit ${bit}`);
      if (isId) assert(isRight, "the original ID counts, not what a forwarder made of it");
    }
  }
});

test("a message that is cut off, or goes on, is never right", () => {
  for (const each of tsigMessages) {
    if (each.message.length > 500) continue;
    for (let size = 0; size < each.message.length; size++) {
      const { status } = read(each.message.slice(0, size), each.key, each.requestMac);
      assertEquals(status, "formerr", `${each.name}: ${size} bytes`);
    }
    assertEquals(read(Uint8Array.from([...each.message, 0]), each.key).status, "formerr");
  }
});

test("random bytes are read without an error, and are never right", () => {
  const counts = fc.tuple(fc.nat(2), fc.nat(2), fc.nat(2), fc.nat(3));
  fc.assert(fc.property(counts, fc.uint8Array({ maxLength: 200 }), (each, bytes) => {
    const message = Uint8Array.from([...headerBytes(1, 0, each), ...bytes]);
    assert(!read(message, KEY).isRight);
  }));
  const spoiled = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 });
  fc.assert(fc.property(spoiled, (changes) => {
    const message = signed(QUESTION);
    for (const [at, byte] of changes) message[at % message.length] = byte;
    const { status, tsig, isRight } = read(message, KEY);
    if (!isRight) return;
    assertEquals(status, "tsig");
    assert(tsig.originalId === 0x1234 && tsig.time === NOW && tsig.fudge === TSIG_FUDGE);
  }));
});

const TSIG_DATA = [
  ...nameBytes("hmac-sha256"),
  0,
  0,
  1,
  2,
  3,
  4,
  1,
  44,
  0,
  0,
  0x12,
  0x34,
  0,
  0,
  0,
  0,
];

function tsigBytes(
  { owner = nameBytes("k"), type = 250, klass = 255, ttl = [0, 0, 0, 0], data = TSIG_DATA }: {
    owner?: number[];
    type?: number;
    klass?: number;
    ttl?: number[];
    data?: number[];
  } = {},
): number[] {
  return [...owner, 0, type, 0, klass, ...ttl, data.length >> 8, data.length & 255, ...data];
}

function statusOf(records: number[][], additional = records.length): string {
  const counts = [1, 0, records.length - additional, additional] as const;
  return read(
    Uint8Array.from([
      ...headerBytes(1, 0, counts),
      ...questionBytes("a.example", 1),
      ...records.flat(),
    ]),
    KEY,
  ).status;
}

test("a TSIG is the last record of Additional, the only one, of class ANY and TTL 0", () => {
  assertEquals(statusOf([]), "none");
  assertEquals(statusOf([optBytes({})]), "none");
  assertEquals(statusOf([tsigBytes()]), "tsig");
  assertEquals(statusOf([optBytes({}), tsigBytes()]), "tsig");
  assertEquals(statusOf([tsigBytes(), optBytes({})]), "formerr");
  assertEquals(statusOf([tsigBytes(), tsigBytes()]), "formerr");
  assertEquals(statusOf([tsigBytes()], 0), "formerr");
  assertEquals(statusOf([tsigBytes({ klass: 1 })]), "formerr");
  assertEquals(statusOf([tsigBytes({ ttl: [0, 0, 0, 1] })]), "formerr");
  assertEquals(statusOf([tsigBytes({ data: TSIG_DATA.slice(1) })]), "formerr");
  assertEquals(statusOf([tsigBytes({ data: [...TSIG_DATA, 0] })]), "formerr");
  assertEquals(statusOf([tsigBytes({ data: [0xc0, 12, ...TSIG_DATA.slice(13)] })]), "formerr");
  assertEquals(statusOf([tsigBytes({ owner: [0xc0, 12] })]), "tsig");
});

test("the owner may be compressed, with pointers that lead back", () => {
  const message = (owner: number[]) =>
    Uint8Array.from([
      ...headerBytes(1, 0, [1, 0, 0, 1]),
      ...questionBytes("A.eXample", 1),
      ...tsigBytes({ owner }),
    ]);
  for (
    const [owner, name] of [[[0xc0, 12], "a.example"], [
      [3, 79, 112, 83, 0xc0, 14],
      "ops.example",
    ]] as const
  ) {
    const { status, tsig } = read(message([...owner]), KEY);
    assertEquals(status, "tsig");
    assertEquals([...tsig.name.bytes.slice(0, tsig.nameSize)], nameBytes(name));
  }
  // To itself, forwards, into the header, to no name.
  for (
    const owner of [[0xc0, 27], [0xc0, 28], [0xc0, 99], [0xc0, 2], [0xc0, 15], [0x80, 12], [
      0xff,
      255,
    ]]
  ) {
    assertEquals(read(message(owner), KEY).status, "formerr", `${owner}`);
  }
});

test("a chain of pointers ends", () => {
  const chain = (pointers: number) => {
    const bytes = [...headerBytes(1, 0, [0, 0, 0, 0]), 1, 97, 0];
    for (let i = 0; i < pointers; i++) bytes.push(0xc0, i === 0 ? 12 : 13 + 2 * i);
    const buffer = new WireBuffer(Uint8Array.from(bytes));
    return readName(buffer, 0, bytes.length - 2, bytes.length, new WireBuffer(255));
  };
  assertEquals([chain(1), chain(MAX_POINTERS), chain(MAX_POINTERS + 1)], [3, 3, -1]);
});

test("a name that is read is in lower case and has 255 bytes at most", () => {
  const label = [63, ...new Array<number>(63).fill(65)];
  const into = new WireBuffer(255);
  const size = (bytes: number[]) =>
    readName(new WireBuffer(Uint8Array.from(bytes)), 0, 0, bytes.length, into);
  assertEquals(size([...label, ...label, ...label, 61, ...label.slice(3), 0]), 255);
  assertEquals(into.bytes[1], 97);
  assertEquals(size([...label, ...label, ...label, 62, ...label.slice(2), 0]), -1);
  assertEquals(size([...label, ...label, ...label, ...label, 0]), -1);
  assertEquals(size([3, 65, 66]), -1);
  assertEquals(size([]), -1);
});

test("a MAC that is cut short is compared as far as it goes, and none is never right", () => {
  const whole = signed(QUESTION);
  const { macAt, at } = unplaced(whole);
  const cut = (size: number, byte = 0): Uint8Array => {
    const message = Uint8Array.from([
      ...whole.slice(0, macAt + Math.min(size, 32)),
      ...new Array<number>(Math.max(0, size - 32)).fill(0),
      ...whole.slice(macAt + 32),
    ]);
    const { view } = new WireBuffer(message);
    view.setUint16(macAt - 2, size);
    view.setUint16(at + KEY.name.length + 8, view.getUint16(at + KEY.name.length + 8) - 32 + size);
    message[macAt + 3]! ^= byte;
    return message;
  };
  for (
    const [size, wanted] of [[0, false], [10, true], [16, true], [31, true], [32, true], [
      33,
      false,
    ]] as const
  ) {
    const { status, tsig, isRight } = read(cut(size), KEY);
    assertEquals([status, tsig.macSize, isRight], ["tsig", size, wanted]);
    assert(size < 4 || !read(cut(size, 1), KEY).isRight);
  }
});

test("another algorithm, or another name, is not the key's", () => {
  assert(!read(signed(QUESTION), tsigKey("ops.example.org")).isRight);
  assert(!read(signed(QUESTION), tsigKey("example.com")).isRight);
  const message = signed(QUESTION);
  const { algorithmAt } = unplaced(message);
  message[algorithmAt + 11] = 55;
  const { status, tsig } = read(message, KEY);
  assertEquals([status, tsig.isSha256, KEY.isNamedIn(tsig)], ["tsig", false, false]);
});

test("the time may differ by the fudge in both directions", () => {
  const { tsig } = read(signed(QUESTION, { fudge: 5 }), KEY);
  const differences = [-6, -5, 0, 0.9, 5, 5.9, 6];
  assertEquals(
    differences.map((seconds) => isInTime(tsig, NOW + seconds)),
    [false, true, true, true, true, true, false],
  );
});

test("an answer that can't be signed has the question's names, the error, and no MAC", () => {
  const question = signed(QUESTION, { key: tsigKey("Unknown.example") });
  const { algorithmAt } = unplaced(question);
  question[algorithmAt + 11] = 55;
  const from = new WireBuffer(question);
  const tsig = unplaced(question);
  const answer = queryBytes("wg.example.com", "SOA", { flags: 0x8009 });
  const made = written(answer.length + tsigErrorSize(tsig), ODD_PLACE, (buffer, at) => {
    buffer.bytes.set(answer, at);
    writeTsigError(tsig, from, buffer, at, answer.length, NOW, TSIG_ERROR.badkey);
  });
  const { status, tsig: read_, isRight } = read(made, KEY);
  assertEquals([status, read_.error, read_.macSize, read_.time, isRight], [
    "tsig",
    17,
    0,
    NOW,
    false,
  ]);
  assertEquals(read_.originalId, 0x1234);
  assertEquals(read_.name.bytes.slice(0, read_.nameSize), encodeName("unknown.example"));
  assertEquals(
    hex(made.slice(read_.algorithmAt - 5, read_.algorithmAt + read_.algorithmSize - 5)),
    hex(question.slice(algorithmAt, algorithmAt + tsig.algorithmSize)),
  );
});

test("a server's time is read where it says BADTIME", () => {
  const other = new Uint8Array(SERVER_TIME_SIZE);
  for (const time of [0, NOW, 2 ** 32 + 5, 2 ** 48 - 1]) {
    writeServerTime(time + 0.5, other);
    const made = signed(QUESTION, { error: TSIG_ERROR.badtime, other });
    assertEquals(readServerTime(new WireBuffer(made), unplaced(made)), time);
  }
  const notBad = signed(QUESTION, { other });
  assertEquals(readServerTime(new WireBuffer(notBad), unplaced(notBad)), undefined);
  const short = signed(QUESTION, { error: TSIG_ERROR.badtime, other: other.slice(1) });
  assertEquals(readServerTime(new WireBuffer(short), unplaced(short)), undefined);
});

test("a secret has 16 to 64 bytes, and is not kept", () => {
  for (const size of [0, 15, 65]) {
    assertThrows(() => tsigKey("k", new Uint8Array(size)), RangeError);
  }
  const secret = new Uint8Array(16).fill(7);
  const key = tsigKey("k", secret);
  const before = signed(QUESTION, { key });
  secret.fill(0);
  assertEquals(signed(QUESTION, { key }), before);
});

test("what lies outside of its buffer is refused", () => {
  const size = QUESTION.length + tsigSize(KEY);
  const sign = (buffer: WireBuffer, at: number) =>
    signMessage(KEY, buffer, at, QUESTION.length, NOW, TSIG_FUDGE);
  assertNeeds(size, sign);
  const made = signed(QUESTION);
  assertNeeds(made.length, (buffer, at) => readTsig(buffer, at, made.length, newTsigFields()));
  assertThrows(() => checkMessage(KEY, new WireBuffer(made), 0, 20, unplaced(made)), RangeError);
});

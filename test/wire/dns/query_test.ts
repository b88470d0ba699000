import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type DnsQuery, newDnsQuery, parseQuery } from "../../../lib/wire/dns/query.ts";
import { place } from "../../support/arbitraries.ts";
import { assertNeeds, ODD_PLACE, placed } from "../../support/bytes.ts";
import {
  headerBytes,
  nameBytes,
  optBytes,
  queryBytes,
  questionBytes,
  recordBytes,
} from "../../support/dns.ts";
import { test } from "../../testing.ts";

function parsed(bytes: ArrayLike<number>): { status: string; query: DnsQuery } {
  const query = newDnsQuery();
  const message = Uint8Array.from(bytes);
  const status = parseQuery(placed(message, ODD_PLACE), ODD_PLACE.at, message.length, query);
  // Nothing behind the message is looked at, or it would throw here.
  const tight = newDnsQuery();
  assertEquals(parseQuery(placed(message, TIGHT), TIGHT.at, message.length, tight), status);
  assertEquals({ ...tight, nameAt: 0 }, { ...query, nameAt: 0 });
  return { status, query };
}

function statusOf(bytes: ArrayLike<number>): string {
  return parsed(bytes).status;
}

const TIGHT = { ...ODD_PLACE, tail: 0 };
const QUESTION = questionBytes("a.bc", 1);
const LONG_LABEL = "x".repeat(63);
/** A name of 255 bytes. */
const LONGEST = [LONG_LABEL, LONG_LABEL, LONG_LABEL, "y".repeat(61)].join(".");

test("a query is read as it is, its name with the labels' places", () => {
  const { status, query } = parsed(queryBytes("Ab.c", 33, { id: 0xfedc, flags: 0x0110 }));
  assertEquals(status, "query");
  assertEquals([query.id, query.flags, query.type, query.class], [0xfedc, 0x0110, 33, 1]);
  assertEquals([query.nameAt, query.nameSize, query.labels], [ODD_PLACE.at + 12, 6, 2]);
  assertEquals([...query.labelAt.subarray(0, 3)], [0, 3, 5]);
  assertEquals(query.questionSize, 10);
  assert(!query.hasOpt);
});

test("the root is a name without labels", () => {
  const { status, query } = parsed(queryBytes(".", 2));
  assertEquals([status, query.nameSize, query.labels, query.labelAt[0]], ["query", 1, 0, 0]);
});

test("an OPT is read wherever it is in Additional", () => {
  const edns = { size: 4096, dnssecOk: true, data: [0, 3, 0, 0, 0, 10, 0, 2, 1, 2] };
  const other = recordBytes("key", 249, [1, 2, 3]);
  for (const records of [[optBytes(edns), other], [other, optBytes(edns)]]) {
    const { status, query } = parsed([
      ...headerBytes(1, 0, [1, 0, 0, 2]),
      ...QUESTION,
      ...records.flat(),
    ]);
    assertEquals([status, query.hasOpt], ["query", true]);
    assertEquals([query.udpSize, query.version, query.dnssecOk], [4096, 0, true]);
  }
});

test("a TSIG is noted where it ends the message, and is nowhere else", () => {
  const tsig = recordBytes("key", 250, [1, 2, 3]);
  const other = recordBytes("x", 249, []);
  const read = (records: number[][], flags = 0, before = 0, behind: number[] = []) => {
    const counts = [1, 0, before, records.length - before] as const;
    const bytes = [...headerBytes(1, flags, counts), ...QUESTION, ...records.flat(), ...behind];
    const { status, query: { tsigAt } } = parsed(bytes);
    return [status, tsigAt < 0 ? tsigAt : bytes.length - (tsigAt - ODD_PLACE.at)];
  };
  assertEquals(read([]), ["query", -1]);
  for (const records of [[tsig], [other, tsig], [optBytes({}), other, tsig]]) {
    assertEquals(read(records), ["query", tsig.length]);
    assertEquals(read(records, 0x2800), ["notimp", tsig.length]);
  }
  assertEquals(read([other, tsig], 0, 1), ["query", tsig.length]);
  assertEquals(read([optBytes({ version: 1 }), tsig]), ["badvers", tsig.length]);
  for (const records of [[tsig, other], [tsig, tsig], [tsig, optBytes({})]]) {
    assertEquals(read(records), ["formerr", -1]);
    assertEquals(read(records, 0x2800), ["notimp", -1]);
  }
  assertEquals(read([tsig], 0, 1), ["formerr", -1]);
  assertEquals(read([tsig], 0, 0, [0]), ["formerr", -1]);
});

test("what the last query said is forgotten", () => {
  const query = newDnsQuery();
  const signed = Uint8Array.from([
    ...headerBytes(1, 0, [1, 0, 0, 2]),
    ...QUESTION,
    ...optBytes({ dnssecOk: true }),
    ...recordBytes("key", 250, []),
  ]);
  for (const bytes of [signed, queryBytes("c", 2)]) {
    parseQuery(placed(bytes, ODD_PLACE), ODD_PLACE.at, bytes.length, query);
  }
  assertEquals([query.hasOpt, query.dnssecOk, query.udpSize, query.labels], [false, false, 0, 1]);
  assertEquals(query.tsigAt, -1);
  const broken = Uint8Array.from(headerBytes(7, 0, [0, 0, 0, 0]));
  parseQuery(placed(broken, ODD_PLACE), ODD_PLACE.at, broken.length, query);
  assertEquals([query.id, query.questionSize, query.labels], [7, 0, 0]);
});

test("shorter than a header and responses are none, whatever else they are", () => {
  for (let length = 0; length < 12; length++) {
    assertEquals(statusOf(new Uint8Array(length).fill(0xff)), "short");
  }
  assertEquals(statusOf(queryBytes("a", 1, { flags: 0x8000 })), "response");
  assertEquals(statusOf(new Uint8Array(12).fill(0xff)), "response");
});

test("another opcode than QUERY is not implemented, broken or not", () => {
  for (let opcode = 1; opcode < 16; opcode++) {
    const flags = opcode << 11;
    const whole = parsed(queryBytes("a", 1, { flags, edns: { version: 3 } }));
    assertEquals([whole.status, whole.query.questionSize > 0], ["notimp", true]);
    const broken = parsed(headerBytes(1, flags, [9, 9, 9, 9]));
    assertEquals([broken.status, broken.query.questionSize], ["notimp", 0]);
  }
});

test("one question there must be, and whole", () => {
  for (const count of [0, 2, 0xffff]) {
    const { status, query } = parsed([...headerBytes(1, 0, [count, 0, 0, 0]), ...QUESTION]);
    assertEquals([status, query.questionSize], ["formerr", 0]);
  }
  const bytes = queryBytes("a.bc", 1);
  for (let length = 12; length < bytes.length; length++) {
    const { status, query } = parsed(bytes.subarray(0, length));
    assertEquals([status, query.questionSize], ["formerr", 0], `${length}`);
  }
});

test("a question's name has 255 bytes at most, its labels 63, and no pointers", () => {
  assertEquals(statusOf(queryBytes(LONGEST, 1)), "query");
  assertEquals(statusOf(queryBytes(`${LONGEST}y`, 1)), "formerr");
  assertEquals(statusOf(queryBytes("x".repeat(64), 1)), "formerr");
  assertEquals(parsed(queryBytes("a.".repeat(127), 1)).query.labels, 127);
  assertEquals(statusOf(queryBytes("a.".repeat(128), 1)), "formerr");
  for (const name of [[0xc0, 0x0c], [1, 0x61, 0xc0, 0x0c], [0xc0, 0x00], [0x40, 0], [0x80, 0]]) {
    const bytes = [...headerBytes(1, 0, [1, 0, 0, 0]), ...name, 0, 1, 0, 1, 0, 0];
    assertEquals(statusOf(bytes), "formerr");
  }
});

test("a record that is announced must be there, whole", () => {
  const record = recordBytes("x.y", 1, [1, 2, 3, 4]);
  for (const section of [1, 2, 3]) {
    const counts: [number, number, number, number] = [1, 0, 0, 0];
    counts[section] = 1;
    const bytes = [...headerBytes(1, 0, counts), ...QUESTION, ...record];
    assertEquals(statusOf(bytes), "query");
    for (let length = 12 + QUESTION.length; length < bytes.length; length++) {
      const { status, query } = parsed(bytes.slice(0, length));
      assertEquals([status, query.questionSize], ["formerr", QUESTION.length]);
    }
  }
});

test("names of records may be compressed, and must end", () => {
  const withName = (name: number[]) => [
    ...headerBytes(1, 0, [1, 0, 0, 1]),
    ...QUESTION,
    ...name,
    ...recordBytes("", 1, []).slice(1),
  ];
  for (const name of [[0xc0, 12], [1, 0x61, 0xc0, 12], nameBytes(LONGEST), [0]]) {
    assertEquals(statusOf(withName(name)), "query");
  }
  for (const name of [[0x40], [0x80], nameBytes(`${LONGEST}.zz`)]) {
    assertEquals(statusOf(withName(name)), "formerr");
  }
});

test("bytes after the last record are passed over", () => {
  assertEquals(statusOf([...queryBytes("a", 1), 1, 2, 3]), "query");
  assertEquals(statusOf([...queryBytes("a", 1, { edns: {} }), 0xff]), "query");
});

test("an OPT is one, in Additional, of the root, its options whole", () => {
  const withRecords = (counts: [number, number, number, number], ...records: number[][]) =>
    statusOf([...headerBytes(1, 0, counts), ...QUESTION, ...records.flat()]);
  const opt = optBytes({});
  assertEquals(withRecords([1, 0, 0, 1], opt), "query");
  assertEquals(withRecords([1, 0, 0, 2], opt, opt), "formerr");
  assertEquals(withRecords([1, 1, 0, 0], opt), "formerr");
  assertEquals(withRecords([1, 0, 1, 0], opt), "formerr");
  assertEquals(withRecords([1, 0, 0, 1], recordBytes("a", 41, [])), "formerr");
  assertEquals(withRecords([1, 0, 0, 1], [0xc0, 12, ...opt.slice(1)]), "formerr");
  for (const data of [[0], [0, 1, 0], [0, 1, 0, 1], [0, 1, 0, 2, 9]]) {
    assertEquals(withRecords([1, 0, 0, 1], optBytes({ data })), "formerr");
  }
  assertEquals(withRecords([1, 0, 0, 1], optBytes({ data: [0, 1, 0, 1, 9] })), "query");
});

test("a version of EDNS above 0 is bad, if all else is right", () => {
  assertEquals(statusOf(queryBytes("a", 1, { edns: { version: 1 } })), "badvers");
  assertEquals(statusOf(queryBytes("a", 1, { edns: { version: 255 } })), "badvers");
  const twice = [...optBytes({ version: 1 }), ...optBytes({ version: 1 })];
  assertEquals(statusOf([...headerBytes(1, 0, [1, 0, 0, 2]), ...QUESTION, ...twice]), "formerr");
});

test("any bytes of any length are something, and the question lies within them", () => {
  const header = fc.constantFrom(
    headerBytes(1, 0, [1, 0, 0, 0]),
    headerBytes(1, 0, [1, 1, 0, 1]),
    headerBytes(1, 0x2800, [1, 0, 0, 9]),
    [],
  );
  fc.assert(
    fc.property(header, fc.uint8Array({ maxLength: 400 }), place, (header, rest, where) => {
      const bytes = Uint8Array.from([...header, ...rest]);
      const { query } = parsed(bytes);
      const status = parseQuery(placed(bytes, where), where.at, bytes.length, query);
      assertEquals(statusOf(bytes), status);
      if (query.questionSize === 0) return;
      assert(query.nameAt + query.questionSize <= where.at + bytes.length);
      assertEquals(query.questionSize, query.nameSize + 4);
      assertEquals(query.labelAt[query.labels], query.nameSize - 1);
    }),
    { numRuns: 500 },
  );
});

test("a message needs as many bytes as are declared", () => {
  const bytes = queryBytes("a", 1);
  assertNeeds(bytes.length, (buffer, at) => {
    parseQuery(buffer, at, bytes.length, newDnsQuery());
  });
});

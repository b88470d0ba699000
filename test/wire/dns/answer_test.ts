import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  ADDITIONAL,
  ANSWER,
  AnswerWriter,
  AUTHORITY,
  MIN_ANSWER_ROOM,
  QUESTION_NAME,
  RCODE,
  udpAnswerSize,
} from "../../../lib/wire/dns/answer.ts";
import { type DnsQuery, newDnsQuery, parseQuery } from "../../../lib/wire/dns/query.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { type DnsReply, queryBytes, type QueryFields, readReply } from "../../support/dns.ts";
import { test } from "../../testing.ts";

const AT = 7;

/** A writer that has begun to answer, with what it needs. */
class Answer {
  readonly writer = new AnswerWriter();
  readonly query: DnsQuery = newDnsQuery();
  readonly out: WireBuffer;

  constructor(fields: QueryFields = {}, limit = 512, name = "a.example", type = 1) {
    const bytes = queryBytes(name, type, fields);
    const from = new WireBuffer(bytes);
    parseQuery(from, 0, bytes.length, this.query);
    this.out = new WireBuffer(new Uint8Array(AT + limit).fill(0xa5));
    this.writer.begin(this.query, from, this.out, AT, limit);
  }

  finish(rcode = 0, authoritative = true): DnsReply {
    const size = this.writer.finish(this.query, rcode, authoritative);
    return readReply(this.out.bytes.slice(AT, AT + size));
  }

  address(section: number): boolean {
    this.writer.open(section, QUESTION_NAME, 1, 5);
    this.writer.uint32(0x0102_0304);
    return this.writer.close();
  }
}

test("the question comes back letter by letter, with RD and CD of the query alone", () => {
  const reply = new Answer({ id: 0xabcd, flags: 0x0572 | 0x0200 }, 512, "A.eXample").finish();
  assertEquals([reply.id, reply.question, reply.opt], [0xabcd, "A.eXample A IN", undefined]);
  assertEquals(reply.flags, "AA RD CD");
  assertEquals(new Answer({ flags: 0x0020 }).finish(0, false).flags, "");
});

test("the opcode comes back; CD with QUERY alone", () => {
  const reply = new Answer({ flags: 0x2110 }).finish(RCODE.notimp, false);
  assertEquals([reply.opcode, reply.rcode, reply.flags], [4, 4, "RD"]);
});

test("an OPT is answered with one, DO as it was, and the high bits of the RCODE", () => {
  assertEquals(new Answer({ edns: { size: 9 } }).finish().opt, "1232");
  const reply = new Answer({ edns: { dnssecOk: true, version: 5 } }).finish(RCODE.badvers, false);
  assertEquals([reply.opt, reply.rcode], ["1232 do", 16]);
});

test("records come in their sections, the OPT last", () => {
  const answer = new Answer({ edns: {} });
  for (const section of [ANSWER, ANSWER, AUTHORITY, ADDITIONAL]) assert(answer.address(section));
  const reply = answer.finish();
  const record = "a.example 5 A 1.2.3.4";
  assertEquals(reply.answers, [record, record]);
  assertEquals(reply.authorities, [record]);
  assertEquals(reply.additionals, [record]);
  assertEquals(reply.opt, "1232");
});

test("a record that doesn't fit leaves no trace, and the OPT always fits", () => {
  for (const edns of [undefined, {}]) {
    const room = 16;
    const fields = edns === undefined ? {} : { edns };
    const empty = new Answer(fields).finish().size;
    for (let limit = MIN_ANSWER_ROOM; limit < MIN_ANSWER_ROOM + 2 * room; limit++) {
      const answer = new Answer(fields, limit);
      let count = 0;
      while (answer.address(ANSWER)) count++;
      assertEquals(count, Math.floor((limit - empty) / room));
      const reply = answer.finish();
      assertEquals(reply.answers.length, count);
      assert(reply.size <= limit);
      assertEquals(reply.opt, edns && "1232");
    }
  }
});

test("nothing more of a record is written once a part did not fit", () => {
  const answer = new Answer({}, MIN_ANSWER_ROOM);
  answer.writer.open(ANSWER, QUESTION_NAME, 16, 0);
  answer.writer.bytes(new Uint8Array(400));
  assertEquals(answer.writer.take(1), -1);
  answer.writer.uint16(1);
  assert(!answer.writer.close());
  assert(answer.address(ANSWER));
  assertEquals(answer.finish().answers, ["a.example 5 A 1.2.3.4"]);
});

test("truncation takes all records back and sets TC, until the next answer", () => {
  const answer = new Answer();
  answer.address(ANSWER);
  answer.writer.truncate();
  assert(answer.writer.isTruncated);
  answer.address(ADDITIONAL);
  const reply = answer.finish();
  assertEquals([reply.flags, reply.answers.length, reply.additionals.length], ["AA TC", 0, 1]);
  answer.writer.truncate();
  assertEquals(answer.finish().additionals, []);
  answer.writer.begin(
    answer.query,
    new WireBuffer(queryBytes("a.example", 1)),
    answer.out,
    AT,
    300,
  );
  assert(!answer.writer.isTruncated);
  assertEquals(answer.finish().flags, "AA");
});

test("a finished answer can be finished again", () => {
  const answer = new Answer({ edns: {} });
  answer.address(ANSWER);
  assertEquals(answer.finish(3), answer.finish(3));
});

test("numbers end strings with all their digits", () => {
  for (const number of [0, 9, 10, 99, 100, 100_000, 1_700_000_000, 2 ** 53 - 1]) {
    const answer = new Answer();
    answer.writer.open(ANSWER, QUESTION_NAME, 16, 0);
    answer.writer.numberString(Uint8Array.of(2, 0x6e, 0x3d), number);
    assert(answer.writer.close());
    assertEquals(answer.finish().answers, [`a.example 0 TXT "n=${number}"`]);
  }
});

test("names end with those in the question, or with one that was written", () => {
  const answer = new Answer();
  answer.writer.open(ANSWER, QUESTION_NAME + 2, 2, 1);
  const at = answer.writer.offset;
  answer.writer.bytes(Uint8Array.of(2, 0x6e, 0x73));
  answer.writer.pointer(QUESTION_NAME + 2);
  answer.writer.close();
  answer.writer.open(ADDITIONAL, at, 1, 1);
  answer.writer.uint32(1);
  answer.writer.close();
  const reply = answer.finish();
  assertEquals(reply.answers, ["example 1 NS ns.example"]);
  assertEquals(reply.additionals, ["ns.example 1 A 0.0.0.1"]);
});

test("over UDP an answer has 512 bytes, or as many as an OPT says, up to 1232", () => {
  const sizeOf = (fields: QueryFields) => udpAnswerSize(new Answer(fields).query);
  assertEquals(sizeOf({}), 512);
  assertEquals(
    [0, 100, 512, 513, 1231, 1232, 1233, 65_535].map((size) => sizeOf({ edns: { size } })),
    [512, 512, 512, 513, 1231, 1232, 1232, 1232],
  );
});

test("an answer needs room for the longest question, and its bytes", () => {
  const query = newDnsQuery();
  const from = new WireBuffer(queryBytes("a", 1));
  parseQuery(from, 0, from.size, query);
  const writer = new AnswerWriter();
  const begin = (size: number, at: number, limit: number) =>
    writer.begin(query, from, new WireBuffer(size), at, limit);
  begin(600, 88, 512);
  begin(MIN_ANSWER_ROOM, 0, MIN_ANSWER_ROOM);
  assertThrows(() => begin(600, 0, MIN_ANSWER_ROOM - 1), RangeError);
  assertThrows(() => begin(511, 0, 512), RangeError);
  assertThrows(() => begin(600, 89, 512), RangeError);
  assertThrows(() => begin(600, -1, 512), RangeError);
});

test("the longest question leaves room for the OPT", () => {
  const label = "x".repeat(63);
  const name = [label, label, label, "y".repeat(61)].join(".");
  const reply = new Answer({ edns: {} }, MIN_ANSWER_ROOM, name).finish(RCODE.refused, false);
  assertEquals([reply.size, reply.opt, reply.rcode], [MIN_ANSWER_ROOM, "1232", 5]);
});

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  decodeResponse,
  type DnsRecord,
  type DnsResponse,
  encodeQuestion,
  isDnsName,
  isDnsResponse,
} from "../../../lib/wire/dns/message.ts";
import { uint16 } from "../../support/arbitraries.ts";
import { hex, unhex } from "../../support/bytes.ts";
import { dnsResponse, FLAGS, readQuestion, type TestRecord } from "../../support/dns_messages.ts";
import { test } from "../../testing.ts";
import recorded from "../../vectors/wgsd-dns.json" with { type: "json" };

const QUESTION = { name: "a.example", type: "SRV", class: "IN" };

function decoded(bytes: Uint8Array): DnsResponse {
  const response = decodeResponse(bytes);
  assert(response !== undefined, `not read: ${hex(bytes)}`);
  return response;
}

/** A response with one answer record, given in bytes after the question `a.example SRV`. */
function withAnswer(record: string, flags = "8400"): Uint8Array {
  return unhex(`0001${flags}00010001000000000161076578616d706c650000210001${record}`);
}

/** Where the name of {@linkcode withAnswer}'s question starts, as a pointer. */
const OWNER = "c00c";

function u16(value: number): string {
  return value.toString(16).padStart(4, "0");
}

/** A record of class IN with this data. */
function record(type: number, data: string, owner = OWNER): string {
  return `${owner}${u16(type)}0001${"00000000"}${u16(data.length / 2)}${data}`;
}

const label: fc.Arbitrary<string> = fc.string({
  minLength: 1,
  maxLength: 63,
  unit: fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz0123456789-_=\\/+"),
});
const name: fc.Arbitrary<string> = fc.array(label, { minLength: 1, maxLength: 5 })
  .map((labels) => labels.join("."))
  .filter((text) => text.length <= 253);

const ipv4: fc.Arbitrary<string> = fc.ipV4();
const records: fc.Arbitrary<DnsRecord> = fc.oneof(
  fc.record({ type: fc.constantFrom("PTR" as const, "CNAME" as const), name, target: name }),
  fc.record({
    type: fc.constant("SRV" as const),
    name,
    priority: uint16,
    weight: uint16,
    port: uint16,
    target: name,
  }),
  fc.record({ type: fc.constant("A" as const), name, address: ipv4 }),
  fc.record({
    type: fc.constant("AAAA" as const),
    name,
    address: fc.constantFrom("2001:db8::1", "::1", "fd00:1:2:3:4:5:6:7"),
  }),
  fc.record({
    type: fc.constant("TXT" as const),
    name,
    strings: fc.array(fc.string({ maxLength: 63 }), { maxLength: 6 }),
  }),
  fc.record({ type: fc.constant("SOA" as const), name }),
);

/** As dns-packet takes it. */
function written(each: DnsRecord): TestRecord {
  const { type, name } = each;
  switch (each.type) {
    case "PTR":
    case "CNAME":
      return { type, name, data: each.target };
    case "SRV":
      return { type, name, data: each };
    case "A":
    case "AAAA":
      return { type, name, data: each.address };
    case "TXT":
      return { type, name, data: [...each.strings] };
    case "SOA":
      return { type, name, data: { mname: "ns.example", rname: "first\\.last.example" } };
  }
}

test("a question has one name, RD, and an OPT of 1232 bytes if that is wanted", () => {
  fc.assert(fc.property(
    uint16,
    name,
    fc.constantFrom("PTR" as const, "SRV" as const, "A" as const, "AAAA" as const, "TXT" as const),
    fc.boolean(),
    (id, name, type, edns) => {
      const bytes = encodeQuestion({ id, name, type, edns });
      assertEquals(readQuestion(bytes), {
        id,
        name,
        type,
        class: "IN",
        payload: edns ? 1232 : 0,
        isRecursive: true,
      });
    },
  ));
  assertEquals(
    hex(encodeQuestion({ id: 0x1234, name: "a.example", type: "SRV", edns: true })),
    "123401000001000000000001" + "0161076578616d706c6500" + "00210001" + "00002904d0000000000000",
  );
});

test("what is no name or no ID is not asked for", () => {
  const good = { id: 1, name: "a.example", type: "SRV", edns: true } as const;
  const long = `${"a".repeat(63)}.`.repeat(3);
  assertEquals(isDnsName(long + "a".repeat(61)), true);
  assertEquals(isDnsName("a".repeat(63)), true);
  const names = ["", ".", "a.", ".a", "a..b", "a".repeat(64), "ä.example", "a b", "a\n", "a\0"];
  for (const name of [...names, long + "a".repeat(62)]) {
    assertEquals(isDnsName(name), false, name);
    assertThrows(() => encodeQuestion({ ...good, name }), RangeError);
  }
  for (const id of [-1, 0x1_0000, 0.5, NaN]) {
    assertThrows(() => encodeQuestion({ ...good, id }), RangeError);
  }
});

test("a response is read as dns-packet writes it, with names in lower case", () => {
  const section = fc.array(records, { maxLength: 5 });
  const flag = fc.boolean();
  const rcode = fc.nat({ max: 15 });
  fc.assert(fc.property(
    fc.tuple(section, section, section),
    name,
    uint16,
    fc.tuple(flag, flag, flag, rcode),
    flag,
    ([answers, authorities, additionals], name, id, [aa, tc, ra, rcode], upper) => {
      const flags = (aa ? FLAGS.aa : 0) | (tc ? FLAGS.tc : 0) | (ra ? FLAGS.ra : 0) | rcode;
      const inCase = (text: string) => upper ? text.toUpperCase() : text;
      const write = (section: readonly DnsRecord[]) =>
        section.map(written).map((each) => ({ ...each, name: inCase(each.name) }));
      const bytes = dnsResponse({
        id,
        flags,
        questions: [{ name: inCase(name), type: "SRV", class: "IN" }],
        answers: write(answers),
        authorities: write(authorities),
        additionals: write(additionals),
      });
      assertEquals(decodeResponse(bytes), {
        id,
        rcode,
        authoritative: aa,
        truncated: tc,
        recursionAvailable: ra,
        question: { name, type: "SRV", class: "IN" },
        answers,
        authorities,
        additionals,
      });
    },
  ));
});

test("bytes may lie anywhere in their memory, and are not changed", () => {
  const bytes = dnsResponse({ questions: [QUESTION], answers: [written(A_RECORD)] });
  const memory = new Uint8Array(bytes.length + 20).fill(0xc0);
  memory.set(bytes, 7);
  assertEquals(decodeResponse(memory.subarray(7, 7 + bytes.length))?.answers, [A_RECORD]);
  assertEquals(memory.subarray(7, 7 + bytes.length), bytes);
});

const A_RECORD: DnsRecord = { type: "A", name: "a.example", address: "192.0.2.1" };

test("other types, other classes and names that no text can hold are passed over", () => {
  const good = record(1, "c0000201");
  assertEquals(decoded(withAnswer(good)).answers, [A_RECORD]);
  // MX, and A of class CH.
  assertEquals(decoded(withAnswer(record(15, "000a" + OWNER))).answers, []);
  assertEquals(decoded(withAnswer(good.replace("00010001", "00010003"))).answers, []);
  // A dot, a space, a control character, a byte beyond ASCII: as owner, and as target.
  for (const byte of ["2e", "20", "00", "ff"]) {
    assertEquals(decoded(withAnswer(record(1, "c0000201", `03${byte}6161${OWNER}`))).answers, []);
    assertEquals(decoded(withAnswer(record(12, `03${byte}6161${OWNER}`))).answers, []);
    assertEquals(decoded(withAnswer(record(33, `00000000000103${byte}6161${OWNER}`))).answers, []);
  }
  // The question as well: it is nobody's then.
  const odd = unhex("000184000001000000000000" + "03612e6200" + "00210001");
  assertEquals(decoded(odd).question, undefined);
});

test("a question that is not one is none", () => {
  assertEquals(decoded(dnsResponse({})).question, undefined);
  assertEquals(decoded(dnsResponse({ questions: [QUESTION, QUESTION] })).question, undefined);
  assertEquals(decoded(dnsResponse({ questions: [QUESTION] })).question, QUESTION);
  const chaos = dnsResponse({ questions: [{ ...QUESTION, class: "CH" }] });
  assertEquals(decoded(chaos).question?.class, "CH");
});

test("a query, another opcode and half a header are no response", () => {
  const bytes = dnsResponse({ questions: [QUESTION] });
  assert(isDnsResponse(bytes));
  for (const flags of [0x0400, 0x2400, 0x9400, 0xa400, 0xfc00]) {
    const other = bytes.slice();
    new DataView(other.buffer).setUint16(2, flags);
    assert(!isDnsResponse(other));
    assertEquals(decodeResponse(other), undefined);
  }
  for (let size = 0; size < 12; size++) {
    assert(!isDnsResponse(bytes.subarray(0, size)));
    assertEquals(decodeResponse(bytes.subarray(0, size)), undefined);
  }
});

test("a record whose data does not have its length is an error", () => {
  const target = "0162" + OWNER;
  const good: [number, string][] = [
    [1, "c0000201"],
    [28, "20010db8".padEnd(32, "0")],
    [12, target],
    [5, target],
    [33, "000000000001" + target],
    [16, "03616263" + "00" + "0178"],
    [16, ""],
    [6, target + target + "00000001".repeat(5)],
  ];
  for (const [type, data] of good) {
    assertEquals(decoded(withAnswer(record(type, data))).answers.length, 1, `${type} ${data}`);
    // One byte more, and one less, where the bytes themselves are all there.
    const more = withAnswer(record(type, data + "00"));
    if (type !== 16) assertEquals(decodeResponse(more), undefined, `${type} longer`);
    if (data === "") continue;
    const less = withAnswer(record(type, data.slice(0, -2)) + "00".repeat(30));
    assertEquals(decodeResponse(less), undefined, `${type} shorter`);
  }
  assertEquals(decodeResponse(withAnswer(record(16, "0461626300".slice(0, 8)))), undefined);
  assertEquals(decodeResponse(withAnswer(record(33, "00000000000100").slice(0, -2))), undefined);
  assertEquals(decoded(withAnswer(record(33, "00000000000100"))).answers, [{
    type: "SRV",
    name: "a.example",
    priority: 0,
    weight: 0,
    port: 1,
    target: ".",
  }]);
});

test("names end, stay below 256 bytes, and point backwards", () => {
  const is = (name: string) => {
    const asTarget = decodeResponse(withAnswer(record(12, name))) !== undefined;
    // The name of a record that is passed over is walked over all the same. It starts 12 bytes
    // earlier, so that pointers around it mean others.
    if (name.length > 4) {
      const asOwner = decodeResponse(withAnswer(record(99, "", name))) !== undefined;
      assertEquals(asOwner, asTarget, name);
    }
    return asTarget;
  };
  assertEquals(decodeResponse(withAnswer(record(99, "", "c01b"))), undefined);
  assertEquals(decodeResponse(withAnswer(record(99, "0000", "c025"))), undefined);
  assert(is("c00c"));
  // Into the header, to itself, forwards, to the pointer before it, a loop of two labels.
  for (const pointer of ["c000", "c00b", "c027", "c028", "c0ff", "ffff"]) assert(!is(pointer));
  assert(!is("0161c027"), "a loop");
  // Label types that are no longer, or never were.
  for (const type of ["40", "80", "bf"]) assert(!is(`${type}${"61".repeat(191)}00`));
  assert(!is(`40${"61".repeat(64)}00`));
  const full = `3f${"61".repeat(63)}`;
  // The owner's 11 bytes, and 3 times 64, make 203: 52 are left.
  assert(is(full.repeat(3) + `33${"61".repeat(51)}` + OWNER));
  assert(!is(full.repeat(3) + `34${"61".repeat(52)}` + OWNER));
  assert(is(full.repeat(3) + `3d${"61".repeat(61)}` + "00"));
  assert(!is(full.repeat(3) + `3e${"61".repeat(62)}` + "00"));
});

test("a chain of pointers may be as long as a name, not longer", () => {
  const chained = (pointers: number) => {
    // In the data of a record that is passed over lie pointers, each to the one before.
    const start = 0x27;
    let chain = OWNER;
    for (let i = 1; i < pointers; i++) chain += u16(0xc000 + start + 2 * (i - 1));
    const last = u16(0xc000 + start + 2 * (pointers - 1));
    const bytes = withAnswer(record(99, chain) + record(1, "c0000201", last));
    bytes[7] = 2;
    return decodeResponse(bytes);
  };
  assertEquals(chained(126)?.answers, [A_RECORD]);
  assertEquals(chained(127), undefined);
  assertEquals(chained(5000), undefined);
});

test("more records than there are is an error; what comes after the last one is not", () => {
  const bytes = withAnswer(record(1, "c0000201"));
  assertEquals(decodeResponse(Uint8Array.from([...bytes, 1, 2, 3]))?.answers.length, 1);
  for (const at of [5, 7, 9, 11]) {
    const more = bytes.slice();
    more[at]!++;
    assertEquals(decodeResponse(more), undefined, `count at ${at}`);
    more[at - 1] = 0xff;
    assertEquals(decodeResponse(more), undefined, `count at ${at}`);
  }
});

test("where TC is set, the records before the cut are read", () => {
  const whole = record(1, "c0000201") + record(1, "c0000202");
  const cut = (size: number, flags: string) => {
    const bytes = withAnswer(whole, flags);
    bytes[7] = 2;
    return decodeResponse(bytes.subarray(0, bytes.length - size));
  };
  for (let size = 1; size <= 32; size++) {
    assertEquals(cut(size, "8400"), undefined);
    assertEquals(cut(size, "8600")?.answers.length, size <= 16 ? 1 : 0);
  }
  // The question must be whole all the same.
  assertEquals(cut(33, "8600"), undefined);
});

test("a message of 65535 bytes is read, one byte more is too long", () => {
  const data = "ff" + "61".repeat(255);
  let all = "";
  for (let i = 0; i < 244; i++) all += record(16, data);
  const bytes = new Uint8Array(0xffff);
  bytes.set(withAnswer(all));
  bytes[7] = 244;
  assertEquals(decoded(bytes).answers.length, 244);
  assertEquals(decodeResponse(new Uint8Array([...bytes, 0])), undefined);
});

/** Every string in the file that is the bytes of a message the original sent. */
function recordedResponses(value: unknown, key = ""): Uint8Array[] {
  if (typeof value === "string") {
    return /^responses?_hex$/.test(key) ? [unhex(value)] : [];
  }
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([inner, each]) =>
    recordedResponses(each, Array.isArray(value) ? key : inner)
  );
}

const RESPONSES = recordedResponses(recorded);

test("every response that the original sent is read, with the counts of its header", () => {
  assert(RESPONSES.length > 100, `${RESPONSES.length} responses`);
  let read = 0;
  for (const bytes of RESPONSES) {
    if (!isDnsResponse(bytes)) {
      // NOTIFY, STATUS and the like are answered with their opcode.
      assert((bytes[2]! & 0x78) !== 0, hex(bytes));
      continue;
    }
    read++;
    const { answers, authorities, additionals, id, question, rcode } = decoded(bytes);
    const view = new DataView(bytes.buffer);
    assertEquals(id, view.getUint16(0));
    assertEquals(rcode, bytes[3]! & 15);
    assertEquals(question !== undefined || view.getUint16(4) !== 1 || isOdd(bytes), true);
    assertEquals(answers.length, view.getUint16(6));
    assertEquals(authorities.length, view.getUint16(8));
    // An OPT, of which there is one at the most, is passed over.
    assert([0, 1].includes(view.getUint16(10) - additionals.length), hex(bytes));
  }
  assert(read > 100, `${read} read`);
});

/** Whether the question's first label has a byte that no text can hold. */
function isOdd(bytes: Uint8Array): boolean {
  return bytes.subarray(13, 13 + bytes[12]!).some((byte) =>
    byte <= 0x20 || byte >= 0x7f || byte === 0x2e
  );
}

test("a recorded answer says what was recorded of it", () => {
  const entry = recorded.vectors.find((each) => each.name === "srv P1");
  assert(entry?.response_hex !== undefined && entry.response_hex !== null);
  const owner = "yutrled535igkl7bdlerl6m4vjxsxm3uqqpl4nmsn27mt56ad4ha====._wireguard._udp" +
    ".example.com";
  assertEquals(decoded(unhex(entry.response_hex)), {
    id: 0x1011,
    rcode: 0,
    authoritative: true,
    truncated: false,
    recursionAvailable: false,
    question: { name: owner, type: "SRV", class: "IN" },
    answers: [{ type: "SRV", name: owner, priority: 0, weight: 0, port: 7777, target: owner }],
    authorities: [],
    additionals: [
      { type: "A", name: owner, address: "203.0.113.1" },
      {
        type: "TXT",
        name: owner,
        strings: [
          "txtvers=1",
          "pub=xScVkH3fUGUv4RrJFfmcqm8rs3SEHr41km6+yffAHw4=",
          "allowed=10.0.0.1/32",
        ],
      },
    ],
  });
});

/** Never throws, and what it gives is in order. */
function assertSane(bytes: Uint8Array): void {
  const response = decodeResponse(bytes);
  if (response === undefined) return;
  const { question, answers, authorities, additionals } = response;
  const names = [question, ...answers, ...authorities, ...additionals].flatMap((each) =>
    each === undefined ? [] : "target" in each ? [each.name, each.target] : [each.name]
  );
  for (const name of names) assert(name === "." || isDnsName(name), name);
  for (const each of [...answers, ...authorities, ...additionals]) {
    if (each.type === "A") assert(/^(\d{1,3}\.){3}\d{1,3}$/.test(each.address), each.address);
    if (each.type === "AAAA") assert(/^[0-9a-f:]{2,39}$/.test(each.address), each.address);
    if (each.type === "SRV") assert(each.port >= 0 && each.port <= 0xffff);
  }
}

test("any bytes are read without an error", () => {
  const header = fc.tuple(uint16, fc.nat({ max: 3 }), fc.nat({ max: 9 }), fc.nat({ max: 3 }));
  fc.assert(fc.property(header, fc.uint8Array({ maxLength: 300 }), ([id, qd, an, ar], bytes) => {
    assertSane(bytes);
    const start = `${u16(id)}8400${u16(qd)}${u16(an)}0000${u16(ar)}`;
    assertSane(Uint8Array.from([...unhex(start), ...bytes]));
  }));
});

test("recorded answers with some bytes changed, or cut, are read without an error", () => {
  const change = fc.tuple(fc.nat(), fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(0xc0, 0, 63)));
  const responses = fc.constantFrom(...RESPONSES);
  const cut = fc.nat({ max: 40 });
  fc.assert(
    fc.property(responses, fc.array(change, { maxLength: 6 }), cut, (whole, changes, cut) => {
      const bytes = whole.slice(0, whole.length - cut);
      for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
      assertSane(bytes);
    }),
    { numRuns: 2000 },
  );
});

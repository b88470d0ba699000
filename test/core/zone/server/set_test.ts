import { assert, assertEquals, assertThrows } from "@std/assert";
import { COUNTER_NAMES } from "../../../../lib/core/net/counters.ts";
import { Zone } from "../../../../lib/core/zone/server/zone.ts";
import { ZoneSet } from "../../../../lib/core/zone/server/set.ts";
import { Counters } from "../../../../lib/core/net/counters.ts";
import { WireBuffer } from "../../../../lib/wire/bytes/wire_buffer.ts";
import {
  addressBytes,
  DnsDriver,
  headerBytes,
  NO_BUDGET,
  optBytes,
  queryBytes,
  questionBytes,
  readReply,
  recordBytes,
  type TypeName,
} from "../../../support/dns.ts";
import { deviceOf, instanceOf, keyOf } from "../../../support/zone_scene.ts";
import { test } from "../../../testing.ts";

const ALICE = instanceOf(1);
const SERVICE = "_wireguard._udp.example.com";
const device = deviceOf([{ key: keyOf(1), endpoint: "203.0.113.21:51820" }]);

function zoneOf(name: string, allowFrom?: readonly string[]): Zone {
  return new Zone({ name, peers: [device], allowFrom });
}

function driverOf(...zones: Zone[]): DnsDriver {
  return new DnsDriver(zones.length > 0 ? zones : [zoneOf("example.com")]);
}

/** `RCODE FLAGS`, and the counter that went up besides `dns-received`. */
function outcomeOf(driver: DnsDriver, bytes: ArrayLike<number>): string {
  const before = COUNTER_NAMES.map((name) => driver.counters.get(name));
  const answer = driver.send(Uint8Array.from(bytes));
  const counted = COUNTER_NAMES.filter((name, i) => driver.counters.get(name) > before[i]!);
  assertEquals(counted.shift(), "dns-received");
  if (answer === undefined) return `none ${counted.join()}`;
  const { rcode, flags } = readReply(answer);
  return `${rcode} ${counted.join()}${flags === "" ? "" : ` ${flags}`}`;
}

test("every message is counted, and so is what became of it", () => {
  const driver = driverOf();
  const question = questionBytes(ALICE, 33);
  const expected: readonly (readonly [string, ArrayLike<number>])[] = [
    ["0 dns-answered AA", queryBytes(ALICE, "SRV")],
    ["0 dns-nodata AA", queryBytes(ALICE, "MX")],
    ["3 dns-nxdomain AA", queryBytes("x.example.com", "A")],
    ["5 dns-refused", queryBytes("example.net", "A")],
    ["1 dns-formerr", headerBytes(5, 0, [0, 0, 0, 0])],
    ["1 dns-formerr", [...headerBytes(5, 0, [1, 0, 0, 1]), ...question]],
    ["4 dns-notimp", queryBytes(ALICE, "SRV", { flags: 0x2000 })],
    ["16 dns-badvers", queryBytes(ALICE, "SRV", { edns: { version: 1 } })],
    ["none dns-drop-short", new Uint8Array(11)],
    ["none dns-drop-short", []],
    ["none dns-drop-response", queryBytes(ALICE, "SRV", { flags: 0x8000 })],
  ];
  for (const [outcome, bytes] of expected) assertEquals(outcomeOf(driver, bytes), outcome);
});

test("questions that no record answers are refused by what they are", () => {
  const driver = driverOf();
  const outcome = (type: TypeName | number, name = ALICE) =>
    outcomeOf(driver, queryBytes(name, type));
  for (const name of [ALICE, "example.com", "x.example.com", "example.net"]) {
    assertEquals(outcome("AXFR", name), "5 dns-refused");
    assertEquals(outcome("IXFR", name), "5 dns-refused");
    assertEquals(outcome("MAILA", name), "4 dns-notimp");
    assertEquals(outcome("MAILB", name), "4 dns-notimp");
    for (const type of ["OPT", "TSIG", "NXNAME", 200, 249] as const) {
      assertEquals(outcome(type, name), "1 dns-formerr");
    }
  }
  for (const type of [0, 127, 256, 0xff00, 0xffff]) {
    assertEquals(outcome(type), "0 dns-nodata AA");
  }
});

test("classes other than IN are refused", () => {
  for (const klass of [0, 2, 3, 4, 254, 255]) {
    const bytes = queryBytes(ALICE, "SRV", { class: klass });
    assertEquals(outcomeOf(driverOf(), bytes), "5 dns-refused");
  }
});

test("RD and CD come back, AD and what only answers have does not", () => {
  const flagsOf = (flags: number) => driverOf().ask(ALICE, "SRV", { flags }).flags;
  assertEquals(flagsOf(0x0100), "AA RD");
  assertEquals(flagsOf(0x0010), "AA CD");
  // AA, TC, RA, Z, AD and an RCODE in a query are passed over.
  assertEquals(flagsOf(0x06eb), "AA");
});

test("the question and its letters come back with errors, too", () => {
  const name = "ExAmPlE.nEt";
  const reply = driverOf().ask(name, "A", { id: 0xbeef, flags: 0x0100, edns: { dnssecOk: true } });
  assertEquals([reply.question, reply.id, reply.flags], [`${name} A IN`, 0xbeef, "RD"]);
  assertEquals([reply.rcode, reply.opt], [5, "1232 do"]);
  const status = driverOf().ask(name, "A", { flags: 0x1000 });
  assertEquals([status.question, status.opcode, status.rcode], [`${name} A IN`, 2, 4]);
});

test("other records beside the question are passed over", () => {
  const records = [recordBytes("key", 249, [1, 2, 3]), optBytes({}), recordBytes("x", 1, [1])];
  const bytes = [
    ...headerBytes(1, 0, [1, 0, 1, 2]),
    ...questionBytes(ALICE, 33),
    ...[records[2]!, records[1]!, records[0]!].flat(),
  ];
  assertEquals(outcomeOf(driverOf(), bytes), "0 dns-answered AA");
});

test("an answer has an OPT where the question has one, and comes last", () => {
  assertEquals(driverOf().ask(ALICE, "SRV").opt, undefined);
  const reply = driverOf().ask(ALICE, "SRV", { edns: { size: 4096 } });
  assertEquals([reply.opt, reply.additionals.length], ["1232", 2]);
  assertEquals(driverOf().ask(SERVICE, "AAAA", { edns: {} }).opt, "1232");
});

test("of nested zones, the longest that holds a name answers", () => {
  const zones = [zoneOf("example.com"), zoneOf("b.a.example.com"), zoneOf("example.org")];
  for (const order of [zones, zones.toReversed()]) {
    const driver = driverOf(...order);
    const zoneFor = (name: string) => driver.ask(name, "MX").authorities[0]?.split(" ")[0];
    assertEquals(zoneFor("example.com"), "example.com");
    assertEquals(zoneFor("x.example.com"), "example.com");
    assertEquals(zoneFor("X.B.A.Example.com"), "B.A.Example.com");
    assertEquals(zoneFor("xb.a.example.com"), "example.com");
    assertEquals(zoneFor("x.example.org"), "example.org");
    assertEquals(zoneFor("org"), undefined);
    assertEquals(zoneFor("xexample.com"), undefined);
    const inner = `${ALICE.replace(".example.com", "")}.b.a.example.com`;
    assertEquals(driver.ask(inner, "A").answers, [`${inner} 0 A 203.0.113.21`]);
  }
});

test("a name above a zone of its own exists (RFC 8020), and DS is the parent's", () => {
  const driver = driverOf(zoneOf("example.com"), zoneOf("c.b.a.example.com"));
  const codeOf = (name: string, type: TypeName = "A") => {
    const reply = driver.ask(name, type);
    return [reply.rcode, reply.authorities[0]?.split(" ")[0]];
  };
  assertEquals(codeOf("a.example.com"), [0, "example.com"]);
  assertEquals(codeOf("B.A.example.com"), [0, "example.com"]);
  for (const name of ["b.example.com", "xb.a.example.com", "b.b.a.example.com"]) {
    assertEquals(codeOf(name), [3, "example.com"], name);
  }
  assertEquals(codeOf("c.b.a.example.com", "MX"), [0, "c.b.a.example.com"]);
  assertEquals(codeOf("c.b.a.example.com", "DS"), [0, "example.com"]);
  assertEquals(codeOf("example.com", "DS"), [0, "example.com"]);
  assertEquals(codeOf("x.c.b.a.example.com", "DS"), [3, "c.b.a.example.com"]);
});

test("who may not ask is refused, zone by zone", () => {
  const driver = driverOf(
    zoneOf("example.com", ["192.0.2.0/24", "2001:db8::/32"]),
    zoneOf("open.example.com"),
    zoneOf("closed.example.com", []),
  );
  const rcode = (name: string, source: string) => driver.ask(name, "SOA", { source }).rcode;
  for (const source of ["192.0.2.1", "192.0.2.255", "2001:db8:ffff::1"]) {
    assertEquals(rcode("example.com", source), 0);
  }
  for (const source of ["192.0.3.1", "2001:db9::1", "::1", "0.0.0.0"]) {
    assertEquals(rcode("example.com", source), 5, source);
    assertEquals(rcode("open.example.com", source), 0);
    assertEquals(rcode("closed.example.com", source), 5);
  }
  assertEquals(rcode("x.example.com", "192.0.3.1"), 5);
  assertThrows(() => zoneOf("example.com", ["x"]), SyntaxError);
});

test("zones can be replaced, and have a name of their own", () => {
  const driver = driverOf();
  driver.zones.configure([zoneOf("example.net")], NO_BUDGET);
  assertEquals(driver.ask("example.com", "SOA").rcode, 5);
  assertEquals(driver.ask("example.net", "SOA").rcode, 0);
  driver.zones.configure([], NO_BUDGET);
  assertEquals(driver.ask("example.net", "SOA").rcode, 5);
  const twice = [zoneOf("example.com"), zoneOf("Example.COM.")];
  assertThrows(() => driver.zones.configure(twice, NO_BUDGET), SyntaxError);
});

test("over the budget, an answer is not longer than its question, and leads to TCP", () => {
  const zone = zoneOf("example.com");
  const query = queryBytes(ALICE, "SRV", { edns: { dnssecOk: true } });
  const whole = driverOf(zone).send(query)!;
  const burst = 2 * (whole.length - query.length);
  const driver = new DnsDriver([zone], { bytesPerSecond: 1, burst });
  for (let i = 0; i < 2; i++) assertEquals(driver.send(query), whole);
  const limited = driver.send(query);
  assert(limited !== undefined && limited.length <= query.length);
  const reply = readReply(limited);
  assertEquals([reply.rcode, reply.flags, reply.opt], [0, "AA TC", "1232 do"]);
  assertEquals([reply.answers, reply.additionals], [[], []]);
  assertEquals(reply.question, `${ALICE} SRV IN`);
  assertEquals(driver.send(query, { source: "198.51.100.200" }), limited, "the same /24");
  assertEquals(driver.counters.get("dns-limited"), 2);
  assertEquals(driver.counters.get("dns-answered"), 4);
  assertEquals(driver.counters.get("dns-truncated"), 0);
  assertEquals(driver.send(query, { transport: "tcp" }), whole);
  assertEquals(driver.send(query, { source: "198.51.101.77" }), whole);
  driver.time += burst;
  assertEquals(driver.send(query), whole);
});

test("a negative answer over the budget is no longer one", () => {
  const driver = new DnsDriver([zoneOf("example.com")], { bytesPerSecond: 1, burst: 1 });
  const reply = driver.ask("x.example.com", "A");
  assertEquals([reply.rcode, reply.flags, reply.authorities], [0, "AA TC", []]);
});

test("errors need no budget", () => {
  const driver = new DnsDriver([zoneOf("example.com")], { bytesPerSecond: 1e-9, burst: 0 });
  assertEquals(driver.ask("example.net", "A").rcode, 5);
  assertEquals(driver.ask("example.com", "A", { edns: { version: 1 } }).rcode, 16);
  assertEquals(driver.ask("example.com", "A", { flags: 0x2000, edns: {} }).rcode, 4);
  assertEquals(driver.counters.get("dns-limited"), 0);
});

test("the caller's buffers must be as large as it says", () => {
  const zones = new ZoneSet(NO_BUDGET, 1, new Counters());
  const query = new WireBuffer(queryBytes(ALICE, "SRV"));
  const path = {
    transport: "udp",
    source: addressBytes("::1"),
    sourceAt: 0,
    local: undefined,
    localAt: 0,
  } as const;
  const now = { unix: 0, mono: 0 };
  const ask = (length: number, outAt: number, room: number) =>
    zones.answer(query, 0, length, path, now, new WireBuffer(600), outAt, room);
  assert(ask(query.size, 0, 600) > 0);
  assertThrows(() => ask(query.size + 1, 0, 600), RangeError);
  assertThrows(() => ask(query.size, 100, 512), RangeError);
  assertThrows(() => ask(query.size, 0, 281), RangeError);
});

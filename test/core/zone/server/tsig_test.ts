import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { COUNTER_NAMES } from "../../../../lib/core/net/counters.ts";
import { Zone, type ZoneOptions } from "../../../../lib/core/zone/server/zone.ts";
import { WireBuffer } from "../../../../lib/wire/bytes/wire_buffer.ts";
import type { TsigKey } from "../../../../lib/wire/dns/tsig.ts";
import {
  type AskOptions,
  DnsDriver,
  headerBytes,
  NO_BUDGET,
  queryBytes,
  questionBytes,
  readReply,
} from "../../../support/dns.ts";
import { readAnswer, readSigned, signQuestion } from "../../../support/tsig.ts";
import { tsigKey, tsigMessages } from "../../../support/tsig_vectors.ts";
import { deviceOf, instanceOf, keyOf } from "../../../support/zone_scene.ts";
import { test } from "../../../testing.ts";

const ALICE = instanceOf(1);
const SERVICE = "_wireguard._udp.example.com";
const KEY = tsigKey("ops.example.com");
const OTHER = tsigKey("other.example.org");
const STRANGER = tsigKey("stranger.example.com");
const device = deviceOf(
  Array.from({ length: 40 }, (_, i) => ({ key: keyOf(i), endpoint: `203.0.113.${i}:51820` })),
);

function zoneOf(name: string, options: Partial<ZoneOptions> = {}): Zone {
  return new Zone({ name, peers: [device], keys: [KEY], ...options });
}

function driverOf(zones: Zone[] = [zoneOf("example.com")], budget = NO_BUDGET): DnsDriver {
  return new DnsDriver([...zones, zoneOf("example.org", { keys: [OTHER] })], budget);
}

/** The answer to a signed question, which must be signed as well. */
function ask(
  driver: DnsDriver,
  question: Uint8Array,
  { key = KEY, off = 0, fudge = 300, ...options }: AskOptions & {
    key?: TsigKey;
    off?: number;
    fudge?: number;
  } = {},
): ReturnType<typeof readAnswer> {
  const { bytes, mac } = signQuestion(key, question, driver.time + driver.ahead + off, fudge);
  const answer = driver.send(bytes, options);
  assert(answer !== undefined, "no answer");
  return readAnswer(key, answer, mac);
}

/** Which counters went up besides `dns-received`. */
function counted(driver: DnsDriver, run: () => void): string {
  const before = COUNTER_NAMES.map((name) => driver.counters.get(name));
  run();
  return COUNTER_NAMES.filter((name, i) => driver.counters.get(name) > before[i]!).slice(1).join();
}

/** RCODE, and the error of a TSIG without a MAC. */
function refusal(driver: DnsDriver, bytes: Uint8Array): (number | undefined)[] {
  const answer = driver.send(bytes);
  assert(answer !== undefined);
  const signed = readSigned(answer);
  if (signed === undefined) return [readReply(answer).rcode, undefined];
  const { tsig, plain } = signed;
  assertEquals([tsig.macSize, tsig.otherSize], [0, 0]);
  const { rcode, answers, flags } = readReply(plain);
  assertEquals([answers, flags], [[], ""]);
  return [rcode, tsig.error];
}

test("a signed question has a signed answer, whatever that says, over UDP and TCP", () => {
  const driver = driverOf();
  for (const transport of ["udp", "tcp"] as const) {
    for (const more of [{}, { edns: { size: 1232, dnssecOk: true } }]) {
      const rcodes = [
        queryBytes(ALICE, "SRV", more),
        queryBytes(ALICE, "MX", more),
        queryBytes("x.example.com", "A", more),
        queryBytes("example.net", "A", more),
        queryBytes(ALICE, "AXFR", more),
        queryBytes(ALICE, "TSIG", more),
        queryBytes(ALICE, "MAILA", more),
        queryBytes("example.com", "SOA", { flags: 0x2800, ...more }),
        queryBytes(ALICE, "SRV", { edns: { version: 1 } }),
      ].map((question) => {
        const reply = ask(driver, question, { transport });
        assertEquals([reply.error, reply.time, reply.other.length], [0, driver.time, 0]);
        return reply.rcode;
      });
      assertEquals(rcodes, [0, 0, 3, 5, 5, 1, 4, 4, 16]);
    }
  }
});

test("a signed answer says what an unsigned one does", () => {
  fc.assert(fc.property(
    fc.constantFrom(ALICE, SERVICE, "example.com", "x.example.com", "_a._sub." + SERVICE),
    fc.constantFrom("SRV", "TXT", "PTR", "SOA", "ANY", "A"),
    fc.constantFrom<AskOptions>({ transport: "tcp" }, { transport: "udp" }),
    (name, type, options) => {
      const question = queryBytes(name, type, { edns: { size: 4096 } });
      const driver = driverOf();
      const { error: _error, time: _time, other: _other, size: _size, ...signed } = ask(
        driver,
        question,
        options,
      );
      const { size: _plainSize, ...plain } = readReply(driver.send(question, options)!);
      const isCut = signed.flags.includes("TC") && !plain.flags.includes("TC");
      if (!isCut) assertEquals(signed, plain);
    },
  ));
});

test("what other programs sign is right within the fudge, and answered so", () => {
  for (const { message, key, time, originalId, mac, name, requestMac } of tsigMessages) {
    if (requestMac !== undefined || message.length > 500) continue;
    const driver = driverOf([zoneOf("example.com", { keys: [key] })]);
    driver.ahead = time - driver.time;
    const answer = driver.send(message);
    assert(answer !== undefined && answer[0] === message[0], name);
    const reply = readAnswer(key, answer, mac);
    assertEquals(reply.error, 0, name);
    assertEquals(reply.id === originalId, !name.includes("another ID"));
  }
});

test("a key that isn't known is BADKEY, and so is another algorithm", () => {
  const driver = driverOf();
  const { bytes } = signQuestion(STRANGER, queryBytes(ALICE, "SRV"), driver.time);
  const counters = counted(driver, () => assertEquals(refusal(driver, bytes), [9, 17]));
  assertEquals(counters, "dns-notauth,dns-tsig-badkey");
  const { bytes: known } = signQuestion(KEY, queryBytes(ALICE, "SRV"), driver.time);
  known[readSigned(known)!.tsig.algorithmAt + 11] = 0x35;
  assertEquals(refusal(driver, known), [9, 17]);
  assertEquals(refusal(new DnsDriver([]), bytes), [9, 17]);
});

test("a wrong MAC is BADSIG, before all else", () => {
  const driver = driverOf();
  const wrong = tsigKey("ops.example.com", new Uint8Array(32));
  for (const flags of [0, 0x2800]) {
    for (const name of [ALICE, "example.net"]) {
      const { bytes } = signQuestion(wrong, queryBytes(name, "SRV", { flags }), 1);
      const counters = counted(driver, () => assertEquals(refusal(driver, bytes), [9, 16]));
      assertEquals(counters, "dns-notauth,dns-tsig-badsig");
    }
  }
});

test("another time is BADTIME, signed, with the server's", () => {
  const driver = driverOf();
  driver.ahead = 1_700_000_000;
  for (const [off, fudge, isGood] of [[300, 300, 1], [-300, 300, 1], [301, 300, 0], [-6, 5, 0]]) {
    const question = queryBytes(ALICE, "SRV");
    const reply = ask(driver, question, { off: off!, fudge: fudge! });
    const now = driver.time + driver.ahead;
    if (isGood) {
      assertEquals([reply.rcode, reply.error, reply.time], [0, 0, now]);
      continue;
    }
    assertEquals([reply.rcode, reply.error, reply.answers.length], [9, 18, 0]);
    assertEquals(reply.time, now + off!, "the client's time");
    const { view } = new WireBuffer(reply.other);
    assertEquals([reply.other.length, view.getUint16(0), view.getUint32(2)], [6, 0, now]);
  }
  assertEquals(driver.counters.get("dns-tsig-badtime"), 2);
  assertEquals(driver.counters.get("dns-tsig"), 2);
});

test("a MAC that is cut short is BADTRUNC, signed; one of another size is malformed", () => {
  const driver = driverOf();
  const { bytes, mac } = signQuestion(KEY, queryBytes(ALICE, "SRV"), driver.time);
  const { tsig } = readSigned(bytes)!;
  const cut = (size: number): Uint8Array<ArrayBuffer> => {
    const message = Uint8Array.from([
      ...bytes.slice(0, tsig.macAt + Math.min(size, 32)),
      ...new Uint8Array(Math.max(size - 32, 0)),
      ...bytes.slice(tsig.macAt + 32),
    ]);
    const { view } = new WireBuffer(message);
    view.setUint16(tsig.macAt - 2, size);
    const lengthAt = tsig.algorithmAt - 2;
    view.setUint16(lengthAt, view.getUint16(lengthAt) + size - 32);
    return message;
  };
  for (const size of [16, 31]) {
    const reply = readAnswer(KEY, driver.send(cut(size))!, mac.slice(0, size));
    assertEquals([reply.rcode, reply.error, reply.answers.length], [9, 22, 0]);
    const wrong = cut(size);
    wrong[tsig.macAt]! ^= 1;
    assertEquals(refusal(driver, wrong), [9, 16]);
  }
  assertEquals(driver.counters.get("dns-tsig-badtrunc"), 2);
  for (const size of [0, 10, 15, 33]) assertEquals(refusal(driver, cut(size)), [1, undefined]);
});

test("a TSIG that isn't the end of the message, or is there twice, is malformed", () => {
  const driver = driverOf();
  const { bytes } = signQuestion(KEY, queryBytes(ALICE, "SRV"), driver.time);
  const { tsig } = readSigned(bytes)!;
  const twice = Uint8Array.from([...bytes, ...bytes.slice(tsig.at)]);
  twice[11] = 2;
  for (const message of [Uint8Array.from([...bytes, 0]), twice]) {
    assertEquals(refusal(driver, message), [1, undefined]);
  }
});

test("an owner in a pointer is read, as dnspython sends it", () => {
  const key = tsigKey("example.com");
  const driver = driverOf([zoneOf("example.com", { keys: [key] })]);
  const { bytes, mac } = signQuestion(key, queryBytes("example.com", "SOA"), driver.time);
  const { tsig } = readSigned(bytes)!;
  const message = Uint8Array.from([
    ...bytes.slice(0, tsig.at),
    ...[0xc0, 12],
    ...bytes.slice(tsig.at + key.name.length),
  ]);
  assertEquals(readAnswer(key, driver.send(message)!, mac).rcode, 0);
});

test("who must sign may not ask without one of the zone's keys", () => {
  const driver = driverOf([zoneOf("example.com", { requireTsig: true })]);
  const question = queryBytes(ALICE, "SRV");
  assertEquals(readReply(driver.send(question)!).rcode, 5);
  assertEquals(ask(driver, question).rcode, 0);
  assertEquals(ask(driver, question, { key: OTHER }).rcode, 5, "another zone's");
  assertEquals(ask(driver, queryBytes("example.org", "SOA"), { key: KEY }).rcode, 0);
  const near = driverOf([
    zoneOf("example.com", { requireTsig: true, allowFrom: ["192.0.2.0/24"] }),
  ]);
  assertEquals(ask(near, question).rcode, 5);
  assertEquals(ask(near, question, { source: "192.0.2.1" }).rcode, 0);
});

test("of keys with one name, the one that signed signs the answer", () => {
  const keys = [0, 1, 2].map((byte) => tsigKey("example.com", new Uint8Array(32).fill(byte)));
  const driver = driverOf([zoneOf("example.com", { keys, requireTsig: true })]);
  for (const key of keys) {
    assertEquals(ask(driver, queryBytes(ALICE, "SRV"), { key }).rcode, 0);
  }
  const { bytes } = signQuestion(
    tsigKey("example.com", new Uint8Array(32).fill(3)),
    queryBytes(ALICE, "SRV"),
    driver.time,
  );
  assertEquals(refusal(driver, bytes), [9, 16]);
});

test("new zones have new keys", () => {
  const driver = driverOf();
  assertEquals(ask(driver, queryBytes(ALICE, "SRV")).rcode, 0);
  driver.zones.configure([zoneOf("example.com", { keys: [STRANGER] })], NO_BUDGET);
  const { bytes } = signQuestion(KEY, queryBytes(ALICE, "SRV"), driver.time);
  assertEquals(refusal(driver, bytes), [9, 17]);
  assertEquals(ask(driver, queryBytes(ALICE, "SRV"), { key: STRANGER }).rcode, 0);
});

test("an answer that doesn't fit is cut so that its TSIG does", () => {
  const driver = driverOf();
  for (let size = 512; size <= 1400; size += 24) {
    driver.time += 2;
    const reply = ask(driver, queryBytes(ALICE, "SRV", { edns: { size } }));
    assert(reply.size <= Math.max(512, Math.min(1232, size)), `${size}`);
    const list = ask(driver, queryBytes("_a._sub." + SERVICE, "PTR", { edns: { size } }));
    assert(list.size <= Math.max(512, Math.min(1232, size)), `${size}`);
  }
  const list = ask(driver, queryBytes(SERVICE, "PTR"));
  assertEquals([list.flags, list.answers.length, list.error], ["AA TC", 0, 0]);
  assert(ask(driver, queryBytes(SERVICE, "PTR"), { transport: "tcp" }).answers.length === 40);
});

test("names so long that nothing fits into 512 bytes are answered in as many as they need", () => {
  const label = "x".repeat(60);
  const key = tsigKey(`${label}.${label}.${label}.${label}`);
  const driver = driverOf([zoneOf("example.com", { keys: [key] })]);
  const name = `${label}.${label}.${label}.example.com`;
  const reply = ask(driver, queryBytes(name, "A", { edns: {} }), { key });
  assertEquals([reply.rcode, reply.question], [3, `${name} A IN`]);
  const { bytes } = signQuestion(key, queryBytes(name, "A"), driver.time);
  for (const room of [282, 500]) assertEquals(driver.send(bytes, { room }), undefined);
  assert(driver.send(bytes, { room: 818 }) !== undefined);
});

test("a source over its budget gets no more than it sent, signed", () => {
  const driver = driverOf(undefined, { bytesPerSecond: 1, burst: 1 });
  const ending = (key: TsigKey, off = 0) => {
    const { bytes, mac } = signQuestion(key, queryBytes(ALICE, "SRV"), driver.time + off);
    const answer = driver.send(bytes);
    assert(answer === undefined || answer.length <= bytes.length);
    return answer === undefined ? undefined : { answer, mac };
  };
  const { answer, mac } = ending(KEY)!;
  const reply = readAnswer(KEY, answer, mac);
  assertEquals([reply.rcode, reply.flags, reply.answers.length, reply.error], [0, "AA TC", 0, 0]);
  assertEquals(ending(KEY, -400), undefined, "the server's time would make it longer");
  assert(ending(STRANGER) !== undefined);
  assert(driver.counters.get("dns-limited") >= 2);
});

test("no bit of a signed question can be another but those of ID and case", () => {
  const zone = zoneOf("example.com", { requireTsig: true });
  const driver = driverOf([zone]);
  const { bytes } = signQuestion(KEY, queryBytes(ALICE, "SRV", { edns: {} }), driver.time);
  const { tsig } = readSigned(bytes)!;
  for (let bit = 16; bit < 8 * bytes.length; bit++) {
    const at = bit >> 3;
    const isName = (at > tsig.at && at < tsig.algorithmAt - 10) ||
      (at > tsig.algorithmAt && at < tsig.macAt - 10);
    if (isName && (bit & 7) === 5) continue;
    const flipped = bytes.slice();
    flipped[at]! ^= 1 << (bit & 7);
    const answer = driver.send(flipped);
    if (answer === undefined) continue;
    const rcode = answer[3]! & 15;
    assert([1, 4, 5, 9].includes(rcode), `bit ${bit}: ${rcode}`);
    const signed = readSigned(answer);
    assert(signed === undefined || signed.tsig.macSize === 0, `bit ${bit}: signed`);
  }
  assertEquals(driver.counters.get("dns-tsig"), 0);
});

test("whatever a signed message says, its answer is signed", () => {
  const driver = driverOf();
  const message = fc.record({
    flags: fc.integer({ min: 0, max: 0x7fff }),
    type: fc.integer({ min: 0, max: 0xffff }),
    klass: fc.constantFrom(1, 3, 254, 255),
    name: fc.constantFrom(ALICE, SERVICE, "example.com", "example.org", "a.b", "."),
    transport: fc.constantFrom("udp", "tcp"),
  });
  fc.assert(fc.property(message, ({ flags, type, klass, name, transport }) => {
    const question = Uint8Array.from([
      ...headerBytes(7, flags, [1, 0, 0, 0]),
      ...questionBytes(name, type, klass),
    ]);
    assertEquals(ask(driver, question, { transport: transport as "udp" | "tcp" }).error, 0);
  }));
});

import { assert, assertEquals } from "@std/assert";
import { Counters } from "../../../../lib/core/net/counters.ts";
import { Signing } from "../../../../lib/core/zone/server/signing.ts";
import type { ParentRecords } from "../../../../lib/core/zone/server/key_records.ts";
import { ZoneSigner } from "../../../../lib/core/zone/server/signer.ts";
import { Zone } from "../../../../lib/core/zone/server/zone.ts";
import { encodeName } from "../../../../lib/wire/dns/name.ts";
import { DnsDriver, queryBytes, readReply } from "../../../support/dns.ts";
import { checkSigned, labelsOf } from "../../../support/dnssec.ts";
import { zoneKey } from "../../../support/zone_keys.ts";
import { deviceOf, instanceOf, keyOf } from "../../../support/zone_scene.ts";
import { test } from "../../../testing.ts";

const NAME = "example.com";
const LIST = `_wireguard._udp.${NAME}`;
const KEY = zoneKey(1, 15);
const PEERS = deviceOf([
  { key: keyOf(1), endpoint: "198.51.100.7:4711", allowedIps: ["10.9.0.2/32"] },
  { key: keyOf(2), endpoint: "[2001:db8::7]:51821" },
]);
/** Where the flags of an OPT stand, from the end of a message without options. */
const OPT_FLAGS = 4;
const DO = 0x8000;
const CO = 0x4000;

function signed(name = NAME, cds: ParentRecords = "publish", counters = new Counters()): Zone {
  const signer = new ZoneSigner(encodeName(name), [KEY], new Signing(1, counters), cds);
  return new Zone({ name, peers: [PEERS], signer });
}

const PLAIN = () => new Zone({ name: NAME, peers: [PEERS] });

/** A question with these flags in its OPT. */
function question(name: string, type: number, flags = DO): Uint8Array<ArrayBuffer> {
  const bytes = queryBytes(name, type, { edns: { dnssecOk: true } });
  new DataView(bytes.buffer).setUint16(bytes.length - OPT_FLAGS, flags);
  return bytes;
}

function check(driver: DnsDriver, name: string, type: number, zone = NAME): string {
  const bytes = driver.send(question(name, type), { local: "192.0.2.1" });
  const trust = { zone: labelsOf(zone), keys: [KEY.dnskey], now: driver.time };
  return checkSigned(bytes!, trust);
}

const NAMES = [
  ...[NAME, `ns1.${NAME}`, `_udp.${NAME}`, `_services._dns-sd._udp.${NAME}`, LIST],
  ...[`_a._sub.${LIST}`, instanceOf(1), instanceOf(2), instanceOf(9), `x.y.${NAME}`, `*.${LIST}`],
  instanceOf(1).toUpperCase(),
];
const TYPES = [1, 2, 6, 12, 15, 16, 28, 33, 43, 48, 59, 60, 255, 65_280];

test("each answer of a signed zone is right and whole, whatever is asked", () => {
  const driver = new DnsDriver([signed()]);
  for (const name of NAMES) {
    for (const type of TYPES) {
      const found = check(driver, name, type);
      const plain = new DnsDriver([PLAIN()]).ask(name, type, { local: "192.0.2.1" });
      const isOfKeys = name === NAME && [48, 59, 60].includes(type);
      const expected = isOfKeys || plain.answers.length > 0
        ? "answer"
        : plain.rcode === 3
        ? "nxdomain"
        : "nodata";
      assertEquals(found, expected, `${name} ${type}`);
    }
  }
});

test("who doesn't set DO gets every byte as from a zone that isn't signed", () => {
  const driver = new DnsDriver([signed()]);
  const other = new DnsDriver([PLAIN()]);
  for (const name of NAMES) {
    for (const type of TYPES.filter((type) => ![48, 59, 60].includes(type))) {
      for (const edns of [undefined, { size: 1232 }]) {
        const bytes = queryBytes(name, type, edns && { edns });
        const where = { local: "192.0.2.1" };
        assertEquals(driver.send(bytes, where), other.send(bytes, where), `${name} ${type}`);
      }
    }
  }
});

test("that there is no such name is in the RCODE where CO is set, or DO is not", () => {
  const driver = new DnsDriver([signed()]);
  const flagsOf = (bytes: Uint8Array) => bytes[bytes.length - 4]! << 8 | bytes[bytes.length - 3]!;
  for (const [flags, rcode] of [[DO, 0], [DO | CO, 3], [CO, 3], [0, 3]] as const) {
    const bytes = driver.send(question(`x.${NAME}`, 1, flags))!;
    assertEquals([bytes[3]! & 15, flagsOf(bytes)], [rcode, flags & DO ? flags : 0]);
    // A zone that isn't signed proves nothing.
    const plain = new DnsDriver([PLAIN()]).send(question(`x.${NAME}`, 1, flags))!;
    assertEquals([plain[3]! & 15, flagsOf(plain)], [3, flags & DO]);
  }
  assertEquals(driver.counters.snapshot()["dns-nxdomain"], 4);
});

test("signatures can be asked for alone, and what isn't there, too", () => {
  const driver = new DnsDriver([signed()]);
  const countsOf = (name: string, type: number, flags = DO) => {
    const view = new DataView(driver.send(question(name, type, flags))!.buffer);
    return [6, 8].map((at) => view.getUint16(at));
  };
  for (const name of [NAME, LIST, instanceOf(1), `_udp.${NAME}`]) {
    assertEquals(countsOf(name, 46, 0), [1, 0], name);
    assertEquals(countsOf(name, 46), [1, 0], name);
    assertEquals(countsOf(name, 47), [2, 0], name);
    assertEquals(countsOf(name, 47, 0), [1, 0], name);
  }
  // Of a name that there isn't, only its denial is there.
  assertEquals(countsOf(`x.${NAME}`, 47), [2, 0]);
  assertEquals(countsOf(`x.${NAME}`, 47, 0), [0, 1]);
});

test("a zone below has a DS unless it wants none, or isn't signed", () => {
  const below = `below.${NAME}`;
  const ofBelow = (zone: Zone) => {
    const driver = new DnsDriver([signed(), zone]);
    assertEquals(check(driver, `x.${NAME}`, 1), "nxdomain");
    return check(driver, below, 43);
  };
  assertEquals(ofBelow(signed(below)), "answer");
  assertEquals(ofBelow(signed(below, "none")), "answer");
  assertEquals(ofBelow(signed(below, "delete")), "nodata");
  assertEquals(ofBelow(new Zone({ name: below, peers: [PEERS] })), "nodata");
  const far = new DnsDriver([signed(), signed(`a.b.${NAME}`)]);
  assertEquals(check(far, `b.${NAME}`, 1), "nodata", "a name with a zone below it exists");
  assertEquals(check(far, `a.b.${NAME}`, 6, `a.b.${NAME}`), "answer");
});

test("nothing is signed for who has no budget left, and TCP goes on", () => {
  const counters = new Counters();
  const driver = new DnsDriver([signed(NAME, "publish", counters)], {
    bytesPerSecond: 1,
    burst: 1000,
  });
  driver.step = 0;
  const first = readReply(driver.send(queryBytes(NAME, 6))!);
  assertEquals(first.flags, "AA");
  const bytes = driver.send(question(`x.${NAME}`, 1))!;
  assert((bytes[2]! & 0x02) !== 0, "truncated");
  assertEquals(counters.snapshot()["dns-signed"], undefined);
  const answer = driver.send(question(`x.${NAME}`, 1), { transport: "tcp" })!;
  const trust = { zone: labelsOf(NAME), keys: [KEY.dnskey], now: driver.time };
  assertEquals(checkSigned(answer, trust), "nxdomain");
});

test("where too much is to be signed, UDP says to ask over TCP, and TCP that it failed", () => {
  const counters = new Counters();
  const signing = new Signing(1, counters);
  signing.work.configure({ perSecond: 1, burst: 4 });
  const signer = new ZoneSigner(encodeName(NAME), [KEY], signing);
  const driver = new DnsDriver([new Zone({ name: NAME, peers: [PEERS], signer })]);
  driver.step = 0;
  const outcomes = (transport: "udp" | "tcp") =>
    Array.from({ length: 6 }, (_, i) => {
      const bytes = driver.send(question(`${transport}${i}.${NAME}`, 1), { transport })!;
      return [(bytes[2]! & 0x02) !== 0, bytes[3]! & 15, bytes[7]! + bytes[9]!].join();
    });
  assertEquals(outcomes("udp").at(-1), "true,0,0");
  assertEquals(outcomes("tcp").at(-1), "false,2,0");
  assert((counters.snapshot()["dns-sign-limited"] ?? 0) > 0);
});

test("whatever case a question has, the signatures are the same, and right", () => {
  const counters = new Counters();
  const driver = new DnsDriver([signed(NAME, "publish", counters)]);
  const questions = [[NAME, 2], [NAME, 6], [NAME, 48], [LIST, 12], [instanceOf(1), 33]] as const;
  for (const [name, type] of questions) check(driver, name, type);
  const made = counters.get("dns-signed");
  for (const [name, type] of questions) {
    const mixed = Array.from(name, (each, i) => i % 2 ? each.toUpperCase() : each).join("");
    for (const other of [name.toUpperCase(), mixed]) {
      assertEquals(check(driver, other, type), "answer", `${other} ${type}`);
    }
  }
  assertEquals(counters.get("dns-signed"), made);
});

test("with another TTL there are other signatures, and the first ones with the first TTL", () => {
  const counters = new Counters();
  const signing = new Signing(1, counters);
  const signer = new ZoneSigner(encodeName(NAME), [KEY], signing);
  const zone = (ttl: number) => new Zone({ name: NAME, peers: [PEERS], ttl, signer });
  const driver = new DnsDriver([zone(0)]);
  const made = [0, 30, 0, 2 ** 31 - 1, 30].map((ttl) => {
    driver.zones.configure([zone(ttl)], { bytesPerSecond: 0, burst: 0 });
    const before = counters.get("dns-signed");
    assertEquals(check(driver, LIST, 12), "answer");
    assertEquals(check(driver, instanceOf(1), 33), "answer");
    return counters.get("dns-signed") - before;
  });
  assertEquals(made, [3, 3, 0, 3, 0]);
});

test("after 2038 and 2106, what is signed holds", () => {
  for (const time of [2 ** 31 - 1800, 2 ** 31 + 1800, 2 ** 32 - 1800, 2 ** 32 + 1800]) {
    const driver = new DnsDriver([signed()]);
    driver.time = time;
    for (const after of [0, 3600, 12 * 3600, 24 * 3600]) {
      driver.time = time + after;
      assertEquals(check(driver, instanceOf(1), 33), "answer", `${time} ${after}`);
      assertEquals(check(driver, `x.${NAME}`, 1), "nxdomain", `${time} ${after}`);
    }
  }
});

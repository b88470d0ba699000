/**
 * Whatever is asked of signed zones with views, and with which key: what is spoiled before it is signed
 * with TSIG gets through every check of that, and its answer is still whole.
 */

import { assert, assertEquals } from "@std/assert";
import { decodeBase64 } from "@std/encoding/base64";
import fc from "fast-check";
import { Counters } from "../../../../lib/core/net/counters.ts";
import { ChosenKeys } from "../../../../lib/core/zone/server/chosen_keys.ts";
import { ChosenPeers } from "../../../../lib/core/zone/server/chosen_peers.ts";
import { Signing } from "../../../../lib/core/zone/server/signing.ts";
import { ZoneSigner } from "../../../../lib/core/zone/server/signer.ts";
import { Zone } from "../../../../lib/core/zone/server/zone.ts";
import { encodeName } from "../../../../lib/wire/dns/name.ts";
import { WireBuffer } from "../../../../lib/wire/bytes/wire_buffer.ts";
import { newDnsQuery, parseQuery } from "../../../../lib/wire/dns/query.ts";
import {
  checkMessage,
  signMessage,
  type TsigKey,
  tsigSize,
} from "../../../../lib/wire/dns/tsig.ts";
import { DnsDriver, headerBytes, optBytes, questionBytes } from "../../../support/dns.ts";
import { checkSignatures, labelsOf, readSigned as readRecords } from "../../../support/dnssec.ts";
import { readSigned } from "../../../support/tsig.ts";
import { tsigKey } from "../../../support/tsig_vectors.ts";
import { countingKey, isQuick } from "../../../support/zone_keys.ts";
import { deviceOf, instanceOf, keyOf, labelOf } from "../../../support/zone_scene.ts";
import { test } from "../../../testing.ts";

const PEERS = Array.from({ length: 20 }, (_, i) => i);
const SHOWN = [3, 4];
/** Sees all; sees some; is of the zone below; has the name of the first; is unknown. */
const ALL = tsigKey("all.example.com");
const SOME = tsigKey("some.example.com");
const BELOW = tsigKey("below.example.com");
const WRONG = tsigKey("all.example.com", new Uint8Array(32));
const STRANGER = tsigKey(`${"x".repeat(63)}.${"y".repeat(63)}.${"z".repeat(63)}`);
const KNOWN = [ALL, SOME, BELOW];
const SIGNING = { example: countingKey(1, 13, true), below: countingKey(2, 15, true) };
const BUDGET = { bytesPerSecond: 2000, burst: 40_000 };

function sceneOf(): DnsDriver {
  const device = deviceOf(
    PEERS.map((i) => ({
      key: keyOf(i),
      endpoint: i % 2 === 0 ? `203.0.113.${i}:51820` : `[2001:db8::${i}]:51820`,
      allowedIps: Array.from({ length: 4 * i }, (_, j) => `10.${i}.${j}.0/24`),
    })),
  );
  const some = new ChosenPeers(device, new ChosenKeys(SHOWN.map(keyOf), 1));
  const signing = new Signing(7, new Counters());
  const signerOf = (name: string, key = SIGNING.example) =>
    new ZoneSigner(encodeName(name), [key], signing);
  return new DnsDriver([
    new Zone({
      name: "example.com",
      peers: [],
      keys: [ALL, SOME],
      signer: signerOf("example.com"),
      views: [
        { tsig: ["all.example.com"], shows: { peers: [device] } },
        { shows: { peers: [some] } },
      ],
    }),
    new Zone({
      name: "below.example.com",
      peers: [device],
      keys: [BELOW, SOME],
      requireTsig: true,
      signer: signerOf("below.example.com", SIGNING.below),
    }),
    new Zone({ name: "plain.example.com", peers: [some], keys: [SOME] }),
  ], BUDGET);
}

const label = fc.oneof(
  fc.constantFrom("_udp", "_wireguard", "_sub", "_a", "_AA", "ns1", "*", "x", "below", "_dns-sd"),
  fc.constantFrom(...PEERS.map((i) => labelOf(keyOf(i))), "y".repeat(63)),
  fc.uint8Array({ minLength: 1, maxLength: 20 })
    .map((bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")),
);
const apex = fc.constantFrom("example.com", "below.example.com", "plain.example.com", "com");
const name = fc.oneof(
  apex,
  fc.constantFrom(...PEERS).chain((i) => apex.map((zone) => instanceOf(i, zone))),
  apex.chain((zone) =>
    fc.constantFrom("_wireguard._udp", "_a._sub._wireguard._udp", "_services._dns-sd._udp", "ns1")
      .map((part) => `${part}.${zone}`)
  ),
  fc.tuple(fc.array(label, { maxLength: 5 }), apex)
    .map(([labels, zone]) => [...labels, zone].join(".")),
);
const question = fc.record({
  id: fc.nat(0xffff),
  flags: fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(0, 0x0100, 0x0110) },
    fc.nat(0x7fff),
  ),
  name,
  type: fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(1, 2, 6, 12, 16, 28, 33, 43, 46, 47, 48, 59, 60, 255) },
    fc.nat(0xffff),
  ),
  klass: fc.oneof({ weight: 20, arbitrary: fc.constant(1) }, fc.nat(0xffff)),
  isUpper: fc.boolean(),
  edns: fc.option(fc.record({ size: fc.nat(65_535), flags: fc.constantFrom(0, 0x8000, 0xc000) })),
  changes: fc.oneof(
    { weight: 5, arbitrary: fc.constant([]) },
    fc.array(fc.tuple(fc.nat(600), fc.nat(255)), { minLength: 1, maxLength: 3 }),
  ),
  key: fc.constantFrom(undefined, ALL, ALL, SOME, BELOW, WRONG, STRANGER),
  off: fc.constantFrom(0, 0, 0, 300, 301, -301, 2 ** 40),
  transport: fc.constantFrom("udp" as const, "udp" as const, "tcp" as const),
  source: fc.constantFrom("198.51.100.7", "203.0.113.9", "2001:db8::7"),
  pause: fc.constantFrom(0, 0.01, 1),
});
type Question = typeof question extends fc.Arbitrary<infer T> ? T : never;

function bytesOf({ id, flags, name, type, klass, isUpper, edns, changes }: Question) {
  const labels = isUpper ? name.toUpperCase() : name;
  const bytes = Uint8Array.from([
    ...headerBytes(id, flags, [1, 0, 0, edns === null ? 0 : 1]),
    ...questionBytes(labels, type, klass),
    ...(edns === null ? [] : optBytes({ size: edns.size })),
  ]);
  if (edns !== null) new DataView(bytes.buffer).setUint16(bytes.length - 4, edns.flags);
  for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
  return bytes;
}

function textOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

/** Signs whatever it is: what counts its records may be spoiled. */
function signed(key: TsigKey, message: Uint8Array, unix: number) {
  const buffer = new WireBuffer(message.length + tsigSize(key));
  buffer.bytes.set(message);
  const size = signMessage(key, buffer, 0, message.length, unix, 300);
  return { bytes: buffer.bytes, mac: buffer.bytes.slice(size - 38, size - 6) };
}

/** What went to each source beyond what came from there. */
type Spent = Map<string, number>;

function check(driver: DnsDriver, asked: Question, spent: Spent): void {
  const { key, off, transport, source } = asked;
  driver.time += asked.pause;
  const plain = bytesOf(asked);
  const counts = plain[10]! * 256 + plain[11]!;
  const isSigned = key !== undefined && counts < 0xffff;
  const { bytes, mac } = isSigned
    ? signed(key, plain, driver.time + off)
    : { bytes: plain, mac: new Uint8Array() };
  const query = newDnsQuery();
  const status = parseQuery(new WireBuffer(bytes), 0, bytes.length, query);
  const answer = driver.send(bytes, { transport, source });
  if (answer === undefined) {
    assert(status === "short" || status === "response" || query.tsigAt >= 0);
    return;
  }
  if (transport === "udp") {
    const most = query.hasOpt ? Math.max(512, Math.min(1232, query.udpSize)) : 512;
    assert(answer.length <= Math.max(most, 818), `${answer.length} bytes of ${most}`);
    assert(answer.length <= most || query.nameSize + query.labels > 100 || key === STRANGER);
    spent.set(source, (spent.get(source) ?? 0) + Math.max(0, answer.length - bytes.length));
  }
  // What is signed has a right MAC, and only who has a right key gets that.
  const found = readSigned(answer);
  const rcode = answer[3]! & 15;
  const isRight = isSigned && KNOWN.includes(key) && query.tsigAt === plain.length;
  if (found !== undefined) {
    const { tsig } = found;
    assertEquals(tsig.macSize === 32, isRight);
    const wanted: TsigKey | undefined = isRight ? key : undefined;
    const buffer = new WireBuffer(answer);
    assert(wanted === undefined || checkMessage(wanted, buffer, 0, answer.length, tsig, mac));
    assertEquals(rcode === 9, tsig.error !== 0);
  } else assert(!isRight, "not signed");
  if (rcode === 9) assertEquals(answer.slice(6, 10), new Uint8Array(4), "records");
  const reply = found?.plain ?? answer;
  const question = textOf(reply.subarray(12, 12 + query.questionSize)).toLowerCase();
  const said = textOf(reply.subarray(12 + query.questionSize));
  const isBelow = question.includes("below\x07example\x03com\0");
  const seesAll = isBelow ? key === BELOW || key === SOME : key === ALL;
  if (!(isRight && Math.abs(off) <= 300 && seesAll)) checkHidden(question, said);
  const isAnswered = reply.subarray(6, 10).some((byte) => byte > 0);
  if (query.questionSize > 0 && isAnswered) checkRecords(reply, driver.time);
}

/** Nothing is said of peers that the view doesn't show. */
function checkHidden(question: string, said: string): void {
  for (const peer of PEERS.filter((each) => !SHOWN.includes(each))) {
    assert(!said.includes(keyOf(peer)), `the key of ${peer}`);
    assert(!said.includes(String.fromCharCode(...decodeBase64(keyOf(peer)))), `${peer}`);
    const label = labelOf(keyOf(peer)).toLowerCase();
    // What is denied is named in its NSEC.
    if (question.includes(label)) continue;
    assert(!said.toLowerCase().includes(label), `the label of ${peer}`);
  }
}

/** What is signed is signed with the zone's key, whole and now. */
function checkRecords(reply: Uint8Array, now: number): void {
  const message = readRecords(reply);
  const rrsig = message.records.find(({ type }) => type === 46);
  if (rrsig === undefined || message.question.type === 46) return;
  const isBelow = textOf(rrsig.data.subarray(18)).startsWith("\x05below");
  const zone = labelsOf(isBelow ? "below.example.com" : "example.com");
  const { dnskey } = isBelow ? SIGNING.below : SIGNING.example;
  checkSignatures(message, { zone, keys: [dnskey], now, isRight: isQuick });
}

test("whatever is asked of signed zones with views, and signed with TSIG, its answer is whole", () => {
  const driver = sceneOf();
  const spent: Spent = new Map();
  const start = driver.time;
  fc.assert(fc.property(question, (asked) => check(driver, asked, spent)), { numRuns: 400 });
  for (const bytes of spent.values()) {
    assert(bytes <= BUDGET.burst + BUDGET.bytesPerSecond * (driver.time - start));
  }
});

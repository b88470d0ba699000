/**
 * Whatever comes in: nothing is thrown, and what goes out is an answer.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Zone } from "../../../lib/core/zone/server/zone.ts";
import { GroupPeers } from "../../../lib/core/zone/server/group_peers.ts";
import { KnownAllowedIps } from "../../../lib/core/zone/server/peers.ts";
import { ZoneSelf } from "../../../lib/core/zone/server/self.ts";
import { DnsDriver, queryBytes, readReply } from "../../support/dns.ts";
import { dnsExchanges } from "../../support/dns_vectors.ts";
import { readSigned, signQuestion } from "../../support/tsig.ts";
import { tsigKey } from "../../support/tsig_vectors.ts";
import { idOf } from "../../support/fake_random.ts";
import { deviceOf, instanceOf, keyOf, SceneGroup } from "../../support/zone_scene.ts";
import { test } from "../../testing.ts";

const T0 = 1_700_000_000;
const SERVICE = "_wireguard._udp.example.com";

function fuzzedDriver(): DnsDriver {
  const device = deviceOf(
    Array.from({ length: 30 }, (_, i) => ({
      key: keyOf(i),
      endpoint: i % 2 === 0 ? `192.0.2.${i}:51820` : `[2001:db8::${i}]:51820`,
      allowedIps: Array.from({ length: 3 * i }, (_, j) => `10.${i}.${j}.0/24`),
    })),
    { publicKey: keyOf(1000), listenPort: 51820 },
  );
  const scene = new SceneGroup();
  for (let i = 20; i < 60; i++) scene.see(idOf(i), `192.0.2.${i}:1`, T0 + i);
  const group = new GroupPeers(scene.group, new KnownAllowedIps(new Map(), 1));
  const self = new ZoneSelf(device, { allowedIps: ["10.0.0.0/8"] });
  return new DnsDriver([
    new Zone({ name: "example.com", peers: [device, group], self, keys: [KEY] }),
    new Zone({ name: "sub.example.com", peers: [group], allowFrom: ["198.51.100.0/24"] }),
    new Zone({ name: "noself.test", peers: [device] }),
  ], { bytesPerSecond: 1000, burst: 20_000 });
}

const KEY = tsigKey("example.com");
const driver = fuzzedDriver();
const path = fc.record({
  transport: fc.constantFrom("udp", "tcp"),
  source: fc.constantFrom("198.51.100.7", "203.0.113.7", "2001:db8::7"),
  local: fc.constantFrom(undefined, "192.0.2.1", "fd00::1", "::"),
  room: fc.integer({ min: 282, max: 65_535 }),
});

/** Sends, and checks what the driver doesn't: that an answer can be read. */
function check(bytes: Uint8Array, options: Parameters<DnsDriver["send"]>[1]): void {
  driver.time += 0.5;
  const answer = driver.send(bytes, options);
  const isQuery = bytes.length >= 12 && (bytes[2]! & 0x80) === 0;
  // A TSIG needs its room, and over the budget as much as was sent.
  if (answer === undefined) return assert(!isQuery || hasTsig(bytes));
  assert(isQuery);
  const reply = readReply(readSigned(answer)?.plain ?? answer);
  assertEquals(reply.id, (bytes[0]! << 8) | bytes[1]!);
  assert([0, 1, 3, 4, 5, 16].includes(reply.rcode) || hasTsig(bytes) && reply.rcode === 9);
  assertEquals(reply.flags.includes("AA"), reply.rcode === 0 || reply.rcode === 3);
}

function hasTsig(bytes: Uint8Array): boolean {
  return bytes.some((_, i) => bytes[i] === 0 && bytes[i + 1] === 250);
}

test("any bytes are answered or dropped", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), path, (bytes, path) => check(bytes, path)),
    { numRuns: 1000 },
  );
});

const seeds = [
  queryBytes(instanceOf(1), "SRV"),
  queryBytes(instanceOf(29), "TXT", { edns: {} }),
  queryBytes(instanceOf(1000), "ANY", { edns: { size: 65_535 } }),
  queryBytes(SERVICE, "PTR", { edns: {} }),
  queryBytes(`_a._sub.${SERVICE}`, "PTR"),
  queryBytes(`_services._dns-sd._udp.sub.example.com`, "PTR"),
  queryBytes("example.com", "NS"),
  signQuestion(KEY, queryBytes(SERVICE, "PTR", { edns: {} }), 1010).bytes,
  signQuestion(KEY, queryBytes(instanceOf(1), "SRV"), 1000, 0xffff).bytes,
  signQuestion(tsigKey("example.org"), queryBytes(instanceOf(1), "SRV"), 1000).bytes,
  ...dnsExchanges.flatMap(({ queries }) => queries),
];
interface Change {
  readonly at: number;
  readonly byte: number;
  readonly kind: "set" | "insert" | "remove" | "cut" | "append";
}
const change: fc.Arbitrary<Change> = fc.record({
  at: fc.nat(700),
  byte: fc.integer({ min: 0, max: 255 }),
  kind: fc.constantFrom("set", "insert", "remove", "cut", "append"),
});

function changed(seed: Uint8Array, changes: readonly Change[]) {
  const bytes = [...seed];
  for (const { at, byte, kind } of changes) {
    const place = bytes.length === 0 ? 0 : at % bytes.length;
    if (kind === "set") bytes[place] = byte;
    else if (kind === "insert") bytes.splice(place, 0, byte);
    else if (kind === "remove") bytes.splice(place, 1);
    else if (kind === "cut") bytes.length = place;
    else bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

test("queries with bytes changed, added and cut off are answered or dropped", () => {
  const changes = fc.array(change, { maxLength: 6 });
  fc.assert(
    fc.property(fc.constantFrom(...seeds), changes, path, (seed, changes, path) => {
      check(changed(seed, changes), path);
    }),
    { numRuns: 2000 },
  );
});

test("the longest message of many records is read to its end", () => {
  for (const records of [5000, 0xffff]) {
    const bytes = new Uint8Array(65_535);
    bytes.set(queryBytes(instanceOf(1), "SRV"));
    new DataView(bytes.buffer).setUint16(10, records);
    check(bytes, { transport: "tcp" });
  }
});

/** What a server says of itself: of a registry that peers have asked, in pieces. */

import { assert, assertEquals } from "@std/assert";
import { decodeBase64 } from "@std/encoding/base64";
import { LeaseBook } from "../../../lib/core/lease/server/book.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { registeredPeer } from "../../../lib/core/serve/group_report.ts";
import { type ServeFacts, type ServeParts, serveReport } from "../../../lib/core/serve/report.ts";
import { readReport } from "../../../lib/core/status/read_report.ts";
import { SCHEMA } from "../../../lib/core/status/report.ts";
import {
  type GroupReport,
  MOST_LISTED,
  MOST_REGISTERED,
  type ServeReport,
} from "../../../lib/core/status/serve_report.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { flagsOfNat, NAT } from "../../../lib/wire/wgsig2/nat.ts";
import { QUESTION_FLAG } from "../../../lib/wire/wgsig2/question.ts";
import { idOf } from "../../support/fake_random.ts";
import { RegistryDriver } from "../../support/registry_driver.ts";
import { RelayScene } from "../../support/relay_scene.ts";
import { test } from "../../testing.ts";

const FACTS: ServeFacts = {
  name: "1223",
  version: "1.0.0",
  runtime: "deno 2",
  uptime: 12,
  listen: ["0.0.0.0:1223"],
  serverKey: null,
  publicAddress: null,
  state: null,
  store: null,
  dns: [],
  zones: [{
    name: "wg.example.com",
    interface: "wg0",
    groups: [],
    views: 0,
    keys: [{ tag: 44_136, algorithm: 13 }],
    tsig: ["wg.example.com"],
  }],
};

function partsOf({ registry }: RegistryDriver, more: Partial<ServeParts> = {}): ServeParts {
  return {
    registry,
    leases: undefined,
    nameOf: () => undefined,
    rosterOf: () => undefined,
    counters: () => ({}),
    ...more,
  };
}

/** Says it; `between` is what happens after each piece. */
function reportOf(driver: RegistryDriver, parts: ServeParts, between = () => {}): ServeReport {
  const { unix, mono } = driver;
  const steps = serveReport(FACTS, parts, { unix, mono });
  for (;;) {
    const { done, value } = steps.next();
    if (done) {
      const read = readReport({ schema: SCHEMA, ...JSON.parse(JSON.stringify(value)) });
      assertEquals(read, value, "it is read as it was written");
      return value;
    }
    between();
  }
}

function groupOf(report: ServeReport): GroupReport {
  const [group] = report.groups;
  assert(group !== undefined && report.groups.length === 1);
  return group;
}

test("serve says of its peers who they are, how they are known, and what they say of themselves", () => {
  const scene = new RelayScene();
  const { driver } = scene;
  driver.ask({ id: idOf(7), from: "192.0.2.9 5000" });
  driver.pass(10);
  const [a, b] = [scene.peer(1, "198.51.100.1 1000"), scene.peer(2, "2001:db8::2 2000")];
  scene.socket = a.socket;
  scene.ask(a.client, a.from, {
    flags: flagsOfNat(NAT.hard) | QUESTION_FLAG.probes | QUESTION_FLAG.subscribe,
    candidates: ["lan 192.168.1.2:51820", "mapped 198.51.100.1:4000"],
    relayed: [b.client.id],
  });
  driver.pass(2.5);
  const key = formatKey(a.client.id);
  const parts = partsOf(driver, {
    nameOf: (publicKey, group) => publicKey === key && group === 0 ? "alice" : undefined,
    rosterOf: () => ({ entries: 3, invitations: 1 }),
    counters: () => ({ "punch-received": 4 }),
  });
  const report = reportOf(driver, parts);
  const { peers, ...group } = groupOf(report);
  assertEquals(group, {
    id: 0,
    proof: "auto",
    count: 3,
    proved: 2,
    ipv6: 1,
    nats: { unknown: 2, easy: 0, sequential: 0, hard: 1 },
    subscribers: 1,
    roster: 3,
    invitations: 1,
    more: 0,
  });
  assertEquals(peers, [
    {
      publicKey: key,
      name: "alice",
      proved: true,
      protocol: 2,
      age: 2.5,
      endpoints: ["198.51.100.1:1000"],
      places: [
        { kind: "lan", endpoint: "192.168.1.2:51820" },
        { kind: "mapped", endpoint: "198.51.100.1:4000" },
      ],
      nat: "hard",
      probes: true,
    },
    {
      publicKey: formatKey(b.client.id),
      name: null,
      proved: true,
      protocol: 2,
      age: 2.5,
      endpoints: ["[2001:db8::2]:2000"],
      places: [],
      nat: "unknown",
      probes: false,
    },
    {
      publicKey: formatKey(idOf(7)),
      name: null,
      proved: false,
      protocol: 1,
      age: 14.5,
      endpoints: ["192.0.2.9:5000"],
      places: [],
      nat: "unknown",
      probes: false,
    },
  ]);
  for (const peer of peers) {
    const known = decodeBase64(peer.publicKey);
    assertEquals(registeredPeer(driver.group(), known, parts.nameOf, driver.mono), peer);
  }
  assertEquals(registeredPeer(driver.group(), idOf(8), parts.nameOf, driver.mono), undefined);
  assertEquals(report.relay, {
    count: 1,
    datagrams: 0,
    bytes: 0,
    pairs: [{ group: 0, a: key, b: formatKey(b.client.id), age: null, since: 2.5 }],
    more: 0,
  });
  scene.handshake(a, b);
  driver.pass(1);
  const relay = reportOf(driver, parts).relay;
  assertEquals([relay?.datagrams, relay?.pairs[0]?.age, relay?.pairs[0]?.since], [2, 1, 3.5]);
  const { counters } = report;
  assertEquals([counters.questions! > 0, counters["drop-bad-mac"]], [true, 0]);
  assertEquals(counters["punch-received"], 4);
});

test("serve counts peers as they prove their keys, say other things and go", () => {
  const scene = new RelayScene({ maxAge: 60 }, undefined);
  const { driver } = scene;
  const [from, six] = ["198.51.100.1 1000", "2001:db8::2 2000"];
  const client = scene.client(1);
  const nats = (nat: number) => {
    driver.pass(1);
    scene.ask(client, from, { flags: flagsOfNat(nat) });
    return groupOf(reportOf(driver, partsOf(driver)));
  };
  assertEquals(nats(NAT.easy).nats, { unknown: 0, easy: 1, sequential: 0, hard: 0 });
  assertEquals(nats(NAT.sequential).nats, { unknown: 0, easy: 0, sequential: 1, hard: 0 });
  assertEquals(nats(NAT.unknown).nats, { unknown: 1, easy: 0, sequential: 0, hard: 0 });
  assertEquals(nats(NAT.hard).nats, { unknown: 0, easy: 0, sequential: 0, hard: 1 });
  driver.pass(1);
  scene.ask(client, six, { flags: flagsOfNat(NAT.hard) });
  const both = groupOf(reportOf(driver, partsOf(driver)));
  assertEquals([both.count, both.proved, both.ipv6, both.peers[0]?.endpoints.length], [1, 1, 1, 2]);
  driver.pass(100);
  driver.registry.expire(driver);
  const { peers, more, ...gone } = groupOf(reportOf(driver, partsOf(driver)));
  assertEquals([peers, more, gone.count, gone.proved, gone.ipv6], [[], 0, 0, 0, 0]);
  assertEquals(gone.nats, { unknown: 0, easy: 0, sequential: 0, hard: 0 });
});

test("of many peers, those heard last are told of, and who is gone meanwhile is not", () => {
  for (const speaksSecond of [false, true]) {
    const scene = new RelayScene({ maxPeers: 5000, maxAge: 5000 }, undefined);
    const { driver } = scene;
    if (speaksSecond) scene.peer(1, "198.51.100.1 1000");
    const count = MOST_REGISTERED + 200;
    const hear = (number: number) => {
      driver.pass(1);
      const seen = { seconds: driver.unix, nanoseconds: 0 };
      const peer = { id: new WireBuffer(idOf(number)), address: 0x0a000001, port: 2000, seen };
      driver.group().observe(peer, driver, driver.registry.counters);
    };
    for (let i = 0; i < count; i++) hear(i);
    const group = groupOf(reportOf(driver, partsOf(driver)));
    const expected = Array.from({ length: MOST_REGISTERED }, (_, i) => idOf(count - 1 - i));
    assertEquals(group.peers.map(({ publicKey }) => publicKey), expected.map(formatKey));
    assertEquals(group.more, group.count - MOST_REGISTERED);
    // All of them go between the first two pieces, and others come in their place.
    let pieces = 0;
    const changed = groupOf(reportOf(driver, partsOf(driver), () => {
      if (pieces++ > 0) return;
      driver.group().members.keep(() => false, driver.mono);
      for (let i = 0; i < 5; i++) hear(9000 + i);
    }));
    assert(pieces > 10);
    const before = expected.slice(0, 31).map(formatKey);
    const known = new Set([...before, ...[0, 1, 2, 3, 4].map((i) => formatKey(idOf(9000 + i)))]);
    assertEquals(changed.peers.slice(0, 31).map(({ publicKey }) => publicKey), before);
    const keys = changed.peers.map(({ publicKey }) => publicKey);
    assert(keys.every((key) => known.has(key)), "nobody who is gone is told of");
    assertEquals(new Set(keys).size, keys.length, "and nobody twice");
  }
});

test("leases are told of, with when they end, and no more than so many", () => {
  const driver = new RegistryDriver({ groups: [] });
  const book = new LeaseBook({
    pools: ["10.0.0.0/16"],
    reserved: [],
    fixed: new Map(),
    leaseTime: 600,
    maxLeases: 10_000,
  }, (bytes) => bytes.fill(driver.mono & 0xff));
  const keys = Array.from({ length: MOST_LISTED + 5 }, (_, i) => formatKey(idOf(i)));
  for (const [i, key] of keys.entries()) {
    book.request(key, { ipv4: BigInt(0x0a000001 + i), ipv6: undefined }, driver.mono);
  }
  driver.pass(100.0004);
  const parts = partsOf(driver, { leases: { interface: "wg0", book } });
  const { leases, groups, relay } = reportOf(driver, parts);
  assertEquals([groups, relay, leases?.interface], [[], null, "wg0"]);
  assertEquals([leases?.count, leases?.held.length, leases?.more], [keys.length, MOST_LISTED, 5]);
  const first = { publicKey: keys[0]!, name: null, address: "10.0.0.1/32", endsIn: 500 };
  assertEquals(leases?.held[0], first);
});

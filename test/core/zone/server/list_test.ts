/**
 * Lists of many peers: what fits in a message, and how all of them are found.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { formatKey } from "../../../../lib/core/net/peer_key.ts";
import { Zone } from "../../../../lib/core/zone/server/zone.ts";
import { GroupPeers } from "../../../../lib/core/zone/server/group_peers.ts";
import { KnownAllowedIps, type ZonePeers } from "../../../../lib/core/zone/server/peers.ts";
import { ZoneSelf } from "../../../../lib/core/zone/server/self.ts";
import { encodeBase32 } from "../../../../lib/wire/bytes/base32.ts";
import { DnsDriver, type DnsReply } from "../../../support/dns.ts";
import { idOf } from "../../../support/fake_random.ts";
import {
  deviceOf,
  instanceOf,
  keyOf,
  labelOf,
  mixedKeys,
  SceneGroup,
} from "../../../support/zone_scene.ts";
import { test } from "../../../testing.ts";

const SERVICE = "_wireguard._udp.example.com";
const DIGITS = "abcdefghijklmnopqrstuvwxyz234567";
const T0 = 1_700_000_000;

function driverOf(...peers: ZonePeers[]): DnsDriver {
  return new DnsDriver([new Zone({ name: "example.com", peers })]);
}

/** The labels of the instances that an answer lists. */
function listed({ answers }: DnsReply): string[] {
  return answers.map((record) => {
    const match = /^(\S+) 0 PTR (\S{56})\._wireguard\._udp\.example\.com$/.exec(record);
    assert(match !== null, record);
    return match[2]!;
  });
}

/** What an answer says how many there are, in its answer or in Additional. */
function counted({ answers, additionals }: DnsReply): number | undefined {
  const texts = [...answers, ...additionals].filter((record) => record.includes(" TXT "));
  if (texts.length === 0) return undefined;
  const match = /^\S+ 0 TXT "txtvers=1" "peers=(\d+)"$/.exec(texts.join());
  assert(match !== null, texts.join());
  return Number(match[1]);
}

function deviceWith(keys: Iterable<Uint8Array>) {
  return deviceOf(
    Array.from(keys, (key) => ({ key: formatKey(key), endpoint: "192.0.2.1:51820" })),
  );
}

/** Finds all instances as a client does: a list that isn't whole is asked for in 32 parts. */
function enumerate(driver: DnsDriver, prefix = ""): string[] {
  const name = prefix === "" ? SERVICE : `_${prefix}._sub.${SERVICE}`;
  const reply = driver.ask(name, "PTR", { transport: "tcp" });
  assertEquals(reply.rcode, 0);
  assert(!reply.flags.includes("TC"));
  const total = counted(reply);
  const labels = listed(reply);
  if (total === undefined) return labels;
  assert(total > labels.length);
  const all = Array.from(DIGITS).flatMap((digit) => enumerate(driver, prefix + digit));
  assertEquals(all.length, total);
  return all;
}

for (const count of [10_000, 100_000]) {
  test(`all of ${count} peers are found through the subtypes`, () => {
    const keys = [...mixedKeys(count)];
    const labels = keys.map((key) => encodeBase32(key)).sort();
    assertEquals(new Set(labels).size, count);
    const driver = driverOf(deviceWith(keys));
    driver.step = 0;
    assertEquals(enumerate(driver).sort(), labels);
  });
}

test("a list that can't be whole has as many as fit over TCP, and says how many there are", () => {
  const driver = driverOf(deviceWith(mixedKeys(1000)));
  const reply = driver.ask(SERVICE, "PTR", { transport: "tcp", edns: {} });
  assertEquals([reply.flags, reply.opt, counted(reply)], ["AA", "1232", 1000]);
  const labels = listed(reply);
  assertEquals(new Set(labels).size, labels.length);
  const recordSize = 2 + 10 + 57 + 2;
  assert(reply.size + recordSize > 65_535 - 64 && reply.size <= 65_535, `${reply.size}`);
  assert(labels.length > 900);
});

test("a list is whole, without a count, as long as it fits", () => {
  const empty = 12 + SERVICE.length + 2 + 4;
  const most = Math.floor((65_535 - empty) / 71);
  const keys = [...mixedKeys(most + 1)];
  const whole = driverOf(deviceWith(keys.slice(1))).ask(SERVICE, "PTR", { transport: "tcp" });
  assertEquals([listed(whole).length, counted(whole)], [most, undefined]);
  const cut = driverOf(deviceWith(keys)).ask(SERVICE, "PTR", { transport: "tcp" });
  assertEquals(counted(cut), most + 1);
});

test("a room that is smaller than the transport holds what fits in it", () => {
  const driver = driverOf(deviceWith(mixedKeys(100)));
  for (let room = 282; room < 1000; room += 37) {
    const reply = driver.ask(SERVICE, "PTR", { transport: "tcp", room });
    assertEquals(counted(reply), 100);
    assert(listed(reply).length > 0 && reply.size <= room && reply.size > room - 64 - 71);
  }
});

test("over UDP a list that doesn't fit has TC, no part, and the count", () => {
  const driver = driverOf(deviceWith(mixedKeys(7)));
  const cut = driver.ask(SERVICE, "PTR");
  assertEquals([cut.flags, cut.answers, counted(cut)], ["AA TC", [], 7]);
  assertEquals(listed(driver.ask(SERVICE, "PTR", { edns: {} })).length, 7);
  assertEquals(listed(driverOf(deviceWith(mixedKeys(6))).ask(SERVICE, "PTR")).length, 6);
  assertEquals(driver.counters.get("dns-truncated"), 1);
});

test("a subtype has those whose label begins with it, in either case, and their number", () => {
  const keys = [...mixedKeys(300)];
  const labels = keys.map((key) => encodeBase32(key));
  const driver = driverOf(deviceWith(keys));
  for (const label of labels.slice(0, 20)) {
    for (let length = 1; length <= 3; length++) {
      const prefix = label.slice(0, length);
      const expected = labels.filter((each) => each.startsWith(prefix)).sort();
      for (const asked of [prefix, prefix.toUpperCase()]) {
        const name = `_${asked}._SUB.${SERVICE}`;
        const reply = driver.ask(name, "PTR", { transport: "tcp" });
        assertEquals([listed(reply).sort(), counted(reply)], [expected, undefined]);
        assertEquals(counted(driver.ask(name, "TXT")), expected.length);
      }
    }
  }
});

test("the first and the last subtypes have their own", () => {
  const first = new Uint8Array(32);
  const last = new Uint8Array(32).fill(0xff);
  const driver = driverOf(deviceWith([first, last]));
  for (let length = 1; length <= 3; length++) {
    for (const [digit, key] of [["a", first], ["7", last]] as const) {
      const reply = driver.ask(`_${digit.repeat(length)}._sub.${SERVICE}`, "PTR");
      assertEquals(listed(reply), [encodeBase32(key)]);
    }
  }
});

test("a subtype without instances is there and empty", () => {
  const driver = driverOf();
  const name = `_abc._sub.${SERVICE}`;
  const reply = driver.ask(name, "PTR");
  assertEquals([reply.rcode, reply.answers.length, reply.authorities.length], [0, 0, 1]);
  assertEquals(counted(driver.ask(name, "TXT")), 0);
});

test("peers of a group that were seen last come first", () => {
  const scene = new SceneGroup();
  const keys = [...mixedKeys(1200)];
  keys.forEach((key, i) => scene.see(key, "192.0.2.1:1", T0 + i));
  keys.slice(0, 100).forEach((key, i) => scene.see(key, "192.0.2.1:1", T0 + 2000 + i));
  const newestFirst = [...keys.slice(100), ...keys.slice(0, 100)].reverse();
  const driver = driverOf(new GroupPeers(scene.group, new KnownAllowedIps(new Map(), 1)));
  const labels = listed(driver.ask(SERVICE, "PTR", { transport: "tcp" }));
  assert(labels.length > 900);
  assertEquals(labels, newestFirst.slice(0, labels.length).map((key) => encodeBase32(key)));
});

test("a group's list follows its peers, at most a second later", () => {
  const scene = new SceneGroup();
  const driver = driverOf(new GroupPeers(scene.group, new KnownAllowedIps(new Map(), 1)));
  assertEquals(driver.ask(SERVICE, "PTR").answers, []);
  for (let peer = 1; peer <= 5; peer++) scene.see(idOf(peer), `192.0.2.${peer}:1`, T0 + peer);
  const labels = [5, 4, 3, 2, 1].map((peer) => labelOf(keyOf(peer)));
  assertEquals(listed(driver.ask(SERVICE, "PTR")), labels);
  scene.forget(idOf(3), T0 + 9);
  assertEquals(listed(driver.ask(SERVICE, "PTR")), labels.filter((_, i) => i !== 2));
  assertEquals(counted(driver.ask(SERVICE, "TXT")), 4);
});

test("a small list is new after 10 ms, a large one later", () => {
  for (const [count, soon, late] of [[1, 0.009, 0.011], [10_000, 0.1, 0.12]] as const) {
    const device = deviceWith(mixedKeys(count));
    const driver = driverOf(device);
    const ask = (step: number) => {
      driver.step = step;
      return counted(driver.ask(SERVICE, "TXT"));
    };
    assertEquals(ask(0), count);
    device.set({ publicKey: undefined, listenPort: 0, peers: [] });
    assertEquals([ask(soon), ask(late - soon)], [count, 0]);
  }
});

test("a peer without a port has no endpoint to publish", () => {
  const scene = new SceneGroup();
  scene.see(idOf(1), "192.0.2.1:0", T0);
  const driver = driverOf(new GroupPeers(scene.group, new KnownAllowedIps(new Map(), 1)));
  assertEquals(driver.ask(instanceOf(1), "SRV").rcode, 3);
  assertEquals(counted(driver.ask(SERVICE, "TXT")), 0);
});

test("the device itself is listed once, first, and by its prefix", () => {
  const keys = [...mixedKeys(1000)];
  const own = keys[500]!;
  const device = deviceOf([], { publicKey: formatKey(own), listenPort: 51820 });
  const self = new ZoneSelf(device, { allowedIps: [] });
  const local = "192.0.2.1";
  const label = encodeBase32(own);
  for (const others of [keys, keys.filter((key) => key !== own)]) {
    const zone = new Zone({ name: "example.com", peers: [device, deviceWith(others)], self });
    const driver = new DnsDriver([zone]);
    const reply = driver.ask(SERVICE, "PTR", { transport: "tcp", local });
    assertEquals([listed(reply)[0], counted(reply)], [label, 1000]);
    assertEquals(listed(reply).filter((each) => each === label).length, 1);
    const all = new Set(listed(reply));
    assertEquals(all.size, listed(reply).length);
    for (let length = 1; length <= 3; length++) {
      const name = `_${label.slice(0, length)}._sub.${SERVICE}`;
      const part = listed(driver.ask(name, "PTR", { transport: "tcp", local }));
      assertEquals(part[0], label);
      const expected = keys.map((key) => encodeBase32(key)).filter((each) =>
        each.startsWith(label.slice(0, length))
      );
      assertEquals(part.sort(), expected.sort());
    }
    const another = label.startsWith("a") ? "b" : "a";
    const rest = driver.ask(`_${another}._sub.${SERVICE}`, "PTR", { transport: "tcp", local });
    assert(!listed(rest).includes(label));
  }
});

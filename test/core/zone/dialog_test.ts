/**
 * Our client asks our server: what one publishes, the other finds.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Zone } from "../../../lib/core/zone/server/zone.ts";
import { ZoneExchange, type ZonePeer } from "../../../lib/core/zone/client/exchange.ts";
import { DevicePeers, type DeviceSnapshot } from "../../../lib/core/zone/server/peers.ts";
import { DnsDriver } from "../../support/dns.ts";
import { keyOf } from "../../support/dns_messages.ts";
import { countingRandom } from "../../support/fake_random.ts";
import { test } from "../../testing.ts";

const ZONE = "example.com";

type DevicePeer = DeviceSnapshot["peers"][number];

/** A peer; the beginnings of their keys are spread (Knuth's multiplicative hash). */
function devicePeer(number: number): DevicePeer {
  const allowedIps = Array.from({ length: number % 7 === 0 ? 40 : 1 }, (_, i) => {
    return `10.${number >> 8}.${number & 255}.${i}/32`;
  });
  const host = number % 3 === 0 ? `2001:db8::${number}` : `192.0.2.${number & 255}`;
  return {
    publicKey: keyOf(Math.imul(number, 0x9e37_79b1) >>> 0),
    endpoint: { host, port: number },
    allowedIps,
  };
}

function published({ publicKey, endpoint, allowedIps }: DevicePeer): ZonePeer {
  return { publicKey, address: endpoint!.host, port: endpoint!.port, allowedIps };
}

function byKey(peers: readonly ZonePeer[]): ZonePeer[] {
  return [...peers].sort((a, b) => a.publicKey < b.publicKey ? -1 : 1);
}

/** Asks a zone with these peers to the end. */
function ask(peers: readonly DevicePeer[], keys?: readonly string[]) {
  const device = new DevicePeers(0x1234_5678);
  device.set({ publicKey: undefined, listenPort: 0, peers });
  const driver = new DnsDriver([new Zone({ name: ZONE, peers: [device] })]);
  const exchange = new ZoneExchange({ zone: ZONE, keys, wantsTxt: true, random: countingRandom() });
  const asked = { udp: 0, tcp: 0 };
  for (let due = exchange.due(0); due.length > 0; due = exchange.due(0)) {
    for (const { bytes, transport } of due) {
      const answer = driver.send(bytes, { transport });
      assert(answer !== undefined);
      asked[transport]++;
      assertEquals(exchange.receive(answer, transport), "accepted");
    }
  }
  assert(exchange.isComplete);
  const { status, skipped } = exchange;
  return { status, skipped, asked, peers: byKey(exchange.peers()) };
}

test("a small zone is found whole, long lists of AllowedIPs with it", () => {
  const peers = Array.from({ length: 10 }, (_, i) => devicePeer(i + 1));
  assertEquals(ask(peers), {
    status: "ok",
    skipped: 0,
    asked: { udp: 11, tcp: 0 },
    peers: byKey(peers.map(published)),
  });
  assertEquals(ask([]).status, "ok");
});

test("some keys of it are found, and others not", () => {
  const peers = Array.from({ length: 10 }, (_, i) => devicePeer(i + 1));
  const keys = [peers[6]!.publicKey, keyOf(0xffff_ffff), peers[2]!.publicKey];
  const { status, peers: found } = ask(peers, keys);
  assertEquals([status, found], ["ok", byKey([peers[6]!, peers[2]!].map(published))]);
  assertEquals(ask(peers, [keyOf(0xffff_ffff)]), {
    status: "ok",
    skipped: 0,
    asked: { udp: 1, tcp: 0 },
    peers: [],
  });
});

test("a zone of more peers than a message holds is found whole", () => {
  const peers = Array.from({ length: 1200 }, (_, i) => devicePeer(i + 1));
  const { status, peers: found, asked } = ask(peers);
  assertEquals(status, "ok");
  assertEquals(found, byKey(peers.map(published)));
  // The list over UDP and TCP, its 32 parts over TCP, and each peer.
  assertEquals(asked, { udp: 1201, tcp: 33 });
});

import { assertEquals } from "@std/assert";
import { Counters } from "../../../../lib/core/net/counters.ts";
import { DevicePeers, KnownAllowedIps } from "../../../../lib/core/zone/server/peers.ts";
import { GroupPeers } from "../../../../lib/core/zone/server/group_peers.ts";
import { ZoneSigner } from "../../../../lib/core/zone/server/signer.ts";
import { Signing } from "../../../../lib/core/zone/server/signing.ts";
import { Zone } from "../../../../lib/core/zone/server/zone.ts";
import type { ZonePeers } from "../../../../lib/core/zone/server/peers.ts";
import type { ZoneKey } from "../../../../lib/core/zone/server/zone_key.ts";
import { encodeName } from "../../../../lib/wire/dns/name.ts";
import { DnsDriver } from "../../../support/dns.ts";
import { countingKey } from "../../../support/zone_keys.ts";
import { deviceOf, instanceOf, keyOf, SceneGroup } from "../../../support/zone_scene.ts";
import { test } from "../../../testing.ts";

const ZONE = "example.com";
const RRSIG = 46;

const counters = new Counters();

function driver(
  peers: readonly ZonePeers[],
  key: ZoneKey = countingKey(0, 13, true),
  budget?: { bytesPerSecond: number; burst: number },
) {
  const signing = new Signing(7, counters);
  const signer = new ZoneSigner(encodeName(ZONE), [key], signing);
  return new DnsDriver([new Zone({ name: ZONE, peers, ttl: 5, signer })], budget);
}
const fails = (): never => {
  throw new Error("broken");
};
const one = () => deviceOf([{ key: keyOf(1), endpoint: "192.0.2.1:51820" }]);
const DO = { edns: { dnssecOk: true } } as const;

test("a list isn't denied while a device can't be read, though a group has nobody", () => {
  const group = new GroupPeers(new SceneGroup().group, new KnownAllowedIps(new Map(), 1));
  const dns = driver([new DevicePeers(1), group]);
  for (const name of [`_wireguard._udp.${ZONE}`, `_A._sub._wireguard._udp.${ZONE}`]) {
    for (const type of ["PTR", "A", 47] as const) {
      const reply = dns.ask(name, type, DO);
      assertEquals([name, type, reply.rcode], [name, type, 2]);
    }
  }
});

test("signatures of no name are not truncated over TCP", () => {
  const dns = driver([one()]);
  const { rcode, flags, authorities } = dns.ask(instanceOf(9), RRSIG, { transport: "tcp" });
  assertEquals([rcode, flags, authorities.length], [3, "AA", 1]);
  assertEquals(dns.counters.get("dns-truncated"), 0);
});

test("who has no budget left gets nothing signed anew, without DO either", () => {
  const key = countingKey(0, 13, true);
  const dns = driver([one()], key, { bytesPerSecond: 1, burst: 10 });
  dns.ask(instanceOf(1), "SRV", DO);
  assertEquals(key.calls, 0);
  dns.ask(instanceOf(1), RRSIG);
  assertEquals(key.calls, 0);
});

test("a key that fails to sign takes no other answers with it", () => {
  const key = countingKey(0, 13, true);
  const broken = { ...key, signing: { ...key.signing, sign: fails } };
  const dns = driver([one()], broken);
  const before = counters.get("dns-sign-limited");
  const reply = dns.ask(instanceOf(1), "SRV", { ...DO, transport: "tcp" });
  assertEquals(reply.rcode, 2);
  assertEquals(counters.get("dns-sign-failed"), 1);
  assertEquals(counters.get("dns-sign-limited"), before);
});

/** Names of which there is no end, or too many: they take nothing from those that peers have. */

import { assert, assertEquals } from "@std/assert";
import { Counters } from "../../../../lib/core/net/counters.ts";
import { Signing } from "../../../../lib/core/zone/server/signing.ts";
import { ZoneSigner } from "../../../../lib/core/zone/server/signer.ts";
import { Zone } from "../../../../lib/core/zone/server/zone.ts";
import { encodeName } from "../../../../lib/wire/dns/name.ts";
import { DnsDriver } from "../../../support/dns.ts";
import { countingKey } from "../../../support/zone_keys.ts";
import { deviceOf, instanceOf, keyOf } from "../../../support/zone_scene.ts";
import { test } from "../../../testing.ts";

const ZONE = "example.com";
const DO = { edns: { dnssecOk: true } } as const;
const CHARACTERS = "abcdefghijklmnopqrstuvwxyz234567".split("");
/** All names of lists with a prefix of up to three characters. */
const SUBTYPES = [...prefixes(1), ...prefixes(2), ...prefixes(3)]
  .map((prefix) => `_${prefix}._sub._wireguard._udp.${ZONE}`);
/** That of the peer. */
const ITS_LIST = `_${instanceOf(1)[0]}._sub._wireguard._udp.${ZONE}`;

function prefixes(length: number): string[] {
  if (length === 0) return [""];
  return CHARACTERS.flatMap((first) => prefixes(length - 1).map((rest) => first + rest));
}

/** A signed zone of these peers, which keeps a few hundred signatures. */
function scene(peers: readonly number[], burst = 10_000) {
  const key = countingKey(0, 13, true);
  const signing = new Signing(1, new Counters(), { sets: 1, lists: 1, passing: 1 });
  signing.work.configure({ perSecond: 1, burst });
  const signer = new ZoneSigner(encodeName(ZONE), [key], signing);
  const device = deviceOf(peers.map((i) => ({ key: keyOf(i), endpoint: "192.0.2.1:51820" })));
  const dns = new DnsDriver([new Zone({ name: ZONE, peers: [device], ttl: 5, signer })]);
  dns.step = 0;
  return { key, signing, dns };
}

test("lists without peers push no signature of a peer out", () => {
  const { dns, key } = scene([1]);
  const ofPeer = () => {
    for (const type of ["SRV", "TXT", "MX"] as const) dns.ask(instanceOf(1), type, DO);
    for (const type of ["PTR", "TXT", "MX"] as const) dns.ask(ITS_LIST, type, DO);
    dns.ask(ZONE, "SOA", DO);
  };
  ofPeer();
  const before = key.calls;
  const asked = SUBTYPES.filter((_, i) => i % 100 === 0 || i < 200).filter((name) =>
    name !== ITS_LIST
  );
  for (const name of asked) for (const type of ["A", "TXT"] as const) dns.ask(name, type, DO);
  assertEquals(key.calls, before + 2 * asked.length);
  ofPeer();
  assertEquals(key.calls, before + 2 * asked.length);
});

test("lists without peers leave half of what may be signed to peers", () => {
  for (const type of ["A", "TXT", 46, 47] as const) {
    const { dns, key } = scene([1], 100);
    for (const name of SUBTYPES.slice(0, 130)) dns.ask(name, type, DO);
    const left = 100 - key.calls;
    assert(left >= 49 && left <= 51, `${left} of ${type}`);
    const { answers, flags } = dns.ask(instanceOf(1), "SRV", DO);
    assertEquals([answers.length, flags], [2, "AA"], String(type));
  }
});

test("the list of all is signed first, also while it is empty", () => {
  const { dns } = scene([], 100);
  for (const name of SUBTYPES.slice(0, 130)) dns.ask(name, "A", DO);
  const { authorities, flags } = dns.ask(`_wireguard._udp.${ZONE}`, "PTR", DO);
  assertEquals([authorities.length, flags], [4, "AA"]);
});

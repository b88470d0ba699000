/** Signed zones before those who validate: resolvers, and tools that ask the server themselves. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { testWith } from "../support/program.ts";
import { Device, DEVICE_NEEDS, freeDnsAddress, instance, newPeer, newPeers } from "./dns_scene.ts";
import {
  delv,
  digAll,
  eachOf,
  newZoneKey,
  type Question,
  type TestZoneKey,
  Validator,
} from "./dnssec_scene.ts";
import { Scene, type Served } from "./scene.ts";

const NEEDS = [...DEVICE_NEEDS, "dig", "delv", "unbound", "kresd"];
/** Enough that their list is asked for over TCP. */
const MANY = 100;

const alice = newPeer("198.51.100.7:4711", "10.9.0.2/32", "fd00::2/128");
const bob = newPeer("[2001:db8::7]:51821", "10.9.0.3/32");

/** A zone as the settings have it. */
interface SignedZone {
  readonly name: string;
  readonly keys: readonly TestZoneKey[];
  readonly more?: string;
}

/** Starts a server with zones of a device. */
async function serveZones(
  scene: Scene,
  device: Device,
  zones: readonly SignedZone[],
): Promise<{ server: Served; configure: (zones: readonly SignedZone[]) => Promise<void> }> {
  const address = freeDnsAddress();
  const write = (zones: readonly SignedZone[]) =>
    scene.file(
      "wgsig.toml",
      `[serve.dns]\nlisten = ["${address}"]\ninterface = "wg0"\nanswer-budget = 0\n` +
        zones.map(({ name, keys, more = "" }) => {
          const files = JSON.stringify(keys.map(({ file }) => file));
          return `[[serve.dns.zone]]\nname = "${name}"\ndnssec-keys = ${files}\n${more}\n`;
        }).join(""),
    );
  const config = await write(zones);
  const server = await device.serveWith(scene, ["--config", config]);
  return {
    server,
    configure: async (zones) => {
      await write(zones);
      await server.signal("SIGHUP", / info reloaded /);
    },
  };
}

/** What a zone has, and what it hasn't. */
function questionsOf(zone: string): Record<"records" | "nothing" | "absent", Question[]> {
  const list = `_wireguard._udp.${zone}`;
  const four = instance(alice, zone);
  const six = instance(bob, zone);
  const prefix = four.slice(0, 3);
  const stranger = instance(newPeer(), zone);
  return {
    records: [
      ...["SOA", "NS", "DNSKEY", "CDS", "CDNSKEY"].map((type) => `${zone} ${type}`),
      `ns1.${zone} A`,
      `_services._dns-sd._udp.${zone} PTR`,
      ...[
        `${list} PTR`,
        `${list} TXT`,
        `_${prefix}._sub.${list} PTR`,
        `_${prefix}._sub.${list} TXT`,
      ],
      ...["SRV", "TXT", "A"].map((type) => `${four} ${type}`),
      ...["SRV", "TXT", "AAAA"].map((type) => `${six} ${type}`),
      `${four.toUpperCase()} SRV`,
    ],
    nothing: [
      ...[`${zone} MX`, `ns1.${zone} AAAA`, `_services._dns-sd._udp.${zone} TXT`, `${list} SRV`],
      ...[`${four} MX`, `${four} AAAA`, `${six} A`],
      ...[`_udp.${zone} A`, `_dns-sd._udp.${zone} PTR`, `_sub.${list} TXT`],
    ],
    absent: [
      ...[`${stranger} SRV`, `nope.${zone} A`, `a.b.c.${zone} TXT`, `_tcp.${zone} PTR`],
      ...[`*.${zone} TXT`, `*.${list} SRV`],
    ],
  };
}

testWith(NEEDS, "dnssec: every kind of answer is validated, whatever the algorithm", async () => {
  await using device = await Device.with(alice, bob, ...newPeers(MANY));
  await using scene = await Scene.open();
  const names = ["wg.example.com", "ed.example.net", "two.example.org"] as const;
  const keys = [
    [await newZoneKey(scene, names[0])],
    [await newZoneKey(scene, names[1], "ed25519")],
    [await newZoneKey(scene, names[2]), await newZoneKey(scene, names[2], "ed25519")],
  ];
  const zones = names.map((name, i) => ({ name, keys: keys[i]! }));
  const { server } = await serveZones(scene, device, zones);
  assertMatch(server.running.out, / dns-zone zone=two\.example\.org interface=wg0 keys=\d+,\d+\n/);
  const options = { anchors: keys.flat(), server: server.port };
  const unbound = await Validator.start(scene, "unbound", options);
  const kresd = await Validator.start(scene, "kresd", options);
  for (const { name, keys } of zones) {
    const { records, nothing, absent } = questionsOf(name);
    const any = [`${name} ANY`, `${instance(alice, name)} ANY`, `_wireguard._udp.${name} ANY`];
    for (const [validator, found] of [[unbound, [...records, ...any]], [kresd, records]] as const) {
      for (const { answer, text } of await validator.trusts(found)) assert(answer.length > 0, text);
      for (const { answer, text } of await validator.trusts([...nothing, ...absent])) {
        assertEquals(answer, [], text);
      }
    }
    const all = [...records, ...any, ...nothing, ...absent];
    const said = await eachOf(all, (question) => delv(scene, server.port, keys, question));
    said.forEach((text, i) => {
      const isThere = i < records.length + any.length;
      const expected = isThere ? /^; fully validated/m : /^; negative response, fully validated/m;
      assertMatch(text, expected, all[i]);
    });
    // What the server itself says: over UDP, over TCP, and without DO what it said unsigned.
    for (const transport of ["+notcp", "+tcp"]) {
      for (const { answer, text } of await digAll(server.port, records, transport, "+dnssec")) {
        assert(answer.some((record) => / RRSIG /.test(record)), text);
      }
      const plain = await digAll(server.port, [...records, ...nothing, ...absent], transport);
      plain.forEach(({ status, answer, authority, additional, text }, i) => {
        const isAbsent = i >= records.length + nothing.length;
        assertEquals(status, isAbsent ? "NXDOMAIN" : "NOERROR", text);
        const records_ = [...answer, ...authority, ...additional];
        assert(!records_.some((record) => / (?:RRSIG|NSEC) /.test(record)), text);
      });
      for (const { status, text } of await digAll(server.port, absent, transport, "+dnssec")) {
        assertEquals(status, "NOERROR", text);
        assertMatch(text, /\sNSEC\s+\\000\.\S+ RRSIG NSEC TYPE128\n/);
      }
    }
    const [nxname] = await digAll(server.port, [`nope.${name} TYPE128`]);
    assertEquals(nxname?.status, "FORMERR");
  }
  const counts = await server.counters();
  assert((counts["dns-signed"] ?? 0) > 0 && (counts["dns-signature-reused"] ?? 0) > 0);
});

testWith(NEEDS, "dnssec: zones of one server below each other, signed and not", async () => {
  await using device = await Device.with(alice);
  await using scene = await Scene.open();
  const above = await newZoneKey(scene, "wg.example.com");
  const below = await newZoneKey(scene, "below.wg.example.com", "ed25519");
  const zones = (ofBelow: readonly TestZoneKey[], more = ""): SignedZone[] => [
    { name: above.zone, keys: [above] },
    { name: below.zone, keys: ofBelow, more },
    { name: "plain.wg.example.com", keys: [] },
  ];
  const { server, configure } = await serveZones(scene, device, zones([below]));
  const options = { anchors: [above], server: server.port };
  for (const kind of ["unbound", "kresd"] as const) {
    const validator = await Validator.start(scene, kind, options);
    const [ds] = await validator.trusts([
      ...[`${below.zone} DS`, `${below.zone} SOA`, `${instance(alice, below.zone)} SRV`],
      ...[`nope.${below.zone} A`, "plain.wg.example.com DS", `nope.${above.zone} A`],
    ]);
    assertEquals(
      ds?.answer.map((record) => record.replace(/^\S+ \d+ DS (.{0,20}).*$/, "$1")),
      [below.ds.slice(0, 20)],
    );
    const insecure = await validator.ask([`${instance(alice, "plain.wg.example.com")} SRV`]);
    for (const { status, flags, answer, text } of insecure) {
      assertEquals([status, answer.length], ["NOERROR", 1], text);
      assert(!/\bad\b/.test(flags ?? ""), text);
    }
  }
  // Before it is signed no longer, it asks for no DS any more.
  await configure(zones([below], `cds = "delete"`));
  const validator = await Validator.start(scene, "unbound", options);
  const [ds] = await validator.trusts([`${below.zone} DS`]);
  assertEquals(ds?.answer, []);
  const [cds, cdnskey] = await digAll(server.port, [`${below.zone} CDS`, `${below.zone} CDNSKEY`]);
  assertEquals(cds?.answer, [`${below.zone}. 300 CDS 0 0 0 00`]);
  assertEquals(cdnskey?.answer, [`${below.zone}. 300 CDNSKEY 0 3 0 AA==`]);
  await configure(zones([]));
  const [srv] = await validator.ask([`${instance(alice, below.zone)} SRV`]);
  assertEquals([srv?.status, srv?.answer.length], ["NOERROR", 1], srv?.text);
});

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Zone, type ZoneOptions } from "../../../../lib/core/zone/server/zone.ts";
import { parseAddress } from "../../../../lib/core/net/ip_address.ts";
import { NONE } from "../../../../lib/core/net/none.ts";
import { AllowedStrings } from "../../../../lib/core/zone/server/allowed_strings.ts";
import { isSameKey } from "../../../../lib/core/zone/server/key_list.ts";
import type { Location } from "../../../../lib/core/zone/server/location.ts";
import { GroupPeers } from "../../../../lib/core/zone/server/group_peers.ts";
import {
  type KeySink,
  KnownAllowedIps,
  type ZonePeers,
} from "../../../../lib/core/zone/server/peers.ts";
import { WireBuffer } from "../../../../lib/wire/bytes/wire_buffer.ts";
import { ZoneSelf } from "../../../../lib/core/zone/server/self.ts";
import { key32, uint16 } from "../../../support/arbitraries.ts";
import { DnsDriver, queryBytes, type TypeName } from "../../../support/dns.ts";
import { idOf } from "../../../support/fake_random.ts";
import { deviceOf, instanceOf, keyOf, labelOf, SceneGroup } from "../../../support/zone_scene.ts";
import { formatKey } from "../../../../lib/core/net/peer_key.ts";
import { test } from "../../../testing.ts";

const SERVICE = "_wireguard._udp.example.com";
const SOA = "ns1.example.com postmaster.example.com 1 86400 7200 3600000 60";
const NEGATIVE = [`example.com 60 SOA ${SOA}`];

const ALICE = instanceOf(1);
const BOB = instanceOf(2);
const CAROL = instanceOf(3);
const device = deviceOf([
  { key: keyOf(1), endpoint: "203.0.113.21:51820", allowedIps: ["10.0.0.1/32", "fd00::1/128"] },
  { key: keyOf(2), endpoint: "[2001:db8::32]:51821" },
  { key: keyOf(3), allowedIps: ["10.0.0.3/32"] },
], { publicKey: keyOf(9), listenPort: 51829 });

function driverOf(options: Partial<ZoneOptions> = {}): DnsDriver {
  return new DnsDriver([new Zone({ name: "example.com", peers: [device], ...options })]);
}

/** `NODATA` or `NXDOMAIN`, by the RCODE; checks that the rest is as a negative answer has it. */
function negative(driver: DnsDriver, name: string, type: TypeName | number): string {
  const reply = driver.ask(name, type);
  assertEquals([reply.answers, reply.authorities, reply.additionals], [[], NEGATIVE, []], name);
  assertEquals(reply.flags, "AA");
  assert(reply.rcode === 0 || reply.rcode === 3);
  return reply.rcode === 0 ? "NODATA" : "NXDOMAIN";
}

test("SRV has the port and its own name, then the address, then the TXT", () => {
  const reply = driverOf().ask(ALICE, "SRV");
  assertEquals(reply.answers, [`${ALICE} 0 SRV 0 0 51820 ${ALICE}`]);
  assertEquals(reply.additionals, [
    `${ALICE} 0 A 203.0.113.21`,
    `${ALICE} 0 TXT "txtvers=1" "pub=${keyOf(1)}" "allowed=10.0.0.1/32,fd00::1/128"`,
  ]);
  assertEquals([reply.rcode, reply.flags, reply.authorities], [0, "AA", []]);
  const bob = driverOf().ask(BOB, "SRV");
  assertEquals(bob.answers, [`${BOB} 0 SRV 0 0 51821 ${BOB}`]);
  assertEquals(bob.additionals, [
    `${BOB} 0 AAAA 2001:db8::32`,
    `${BOB} 0 TXT "txtvers=1" "pub=${keyOf(2)}" "allowed="`,
  ]);
});

test("the target of an SRV is not compressed (RFC 2782)", () => {
  const query = queryBytes(ALICE, "SRV");
  const answer = driverOf().send(query);
  assert(answer !== undefined);
  const sizeAt = query.length + 10;
  const size = new DataView(answer.buffer).getUint16(sizeAt);
  assertEquals(size, 6 + query.length - 12 - 4);
  assertEquals(answer.slice(sizeAt + 2 + 6, sizeAt + 2 + size), query.slice(12, -4));
});

test("an instance has the one address that there is", () => {
  const driver = driverOf();
  assertEquals(driver.ask(ALICE, "A").answers, [`${ALICE} 0 A 203.0.113.21`]);
  assertEquals(driver.ask(BOB, "AAAA").answers, [`${BOB} 0 AAAA 2001:db8::32`]);
  assertEquals(negative(driver, ALICE, "AAAA"), "NODATA");
  assertEquals(negative(driver, BOB, "A"), "NODATA");
});

/** A source with one peer, whose endpoints of both families have the same port. */
class DualPeer implements ZonePeers {
  readonly isKnown = true;
  readonly allowed = new AllowedStrings([["10.0.0.1/32"]]);

  find(key: WireBuffer, at: number): number {
    return isSameKey(key, at, new WireBuffer(idOf(1)), 0) ? 5 : NONE;
  }
  locate(peer: number, into: Location): void {
    assertEquals(peer, 5);
    parseAddress("203.0.113.21", into.address, 0);
    parseAddress("2001:db8::21", into.ipv6, 0);
    into.port = 51820;
    into.isDual = true;
  }
  allowedOf(): number {
    return 0;
  }
  seen(): number {
    return NaN;
  }
  list(to: KeySink): void {
    to.add(new WireBuffer(idOf(1)), 0);
  }
}

test("an instance that is reached over both families has both addresses", () => {
  const driver = driverOf({ peers: [new DualPeer(), device] });
  const [a, aaaa] = [`${ALICE} 0 A 203.0.113.21`, `${ALICE} 0 AAAA 2001:db8::21`];
  assertEquals(driver.ask(ALICE, "A").answers, [a]);
  assertEquals(driver.ask(ALICE, "AAAA").answers, [aaaa]);
  for (const type of ["SRV", "ANY"] as const) {
    const { answers, additionals } = driver.ask(ALICE, type);
    assertEquals(answers, [`${ALICE} 0 SRV 0 0 51820 ${ALICE}`]);
    const text = `${ALICE} 0 TXT "txtvers=1" "pub=${keyOf(1)}" "allowed=10.0.0.1/32"`;
    assertEquals(additionals, [a, text, aaaa]);
  }
  // What was found before is nothing of the next answer.
  assertEquals(driver.ask(BOB, "AAAA").answers, [`${BOB} 0 AAAA 2001:db8::32`]);
  assertEquals(negative(driver, BOB, "A"), "NODATA");
  const local = driver.ask("ns1.example.com", "ANY", { local: "192.0.2.53" });
  assertEquals(local.answers, ["ns1.example.com 60 A 192.0.2.53"]);
});

test("an instance has nothing of other types", () => {
  for (const type of ["NS", "SOA", "PTR", "MX", "HINFO", "DS", 0, 65, 127, 256, 65_535] as const) {
    assertEquals(negative(driverOf(), ALICE, type), "NODATA", `${type}`);
  }
});

test("a peer without an endpoint is no instance, nor is a key that nobody has", () => {
  for (const type of ["SRV", "A", "TXT", "ANY", "MX"] as const) {
    assertEquals(negative(driverOf(), CAROL, type), "NXDOMAIN");
    assertEquals(negative(driverOf(), instanceOf(7), type), "NXDOMAIN");
  }
});

test("a key has one label, in either case, and nothing lies below it", () => {
  const driver = driverOf();
  const label = labelOf(keyOf(1));
  const mixed = `${label.toUpperCase()}._WireGuard._UDP.Example.com`;
  const reply = driver.ask(mixed, "SRV");
  assertEquals(reply.question, `${mixed} SRV IN`);
  assertEquals(reply.answers, [`${mixed} 0 SRV 0 0 51820 ${mixed}`]);
  const other = label[51] === "a" ? "b" : "r";
  for (
    const wrong of [
      label.replace(/=+$/, ""),
      label.slice(0, 51) + other + "====",
      `${label}=`,
      label.slice(1),
      `${label}.x`,
      `x.${label}`,
      "1".repeat(56),
      "\0".repeat(56),
    ]
  ) {
    const name = `${wrong}.${SERVICE}`;
    assertEquals(negative(driver, name, "SRV"), "NXDOMAIN", name);
  }
});

test("the service's labels matter", () => {
  const label = labelOf(keyOf(1));
  for (const service of ["_wireguard._tcp", "_wireguare._udp", "_udp._wireguard", "_wireguard"]) {
    assertEquals(negative(driverOf(), `${label}.${service}.example.com`, "SRV"), "NXDOMAIN");
  }
  assertEquals(negative(driverOf(), `${label}._wireguard._udp.x.example.com`, "SRV"), "NXDOMAIN");
});

test("names with names below them exist, others don't", () => {
  const driver = driverOf();
  const nodata = ["_udp", "_dns-sd._udp", "_sub._wireguard._udp", "ns1"];
  for (const type of ["A", "NS", "PTR", "TXT", "ANY"] as const) {
    for (const name of nodata) {
      assertEquals(negative(driver, `${name}.example.com`, type), "NODATA", name);
    }
    for (
      const name of [
        "x",
        "_tcp",
        "x._udp",
        "x._dns-sd._udp",
        "b._dns-sd._udp",
        "x._services._dns-sd._udp",
        "_services.x._dns-sd._udp",
        "x._wireguard._udp",
        "_a._sub._dns-sd._udp",
        "x.ns1",
        "ns2",
        "_wireguard",
      ]
    ) assertEquals(negative(driver, `${name}.example.com`, type), "NXDOMAIN", name);
  }
});

test("subtypes are an underscore and 1 to 3 base32 characters", () => {
  const driver = driverOf();
  for (const prefix of ["9", "0a", "a1", "abcd", "", "a-b", "=="]) {
    const full = `_${prefix}._sub.${SERVICE}`;
    assertEquals(negative(driver, full, "PTR"), "NXDOMAIN", full);
  }
  for (const label of ["b", "bb", "-bb", "_a._a", "_a.b"]) {
    const full = `${label}._sub.${SERVICE}`;
    assertEquals(negative(driver, full, "PTR"), "NXDOMAIN", full);
  }
  assertEquals(negative(driver, `_zzz._sub.${SERVICE}`, "PTR"), "NODATA");
  assertEquals(negative(driver, `x._zzz._sub.${SERVICE}`, "PTR"), "NXDOMAIN");
});

test("the service lists its instances; the zone lists its service", () => {
  const driver = driverOf();
  const reply = driver.ask(SERVICE, "PTR");
  assertEquals([...reply.answers].sort(), [ALICE, BOB].map((each) => `${SERVICE} 0 PTR ${each}`));
  assertEquals([reply.flags, reply.additionals], ["AA", []]);
  const services = "_services._dns-sd._udp.example.com";
  assertEquals(driver.ask(services, "PTR").answers, [`${services} 60 PTR ${SERVICE}`]);
  assertEquals(driver.ask(services, "ANY").answers, [`${services} 60 PTR ${SERVICE}`]);
  assertEquals(negative(driver, services, "TXT"), "NODATA");
  assertEquals(driver.ask(SERVICE, "TXT").answers, [`${SERVICE} 0 TXT "txtvers=1" "peers=2"`]);
  assertEquals(negative(driver, SERVICE, "SRV"), "NODATA");
});

test("a zone without instances has its names all the same", () => {
  const driver = driverOf({ peers: [] });
  assertEquals(negative(driver, SERVICE, "PTR"), "NODATA");
  assertEquals(driver.ask(SERVICE, "TXT").answers, [`${SERVICE} 0 TXT "txtvers=1" "peers=0"`]);
  const services = "_services._dns-sd._udp.example.com";
  assertEquals(driver.ask(services, "PTR").answers, [`${services} 60 PTR ${SERVICE}`]);
});

test("the apex has SOA and NS; the server's address is the one that was asked", () => {
  const driver = driverOf();
  assertEquals(driver.ask("example.com", "SOA").answers, NEGATIVE);
  assertEquals(driver.ask("example.com", "SOA").authorities, []);
  const ns = ["example.com 60 NS ns1.example.com"];
  assertEquals(driver.ask("example.com", "NS").answers, ns);
  assertEquals(driver.ask("example.com", "NS").additionals, []);
  assertEquals(negative(driver, "example.com", "A"), "NODATA");
  for (const local of ["0.0.0.0", "::"]) {
    assertEquals(driver.ask("example.com", "NS", { local }).additionals, []);
    assertEquals(driver.ask("ns1.example.com", "A", { local }).authorities, NEGATIVE);
  }
  for (
    const [local, own, other] of [
      ["192.0.2.1", "A", "AAAA"],
      ["fd00:1::1", "AAAA", "A"],
      ["::1", "AAAA", "A"],
    ] as const
  ) {
    const record = `ns1.example.com 60 ${own} ${local}`;
    const asked = driver.ask("example.com", "NS", { local });
    assertEquals([asked.answers, asked.additionals], [ns, [record]]);
    assertEquals(driver.ask("ns1.example.com", own, { local }).answers, [record]);
    assertEquals(driver.ask("ns1.example.com", "ANY", { local }).answers, [record]);
    assertEquals(driver.ask("ns1.example.com", other, { local }).authorities, NEGATIVE);
  }
});

test("ANY is answered with one set (RFC 8482)", () => {
  const driver = driverOf();
  assertEquals(driver.ask(ALICE, "ANY").answers, driver.ask(ALICE, "SRV").answers);
  assertEquals(driver.ask(SERVICE, "ANY").answers, driver.ask(SERVICE, "TXT").answers);
  assertEquals(driver.ask("example.com", "ANY").answers, NEGATIVE);
});

test("the TTL of peers is an option; that of the rest is not", () => {
  const driver = driverOf({ ttl: 30 });
  for (const [name, type] of [[ALICE, "SRV"], [SERVICE, "PTR"], [SERVICE, "TXT"]] as const) {
    const reply = driver.ask(name, type);
    for (const record of [...reply.answers, ...reply.additionals]) {
      assertEquals(record.split(" ")[1], "30");
    }
  }
  assertEquals(driver.ask("example.com", "SOA").answers, NEGATIVE);
  for (const ttl of [-1, 0.5, NaN, 2 ** 31]) {
    assertThrows(() => driverOf({ ttl }), RangeError);
  }
});

test("the device itself is a peer where it is told to, before all else that has its key", () => {
  const own = instanceOf(9);
  const allowedIps = ["10.0.0.9", "10.9.8.7/24"];
  const text = `${own} 0 TXT "txtvers=1" "pub=${keyOf(9)}" "allowed=10.0.0.9/32,10.9.8.0/24"`;
  const endpoint = { host: "2001:db8::9", port: 1234 };
  const other = deviceOf([{ key: keyOf(9), endpoint: "192.0.2.99:99" }]);
  const driver = driverOf({
    peers: [device, other],
    self: new ZoneSelf(device, { endpoint, allowedIps }),
  });
  const reply = driver.ask(own, "SRV", { local: "192.0.2.1", edns: {} });
  assertEquals(reply.answers, [`${own} 0 SRV 0 0 1234 ${own}`]);
  assertEquals(reply.additionals, [`${own} 0 AAAA 2001:db8::9`, text]);
  const list = driver.ask(SERVICE, "PTR").answers;
  assertEquals(list.length, 3);
  assertEquals(list[0], `${SERVICE} 0 PTR ${own}`);
  assertEquals(driver.ask(SERVICE, "TXT").answers, [`${SERVICE} 0 TXT "txtvers=1" "peers=3"`]);
});

test("the device itself is where it was asked, if that is known, with its port", () => {
  const own = instanceOf(9);
  const driver = driverOf({ self: new ZoneSelf(device, { allowedIps: [] }) });
  for (const local of [undefined, "0.0.0.0", "::"]) {
    assertEquals(driver.ask(own, "SRV", { local }).rcode, 3);
    assertEquals(driver.ask(SERVICE, "PTR", { local }).answers.length, 2);
    assertEquals(driver.ask(SERVICE, "TXT", { local }).answers, [
      `${SERVICE} 0 TXT "txtvers=1" "peers=2"`,
    ]);
  }
  for (const [local, type] of [["192.0.2.1", "A"], ["fd00:1::1", "AAAA"]] as const) {
    const reply = driver.ask(own, "SRV", { local });
    assertEquals(reply.answers, [`${own} 0 SRV 0 0 51829 ${own}`]);
    assertEquals(reply.additionals[0], `${own} 0 ${type} ${local}`);
    assertEquals(driver.ask(SERVICE, "PTR", { local }).answers.length, 3);
    assertEquals(driver.ask(SERVICE, "TXT", { local }).answers, [
      `${SERVICE} 0 TXT "txtvers=1" "peers=3"`,
    ]);
  }
});

test("a device without key or port has no instance of itself", () => {
  const local = "192.0.2.1";
  for (const said of [{ listenPort: 5 }, { publicKey: keyOf(9) }]) {
    const self = new ZoneSelf(deviceOf([], said), { allowedIps: [] });
    const driver = driverOf({ self });
    assertEquals(driver.ask(instanceOf(9), "SRV", { local }).rcode, 3);
    assertEquals(driver.ask(SERVICE, "PTR", { local }).answers.length, 2);
  }
  const endpoint = { host: "192.0.2.5", port: 5 };
  const gone = driverOf({ self: new ZoneSelf(deviceOf([]), { endpoint, allowedIps: [] }) });
  assertEquals(gone.ask(SERVICE, "PTR").answers.length, 2);
});

test("where the device itself is nowhere, another source may know its key", () => {
  const other = deviceOf([{ key: keyOf(9), endpoint: "192.0.2.99:99" }]);
  const self = new ZoneSelf(device, { allowedIps: [] });
  const driver = driverOf({ peers: [device, other], self });
  assertEquals(driver.ask(instanceOf(9), "SRV").additionals[0], `${instanceOf(9)} 0 A 192.0.2.99`);
});

test("the device's own endpoint must be an address with a port", () => {
  for (const endpoint of [{ host: "example.com", port: 1 }, { host: "192.0.2.1", port: 0 }]) {
    assertThrows(() => new ZoneSelf(device, { endpoint, allowedIps: [] }), SyntaxError);
  }
  assertThrows(() => new ZoneSelf(device, { allowedIps: ["x"] }), SyntaxError);
});

test("peers of a group are instances that tell when they were seen", () => {
  const scene = new SceneGroup();
  scene.see(idOf(4), "203.0.113.4:4444", 1_700_000_000);
  scene.see(idOf(5), "203.0.113.5:5555", 1_700_000_005);
  const known = new KnownAllowedIps(new Map([[keyOf(4), ["10.0.0.4", "fd00::4/64"]]]), 1);
  const driver = driverOf({ peers: [new GroupPeers(scene.group, known)] });
  const [dave, erin] = [instanceOf(4), instanceOf(5)];
  assertEquals(driver.ask(dave, "SRV").answers, [`${dave} 0 SRV 0 0 4444 ${dave}`]);
  assertEquals(driver.ask(dave, "A").answers, [`${dave} 0 A 203.0.113.4`]);
  const text = `"txtvers=1" "pub=${keyOf(4)}" "allowed=10.0.0.4/32,fd00::/64" "seen=1700000000"`;
  assertEquals(driver.ask(dave, "TXT").answers, [`${dave} 0 TXT ${text}`]);
  assertEquals(driver.ask(erin, "TXT").answers, [
    `${erin} 0 TXT "txtvers=1" "pub=${keyOf(5)}" "seen=1700000005"`,
  ]);
  scene.see(idOf(4), "203.0.113.44:44", 1_700_000_009);
  assertEquals(driver.ask(dave, "SRV").answers, [`${dave} 0 SRV 0 0 44 ${dave}`]);
  scene.forget(idOf(4), 1_700_000_010);
  assertEquals(negative(driver, dave, "SRV"), "NXDOMAIN");
});

test("a peer of device and group is listed once, and the device's endpoint counts", () => {
  const scene = new SceneGroup();
  scene.see(idOf(1), "192.0.2.66:66", 1_700_000_000);
  scene.see(idOf(3), "192.0.2.67:67", 1_700_000_000);
  const group = new GroupPeers(scene.group, new KnownAllowedIps(new Map(), 1));
  const driver = driverOf({ peers: [device, group] });
  assertEquals(driver.ask(ALICE, "A").answers, [`${ALICE} 0 A 203.0.113.21`]);
  assertEquals(driver.ask(CAROL, "A").answers, [`${CAROL} 0 A 192.0.2.67`]);
  assertEquals(driver.ask(SERVICE, "TXT").answers, [`${SERVICE} 0 TXT "txtvers=1" "peers=3"`]);
  assertEquals(
    [...driver.ask(SERVICE, "PTR").answers].sort(),
    [ALICE, BOB, CAROL].map((each) => `${SERVICE} 0 PTR ${each}`).sort(),
  );
});

test("while a device can't be read, nobody is told that its peers don't exist", () => {
  const changing = deviceOf([{ key: keyOf(1), endpoint: "192.0.2.1:1" }]);
  const driver = driverOf({ peers: [changing] });
  changing.set(undefined);
  for (const [name, type] of [[ALICE, "A"], [ALICE, "SRV"], [SERVICE, "PTR"]] as const) {
    const { rcode, answers, authorities } = driver.ask(name, type);
    assertEquals([rcode, answers, authorities], [2, [], []], `${name} ${type}`);
  }
  assertEquals(driver.ask("example.com", "SOA").answers.length, 1);
  assertEquals(negative(driver, "nobody.example.com", "A"), "NXDOMAIN");
  // Of two sources, the one that is known is still listed.
  const other = deviceOf([{ key: keyOf(2), endpoint: "192.0.2.2:2" }]);
  const both = driverOf({ peers: [changing, other] });
  assertEquals(both.ask(SERVICE, "PTR").answers, [`${SERVICE} 0 PTR ${BOB}`]);
  assertEquals(both.ask(ALICE, "A").rcode, 2);
  assertEquals(both.ask(BOB, "A").rcode, 0);
});

test("what the device says last counts", () => {
  const changing = deviceOf([{ key: keyOf(1), endpoint: "192.0.2.1:1" }]);
  const driver = driverOf({ peers: [changing] });
  assertEquals(driver.ask(ALICE, "A").answers, [`${ALICE} 0 A 192.0.2.1`]);
  changing.set({ publicKey: undefined, listenPort: 0, peers: [] });
  assertEquals(negative(driver, ALICE, "A"), "NXDOMAIN");
  assertEquals(negative(driver, SERVICE, "PTR"), "NODATA");
});

const address = fc.oneof(
  fc.ipV4(),
  fc.integer({ min: 1, max: 0xffff }).map((part) => `2001:db8::${part.toString(16)}`),
);
const anyPeer = fc.record({ key: key32, address, port: uint16.filter((port) => port > 0) });

test("the SRV of each peer leads to its endpoint", () => {
  const peers = fc.uniqueArray(anyPeer, { selector: ({ key }) => formatKey(key), maxLength: 30 });
  fc.assert(fc.property(peers, (peers) => {
    const source = deviceOf(peers.map(({ key, address, port }) => ({
      key: formatKey(key),
      endpoint: address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`,
    })));
    const driver = driverOf({ peers: [source] });
    for (const { key, address, port } of peers) {
      const name = `${labelOf(formatKey(key))}.${SERVICE}`;
      const reply = driver.ask(name, "SRV");
      assertEquals(reply.answers, [`${name} 0 SRV 0 0 ${port} ${name}`]);
      const type = address.includes(":") ? "AAAA" : "A";
      assertEquals(reply.additionals[0], `${name} 0 ${type} ${address}`);
    }
  }));
});

test("a TXT that doesn't fit leaves Additional without TC, and an answer with it", () => {
  const cidrs = Array.from({ length: 40 }, (_, i) => `10.200.100.${100 + i}/32`);
  const driver = driverOf({
    peers: [deviceOf([{ key: keyOf(1), endpoint: "192.0.2.1:1", allowedIps: cidrs }])],
  });
  const srv = driver.ask(ALICE, "SRV");
  assertEquals([srv.flags, srv.answers.length], ["AA", 1]);
  assertEquals(srv.additionals, [`${ALICE} 0 A 192.0.2.1`]);
  const cut = driver.ask(ALICE, "TXT");
  assertEquals([cut.flags, cut.answers, cut.size], ["AA TC", [], 12 + ALICE.length + 2 + 4]);
  assertEquals(driver.counters.get("dns-truncated"), 1);
  for (const fields of [{ edns: { size: 1232 } }, { transport: "tcp" }] as const) {
    const whole = driver.ask(ALICE, "TXT", fields);
    assertEquals(whole.flags, "AA");
    const strings = [...(whole.answers[0] ?? "").matchAll(/"(allowed\d*)=([^"]*)"/g)];
    assertEquals(strings.map(([, key]) => key), ["allowed", "allowed2", "allowed3", "allowed4"]);
    assertEquals(strings.map(([, , list]) => list).join(), cidrs.join());
    assertEquals(driver.ask(ALICE, "SRV", fields).additionals.length, 2);
  }
  assertEquals(driver.counters.get("dns-truncated"), 1);
});

test("a TXT that no message holds is not sent in part", () => {
  const cidrs = Array.from({ length: 6000 }, (_, i) => `10.${i >> 8}.100.${i & 255}/32`);
  const driver = driverOf({
    peers: [deviceOf([{ key: keyOf(1), endpoint: "192.0.2.1:1", allowedIps: cidrs }])],
  });
  const reply = driver.ask(ALICE, "TXT", { transport: "tcp" });
  assertEquals([reply.flags, reply.answers], ["AA TC", []]);
  assertEquals(driver.ask(ALICE, "SRV", { transport: "tcp" }).additionals.length, 1);
});

test("a zone's name has room for instances before it", () => {
  const label = "z".repeat(60);
  const longest = `${label}.${label}.${"z".repeat(58)}`;
  assertEquals(longest.length, 180);
  const name = `${labelOf(keyOf(1))}._wireguard._udp.${longest}`;
  const driver = driverOf({ name: longest });
  const reply = driver.ask(name, "SRV");
  assertEquals([reply.flags, reply.answers.length], ["AA TC", 0]);
  assertEquals(driver.ask(name, "A").answers.length, 1);
  assertEquals(driver.ask(name, "SRV", { edns: {} }).additionals.length, 2);
  assertThrows(() => driverOf({ name: `z${longest}` }), SyntaxError);
  for (const bad of ["", "a..b", "a b"]) assertThrows(() => driverOf({ name: bad }), SyntaxError);
});

test("the root can be a zone", () => {
  const driver = driverOf({ name: "." });
  const name = `${labelOf(keyOf(1))}._wireguard._udp`;
  assertEquals(driver.ask(name, "A").answers, [`${name} 0 A 203.0.113.21`]);
  assertEquals(driver.ask("x", "A").authorities.length, 1);
  assertEquals(driver.ask(".", "NS").answers, [". 60 NS ns1"]);
});

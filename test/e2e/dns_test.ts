/** `wgsig serve --dns`: the zone as the tools of an administrator see it. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { run, testWith } from "../support/program.ts";
import { dig, readTool } from "./dns_clients.ts";
import {
  addressRecord,
  Device,
  DEVICE_NEEDS,
  instance,
  listRecords,
  newPeer,
  newPeers,
  SERVICE,
  serviceRecord,
  SOA,
  textRecord,
  ZONE,
} from "./dns_scene.ts";
import { Scene } from "./scene.ts";

const NEEDS = [...DEVICE_NEEDS, "dig"];

const alice = newPeer("198.51.100.7:4711", "10.9.0.2/32", "fd00::2/128");
const bob = newPeer("[2001:db8::7]:51821", "10.9.0.3/32");
const nowhere = newPeer(undefined, "10.9.0.4/32");
const PEERS = [alice, bob, nowhere];

/** Letters of random case, as resolvers ask to be harder to deceive. */
function mixed(name: string): string {
  return [...name].map((each, i) => i % 3 === 0 ? each.toUpperCase() : each).join("");
}

testWith(NEEDS, "dns: dig gets every record of a device's peers", async () => {
  await using device = await Device.with(...PEERS);
  await using scene = await Scene.open();
  const { port, running } = await device.serve(scene);
  for (const transport of ["+notcp", "+tcp"]) {
    const ask = (...args: readonly string[]) => dig(port, transport, ...args);
    const list = await ask(SERVICE, "PTR");
    assertEquals([list.status, list.flags], ["NOERROR", "qr aa rd"]);
    assertEquals([...list.answer].sort(), listRecords([alice, bob]));
    assertEquals([list.authority, list.additional], [[], []]);
    for (const peer of [alice, bob]) {
      const name = instance(peer);
      for (const type of ["SRV", "ANY"]) {
        const service = await ask(name, type);
        assertEquals(service.answer, [serviceRecord(peer)], type);
        // wgsd-client takes the first for the address.
        assertEquals(service.additional, [addressRecord(peer), textRecord(peer)], type);
      }
      assertEquals((await ask(name, "TXT")).answer, [textRecord(peer)]);
      const types = peer === alice ? ["A", "AAAA"] : ["AAAA", "A"];
      assertEquals((await ask(name, types[0]!)).answer, [addressRecord(peer)]);
      for (const type of [types[1]!, "MX"]) {
        const none = await ask(name, type);
        assertEquals([none.status, none.answer, none.authority], ["NOERROR", [], [SOA]], type);
      }
    }
    const services = await ask(`_services._dns-sd._udp.${ZONE}`, "PTR");
    assertEquals(services.answer, [`_services._dns-sd._udp.${ZONE}. 60 PTR ${SERVICE}.`]);
    const apex = await ask(ZONE, "SOA");
    assertEquals(apex.answer, [SOA]);
    const servers = await ask(ZONE, "NS");
    assertEquals(servers.answer, [`${ZONE}. 60 NS ns1.${ZONE}.`]);
    assertEquals(servers.additional, [`ns1.${ZONE}. 60 A 127.0.0.1`]);
    assertEquals((await ask(`ns1.${ZONE}`, "A")).answer, servers.additional);
    assertEquals((await ask(SERVICE, "TXT")).answer, [`${SERVICE}. 0 TXT "txtvers=1" "peers=2"`]);
    const part = instance(alice).slice(0, 2);
    const under = [alice, bob].filter((peer) => instance(peer).startsWith(part));
    assertEquals(
      (await ask(`_${part.toUpperCase()}._sub.${SERVICE}`, "PTR")).answer.length,
      under.length,
    );
    for (const empty of [`_udp.${ZONE}`, `_dns-sd._udp.${ZONE}`, `_sub.${SERVICE}`]) {
      const { status, answer, authority } = await ask(empty, "A");
      assertEquals([status, answer, authority], ["NOERROR", [], [SOA]], empty);
    }
    const stranger = instance(newPeer("192.0.2.1:1"));
    const absent = [stranger, instance(nowhere), `www.${ZONE}`, `_tcp.${ZONE}`];
    for (const name of [...absent, instance(alice).replace("_udp", "_tcp"), `x.${stranger}`]) {
      const { status, flags, authority } = await ask(name, "SRV");
      assertEquals([status, flags, authority], ["NXDOMAIN", "qr aa rd", [SOA]], name);
    }
    for (const name of ["example.com", "example.org", `x${ZONE}`, "."]) {
      const { status, flags, answer, authority } = await ask(name, "SOA");
      assertEquals([status, flags, answer, authority], ["REFUSED", "qr rd", [], []], name);
    }
    assertEquals((await ask("CH", "TXT", "version.bind")).status, "REFUSED");
    assertEquals((await ask("CH", "TXT", SERVICE)).status, "REFUSED");
    assertEquals((await ask(ZONE, "IXFR=1")).status ?? "REFUSED", "REFUSED");
    assertEquals((await ask("+opcode=UPDATE", ZONE, "SOA")).status, "NOTIMP");
  }
  assertStringIncludes((await dig(port, ZONE, "AXFR")).text, "Transfer failed");
  assertEquals(await running.stop(), 0);
  assertEquals(running.err, "");
});

testWith(
  NEEDS,
  "dns: dig's EDNS, its cookies and its letters come back as they should",
  async () => {
    await using device = await Device.with(...PEERS, ...newPeers(8));
    await using scene = await Scene.open();
    const { port } = await device.serve(scene);
    const name = instance(alice);
    const without = await dig(port, "+noedns", name, "SRV");
    assertEquals(without.edns, undefined);
    assertEquals(without.additional, [addressRecord(alice), textRecord(alice)]);
    for (const edns of ["+edns=0", "+cookie", "+nsid", "+subnet=192.0.2.0/24", "+padding=128"]) {
      const answer = await dig(port, edns, name, "SRV");
      assertEquals(answer.edns, "EDNS: version: 0, flags:; udp: 1232", edns);
      assertEquals(answer.additional, without.additional, edns);
    }
    const signed = await dig(port, "+dnssec", name, "SRV");
    assertEquals(signed.edns, "EDNS: version: 0, flags: do; udp: 1232");
    assertEquals(signed.additional, without.additional);
    assertEquals((await dig(port, "+edns=1", "+noednsneg", name, "SRV")).status, "BADVERS");
    // Without negotiation off, dig asks again with the version that it was told.
    assertEquals((await dig(port, "+edns=1", name, "SRV")).answer, without.answer);

    const strange = mixed(name);
    for (const transport of ["+notcp", "+tcp"]) {
      const { answer, additional } = await dig(port, transport, strange, "SRV");
      assertEquals(answer, [`${strange} 0 SRV 0 0 4711 ${strange}`]);
      assertEquals(additional.map((each) => each.split(" ")[0]), [strange, strange]);
    }
    assertEquals((await dig(port, mixed(SERVICE), "PTR")).answer.length, 10);

    // Ten peers are more than 512 bytes, and fewer than 1232.
    for (const size of ["+noedns", "+bufsize=512", "+bufsize=100"]) {
      const cut = await dig(port, size, "+ignore", SERVICE, "PTR");
      assertEquals([cut.flags, cut.answer], ["qr aa tc rd", []], size);
      assertEquals(cut.additional, [`${SERVICE}. 0 TXT "txtvers=1" "peers=10"`]);
      const again = await dig(port, size, SERVICE, "PTR");
      assertMatch(again.text, /retrying in TCP mode/);
      assertEquals(again.answer.length, 10, size);
    }
    const fits = await dig(port, "+ignore", SERVICE, "PTR");
    assertEquals([fits.flags, fits.answer.length], ["qr aa rd", 10]);
  },
);

testWith([...NEEDS, "kdig"], "dns: kdig reads it", async () => {
  await using device = await Device.with(...PEERS);
  await using scene = await Scene.open();
  const { port } = await device.serve(scene);
  for (const transport of ["+notcp", "+tcp"]) {
    const kdig = async (...args: readonly string[]) => {
      const argv = ["kdig", "@127.0.0.1", "-p", `${port}`, transport, ...args];
      return readTool((await run(argv)).out);
    };
    const list = await kdig(SERVICE, "PTR", "+edns");
    assertEquals([list.status, list.answer.toSorted()], ["NOERROR", listRecords([alice, bob])]);
    for (const peer of [alice, bob]) {
      const service = await kdig(instance(peer), "SRV");
      assertEquals(service.answer, [serviceRecord(peer)]);
      assertEquals(service.additional, [addressRecord(peer), textRecord(peer)]);
      assertEquals((await kdig(instance(peer), "TXT")).answer, [textRecord(peer)]);
    }
    const absent = await kdig(instance(nowhere), "SRV");
    assertEquals([absent.status, absent.authority], ["NXDOMAIN", [SOA]]);
  }
  const argv = ["kdig", "@127.0.0.1", "-p", `${port}`, "+keepopen", "+tcp"];
  const both = await run([...argv, instance(alice), "SRV", instance(bob), "SRV"]);
  assertStringIncludes(both.out, " 4711 ");
  assertStringIncludes(both.out, " 51821 ");
});

testWith([...NEEDS, "drill"], "dns: drill reads it", async () => {
  await using device = await Device.with(...PEERS);
  await using scene = await Scene.open();
  const { port } = await device.serve(scene);
  for (const transport of ["-u", "-t"]) {
    const drill = async (...args: readonly string[]) =>
      readTool((await run(["drill", transport, "-p", `${port}`, "@127.0.0.1", ...args])).out);
    const list = await drill(SERVICE, "PTR");
    assertEquals([list.status, list.answer.toSorted()], ["NOERROR", listRecords([alice, bob])]);
    for (const peer of [alice, bob]) {
      const service = await drill(instance(peer), "SRV");
      assertEquals(service.answer, [serviceRecord(peer)]);
      assertEquals(service.additional, [addressRecord(peer), textRecord(peer)]);
      assertEquals((await drill(instance(peer), "TXT")).answer, [textRecord(peer)]);
    }
    assertEquals((await drill(instance(nowhere), "SRV")).status, "NXDOMAIN");
  }
});

testWith([...NEEDS, "delv", "host"], "dns: delv and host read it", async () => {
  await using device = await Device.with(...PEERS);
  await using scene = await Scene.open();
  const { port } = await device.serve(scene);
  const records = (out: string) =>
    out.split("\n").filter((line) => line !== "" && !line.startsWith(";"))
      .map((line) => line.replace(/\s+/g, " ").replace(" IN ", " ")).sort();
  const delv = async (...args: readonly string[]) =>
    records((await run(["delv", "-i", "@127.0.0.1", "-p", `${port}`, ...args])).out);
  assertEquals(await delv(SERVICE, "PTR"), listRecords([alice, bob]));
  assertEquals(await delv(instance(alice), "SRV"), [serviceRecord(alice)]);
  assertEquals(await delv(instance(alice), "TXT"), [textRecord(alice)]);
  assertEquals(await delv(instance(bob), "AAAA"), [addressRecord(bob)]);
  assertEquals(await delv(instance(alice), "AAAA"), []);

  const host = async (...args: readonly string[]) =>
    (await run(["host", "-p", `${port}`, ...args, "127.0.0.1"])).out;
  for (const more of [[], ["-T"]]) {
    const list = await host(...more, "-t", "PTR", SERVICE);
    for (const peer of [alice, bob]) {
      assertStringIncludes(list, `${SERVICE} domain name pointer ${instance(peer)}\n`);
    }
    const service = await host(...more, "-t", "SRV", instance(alice));
    assertStringIncludes(service, ` has SRV record 0 0 4711 ${instance(alice)}\n`);
    // It asks for A, AAAA and MX.
    assertMatch(await host(...more, instance(alice)), / has address 198\.51\.100\.7\n$/);
    assertMatch(await host(...more, instance(bob)), / has IPv6 address 2001:db8::7\n$/);
    assertMatch(await host(...more, instance(nowhere)), / not found: 3\(NXDOMAIN\)\n$/);
  }
});

testWith([...NEEDS, "base32"], "dns: the keys of all peers, in a line of shell", async () => {
  await using device = await Device.with(...PEERS);
  await using scene = await Scene.open();
  const { port } = await device.serve(scene);
  const script = `dig @127.0.0.1 -p "$0" "$1" PTR +short | cut -d. -f1 | tr a-z A-Z |
    while read -r key; do echo "$key" | base32 -d | base64; done`;
  const { out } = await run(["sh", "-c", script, `${port}`, SERVICE]);
  assertEquals(out.trim().split("\n").sort(), [alice.publicKey, bob.publicKey].sort());
});

testWith(
  [...NEEDS, "kdig", "drill", "host", "delv"],
  "dns: with 200 peers, the tools change to TCP by themselves",
  async () => {
    const peers = newPeers(200);
    await using device = await Device.with(...peers);
    await using scene = await Scene.open();
    const { port } = await device.serve(scene);
    const expected = peers.map((peer) => instance(peer)).sort();
    const cut = await dig(port, "+ignore", SERVICE, "PTR");
    assertEquals([cut.flags, cut.answer], ["qr aa tc rd", []]);
    const tools = [
      ["dig", "@127.0.0.1", "-p", `${port}`, SERVICE, "PTR"],
      ["dig", "@127.0.0.1", "-p", `${port}`, "+noedns", SERVICE, "PTR"],
      ["kdig", "@127.0.0.1", "-p", `${port}`, SERVICE, "PTR"],
      ["drill", "-a", "-p", `${port}`, "@127.0.0.1", SERVICE, "PTR"],
      ["delv", "-i", "@127.0.0.1", "-p", `${port}`, SERVICE, "PTR"],
      ["host", "-p", `${port}`, "-t", "PTR", SERVICE, "127.0.0.1"],
    ];
    for (const argv of tools) {
      const { out } = await run(argv);
      const found = out.replaceAll("\\=", "=").match(/[a-z2-7]{52}====\S+\.$/gm) ?? [];
      assertEquals(found.sort(), expected, argv.join(" "));
    }
  },
);

testWith(
  NEEDS,
  "dns: AllowedIPs without end are cut into strings, and reach everybody",
  async () => {
    const many = Array.from({ length: 40 }, (_, i) => `10.${i}.0.0/16`);
    const peer = newPeer("198.51.100.9:1", ...many);
    const most = newPeer(
      "198.51.100.9:2",
      ...Array.from({ length: 2000 }, (_, i) => `172.16.${i >> 8}.${i & 255}/32`),
    );
    await using device = await Device.with(peer, most);
    await using scene = await Scene.open();
    const { port } = await device.serve(scene);
    for (const [each, args] of [[peer, []], [peer, ["+noedns"]], [most, []]] as const) {
      const [text = ""] = (await dig(port, ...args, instance(each), "TXT")).answer;
      const strings = [...text.matchAll(/"([^"]*)"/g)].map(([, string = ""]) => string);
      assert(strings.every(({ length }) => length <= 255));
      assertEquals(strings.slice(0, 2), ["txtvers=1", `pub=${each.publicKey}`]);
      assertEquals(
        strings.slice(2).flatMap((string, i) => {
          const key = i === 0 ? "allowed=" : `allowed${i + 1}=`;
          assert(string.startsWith(key), string);
          return string.slice(key.length).split(",");
        }).sort(),
        [...each.allowedIps].sort(),
      );
      // Where the text has no room, it is left out; the address is there.
      const { additional } = await dig(port, "+ignore", "+noedns", instance(each), "SRV");
      assertEquals(additional[0], addressRecord(each));
    }
  },
);

/** Which zones `wgsig serve --dns` has, of which peers, and for whom. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { BINARY, testWith, wgsig } from "../support/program.ts";
import { TYPES } from "../support/dns.ts";
import { Asker } from "./asker.ts";
import { askUdp, dig, digShort, newQuery, readTool, TcpEnd } from "./dns_clients.ts";
import {
  addressRecord,
  assertBalanced,
  countingWg,
  Device,
  DEVICE_NEEDS,
  dnsServer,
  figure,
  freeDnsAddress,
  instance,
  listRecords,
  newPeer,
  SERVICE,
  serviceRecord,
  SOA,
  type TestPeer,
  textRecord,
  ZONE,
} from "./dns_scene.ts";
import { randomBytes, Scene, type Served, until } from "./scene.ts";

const NEEDS = [...DEVICE_NEEDS, "dig"];
/** The device's own port. */
const PORT = 51820;

const alice = newPeer("198.51.100.7:4711", "10.9.0.2/32", "fd00::2/128");
const bob = newPeer("[2001:db8::7]:51821", "10.9.0.3/32");
const nowhere = newPeer(undefined, "10.9.0.4/32");
const PEERS = [alice, bob, nowhere];

testWith(NEEDS, "dns: --self publishes the interface where it says", async () => {
  await using device = await Device.with(alice);
  await using scene = await Scene.open();
  const own: TestPeer = {
    publicKey: device.host.publicKey,
    endpoint: "203.0.113.5:4500",
    allowedIps: ["10.9.0.0/24", "fd00::/64"],
  };
  const allowed = ["--self-allowed-ips", "10.9.0.0/24,fd00::/64"];
  const named = await device.serve(scene, ["--self", "203.0.113.5:4500", ...allowed]);
  const list = await dig(named.port, SERVICE, "PTR");
  assertEquals(list.answer.toSorted(), listRecords([own, alice]));
  assertEquals(list.answer[0]?.split(" ").at(-1), instance(own), "it stands first");
  const service = await dig(named.port, instance(own), "SRV");
  assertEquals(service.answer, [serviceRecord(own)]);
  assertEquals(service.additional, [addressRecord(own), textRecord(own)]);

  const six = await device.serve(scene, ["--self", "[2001:db8::5]:4500"]);
  const there = { ...own, endpoint: "[2001:db8::5]:4500", allowedIps: [] };
  const records = await dig(six.port, instance(there), "SRV");
  assertEquals(records.additional, [addressRecord(there), textRecord(there)]);

  // Bare, it is where it was asked, on the interface's port.
  const bare = await device.serve(scene, ["--self", "--dns", freeDnsAddress("127.0.0.3")]);
  const [, other] = await bare.running.printed(/address=127\.0\.0\.3:(\d+)/);
  for (const [address, port] of [["127.0.0.1", bare.port], ["127.0.0.3", other]] as const) {
    for (const transport of ["+notcp", "+tcp"]) {
      const here = { ...own, endpoint: `${address}:${PORT}`, allowedIps: [] };
      const { answer, additional } = await dig(
        Number(port),
        `@${address}`,
        transport,
        instance(here),
        "SRV",
      );
      assertEquals(answer, [serviceRecord(here)]);
      assertEquals(additional, [addressRecord(here), textRecord(here)]);
    }
  }
  const without = await device.serve(scene);
  assertEquals((await dig(without.port, instance(own), "SRV")).status, "NXDOMAIN");
});

testWith(NEEDS, "dns: bare --self on wildcard listeners, on DNS's own port", async () => {
  await using device = await Device.with(alice);
  const { namespace } = device;
  await namespace.ip("addr add 192.0.2.7/32 dev lo", "addr add 2001:db8:7::1/128 dev lo nodad");
  const flags = ["--zone", ZONE, "--interface", "wg0", "--self"];
  const argv = [BINARY, "serve", "--dns", "0.0.0.0", "--dns", "::", ...flags];
  const running = namespace.start(argv, { env: { WGSIG_CONFIG: "/dev/null" } });
  const { port } = await dnsServer(running);
  assertEquals(port, 53);
  const own = { ...alice, publicKey: device.host.publicKey, allowedIps: [] };
  for (const address of ["127.0.0.1", "192.0.2.7", "::1", "2001:db8:7::1"]) {
    const host = address.includes(":") ? `[${address}]` : address;
    const here = { ...own, endpoint: `${host}:${PORT}` };
    for (const transport of ["+notcp", "+tcp"]) {
      const asked = [`@${address}`, transport, "-r", instance(here), "SRV"];
      const { answer, additional } = readTool(await namespace.must(["dig", ...asked]));
      assertEquals(answer, [serviceRecord(here)], address);
      assertEquals(additional, [addressRecord(here), textRecord(here)], address);
    }
  }
  assertEquals(await running.stop(), 0);

  // Without --self, nothing depends on the address, and one socket takes all.
  const plain = namespace.start([...argv.slice(0, -1)], { env: { WGSIG_CONFIG: "/dev/null" } });
  await dnsServer(plain);
  assertMatch(plain.out, / dns-listening address=0\.0\.0\.0:53\n/);
  for (const address of ["192.0.2.7", "2001:db8:7::1"]) {
    for (const transport of ["+notcp", "+tcp"]) {
      const asked = [`@${address}`, transport, "-r", SERVICE, "PTR"];
      assertEquals(readTool(await namespace.must(["dig", ...asked])).answer, listRecords([alice]));
    }
  }
});

testWith(NEEDS, "dns: --allow-from lets only these ask, --ttl lets resolvers keep it", async () => {
  await using device = await Device.with(...PEERS);
  await using scene = await Scene.open();
  const { port } = await device.serve(
    scene,
    ["--allow-from", "127.0.0.2/32, 192.0.2.0/24", "--ttl", "2m"],
  );
  for (const transport of ["+notcp", "+tcp"]) {
    const refused = await dig(port, transport, SERVICE, "PTR");
    assertEquals([refused.status, refused.answer, refused.authority], ["REFUSED", [], []]);
    const list = await dig(port, transport, "-b", "127.0.0.2", SERVICE, "PTR");
    assertEquals(list.answer.toSorted(), listRecords([alice, bob], 120));
  }
  const { answer, additional } = await dig(port, "-b", "127.0.0.2", instance(alice), "SRV");
  assertEquals(answer, [serviceRecord(alice, 120)]);
  assertEquals(additional, [addressRecord(alice, 120), textRecord(alice, 120)]);
});

testWith(NEEDS, "dns: several zones of the settings, and others after SIGHUP", async () => {
  await using device = await Device.with(alice);
  await using scene = await Scene.open();
  const address = freeDnsAddress();
  const common = `[serve.dns]\nlisten = ["${address}"]\ninterface = "wg0"\n`;
  const zone = (name: string, more = "") => `[[serve.dns.zone]]\nname = "${name}"\n${more}\n`;
  const below = `below.${ZONE}`;
  const settings = (text: string) => scene.file("wgsig.toml", text);
  const file = await settings(
    common + zone(ZONE) + zone(below, `self = "203.0.113.5:7"\nttl = "5m"`) +
      zone("other.test", `allow-from = ["127.0.0.9/32"]`),
  );
  const server = await device.serveWith(scene, ["--config", file]);
  const { port } = server;
  const list = async (name: string) => {
    const { status, answer } = await dig(port, `_wireguard._udp.${name}`, "PTR");
    return [status, answer.toSorted()];
  };
  const own = { ...alice, publicKey: device.host.publicKey };
  assertEquals(await list(ZONE), ["NOERROR", listRecords([alice])]);
  assertEquals(await list(below), [
    "NOERROR",
    [
      ...listRecords([alice], 300, below),
      ...listRecords([own], 300, below),
    ].sort(),
  ]);
  assertEquals(await list("other.test"), ["REFUSED", []]);
  assertEquals(
    (await dig(port, "-b", "127.0.0.9", "_wireguard._udp.other.test", "PTR")).status,
    "NOERROR",
  );

  await settings(common + zone("third.test") + zone("other.test"));
  await server.signal("SIGHUP", / info reloaded /);
  assertEquals(await list("third.test"), ["NOERROR", listRecords([alice], 0, "third.test")]);
  assertEquals(await list("other.test"), ["NOERROR", listRecords([alice], 0, "other.test")]);
  assertEquals([await list(ZONE), await list(below)], [["REFUSED", []], ["REFUSED", []]]);
  // A broken file changes nothing.
  await settings(common + zone("third.test") + zone("third.test."));
  const [line] = await server.signal("SIGHUP", /^.*reloaded.*$/m);
  assertMatch(line, / error not-reloaded .*third\.test: it is there twice/);
  assertEquals(await list("other.test"), ["NOERROR", listRecords([alice], 0, "other.test")]);
  // Another address needs a restart, and is said.
  await settings(common.replace(address, "127.0.0.1:1") + zone(ZONE));
  await server.signal("SIGHUP", / warn restart-needed changed=dns\n/);
  assertEquals(await list(ZONE), ["NOERROR", listRecords([alice])]);
});

testWith(["dig"], "dns: the peers of a registry's group, with what the settings know", async () => {
  await using scene = await Scene.open();
  const keys = Array.from({ length: 2 }, () => encodeBase64(randomBytes(32)));
  const config = await scene.file(
    "wgsig.toml",
    `[serve.dns]\nlisten = ["${freeDnsAddress()}"]\nzone = "${ZONE}"\n` +
      `[[peer]]\npublic-key = "${keys[0]}"\nallowed-ips = ["10.9.0.2", "fd00::/64"]\n`,
  );
  const server = await scene.serve(["--config", config]);
  const { port: dns } = await dnsServer(server.running);
  const empty = await dig(dns, SERVICE, "PTR");
  assertEquals([empty.status, empty.answer, empty.authority], ["NOERROR", [], [SOA]]);
  const before = Math.floor(Date.now() / 1000);
  const ports = [await scene.freePort(), await scene.freePort()];
  const endpoints = ports.map((port) => `127.0.0.1:${port}`);
  for (const [i, key] of keys.entries()) {
    const { code, err } = await scene.query([
      server.address,
      "--key",
      key,
      "--port",
      `${ports[i]}`,
    ]);
    assertEquals([code, err], [0, ""]);
  }
  const after = Math.floor(Date.now() / 1000);
  const peers = keys.map((publicKey, i) => ({ publicKey, endpoint: endpoints[i], allowedIps: [] }));
  const list = await until("both are listed", async () => {
    const { answer } = await dig(dns, SERVICE, "PTR");
    return answer.length === 2 ? answer : undefined;
  });
  assertEquals(list.toSorted(), listRecords(peers));
  for (const [i, peer] of peers.entries()) {
    const { answer, additional: [address, text = ""] } = await dig(dns, instance(peer), "SRV");
    assertEquals([answer, address], [[serviceRecord(peer)], addressRecord(peer)]);
    const [, strings = "", seen] = /TXT (.*) "seen=(\d+)"$/.exec(text) ?? [];
    const known = i === 0 ? ` "allowed=10.9.0.2/32,fd00::/64"` : "";
    assertEquals(strings, `"txtvers=1" "pub=${peer.publicKey}"${known}`);
    assert(before <= Number(seen) && Number(seen) <= after, text);
  }
});

testWith(["dig"], "dns: the endpoints of a group's peers of both families", async () => {
  await using scene = await Scene.open();
  const port = await scene.freePort();
  const running = scene.start([
    ...[BINARY, "serve", "--secret", scene.secretFile, "--dns", freeDnsAddress(), "--zone", ZONE],
    ...["--listen", `127.0.0.1:${port}`, "--listen", `[::1]:${port}`],
  ]);
  const { port: dns } = await dnsServer(running);
  const four = new Asker(scene, 1);
  const six = new Asker(scene, 1, { host: "::1", port: four.end.port });
  const alone = new Asker(scene, 2, { host: "::1" });
  const old = scene.peer();
  for (const asker of [four, six, alone]) await asker.ask(port);
  await old.ask(port);
  const peerAt = (publicKey: string, endpoint: string) => ({ publicKey, endpoint, allowedIps: [] });
  const both = peerAt(four.client.key, four.end.endpoint);
  const sixth = peerAt(four.client.key, six.end.endpoint);
  const third = peerAt(alone.client.key, alone.end.endpoint);
  const last = peerAt(old.publicKey, old.endpoint);
  assertEquals(
    [...(await dig(dns, SERVICE, "PTR")).answer].sort(),
    listRecords([both, third, last]),
  );
  const cases = [[both, [both, sixth]], [third, [third]], [last, [last]]] as const;
  for (const [peer, places] of cases) {
    const { answer, additional } = await dig(dns, instance(peer), "SRV");
    assertEquals(answer, [serviceRecord(peer)]);
    // What wgsd-client reads comes first: an address, the TXT.
    const [address, text, ...more] = additional;
    assertEquals([address, ...more], places.map((place) => addressRecord(place)));
    assertMatch(text!, / TXT "txtvers=1" "pub=[^"]+" "seen=\d+"$/);
    for (const type of ["A", "AAAA"]) {
      const { answer, status } = await dig(dns, instance(peer), type);
      assertEquals(status, "NOERROR");
      assertEquals(
        answer,
        places.map((each) => addressRecord(each)).filter((record) => record.split(" ")[2] === type),
      );
    }
  }
  const { out } = await wgsig(["query", `dns://127.0.0.1:${dns}/${ZONE}`, "--json"]);
  const found: { peers: { publicKey: string; endpoint: string }[] } = JSON.parse(out);
  assertEquals(
    found.peers.map(({ publicKey, endpoint }) => `${publicKey} ${endpoint}`).sort(),
    [both, third, last].map(({ publicKey, endpoint }) => `${publicKey} ${endpoint}`).sort(),
  );
});

testWith(NEEDS, "dns: one zone of a device and a registry's group", async () => {
  await using device = await Device.with(...PEERS);
  await using scene = await Scene.open();
  const args = ["--listen", "127.0.0.1:0", "--secret", scene.secretFile];
  const server = await device.serve(scene, args);
  const [, registry] = await server.running.printed(/ listening address=127\.0\.0\.1:(\d+)\n/);
  const member = encodeBase64(randomBytes(32));
  // The device's peer registers from elsewhere: what the tunnel uses counts.
  for (const key of [member, alice.publicKey]) {
    const { code, err } = await scene.query([`127.0.0.1:${registry}`, "--key", key]);
    assertEquals([code, err], [0, ""]);
  }
  const names = [member, alice.publicKey, bob.publicKey]
    .map((publicKey) => ({ ...alice, publicKey }));
  await until("all are listed", async () => {
    const { answer } = await dig(server.port, SERVICE, "PTR");
    if (answer.length < 3) return undefined;
    assertEquals(answer.toSorted(), listRecords(names));
    return answer;
  });
  const { answer, additional } = await dig(server.port, instance(alice), "SRV");
  assertEquals(answer, [serviceRecord(alice)]);
  assertEquals(additional, [addressRecord(alice), textRecord(alice)]);
  const own = await dig(server.port, instance(names[0]!), "SRV");
  assertEquals(own.additional[0], `${instance(names[0]!)} 0 A 127.0.0.1`);
  assertMatch(own.additional[1] ?? "", / "seen=\d+"$/);
});

testWith(NEEDS, "dns: a device that is not there yet, that appears, changes and goes", async () => {
  await using device = await Device.absent();
  await using scene = await Scene.open();
  const { port, running } = await device.serve(scene);
  await running.printed(
    / warn interface-not-read interface=wg0 why="there is no such interface"\n/,
  );
  // That it is not there says nothing of who its peers are.
  const unknown = () =>
    until("nobody is known", async () => {
      for (const [name, type] of [[SERVICE, "PTR"], [instance(alice), "SRV"]] as const) {
        const { status, answer, authority } = await dig(port, name, type);
        if (status !== "SERVFAIL") return undefined;
        assertEquals([answer, authority], [[], []]);
      }
      return true;
    });
  const lists = (what: string, peers: readonly TestPeer[]) =>
    until(what, async () => {
      const { answer } = await dig(port, SERVICE, "PTR");
      return answer.toSorted().join() === listRecords(peers).join() || undefined;
    });
  await unknown();
  assertEquals((await dig(port, ZONE, "SOA")).answer, [SOA]);
  assertEquals((await dig(port, `x.${ZONE}`, "A")).status, "NXDOMAIN");
  await device.start();
  await device.setPeers([alice]);
  await lists("the peer", [alice]);
  await running.printed(/ info interface-read interface=wg0\n/);
  const moved = { ...alice, endpoint: "198.51.100.8:1" };
  await device.setPeers([moved, bob]);
  await lists("both", [alice, bob]);
  await until("the new endpoint", async () => {
    const { answer } = await dig(port, instance(moved), "SRV");
    return answer[0] === serviceRecord(moved) || undefined;
  });
  await device.host.stopWireGuard();
  await unknown();
  await device.start();
  await device.setPeers([bob]);
  await lists("the other", [bob]);
  // After a pause, what is answered first is not what was known before it.
  await device.setPeers([alice]);
  await new Promise((resolve) => setTimeout(resolve, 2500));
  assertEquals((await dig(port, SERVICE, "PTR")).answer, listRecords([alice]));
  assertEquals(running.out.match(/ interface-not-read /g)?.length, 2);
  assertEquals(running.out.match(/ interface-read /g)?.length, 2);
});

testWith(NEEDS, "dns: whatever the rate of queries, the device is read once a second", async () => {
  await using device = await Device.with(...PEERS);
  await using scene = await Scene.open();
  const wg = await countingWg(scene);
  const { port } = await device.serve(scene, [], { env: wg.env });
  const end = scene.end();
  const before = await wg.runs();
  const start = performance.now();
  let asked = 0;
  while (performance.now() - start < 3500) {
    const reply = await askUdp(end, port, newQuery(instance(alice), "SRV"));
    assertEquals(reply.rcode, 0);
    asked++;
    if (asked % 100 === 0) {
      using tcp = await TcpEnd.open(port);
      await tcp.ask(newQuery(SERVICE, "PTR"));
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const seconds = (performance.now() - start) / 1000;
  const runs = await wg.runs() - before;
  figure(`${asked} queries in ${seconds.toFixed(1)} s, wg was run ${runs} times`);
  assert(runs >= 1 && runs <= seconds + 1, `${runs} runs in ${seconds} s`);
  assert(asked > 100 * seconds, `only ${asked} queries`);
  // Nobody asks: it is left alone.
  const still = await wg.runs();
  await new Promise((resolve) => setTimeout(resolve, 2500));
  assertEquals(await wg.runs(), still);
  // Many who ask at once after that wait for one reading.
  const at = await wg.runs();
  const queries = Array.from({ length: 40 }, () => newQuery(instance(alice), "SRV"));
  await Promise.all(queries.map((query) => end.send(query, port)));
  for (let i = 0; i < queries.length; i++) await end.next();
  assertEquals(await wg.runs(), at + 1);
});

testWith(NEEDS, "dns: a device that hangs keeps nobody else from an answer", async () => {
  await using device = await Device.with(...PEERS);
  await using scene = await Scene.open();
  const hang = `${scene.folder}/hang`;
  const wg = await countingWg(scene, `test -e ${hang} && exec sleep 60`);
  const address = freeDnsAddress();
  const config = await scene.file(
    "wgsig.toml",
    `[serve]\nlisten = ["127.0.0.1:0"]\n[[serve.group]]\nsecret-file = "${scene.secretFile}"\n` +
      `[serve.dns]\nlisten = ["${address}"]\n[[serve.dns.zone]]\nname = "${ZONE}"\n` +
      `interface = "wg0"\n[[serve.dns.zone]]\nname = "group.test"\ngroup = 0\n`,
  );
  const { port } = await device.serveWith(scene, ["--config", config], { env: wg.env });
  const end = scene.end();
  const rcode = async (name: string, type: "SRV" | "SOA") =>
    (await askUdp(end, port, newQuery(name, type))).rcode;
  assertEquals(await rcode(instance(alice), "SRV"), 0);
  await Deno.writeTextFile(hang, "");
  await new Promise((resolve) => setTimeout(resolve, 2500));
  // What was known is answered for a while, and other zones all the time.
  assertEquals(await rcode(instance(alice), "SRV"), 0);
  assertEquals(await rcode("group.test", "SOA"), 0);
  await until("SERVFAIL", async () => await rcode(instance(alice), "SRV") === 2 || undefined, 20);
  assertEquals(await rcode("group.test", "SOA"), 0);
  assertEquals(await rcode(ZONE, "SOA"), 0);
  await Deno.remove(hang);
  await until(
    "the device again",
    async () => await rcode(instance(alice), "SRV") === 0 || undefined,
    20,
  );
});

testWith(NEEDS, "dns: alone it needs no secret, and no port of the registry", async () => {
  await using device = await Device.with(...PEERS);
  await using scene = await Scene.open();
  const { port, running } = await device.serve(scene);
  assertEquals(/ listening /.test(running.out), false, running.out);
  assertMatch(running.out, / dns-zone zone=wg\.example\.com interface=wg0\n/);
  assertEquals(await digShort(port, instance(alice), "A"), ["198.51.100.7"]);
  running.signal("SIGUSR1");
  const [line] = await running.printed(/^.* counters .*$/m);
  assertMatch(line, / dns-received=1 dns-answered=1$/);
  assertEquals(await running.stop(), 0);
  assertEquals(running.err, "");
});

testWith(NEEDS, "dns: the counters say what became of each question", async () => {
  await using device = await Device.with(...PEERS);
  await using scene = await Scene.open();
  const server: Served = await device.serve(scene);
  const { port } = server;
  const end = scene.end();
  const name = instance(alice).slice(0, -1);
  const replies = [
    newQuery(name, "SRV"),
    newQuery(name, "AAAA"),
    newQuery(`x.${ZONE}`, "A"),
    newQuery("example.org", "A"),
    newQuery(name, TYPES.OPT),
    newQuery(name, "MAILB"),
    newQuery(name, "SRV", { edns: { version: 1 } }),
  ];
  const rcodes: number[] = [];
  for (const query of replies) rcodes.push((await askUdp(end, port, query)).rcode);
  assertEquals(rcodes, [0, 0, 3, 5, 1, 4, 16]);
  await end.send(new Uint8Array(11), port);
  await end.send(newQuery(name, "SRV", { flags: 0x8000 }), port);
  await askUdp(end, port, newQuery(name, "TXT"));
  assertEquals(await end.drain(), []);
  const counts = await server.counters();
  assertEquals(assertBalanced(counts), replies.length + 3);
  assertEquals(counts, {
    peers: 0,
    received: 0,
    answered: 0,
    "dns-received": replies.length + 3,
    "dns-answered": 2,
    "dns-nodata": 1,
    "dns-nxdomain": 1,
    "dns-refused": 1,
    "dns-formerr": 1,
    "dns-notimp": 1,
    "dns-badvers": 1,
    "dns-drop-short": 1,
    "dns-drop-response": 1,
  });
});

/** What resolvers remember of a signed zone, and what whoever forges a source wins of it. */

import { assert, assertEquals } from "@std/assert";
import { decodeBase64, encodeBase64 } from "@std/encoding/base64";
import { DEFAULT_ANSWER_BUDGET } from "../../lib/core/net/answer_budget.ts";
import { readReply } from "../support/dns.ts";
import { testWith } from "../support/program.ts";
import { newQuery } from "./dns_clients.ts";
import { Device, DEVICE_NEEDS, figure, instance, newPeers, type TestPeer } from "./dns_scene.ts";
import { alice, newZoneKey, serveZones } from "./dnssec_scene.ts";
import { Validator } from "./dnssec_validators.ts";
import { Scene, until } from "./scene.ts";

const NEEDS = [...DEVICE_NEEDS, "dig", "unbound", "kresd"];
const QUESTIONS = 2000;

/** The peer whose name is next to that of another: no name of a peer is between them. */
function nextTo(peer: TestPeer): TestPeer {
  const key = decodeBase64(peer.publicKey);
  key[31]! ^= 1;
  return { ...peer, publicKey: encodeBase64(key) };
}

testWith(
  NEEDS,
  "dnssec: what is denied is that one name, and not for longer than its TTL",
  async () => {
    const zone = "wg.example.com";
    // Of each pair one is there: once the first of the two in the order of names, once the last.
    const pairs = newPeers(8).map((peer) => [peer, nextTo(peer)] as const);
    const there = pairs.map(([peer]) => peer);
    const absent = pairs.map(([, peer]) => peer);
    const order = pairs.map(([one, other]) => instance(one) < instance(other));
    assert(order.includes(true) && order.includes(false));
    await using device = await Device.with(alice, ...there);
    await using scene = await Scene.open();
    const key = await newZoneKey(scene, zone);
    const { server } = await serveZones(scene, device, [{ name: zone, keys: [key] }]);
    const denied = [
      ...absent.map((peer) => `${instance(peer)} SRV`),
      ...[`*._wireguard._udp.${zone} SRV`, `*.${zone} A`, `_tcp.${zone} A`, `nope.${zone} A`],
      `${instance(alice)} AAAA`,
    ];
    const known = [
      ...[alice, ...there].flatMap((peer) => [`${instance(peer)} SRV`, `${instance(peer)} A`]),
      ...[`_wireguard._udp.${zone} PTR`, `ns1.${zone} A`, `${zone} SOA`],
    ];
    // All is remembered for two seconds instead of a minute.
    const more = { unbound: "  cache-max-ttl: 2\n", kresd: "cache.max_ttl(2)" };
    const validators = await Promise.all(
      (["unbound", "kresd"] as const).map((kind) =>
        Validator.start(scene, kind, { anchors: [key], server: server.port, more: more[kind] })
      ),
    );
    const received = async () => (await server.counters())["dns-received"];
    for (const validator of validators) {
      await until("denials are remembered", async () => {
        const before = await received();
        for (const { answer, text } of await validator.trusts(denied)) {
          assertEquals(answer, [], text);
        }
        return await received() === before || undefined;
      });
      for (const { answer, text } of await validator.trusts(known)) assert(answer.length > 0, text);
    }
    const moved = { ...alice, endpoint: "[2001:db8::8]:4711" };
    await device.setPeers([moved, ...there, ...absent]);
    for (const validator of validators) {
      await until("what was denied has been found", async () => {
        const answers = await validator.trusts([
          ...absent.map((peer) => `${instance(peer)} SRV`),
          `${instance(moved)} AAAA`,
        ]);
        return answers.every(({ answer }) => answer.length > 0) || undefined;
      });
    }
  },
);

testWith(NEEDS, "dnssec: who forges a source wins no more of a zone with four keys", async () => {
  const zone = "wg.example.com";
  await using device = await Device.with(alice);
  await using scene = await Scene.open();
  const algorithms = ["ecdsa", "ed25519", "ecdsa", "ed25519"] as const;
  const keys = await Promise.all(algorithms.map((each) => newZoneKey(scene, zone, each)));
  const budget = DEFAULT_ANSWER_BUDGET.bytesPerSecond;
  const { server } = await serveZones(scene, device, [{ name: zone, keys }], { budget });
  const attacker = scene.end();
  const start = performance.now();
  let [sent, received, whole] = [0, 0, 0];
  for (let i = 0; i < QUESTIONS; i++) {
    const kinds = [
      [`${i}.${zone}`, "A"],
      [instance(alice), "SRV"],
      [`*.${zone}`, "TXT"],
      [zone, "SOA"],
      [zone, "ANY"],
    ] as const;
    const [name, type] = kinds[i % kinds.length]!;
    const query = newQuery(name, type, { edns: { size: 1232, dnssecOk: true } });
    await attacker.send(query, server.port);
    const { bytes } = await attacker.next();
    sent += query.length;
    received += bytes.length;
    const { answers, authorities, flags } = readReply(bytes);
    if (answers.length + authorities.length > 0) whole++;
    else {
      assertEquals(flags, "AA TC");
      assert(bytes.length <= query.length, `${bytes.length} bytes for ${query.length}`);
    }
  }
  const seconds = Math.ceil((performance.now() - start) / 1000);
  const allowed = DEFAULT_ANSWER_BUDGET.burst + budget * seconds;
  figure(`${sent} bytes of questions with DO got ${received}, ${whole} of ${QUESTIONS} whole`);
  assert(received - sent <= allowed, `${received - sent} bytes, ${allowed} are allowed`);
  assert(whole > 50 && whole < QUESTIONS / 2, `${whole} whole`);
  // Who is really there gets it over TCP.
  await Promise.all(
    (["unbound", "kresd"] as const).map(async (kind) => {
      const validator = await Validator.start(scene, kind, { anchors: keys, server: server.port });
      await validator.trusts([`${instance(alice)} SRV`, `${zone} DNSKEY`, `nope.${zone} A`]);
    }),
  );
});

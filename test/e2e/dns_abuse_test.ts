/**
 * What anyone on the network can send to DNS: the server answers everybody else, counts what it got,
 * and does not grow. `WGSIG_SOAK=1` sends a million messages instead of twenty thousand.
 */

import { assert, assertEquals } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { PORTABLE } from "../../lib/wire/crypto/portable.ts";
import { frameMessage } from "../../lib/wire/dns/frame.ts";
import { encodeName } from "../../lib/wire/dns/name.ts";
import { signMessage, TSIG_FUDGE, TsigKey, tsigSize } from "../../lib/wire/dns/tsig.ts";
import { BASE32_DIGITS, subtypeName } from "../../lib/core/zone/name.ts";
import { readReply, TYPES } from "../support/dns.ts";
import { instanceOf } from "../support/dns_messages.ts";
import { memoryOf, testWith, wgsig } from "../support/program.ts";
import { askUdp, DeafEnd, dig, isAnswer, newQuery, TcpEnd, Witness } from "./dns_clients.ts";
import {
  assertBalanced,
  Device,
  DEVICE_NEEDS,
  dnsServer,
  figure,
  freeDnsAddress,
  instance,
  newPeers,
  SERVICE,
  type TestPeer,
  ZONE,
} from "./dns_scene.ts";
import { keysIn, type Peer, randomBytes, Scene, type Served, until } from "./scene.ts";

const SOAK = Deno.env.get("WGSIG_SOAK") === "1";
const DATAGRAMS = SOAK ? 1_000_000 : 20_000;
const MESSAGES = SOAK ? 100_000 : 2000;
/** Sent before memory is looked at first. */
const WARM_UP = 5000;
/** Datagrams between two questions: few enough for the receive buffer of the server's socket. */
const BURST = 32;
/** Messages over one connection. */
const PIPELINE = 50;
/** RRSIG, NSEC, DNSKEY, CDS, CDNSKEY, and types that nothing has. */
const DNSSEC_TYPES = [46, 47, 48, 59, 60, 50, 65];
/** Different messages of each kind. */
const VARIETY = 64;
const MAX_GROWTH_KB = 24 * 1024;
/** What a source may win at once, in bytes. */
const BURST_BUDGET = 131_072;
/** The budget that a test gives, in bytes a second. */
const RATE = 2;
/** Questions while a flood goes on. */
const DURING = SOAK ? 300 : 60;

function randomNumber(below: number): number {
  return Math.floor(Math.random() * below);
}

function mutated(bytes: Uint8Array): Uint8Array {
  const changed = bytes.slice();
  for (let n = 1 + randomNumber(4); n > 0; n--) {
    changed[randomNumber(changed.length)] = randomNumber(256);
  }
  return randomNumber(4) > 0 ? changed : changed.slice(0, randomNumber(changed.length));
}

/** Messages of all kinds, bad ones and good ones. */
function messagesOf(peers: readonly TestPeer[]): Uint8Array[][] {
  const many = (make: () => Uint8Array) => Array.from({ length: VARIETY }, make);
  const types = Object.values(TYPES);
  const type = () => types[randomNumber(types.length)]!;
  const peer = () => instance(peers[randomNumber(peers.length)]!);
  const stranger = () => instanceOf(btoa(String.fromCharCode(...randomBytes(32))), ZONE);
  const names = [ZONE, SERVICE, `_udp.${ZONE}`, `_A.${`_sub.${SERVICE}`}`, "example.org"];
  const name = () => names[randomNumber(names.length)]!;
  const edns = () => ({ size: randomNumber(0x1_0000), data: [...randomBytes(randomNumber(40))] });
  return [
    [new Uint8Array(0)],
    Array.from({ length: 12 }, (_, i) => randomBytes(i)),
    many(() => randomBytes(12 + randomNumber(1500))),
    many(() => new Uint8Array(12 + randomNumber(500))),
    many(() => newQuery(peer(), type())),
    many(() => newQuery(stranger(), type())),
    many(() => newQuery(name(), type(), { edns: edns() })),
    many(() => newQuery(name(), randomNumber(0x1_0000), { class: randomNumber(4) })),
    many(() => newQuery(name(), "SRV", { flags: randomNumber(0x1_0000) })),
    many(() => newQuery(peer(), "SRV", { edns: { version: randomNumber(3) } })),
    many(() => mutated(newQuery(peer(), "SRV"))),
    many(() => mutated(newQuery(peer(), "TXT", { edns: edns() }))),
    many(() => mutated(newQuery(SERVICE, "PTR"))),
  ];
}

/** Makes messages of one kind. */
type Kind = () => Uint8Array;

function kindsOf(peers: readonly TestPeer[]): Kind[] {
  return messagesOf(peers).map((messages) => () => messages[randomNumber(messages.length)]!);
}

/** More of them, for a zone that is signed, and asked with a TSIG key: each is made anew. */
function signedKindsOf(peers: readonly TestPeer[], key: TsigKey): Kind[] {
  const peer = () => instance(peers[randomNumber(peers.length)]!);
  const stranger = () => instanceOf(btoa(String.fromCharCode(...randomBytes(32))), ZONE);
  const edns = { dnssecOk: true };
  const types = [...Object.values(TYPES), ...DNSSEC_TYPES];
  const type = () => types[randomNumber(types.length)]!;
  const withTsig = (query: Uint8Array, after = 0) => {
    const message = new WireBuffer(query.length + tsigSize(key));
    message.bytes.set(query);
    const time = Math.floor(Date.now() / 1000) + after;
    signMessage(key, message, 0, query.length, time, TSIG_FUDGE);
    return message.bytes;
  };
  return [
    () => newQuery(peer(), type(), { edns }),
    () => newQuery(stranger(), type(), { edns }),
    () => newQuery(`x${randomNumber(1e6)}.${SERVICE}`, type(), { edns: { ...edns, size: 512 } }),
    () => newQuery(ZONE, type(), { edns }),
    () => newQuery(SERVICE, type(), { edns }),
    () => mutated(newQuery(stranger(), "SRV", { edns })),
    () => withTsig(newQuery(peer(), "SRV", { edns })),
    () => withTsig(newQuery(stranger(), "TXT")),
    () => withTsig(newQuery(peer(), "SRV"), 2 * TSIG_FUDGE),
    () => mutated(withTsig(newQuery(peer(), "SRV", { edns }))),
  ];
}

/** Settings without a budget: what is flooded is not limited, so that all of it is worked on. */
function unlimited(scene: Scene, ...more: readonly string[]): Promise<string> {
  const zone = [`zone = "${ZONE}"`, 'interface = "wg0"', "answer-budget = 0", ...more, ""];
  const listen = ["[serve.dns]", `listen = ["${freeDnsAddress()}"]`];
  return scene.file("wgsig.toml", [...listen, ...zone].join("\n"));
}

/** What becomes of messages of all kinds. */
const OUTCOMES = ["answered", "nodata", "nxdomain", "refused", "formerr", "notimp", "badvers"]
  .concat("drop-short", "drop-response");
/** And of a signed zone, that is asked with TSIG keys. */
const SIGNED_OUTCOMES = [...OUTCOMES, "notauth", "tsig", "tsig-badsig", "tsig-badtime", "signed"]
  .concat("signature-reused");

/** Asserts that what came in over a while was of all kinds. */
function assertAllKinds(
  counts: Readonly<Record<string, number>>,
  kinds: readonly string[] = OUTCOMES,
): void {
  for (const kind of kinds) {
    assert((counts[`dns-${kind}`] ?? 0) > 0, `nothing was counted as ${kind}`);
  }
}

testWith(DEVICE_NEEDS, `dns: ${DATAGRAMS} datagrams of all kinds`, async () => {
  const peers = newPeers(20);
  await using device = await Device.with(...peers);
  await using scene = await Scene.open();
  const config = await unlimited(scene);
  await withstand(device, scene, config, peers, kindsOf(peers), OUTCOMES);
});

testWith(DEVICE_NEEDS, `dns: ${DATAGRAMS} datagrams of all kinds to a signed zone`, async () => {
  const peers = newPeers(20);
  await using device = await Device.with(...peers);
  await using scene = await Scene.open();
  const { code, out } = await wgsig(["keygen", "zone", ZONE]);
  assertEquals(code, 0);
  const zoneKey = await scene.file("zone.private", out);
  const secret = randomBytes(32);
  const tsig = await scene.file("tsig", `hmac-sha256:abuse:${encodeBase64(secret)}\n`);
  const config = await unlimited(
    scene,
    `dnssec-keys = ["${zoneKey}"]`,
    `tsig-files = ["${tsig}"]`,
  );
  const key = new TsigKey(encodeName("abuse"), secret, PORTABLE);
  const kinds = [...kindsOf(peers), ...signedKindsOf(peers, key)];
  await withstand(device, scene, config, peers, kinds, SIGNED_OUTCOMES);
});

/** Sends messages of all kinds to a server, which must answer others, count all, and not grow. */
async function withstand(
  device: Device,
  scene: Scene,
  config: string,
  peers: readonly TestPeer[],
  kinds: readonly Kind[],
  outcomes: readonly string[],
): Promise<void> {
  const server = await device.serveWith(scene, ["--config", config]);
  const witness = new Witness(scene, server.port, peers[0]!);
  using attacker = new DeafEnd(server.port);
  let sent = 0;
  const flood = async (until: number) => {
    while (sent < until) {
      const sending: Promise<void>[] = [];
      for (let i = 0; i < BURST && sent < until; i++, sent++) {
        sending.push(attacker.send(kinds[sent % kinds.length]!()));
      }
      await Promise.all(sending);
      await witness.ask();
    }
  };
  const start = performance.now();
  await flood(WARM_UP);
  const before = await memoryOf(server.running.pid);
  await flood(DATAGRAMS);
  for (const size of [1233, 2048, 2049, 4097, 60_000]) {
    await attacker.send(randomBytes(size));
    sent++;
    await witness.ask();
  }
  const after = await memoryOf(server.running.pid);
  const seconds = (performance.now() - start) / 1000;
  figure(
    `${sent} datagrams in ${seconds.toFixed(1)} s, memory ${before} kB, ${after - before} kB more`,
  );
  const counts = await server.counters();
  assertEquals(assertBalanced(counts), sent + witness.asked);
  assertAllKinds(counts, outcomes);
  assert(after - before < MAX_GROWTH_KB, `memory grew from ${before} to ${after} kB`);
  assertEquals(await server.running.stop(), 0);
  assertEquals(server.running.err, "");
  const lines = server.running.out.split("\n").length;
  assert(lines < 20, `${lines} lines`);
}

testWith(DEVICE_NEEDS, `dns: ${MESSAGES} messages of all kinds over TCP`, async () => {
  const peers = newPeers(20);
  await using device = await Device.with(...peers);
  await using scene = await Scene.open();
  const server = await device.serveWith(scene, ["--config", await unlimited(scene)]);
  const { port } = server;
  const witness = new Witness(scene, port, peers[0]!);
  const kinds = messagesOf(peers);
  let before = 0;
  let sent = 0;
  const start = performance.now();
  for (let round = 0; sent < MESSAGES; round++) {
    using tcp = await TcpEnd.open(port);
    const frames: Uint8Array[] = [];
    for (let i = 0; i < PIPELINE; i++, sent++) {
      const kind = kinds[sent % kinds.length]!;
      frames.push(frameMessage(kind[randomNumber(kind.length)]!));
    }
    const bytes = Uint8Array.from(frames.flatMap((frame) => [...frame]));
    // What follows is in the right place, and answered after all of it. It is known by its ID.
    const isTaken = (query: Uint8Array) =>
      frames.some((frame) => isAnswer(frame.subarray(2), query));
    let last = newQuery(instance(peers[1]!), "SRV");
    while (isTaken(last)) last = newQuery(instance(peers[1]!), "SRV");
    const question = last;
    const reading = (async () => {
      for (;;) {
        const message = await tcp.next();
        assert(message !== undefined, "the connection was ended");
        assert((message[2]! & 0x80) !== 0, "no response");
        if (isAnswer(message, question)) return readReply(message);
      }
    })();
    if (round % 2 === 0) await tcp.write(bytes);
    else for (let at = 0; at < bytes.length; at += 777) await tcp.write(bytes.slice(at, at + 777));
    await tcp.send(question);
    witness.asked++;
    assertEquals((await reading).rcode, 0);
    await witness.ask();
    if (sent === MESSAGES / 2) before = await memoryOf(server.running.pid);
  }
  const after = await memoryOf(server.running.pid);
  const counts = await server.counters();
  assertEquals(assertBalanced(counts), sent + witness.asked);
  assertAllKinds(counts);
  assertEquals(counts["dns-tcp-connections"], Math.ceil(MESSAGES / PIPELINE));
  assertEquals(counts["dns-tcp-cut"], undefined);
  // And what is no sequence of messages at all.
  for (let i = 0; i < 50; i++) {
    using tcp = await TcpEnd.open(port);
    await tcp.write(randomBytes(1 + randomNumber(3000))).catch(() => {});
    if (i % 2 > 0) await tcp.end().catch(() => {});
    if (i % 10 === 0) await witness.askTcp();
  }
  assertBalanced(await server.counters());
  const seconds = (performance.now() - start) / 1000;
  figure(`${sent} messages over TCP in ${seconds.toFixed(1)} s, ${after - before} kB more`);
  assert(after - before < MAX_GROWTH_KB, `memory grew from ${before} to ${after} kB`);
  assertEquals(await server.running.stop(), 0);
  assertEquals(server.running.err, "");
});

testWith(DEVICE_NEEDS, "dns: 10 000 peers are all found, over the subtypes", async () => {
  const peers = newPeers(10_000);
  await using device = await Device.with(...peers);
  await using scene = await Scene.open();
  const start = performance.now();
  const { port, running } = await device.serve(scene);
  using tcp = await TcpEnd.open(port);
  const count = `${SERVICE} 0 TXT "txtvers=1" "peers=10000"`;
  const found = new Set<string>();
  const whole = await tcp.ask(newQuery(SERVICE, "PTR"));
  assertEquals([whole.flags, whole.additionals], ["AA", [count]]);
  assert(whole.answers.length > 850 && whole.size <= 65_535, `${whole.answers.length} peers`);
  assertEquals(new Set(whole.answers).size, whole.answers.length);
  for (const digit of BASE32_DIGITS) {
    const list = await tcp.ask(newQuery(subtypeName(digit, ZONE), "PTR"));
    assertEquals([list.flags, list.additionals], ["AA", []]);
    for (const record of list.answers) {
      const target = record.split(" ").at(-1) ?? "";
      assert(target.startsWith(digit), record);
      found.add(`${target}.`);
    }
  }
  assertEquals([...found].sort(), peers.map((peer) => instance(peer)).sort());
  const end = scene.end();
  const cut = await askUdp(end, port, newQuery(SERVICE, "PTR"));
  assertEquals([cut.flags, cut.answers, cut.additionals], ["AA TC", [], [count]]);
  for (let i = 0; i < peers.length; i += 101) {
    const { answers } = await askUdp(end, port, newQuery(instance(peers[i]!), "SRV"));
    assertEquals(answers.length, 1);
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  figure(`10 000 peers in ${seconds} s, memory ${await memoryOf(running.pid)} kB`);
});

testWith(
  [...DEVICE_NEEDS, "dig"],
  "dns: who forges a source wins no more than the budget",
  async () => {
    const peers = newPeers(14);
    await using device = await Device.with(...peers);
    await using scene = await Scene.open();
    const zone = `zone = "${ZONE}"\ninterface = "wg0"\n"answer-budget" = ${RATE}\n`;
    const listen = `[serve.dns]\nlisten = ["${freeDnsAddress()}"]\n`;
    const config = await scene.file("wgsig.toml", listen + zone);
    const server = await device.serveWith(scene, ["--config", config]);
    const { port } = server;
    const attacker = scene.end();
    const start = performance.now();
    let excess = 0;
    let whole = 0;
    let limited = 0;
    for (let i = 0; i < 1000; i++) {
      const query = newQuery(SERVICE, "PTR", { edns: { size: 1232 } });
      await attacker.send(query, port);
      const { bytes } = await attacker.next();
      const { answers, flags } = readReply(bytes);
      excess += bytes.length - query.length;
      if (answers.length > 0) {
        whole++;
        assertEquals([answers.length, flags], [peers.length, "AA"]);
      } else {
        limited++;
        assertEquals(flags, "AA TC");
        assert(bytes.length <= query.length, `${bytes.length} bytes for ${query.length}`);
      }
    }
    const seconds = Math.ceil((performance.now() - start) / 1000);
    figure(`${whole} lists were answered, ${limited} with TC, ${excess} bytes were won`);
    assert(excess <= BURST_BUDGET + RATE * seconds, `${excess} bytes in ${seconds} s`);
    assert(whole > 100 && limited > 500, `${whole} whole, ${limited} limited`);
    assertEquals((await server.counters())["dns-limited"], limited);
    await until("nothing is left for small answers", async () => {
      const query = newQuery(`x.${ZONE}`, "A");
      await attacker.send(query, port);
      return (await attacker.next()).bytes.length === query.length || undefined;
    });
    // Negative answers and errors are no way around it.
    for (
      const [name, type] of [[`x.${ZONE}`, "A"], [ZONE, "SOA"], [
        instance(peers[0]!),
        "TXT",
      ]] as const
    ) {
      const query = newQuery(name, type);
      await attacker.send(query, port);
      const { bytes } = await attacker.next();
      assertEquals(
        [bytes.length, readReply(bytes).flags],
        [query.length, "AA TC"],
        `${name} ${type}`,
      );
    }
    // Who is there really gets it over TCP, and other networks are not touched.
    const honest = await dig(port, SERVICE, "PTR");
    assertEquals(honest.answer.length, peers.length);
    const far = await dig(port, "+ignore", "-b", "127.0.1.1", SERVICE, "PTR");
    assertEquals([far.flags, far.answer.length], ["qr aa rd", peers.length]);
    const near = await dig(port, "+ignore", "-b", "127.0.0.200", SERVICE, "PTR");
    assertEquals([near.flags, near.answer.length], ["qr aa tc rd", 0]);
  },
);

/** Sends until it is told to end, without reading; returns how many were sent. */
async function floodUntil(
  port: number,
  messages: readonly Uint8Array[],
  isOver: () => boolean,
): Promise<number> {
  using socket = new DeafEnd(port);
  let sent = 0;
  while (!isOver()) {
    for (let i = 0; i < 64; i++) await socket.send(messages[sent++ % messages.length]!);
  }
  return sent;
}

/** Asks `count` times while the flood goes on; returns the slowest in milliseconds, and how many came. */
async function during(
  flood: (isOver: () => boolean) => Promise<number>,
  count: number,
  ask: () => Promise<void>,
): Promise<{ slowest: number; sent: number }> {
  let over = false;
  const flooding = flood(() => over);
  let slowest = 0;
  try {
    for (let i = 0; i < count; i++) {
      const start = performance.now();
      await ask();
      slowest = Math.max(slowest, performance.now() - start);
    }
  } finally {
    over = true;
  }
  return { slowest, sent: await flooding };
}

testWith(DEVICE_NEEDS, "dns: floods of DNS and of the registry leave each other be", async () => {
  const peers = newPeers(200);
  await using device = await Device.with(...peers);
  await using scene = await Scene.open();
  const args = ["--listen", "127.0.0.1:0", "--secret", scene.secretFile];
  const server: Served = await device.serve(scene, args);
  const [, listened] = await server.running.printed(/ listening address=127\.0\.0\.1:(\d+)\n/);
  const registry = Number(listened);
  const { port } = await dnsServer(server.running);
  const member: Peer = scene.peer();
  const queries = messagesOf(peers).flat();
  const dns = await during(
    (isOver) => floodUntil(port, queries, isOver),
    DURING,
    async () => {
      const answer = await member.ask(registry);
      assert(keysIn(answer).includes(member.publicKey));
    },
  );
  figure(
    `${dns.sent} DNS queries beside ${DURING} questions to the registry, the slowest ${
      Math.round(dns.slowest)
    } ms`,
  );

  // What is left of the flood would take the place of the first question.
  let read = -1;
  await until("the flood is over", async () => {
    const before = read;
    read = (await server.counters())["dns-received"] ?? 0;
    return read === before || undefined;
  });
  const witness = new Witness(scene, port, peers[0]!, "127.0.9.1");
  const garbage = Array.from({ length: VARIETY }, () => randomBytes(82 + randomNumber(100)));
  const requests = Array.from({ length: VARIETY }, () => member.request());
  const other = await during(
    (isOver) => floodUntil(registry, [...garbage, ...requests], isOver),
    DURING,
    async () => {
      await witness.ask();
      if (witness.asked % 10 === 0) await witness.askTcp();
    },
  );
  figure(
    `${other.sent} datagrams to the registry beside ${witness.asked} DNS queries, the slowest ${
      Math.round(other.slowest)
    } ms`,
  );
  assertBalanced(await server.counters());
  assertEquals(await server.running.stop(), 0);
  assertEquals(server.running.err, "");
});

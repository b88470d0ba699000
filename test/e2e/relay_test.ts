/** The built registry as a relay: what it passes on, and what it doesn't. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { BATCH_SIZE, ReplyBatch } from "../../lib/core/net/datagram_batch.ts";
import { parseAddress } from "../../lib/core/net/ip_address.ts";
import { denoHost } from "../../lib/host/deno/deno.ts";
import { denoLibc } from "../../lib/host/linux/libc_deno.ts";
import type { UdpSocket } from "../../lib/host/udp.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { sleep } from "../lab/namespace.ts";
import { memoryOf } from "../support/program.ts";
import { cookieReplyTo, dataTo, initiationTo, responseTo } from "../support/wireguard_messages.ts";
import { Asker, type AskerOptions } from "./asker.ts";
import { Scene, type Served, type UdpEnd } from "./scene.ts";

/** Loaded once for all: it stays loaded, which the resource sanitizer would call a leak. */
denoLibc();
const STRANGERS = 1_000_000;
/** What a process may take more after a million datagrams: its engine's own ups and downs. */
const MOST_KB = 8192;

/** The next datagram of an end is this one. */
async function gets(end: UdpEnd, bytes: Uint8Array, port: number): Promise<void> {
  const datagram = await end.next();
  assertEquals(datagram.bytes, bytes);
  assertEquals(datagram.port, port);
}

/** Two peers that are registered, of which the first one wants the other through the relay. */
async function relayed(scene: Scene, { port }: Served, options: AskerOptions = {}) {
  const [a, b] = [new Asker(scene, 1), new Asker(scene, 2, options)];
  await b.ask(port);
  await a.ask(port, { relayed: [b.client.id] });
  return [a, b] as const;
}

/** A handshake of a with b, and data both ways. */
async function greet(a: Asker, b: Asker, port: number): Promise<void> {
  const steps = [
    [a, b, initiationTo(b.client.id, 11)],
    [b, a, responseTo(a.client.id, 12, 11)],
    [a, b, dataTo(12, 1452)],
    [b, a, dataTo(11)],
    [b, a, cookieReplyTo(11)],
  ] as const;
  for (const [from, to, message] of steps) {
    await from.end.send(message, port);
    await gets(to.end, message, port);
  }
}

Deno.test("two peers of which one wants the other through the relay have a session over it", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve(["--relay"]);
  const [a, b] = await relayed(scene, server);
  await greet(a, b, server.port);
  const counts = await server.counters();
  assertEquals(counts["relayed"], 5);
  assertEquals(counts["relay-pairs"], 1);
  // And one who has a direct path stops it for a second.
  await b.ask(server.port, { directs: [a.client.id] });
  await a.end.send(dataTo(12), server.port);
  for (;;) {
    const { "relay-drop-stopped": stopped = 0 } = await server.counters();
    if (stopped === 1) break;
  }
  await sleep(1.2);
  await a.end.send(dataTo(12), server.port);
  await gets(b.end, dataTo(12), server.port);
});

Deno.test("a peer over IPv4 and one over IPv6 are relayed to each other", async () => {
  await using scene = await Scene.open();
  const port = await scene.freePort();
  const listen = ["--listen", `127.0.0.1:${port}`, "--listen", `[::1]:${port}`];
  const server = await scene.serveWith(["--secret", scene.secretFile, "--relay", ...listen]);
  const [a, b] = await relayed(scene, server, { host: "::1" });
  await greet(a, b, port);
  // Also a batch of them, in any order.
  const messages = Array.from({ length: 50 }, (_, i) => dataTo(12, 100 + i));
  for (const message of messages) await a.end.send(message, port);
  const got: Uint8Array[] = [];
  while (got.length < messages.length) got.push((await b.end.next()).bytes);
  assertEquals(got.sort((one, other) => one.length - other.length), messages);
});

Deno.test("the relay begins, ends, and has other limits by a reload", async () => {
  await using scene = await Scene.open();
  const settings = (text: string) =>
    scene.file(
      "wgsig.toml",
      `[serve]\nlisten = ["127.0.0.1:0"]\n${text}\n[[serve.group]]\nsecret-file = "secret"\n`,
    );
  const server = await scene.serveWith(["--config", await settings("")]);
  const [a, b] = await relayed(scene, server);
  const first = initiationTo(b.client.id, 1);
  await a.end.send(first, server.port);
  const dropped = async (counter: string, count: number) => {
    while (((await server.counters())[counter] ?? 0) < count);
  };
  await dropped("drop-unknown-group", 1);
  await settings("relay = true");
  await server.signal("SIGHUP", / reloaded/);
  await a.ask(server.port, { relayed: [b.client.id] });
  await greet(a, b, server.port);
  await settings("relay = true\nrelay-pair-rate = 1000");
  await server.signal("SIGHUP", / reloaded/);
  for (let i = 0; i < 200; i++) await a.end.send(dataTo(12, 2000), server.port);
  await dropped("relay-drop-limited", 1);
  assertMatch(server.running.out, / relay-drop-limited from=.* hint=".*relay-pair-rate/);
  await settings("relay = false");
  await server.signal("SIGHUP", / reloaded/);
  await a.end.send(first, server.port);
  await dropped("drop-unknown-group", 2);
});

/** Strangers that send batches, and wait for the server now and then. */
async function flood(
  count: number,
  { port }: Served,
  [a, b]: readonly [Asker, Asker],
  payloads: readonly Uint8Array[],
): Promise<void> {
  const host = denoHost();
  const others = { onBatch() {}, onSendError() {}, onOverload() {} };
  const strangers: UdpSocket[] = [];
  for (let i = 0; i < 8; i++) {
    strangers.push(await host.udp({ ...others, address: "127.0.0.1", port: 0 }));
  }
  const server = new WireBuffer(18);
  parseAddress("127.0.0.1", server, 0);
  server.view.setUint16(16, port);
  const replies = new ReplyBatch();
  for (let sent = 0; sent < count; sent += BATCH_SIZE) {
    const socket = strangers[sent / BATCH_SIZE % strangers.length]!;
    replies.clear();
    const to = replies.addDestination(server, 0);
    for (let i = 0; i < BATCH_SIZE; i++) {
      const payload = payloads[i % payloads.length]!;
      replies.add(to, payload, 0, payload.length, 1);
    }
    socket.sendBatch!(replies);
    // A forged one of the peer's own, too; and one that shows that the server has had its turn.
    await a.end.send(dataTo(sent + 1000), port);
    await a.end.send(dataTo(12), port);
    await b.end.next();
  }
  for (const socket of strangers) socket.close();
}

Deno.test({
  name: "a million datagrams of strangers and of a peer that forges leave nothing",
  // How soon a thread ends that waited for a socket is the system's.
  sanitizeOps: false,
  async fn() {
    await using scene = await Scene.open();
    const server = await scene.serve(["--relay"]);
    const peers = await relayed(scene, server);
    const [a, b] = peers;
    await greet(a, b, server.port);
    const payloads = [
      dataTo(11),
      dataTo(12, 1452),
      initiationTo(a.client.id, 5),
      responseTo(b.client.id, 5, 11),
      cookieReplyTo(12),
    ];
    await flood(STRANGERS / 10, server, peers, payloads);
    const before = await memoryOf(server.running.pid);
    await flood(STRANGERS, server, peers, payloads);
    const kb = await memoryOf(server.running.pid) - before;
    const counts = await server.counters();
    assert(kb < MOST_KB, `${kb} kB more after ${counts["received"]} datagrams`);
    assert(counts["relay-drop-stranger"]! > STRANGERS / 2, JSON.stringify(counts));
    assert(counts["relay-drop-index"]! > 0);
    // Those of the pair itself, and no others.
    assertEquals(counts["relayed"], 5 + Math.ceil(1.1 * STRANGERS / BATCH_SIZE));
    assertEquals(counts["relay-pairs"], 1);
    await a.end.send(dataTo(12, 64), server.port);
    await gets(b.end, dataTo(12, 64), server.port);
  },
});

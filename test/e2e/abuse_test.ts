/**
 * What anyone on the network can send: the server drops and counts it, goes on answering, and does
 * not grow. `WGSIG_SOAK=1` sends a million datagrams instead of twenty thousand.
 */

import { assert, assertEquals } from "@std/assert";
import { memoryOf } from "../support/program.ts";
import {
  type Counts,
  ENVELOPE_SIZE,
  keysIn,
  type Peer,
  randomBytes,
  REQUEST_SIZE,
  Scene,
  type Served,
  until,
} from "./scene.ts";

const SOAK = Deno.env.get("WGSIG_SOAK") === "1";
const FLOOD = SOAK ? 1_000_000 : 20_000;
/** Sent before memory is looked at first: by then everything has been compiled and grown. */
const WARM_UP = 10_000;
/** Datagrams between two questions: few enough for the receive buffer of the server's socket. */
const BURST = 32;
/** Different datagrams of each kind that are sent over and over. */
const VARIETY = 64;
const MAX_GROWTH_KB = 16 * 1024;
const LARGEST = 60_000;

function randomNumber(below: number): number {
  return Math.floor(Math.random() * below);
}

function mutated(bytes: Uint8Array, size: number): Uint8Array {
  const changed = bytes.slice();
  for (let n = 1 + randomNumber(3); n > 0; n--) {
    const at = randomNumber(size);
    // Twice the same place is no way back.
    changed[at] = (bytes[at]! + 1 + randomNumber(255)) & 0xff;
  }
  return changed;
}

/** Datagrams that a server must not answer, each kind a list. */
function badDatagrams(peer: Peer, answered: readonly Uint8Array[]): Uint8Array[][] {
  const many = (make: (i: number) => Uint8Array) =>
    Array.from({ length: VARIETY }, (_, i) => make(i));
  const group = () => 1 + randomNumber(0xffff_ffff);
  const secret = randomBytes(32);
  return [
    [new Uint8Array(0)],
    Array.from({ length: REQUEST_SIZE - 1 }, (_, i) => randomBytes(i + 1)),
    many(() => randomBytes(REQUEST_SIZE + randomNumber(2000 - REQUEST_SIZE))),
    many(() => mutated(peer.request(), REQUEST_SIZE)),
    many(() => mutated(peer.request({ sealed: true }), ENVELOPE_SIZE + REQUEST_SIZE)),
    many((i) => answered[i % answered.length]!),
    many(() => peer.request({ group: group() })),
    many(() => peer.request({ group: group(), sealed: true, padding: 50 })),
    many(() => peer.request({ secret, id: randomBytes(32) })),
    many(() => peer.request({ secret, id: randomBytes(32), sealed: true })),
    many(() => peer.request({ secret, flags: 3 })),
    many(() => peer.request({ seconds: randomNumber(2 ** 31) })),
    many(() => new Uint8Array(REQUEST_SIZE + randomNumber(100))),
  ];
}

/** Sends bad datagrams, and a good one after each burst. */
class Flood {
  sent = 0;
  asked = 0;
  readonly #server: Served;
  readonly #attacker: Peer;
  readonly #peer: Peer;
  readonly #kinds: readonly (readonly Uint8Array[])[];

  constructor(
    server: Served,
    attacker: Peer,
    peer: Peer,
    kinds: readonly (readonly Uint8Array[])[],
  ) {
    this.#server = server;
    this.#attacker = attacker;
    this.#peer = peer;
    this.#kinds = kinds;
  }

  async run(count: number): Promise<void> {
    const { port } = this.#server;
    for (const end = this.sent + count; this.sent < end;) {
      const sending: Promise<void>[] = [];
      for (let i = 0; i < BURST && this.sent < end; i++, this.sent++) {
        const kind = this.#kinds[this.sent % this.#kinds.length]!;
        const bytes = kind[randomNumber(kind.length)]!;
        sending.push(this.#attacker.send(bytes, port));
      }
      await Promise.all(sending);
      const answer = await this.#peer.ask(port, { sealed: this.asked % 2 === 0 });
      assertEquals(answer.others, 0, "somebody got in");
      this.asked++;
    }
  }

  /** One large datagram: it alone fills a part of the socket's buffer. */
  async large(): Promise<void> {
    await this.#attacker.send(randomBytes(LARGEST), this.#server.port);
    this.sent++;
    await this.#peer.ask(this.#server.port);
    this.asked++;
  }
}

function dropsIn(counts: Counts): number {
  return Object.entries(counts)
    .filter(([name]) => name.startsWith("drop-"))
    .reduce((sum, [, count]) => sum + count, 0);
}

Deno.test(`${FLOOD} bad datagrams of all kinds`, async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const [attacker, peer] = [scene.peer(), scene.peer()];
  const answered = Array.from({ length: VARIETY }, (_, i) => peer.request({ sealed: i % 2 > 0 }));
  for (const request of answered) {
    await peer.send(request, server.port);
    await peer.answer();
  }
  const flood = new Flood(server, attacker, peer, badDatagrams(peer, answered));
  await flood.large();
  await flood.run(WARM_UP);
  const started = performance.now();
  const before = await memoryOf(server.running.pid);
  await flood.run(FLOOD - WARM_UP);
  await flood.large();
  const after = await memoryOf(server.running.pid);
  const seconds = (performance.now() - started) / 1000;
  if (SOAK) {
    const figures = { sent: flood.sent, seconds, beforeKb: before, afterKb: after };
    await Deno.stderr.write(new TextEncoder().encode(`\n${JSON.stringify(figures)}\n`));
  }

  const counts = await server.counters();
  assertEquals(counts["received"], answered.length + flood.sent + flood.asked);
  assertEquals(counts["answered"], answered.length + flood.asked);
  assertEquals(dropsIn(counts), flood.sent);
  assertEquals([counts["peers"], counts["registered"]], [1, 1]);
  for (
    const reason of ["too-short", "too-long", "unknown-group", "bad-mac", "replayed"]
      .concat("group-mismatch", "outside-window", "bad-label")
  ) {
    // Zeros have no label; everything else of the list was sent by design.
    assert((counts[`drop-${reason}`] ?? 0) > 0, `nothing was dropped as ${reason}`);
  }
  assertEquals(await attacker.drain(), [], "a bad datagram was answered");
  assert(after - before < MAX_GROWTH_KB, `memory grew from ${before} to ${after} kB`);

  assertEquals(await server.running.stop(), 0);
  const { out, err } = server.running;
  assertEquals(err, "");
  const lines = out.match(/^\S+ info drop-/gm)?.length ?? 0;
  const minutes = Math.ceil(seconds / 60) + 1;
  assert(lines >= 5 && lines <= 13 * minutes, `${lines} lines about drops`);
});

Deno.test("clients that are gone before their answer comes", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const witness = scene.peer();
  for (let i = 0; i < 200; i++) {
    const peer = scene.peer();
    await peer.send(peer.request({ sealed: i % 2 > 0 }), server.port);
    await peer.close();
    if (i % 20 === 0) await witness.ask(server.port);
  }
  const answer = await witness.ask(server.port);
  assertEquals(keysIn(answer).length, 201);
  // Others are answered in full, as often as they ask.
  for (let i = 0; i < 20; i++) await witness.ask(server.port);
  assertEquals((await server.counters())["received"], 200 + 10 + 21);
  assertEquals(await server.running.stop(), 0);
});

Deno.test("a member who registers strangers without end pushes nobody out", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve(["--max-peers", "30"]);
  const [peer, member] = [scene.peer(), scene.peer()];
  await peer.ask(server.port);
  for (let i = 0; i < 3000; i++) {
    await member.send(member.request({ id: randomBytes(32) }), server.port);
    const { others } = await member.answer();
    assert(others <= 2, `${others + 1} datagrams`);
  }
  const answer = await peer.ask(server.port);
  assertEquals(answer.records.length, 30);
  assert(keysIn(answer).includes(peer.publicKey));
  const counts = await server.counters();
  assertEquals([counts["peers"], counts["no-room"]], [30, 3000 - 29]);
  // The log says so, but not three thousand times.
  const lines = server.running.out.split("\n").length;
  assert(lines < 100, `${lines} lines`);
});

Deno.test("registrations in the log are limited to fifty a second", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve(["--max-answer", "10"]);
  const member = scene.peer();
  const started = performance.now();
  for (let i = 0; i < 1000; i++) {
    await member.send(member.request({ id: randomBytes(32) }), server.port);
    await member.answer();
  }
  const seconds = Math.ceil((performance.now() - started) / 1000) + 1;
  await server.counters();
  const lines = server.running.out.match(/ peer-registered /g)?.length ?? 0;
  assert(lines > 0 && lines <= 50 * seconds, `${lines} lines in ${seconds} s`);
});

Deno.test("garbage from the server's address doesn't keep query from the answer", async () => {
  await using scene = await Scene.open();
  const fake = scene.fakeServer();
  const finished = scene.query([fake.endpoint, "--json"]);
  const { from, request } = await fake.question();
  const right = fake.answer(request, [fake.own(request, from)]);
  for (let i = 0; i < 500; i++) {
    await fake.reply(from, randomBytes(randomNumber(1000)), mutated(right[0]!, 500));
  }
  // The flood may have filled the socket's buffer: the answer comes again until it is taken.
  let ended = false;
  const result = finished.finally(() => ended = true);
  await until("the query ends", async () => {
    await fake.reply(from, ...right);
    return ended || undefined;
  });
  const { code, err } = await result;
  assertEquals([code, err], [0, ""]);
});

Deno.test("whoever has the secret gets no more than a budget sent to a forged source", async () => {
  await using scene = await Scene.open();
  const config = await scene.file("wgsig.toml", "[serve]\nanswer-budget = 1000\n");
  const server = await scene.serve(["--config", config, "--max-answer", "1000"]);
  const member = scene.peer();
  for (let i = 0; i < 1000; i++) {
    await member.send(member.request({ id: randomBytes(32) }), server.port);
    await member.next();
  }
  const answered = (count: number) =>
    until(`${count} requests are answered`, async () => {
      const counts = await server.counters();
      return counts["answered"] === count ? counts : undefined;
    });
  const before = await answered(1000);
  await member.drain();
  for (let i = 0; i < 990; i++) {
    await member.send(member.request({ id: randomBytes(32), flags: 1 }), server.port);
    await member.next();
  }
  const after = await answered(1990);
  const gained = (name: string) => (after[name] ?? 0) - (before[name] ?? 0);
  assertEquals(gained("answer-cut"), 990);
  assertEquals(gained("sent"), 990);
  const lines = server.running.out.match(/ answer-cut from=\S+ bytes=\d+ hint="its network /g);
  assertEquals(lines?.length, 1);
  // Whoever shares that source and speaks wgsig 2 asks for one datagram after the other.
  const { code, err, out } = await scene.query([`127.0.0.1:${server.port}`, "--timeout", "5s"]);
  assertEquals([code, err], [0, ""]);
  assertEquals(out.match(/ 127\.0\.0\.1:\d+ /g)?.length, 1000);
});

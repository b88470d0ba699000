/**
 * What keeping the state over a restart costs: bytes a second that go to the disk, on a clock of its
 * own; and on the built server, bytes a second and what becomes of the answers meanwhile.
 *
 * @module
 */

import { encodeHex } from "@std/encoding/hex";
import { Counters } from "../../lib/core/net/counters.ts";
import type { Now } from "../../lib/core/net/clock.ts";
import { SLOT_SIZE } from "../../lib/core/net/datagram_batch.ts";
import { parseAddress, writeIpv4 } from "../../lib/core/net/ip_address.ts";
import { NonceSource } from "../../lib/core/net/random.ts";
import { AskedQuestion } from "../../lib/core/registry/asked_question.ts";
import { RegistryGroup } from "../../lib/core/registry/group.ts";
import { MemberJournal } from "../../lib/core/registry/member_journal.ts";
import { RegistryJournal } from "../../lib/core/registry/journal.ts";
import { ParsedRequest } from "../../lib/core/registry/parsed_request.ts";
import { Registrar } from "../../lib/core/registry/registrar.ts";
import { Registry } from "../../lib/core/registry/registry.ts";
import { sizeOf } from "../../lib/core/store/encoding.ts";
import { Journal } from "../../lib/core/store/journal.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { MacKey } from "../../lib/wire/crypto/mac.ts";
import { PORTABLE } from "../../lib/wire/crypto/portable.ts";
import { encodeRequest, newRequest, REQUEST_SIZE } from "../../lib/wire/wgsig/request.ts";
import { setLabel } from "../../lib/wire/wgsig/tai64n.ts";
import { CANDIDATE } from "../../lib/wire/wgsig2/candidate.ts";
import { QUESTION_FLAG } from "../../lib/wire/wgsig2/question.ts";
import { say } from "../../scripts/tools.ts";
import { BINARY, Running } from "../support/program.ts";
import { encodeState } from "../support/saved_state.ts";
import { killAtMoments } from "../e2e/kill_moments.ts";
import { registryOf, SECRET, writeId } from "./requests.ts";

const PEERS = 100_000;
/** Seconds between two requests of a peer. */
const POLL = 12.5;
const DAY = 86_400;
/** What is wanted where nobody moves, in KB a second. */
const MOST_KILOBYTES = 10;
/** So long the clock of the simulation goes: when peers were seen is written in it, and again. */
const SIMULATED = 3.5 * 3600;
/** Steps of the simulation from one request of a peer to the next. */
const STEPS = 5;
const UNIX = 1_700_000_000;
const NAME_WIDTH = 44;

/** What was written. */
interface Written {
  bytes: number;
  adds: number;
  wholes: number;
}

/** How a peer says that it is there. */
interface Voice {
  /** It is at this port, and asks for the `turn`th time. */
  ask(peer: number, port: number, turn: number, now: Now): void;
}

/** A request as it is accepted; its MAC costs the disk nothing. */
class FirstVoice implements Voice {
  readonly #group: RegistryGroup;
  readonly #request = new ParsedRequest();
  readonly #counters = new Counters();
  readonly #id = new WireBuffer(REQUEST_SIZE);

  constructor(group: RegistryGroup) {
    this.#group = group;
    this.#request.buffer = this.#id;
    this.#request.sources = new WireBuffer(16);
    writeIpv4(this.#request.sources, 0, 0x7f00_0001);
    this.#request.isIpv4 = true;
  }

  ask(peer: number, port: number, _turn: number, now: Now): void {
    const request = this.#request;
    writeId(peer, this.#id);
    request.seconds = Math.floor(now.unix);
    request.nanoseconds = (now.unix % 1) * 1e9;
    request.port = port;
    request.peer = this.#group.table.find(this.#id, 0);
    this.#group.accept(request, now, this.#counters);
  }
}

/** A proved question of wgsig 2, over both families in turn, with three candidates. */
class SecondVoice implements Voice {
  readonly #group: RegistryGroup;
  readonly #asked = new AskedQuestion();
  readonly #registrar = new Registrar();
  readonly #counters = new Counters();

  constructor(group: RegistryGroup) {
    const { question } = this.#asked;
    this.#group = group;
    this.#asked.buffer = new WireBuffer(SLOT_SIZE);
    this.#asked.sources = new WireBuffer(16);
    question.flags = QUESTION_FLAG.proved;
    question.candidates.count = 3;
    for (const slot of question.candidates.slots) {
      slot.kind = CANDIDATE.lan;
      parseAddress("2001:db8::7", slot.address, 0);
    }
  }

  ask(peer: number, port: number, turn: number, now: Now): void {
    const asked = this.#asked;
    const { question, sources } = asked;
    const directory = this.#group.openDirectory(random, now.mono);
    writeId(peer, question.id);
    setLabel(question, now.unix);
    for (const slot of question.candidates.slots) slot.port = port;
    asked.isIpv4 = turn % 2 === 0;
    parseAddress(asked.isIpv4 ? "127.0.0.1" : "2001:db8::1", sources, 0);
    asked.port = port;
    asked.peer = directory.find(question.id, 0);
    this.#registrar.reset();
    this.#registrar.register(this.#group, directory, asked, now, this.#counters);
  }
}

function random(bytes: Uint8Array): void {
  crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>);
}

/** Peers that ask again and again, on a clock that goes as fast as it can. */
class Simulation {
  readonly #registry: Registry;
  readonly #group: RegistryGroup;
  readonly #journal: Journal;
  readonly #voice: Voice;
  readonly #ports: Uint16Array;
  readonly written: Written = { bytes: 0, adds: 0, wholes: 0 };
  #size = 0;
  now = { unix: UNIX, mono: 1000 };

  constructor(peers: number, voice: new (group: RegistryGroup) => Voice) {
    this.#registry = new Registry({ encryption: "auto", window: 30 }, {
      endpointChanged() {},
      dropped() {},
    });
    const secrets = [SECRET.slice()];
    const options = { id: 0, secrets, primitives: PORTABLE, allowed: undefined };
    this.#group = new RegistryGroup(
      { ...options, maxAge: DAY, window: 30 },
      { maxPeers: peers, maxAnswer: 10, seed: 1 },
      new NonceSource(random),
    );
    this.#registry.setGroup(this.#group);
    const parts = [
      new MemberJournal(this.#registry, 1, random),
      new RegistryJournal(this.#registry, 1),
    ];
    this.#journal = new Journal(parts, this.now);
    this.#ports = new Uint16Array(peers).fill(1);
    this.#voice = new voice(this.#group);
    for (let asked = 0; asked < 2 * peers; asked++) {
      if (asked === peers) this.now = { unix: UNIX + 1, mono: this.now.mono + 1 };
      this.#ask(asked);
    }
    this.#work();
    Object.assign(this.written, { bytes: 0, adds: 0, wholes: 0 });
  }

  /** @param asked How many have asked before, each in its turn. */
  #ask(asked: number): void {
    const peer = asked % this.#ports.length;
    const turn = Math.floor(asked / this.#ports.length);
    this.#voice.ask(peer, this.#ports[peer]!, turn, this.now);
  }

  #work(): void {
    for (;;) {
      const step = this.#journal.next(this.now);
      if (step.kind === "rest" || step.kind === "end") return;
      if (step.kind === "encode") {
        while (this.#journal.encode(this.now));
        continue;
      }
      const bytes = step.kind === "replace" ? 0 : sizeOf(step.bytes);
      const isAnew = step.kind === "write" && step.isFirst;
      this.#size = isAnew ? bytes : this.#size + bytes;
      this.written.bytes += bytes;
      if (step.kind !== "write") this.written[step.kind === "add" ? "adds" : "wholes"]++;
      this.#journal.told({ size: this.#size }, this.now);
    }
  }

  /** Everybody asks every 12.5 s. @param moving The share that moves each minute. */
  run(seconds: number, moving: number): void {
    const peers = this.#ports.length;
    let next = 0;
    let moved = 0;
    for (let passed = 0; passed < seconds; passed += POLL / STEPS) {
      this.now = { unix: this.now.unix + POLL / STEPS, mono: this.now.mono + POLL / STEPS };
      for (moved += peers * moving * POLL / STEPS / 60; moved >= 1; moved--) {
        const peer = Math.floor(Math.random() * peers);
        this.#ports[peer] = this.#ports[peer]! % 60_000 + 1;
      }
      for (let i = 0; i < peers / STEPS; i++) this.#ask(next++);
      this.#work();
    }
  }
}

function sayRow(name: string, ...columns: string[]): void {
  say(`${name.padEnd(NAME_WIDTH)}${columns.map((each) => each.padStart(14)).join("")}`);
}

/** Prints what is written, on a clock of its own and by the built server. */
export async function benchState(seconds: number): Promise<void> {
  say(`\n${PEERS} peers that ask every ${POLL} s`);
  sayRow("for 3.5 hours of a simulated clock", "KB a second", "adds", "written anew");
  for (const [protocol, voice] of [["wgsig", FirstVoice], ["wgsig 2", SecondVoice]] as const) {
    for (const moving of [0, 0.01]) {
      const simulation = new Simulation(PEERS, voice);
      simulation.run(SIMULATED, moving);
      const { bytes, adds, wholes } = simulation.written;
      const name = moving === 0
        ? `none moves (wanted: under ${MOST_KILOBYTES})`
        : "1 % move a minute";
      const rate = (bytes / 1000 / SIMULATED).toFixed(2);
      sayRow(`${protocol}: ${name}`, rate, String(adds), String(wholes));
    }
  }
  sayRow(`the built server, for ${seconds} s`, "KB a second", "to the disk", "answered");
  for (const moving of [0, 0.01]) await benchServer(seconds, moving);
}

/** Asks the built server, and looks at what its file grows by. */
async function benchServer(seconds: number, moving: number): Promise<void> {
  const folder = await Deno.makeTempDir();
  const sockets = [0, 1].map(() =>
    Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 })
  );
  const [home, away] = sockets;
  if (home?.addr.transport !== "udp" || away === undefined) throw new TypeError("no UDP socket");
  const registry = registryOf(PEERS, 10);
  const { table } = registry.groups.get(0)!;
  for (let peer = 0; peer < PEERS; peer++) table.setEndpoint(peer, 0x7f00_0001, home.addr.port);
  const state = `${folder}/state`;
  const bytes = encodeState(registry, { unix: Date.now() / 1000, mono: 0 });
  await Deno.writeFile(state, bytes, { mode: 0o600 });
  await Deno.writeTextFile(`${folder}/secret`, encodeHex(SECRET), { mode: 0o600 });
  const server = new Running([
    ...[BINARY, "serve", "--secret", `${folder}/secret`, "--state", state],
    ...["--max-answer", "10", "--listen", "127.0.0.1:0"],
  ]);
  let answers = 0;
  try {
    for (const socket of sockets) void drain(socket, () => answers++);
    const [, port] = await server.printed(/ listening address=127\.0\.0\.1:(\d+)[^]* ready /);
    const before = await diskOf(server.pid);
    const grown = await load({ port: Number(port), seconds, moving, home, away, state });
    const written = await diskOf(server.pid) - before;
    const name = moving === 0 ? "none moves" : "1 % move a minute";
    const rate = (count: number) => (count / 1000 / seconds).toFixed(2);
    sayRow(name, rate(grown), rate(written), `${(answers / seconds).toFixed(0)} a s`);
  } finally {
    await server.stop();
    for (const socket of sockets) socket.close();
    await Deno.remove(folder, { recursive: true });
  }
}

interface Load {
  readonly port: number;
  readonly seconds: number;
  readonly moving: number;
  readonly home: Deno.DatagramConn;
  readonly away: Deno.DatagramConn;
  readonly state: string;
}

/** Has all peers ask in turn. @returns How many bytes their file has grown by. */
async function load({ port, seconds, moving, home, away, state }: Load): Promise<number> {
  const key = new MacKey(SECRET, PORTABLE);
  const request = newRequest();
  const buffer = new WireBuffer(REQUEST_SIZE);
  const isAway = new Uint8Array(PEERS);
  const to = { transport: "udp", hostname: "127.0.0.1", port } as const;
  const size = (await Deno.stat(state)).size;
  const began = performance.now();
  let sent = 0;
  for (;;) {
    const passed = (performance.now() - began) / 1000;
    if (passed >= seconds) return (await Deno.stat(state)).size - size;
    for (; sent < passed * PEERS / POLL; sent++) {
      const peer = sent % PEERS;
      if (Math.random() < moving * POLL / 60) isAway[peer] = 1 - isAway[peer]!;
      writeId(peer, request.id);
      const unix = Date.now() / 1000;
      request.seconds = Math.floor(unix);
      request.nanoseconds = Math.floor(unix % 1 * 1e9);
      encodeRequest(request, key, buffer, 0);
      await (isAway[peer] === 0 ? home : away).send(buffer.bytes, to);
    }
    await new Promise((done) => setTimeout(done, 2));
  }
}

async function drain(socket: Deno.DatagramConn, count: () => void): Promise<void> {
  try {
    for await (const _ of socket) count();
  } catch {
    // It was closed.
  }
}

/** Bytes that a process has had written to the disk. */
async function diskOf(pid: number): Promise<number> {
  const text = await Deno.readTextFile(`/proc/${pid}/io`);
  return Number(/^write_bytes: (\d+)$/m.exec(text)?.[1]);
}

/** Kills the built server at random moments, and prints what is lost. */
export async function benchKill(moments: number): Promise<void> {
  const found = await killAtMoments(moments, 20);
  const peers = found.reduce((sum, each) => sum + each.peers, 0);
  const lost = found.reduce((sum, each) => sum + each.lost, 0);
  const oldest = Math.max(...found.map((each) => each.oldest));
  say(
    `\nkill -9 at ${found.length} random moments: ${peers} peers, ${lost} not where they were last`,
  );
  say(`the oldest of what was lost was ${oldest.toFixed(2)} s old (wanted: 5 at most)`);
}

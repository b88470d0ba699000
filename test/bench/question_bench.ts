/**
 * What a registry spends on questions of wgsig 2, in this process: a poll with nothing new in groups
 * of different sizes, memory with 100 000 proved peers, an answer of the whole group, a million mutated
 * questions. Runs on Bun; the bench bundles it.
 *
 * @module
 */

import process from "node:process";
import {
  BATCH_SIZE,
  DatagramBatch,
  ReplyBatch,
  SLOT_SIZE,
} from "../../lib/core/net/datagram_batch.ts";
import { writeIpv4 } from "../../lib/core/net/ip_address.ts";
import { NonceSource } from "../../lib/core/net/random.ts";
import { gateMaker } from "../../lib/core/registry/gate_maker.ts";
import { RegistryGroup } from "../../lib/core/registry/group.ts";
import { Registry } from "../../lib/core/registry/registry.ts";
import { Rosters } from "../../lib/core/roster/server/rosters.ts";
import { BUN_PRIMITIVES } from "../../lib/host/bun/crypto.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { ExchangeKey } from "../../lib/wire/crypto/exchange_key.ts";
import { DATAGRAM, sealDatagram, writeDatagramHeader } from "../../lib/wire/wgsig2/datagram.ts";
import { JOIN_SIZE } from "../../lib/wire/wgsig2/join.ts";
import { TokenKeys } from "../../lib/wire/wgsig2/join_keys.ts";
import { GroupKeys } from "../../lib/wire/wgsig2/keys.ts";
import { seededNumbers, seededRandom } from "../support/seeded_random.ts";
import { peerKit, QuestionPeer } from "./question_peer.ts";
import { SECRET, UNIX } from "./requests.ts";

const random = seededRandom(1);
const primitives = BUN_PRIMITIVES;
const kit = peerKit(SECRET, primitives, random);
const serverKey = new ExchangeKey(new Uint8Array(32).fill(7), primitives);
const batch = new DatagramBatch();
const replies = new ReplyBatch();

/** A registry, its clocks, and some of its peers. */
interface Bench {
  readonly registry: Registry;
  readonly now: { unix: number; mono: number };
  readonly peers: QuestionPeer[];
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Milliseconds of CPU of this process: others on the machine don't count. */
function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** The address of a peer: each /24 has four. */
function address(peer: number): number {
  return 0x0a00_0000 + (peer >>> 2) * 256 + (peer & 3);
}

/** Has peers ask until each is answered. */
function answer({ registry, now }: Bench, peers: readonly QuestionPeer[], first: number): void {
  for (let tries = 0; tries < 4; tries++) {
    batch.count = peers.length;
    peers.forEach((peer, i) => {
      const label = { seconds: Math.floor(now.unix), nanoseconds: 0 };
      batch.lengths[i] = peer.ask(label, batch.payloads, i * SLOT_SIZE);
      writeIpv4(batch.sources, batch.sourceAt(i), address(first + i));
      batch.setSourcePort(i, 51820);
    });
    registry.answer(batch, now, replies);
    now.mono += 0.1;
    now.unix += 0.1;
    let answered = 0;
    for (let k = 0; k < replies.count; k++) {
      const buffer = new WireBuffer(replies.buffers[k]!);
      const heard = peers[replies.to[k]!]!.hear(buffer, replies.offsets[k]!, replies.sizes[k]!);
      if (heard === "answer") answered++;
    }
    if (answered === peers.length) return;
  }
  throw new Error("peers are not answered");
}

/** A registry with so many proved peers, of whom the first 64 are kept. */
function benchOf(count: number): Bench {
  const registry = new Registry({ encryption: "auto", window: 1e9 }, {
    endpointChanged() {},
    dropped() {},
  });
  registry.answerQuestions(random);
  const group = { id: 0, secrets: [SECRET], primitives, allowed: undefined, serverKey };
  registry.setGroup(
    new RegistryGroup(
      { ...group, maxAge: 1e9, window: 1e9 },
      { maxPeers: 100_000, maxAnswer: 1000, seed: 1 },
      new NonceSource(random),
    ),
  );
  const bench = { registry, now: { unix: UNIX, mono: 100 }, peers: [] as QuestionPeer[] };
  const others = Array.from({ length: 32 }, () => new QuestionPeer(kit, serverKey.publicKey));
  for (let first = 0; first < count; first += 32) {
    const length = Math.min(32, count - first);
    const isKept = first < BATCH_SIZE;
    const peers = isKept
      ? Array.from({ length }, () => new QuestionPeer(kit, serverKey.publicKey))
      : others.slice(0, length);
    if (isKept) bench.peers.push(...peers);
    else for (const peer of peers) peer.renew(serverKey.publicKey);
    answer(bench, peers, first);
  }
  if (registry.peerCount !== count) throw new Error(`there are ${registry.peerCount} peers`);
  return bench;
}

/** µs of a poll with nothing new, in batches; and its bytes both ways. */
function measurePolls(bench: Bench, batches: number): { micros: number; bytes: number } {
  const { registry, now, peers } = bench;
  // All know the last change.
  for (let first = 0; first < peers.length; first += 32) {
    answer(bench, peers.slice(first, first + 32), first);
  }
  let took = 0;
  let bytes = 0;
  const count = Math.min(BATCH_SIZE, peers.length);
  for (let turn = 0; turn < batches; turn++) {
    now.unix += 0.01;
    now.mono += 0.01;
    batch.count = count;
    const label = { seconds: Math.floor(now.unix), nanoseconds: turn };
    for (let i = 0; i < count; i++) {
      batch.lengths[i] = peers[i]!.ask(label, batch.payloads, i * SLOT_SIZE);
      writeIpv4(batch.sources, batch.sourceAt(i), address(i));
      batch.setSourcePort(i, 51820);
    }
    bytes = batch.lengths[0]!;
    const start = cpuTime();
    registry.answer(batch, now, replies);
    took += cpuTime() - start;
    if (replies.count !== count) throw new Error(`${replies.count} of ${count} answers`);
    bytes += replies.sizes[0]!;
  }
  return { micros: took * 1000 / batches / count, bytes };
}

function measureAnswer({ registry, now, peers }: Bench): void {
  const peer = peers[0]!;
  peer.question.wants.isGiven = false;
  peer.question.version = 0;
  let took = 0;
  let sent = 0;
  const turns = 50;
  for (let turn = 0; turn < turns; turn++) {
    peer.question.version = 0;
    now.unix++;
    batch.count = 1;
    const label = { seconds: Math.floor(now.unix), nanoseconds: turn };
    batch.lengths[0] = peer.ask(label, batch.payloads, 0);
    writeIpv4(batch.sources, batch.sourceAt(0), address(0));
    const start = cpuTime();
    registry.answer(batch, now, replies);
    took += cpuTime() - start;
    sent = replies.count;
  }
  say(
    `the whole group, first ${sent} datagrams  ${(took * 1000 / turns).toFixed(0).padStart(8)} µs`,
  );
}

/** What polls of who is known take while 10 000 peers come at once that were not here before. */
function measureNewcomers(bench: Bench): void {
  const { registry, now, peers } = bench;
  const networks = 40;
  const newcomer = new QuestionPeer(kit, serverKey.publicKey);
  const questions: { bytes: Uint8Array; address: number }[] = [];
  const source = (network: number) => 0x0b00_0001 + network * 256;
  const label = { seconds: Math.floor(now.unix) + 100, nanoseconds: 0 };
  const cookies = Array.from({ length: networks }, (_, network) => {
    newcomer.renew(serverKey.publicKey);
    batch.count = 1;
    batch.lengths[0] = newcomer.ask(label, batch.payloads, 0);
    writeIpv4(batch.sources, batch.sourceAt(0), source(network));
    registry.answer(batch, now, replies);
    newcomer.hear(new WireBuffer(replies.buffers[0]!), replies.offsets[0]!, replies.sizes[0]!);
    return newcomer.question.cookie.value.bytes.slice();
  });
  const out = new WireBuffer(2048);
  for (let i = 0; i < 10_000; i++) {
    newcomer.renew(serverKey.publicKey);
    newcomer.question.cookie.isGiven = true;
    newcomer.question.cookie.value.bytes.set(cookies[i % networks]!);
    const size = newcomer.ask(label, out, 0);
    questions.push({ bytes: out.bytes.slice(0, size), address: source(i % networks) });
  }
  now.mono += 10;
  now.unix += 10;
  /** How long batches take: 8 of those who are known, and newcomers or more of the known. */
  const times = (isAlone: boolean): number[] => {
    const found: number[] = [];
    let next = 0;
    while (isAlone ? found.length < 180 : next < questions.length) {
      batch.count = BATCH_SIZE;
      for (let i = 0; i < BATCH_SIZE; i++) {
        const newcomer = i < 8 || isAlone ? undefined : questions[next++ % questions.length]!;
        const label = { seconds: Math.floor(now.unix), nanoseconds: 0 };
        const known = peers[(i + found.length * 8) % peers.length]!;
        if (newcomer === undefined) {
          batch.lengths[i] = known.ask(label, batch.payloads, i * SLOT_SIZE);
          writeIpv4(batch.sources, batch.sourceAt(i), address(peers.indexOf(known)));
        } else {
          batch.payloads.bytes.set(newcomer.bytes, i * SLOT_SIZE);
          batch.lengths[i] = newcomer.bytes.length;
          writeIpv4(batch.sources, batch.sourceAt(i), newcomer.address);
        }
        batch.setSourcePort(i, 51820);
      }
      const start = cpuTime();
      registry.answer(batch, now, replies);
      const took = cpuTime() - start;
      found.push(took);
      now.mono += took / 1000;
      now.unix += took / 1000;
    }
    return found.sort((a, b) => a - b);
  };
  times(true);
  const [alone, beside] = [times(true), times(false)];
  const at = (part: number, times: number[]) => times[Math.floor(part * times.length)]!;
  say(
    `10000 new peers at once: a batch of 64 takes ${at(0.5, beside).toFixed(2)} ms of CPU (p99 ` +
      `${at(0.99, beside).toFixed(2)}), one of known peers ${at(0.5, alone).toFixed(2)} (` +
      `${at(0.99, alone).toFixed(2)}): p99 is ` +
      `${(at(0.99, beside) / at(0.99, alone)).toFixed(2)} times that (wanted: 3); ` +
      `${registry.counters.get("retry-busy")} were told to ask again`,
  );
}

/** Questions that a member seals, whatever is in them. */
function fuzz({ registry, now, peers }: Bench, count: number): void {
  const numbers = seededNumbers(3);
  const below = (end: number) => Math.floor(numbers() * end);
  const keys = new GroupKeys(SECRET, 0, primitives);
  const nonce = new WireBuffer(24);
  const plain = new WireBuffer(2048);
  const before = registry.counters.get("questions");
  const { question } = peers[0]!;
  for (let i = 0; i < count; i++) {
    batch.count = 1;
    random(nonce.bytes);
    writeDatagramHeader(DATAGRAM.question, 0, nonce, 0, plain, 0);
    // A genuine one, up to its options.
    plain.bytes.set(question.id.bytes, 32);
    const size = 160 + below(300);
    for (let at = 64; at < size; at++) plain.bytes[at] = below(8) === 0 ? below(256) : 0;
    plain.view.setUint32(64, 0x4000_0000);
    plain.view.setUint32(68, Math.floor(now.unix));
    for (let n = below(5); n > 0; n--) plain.bytes[32 + below(size - 48)] = below(256);
    sealDatagram(keys.question, plain, 0, size);
    if (below(4) === 0) plain.bytes[below(size)]! ^= 1 << below(8);
    batch.payloads.bytes.set(plain.bytes.subarray(0, size));
    batch.lengths[0] = size;
    writeIpv4(batch.sources, batch.sourceAt(0), address(below(1000)));
    batch.setSourcePort(0, below(65_536));
    registry.answer(batch, now, replies);
    for (let k = 0; k < replies.count; k++) {
      if (replies.sizes[k]! * replies.runs[k]! > size) throw new Error("more than was asked with");
    }
  }
  const opened = registry.counters.get("questions") - before;
  say(`${count} mutated questions, of which ${opened} opened: nothing threw`);
}

/** What polls take beside rosters, and what datagrams that look like joins cost. */
function measureRosters(): void {
  const bench = benchOf(1000);
  measurePolls(bench, 500);
  const without = measurePolls(bench, 4000).micros;
  const rosters = new Rosters(serverKey.publicKey.bytes, primitives, 1);
  bench.registry.keepRosters(gateMaker(rosters, serverKey, primitives, random));
  const roster = rosters.of(0);
  const key = new Uint8Array(32);
  for (let i = 0; i < 20_000; i++) {
    random(key);
    if (i % 2 === 0) roster.put({ key, name: `peer ${i}`, prefixes: [] }, UNIX);
    else roster.remove(key, true, UNIX);
  }
  const address = { address: Uint8Array.of(10, 9, 0, 1), length: 24 };
  const invited = { group: 0, name: "a", addresses: [address], prefixes: [] };
  const token = new Uint8Array(16);
  rosters.invite({ ...invited, uses: 1, endsAt: UNIX + 1e9 }, token, UNIX);
  measurePolls(bench, 500);
  const { micros } = measurePolls(bench, 4000);
  say(
    `a poll with nothing new: ${without.toFixed(2)} µs without rosters, ${
      micros.toFixed(2)
    } with ` +
      "10000 peers and as many refused keys",
  );
  const { tag } = new TokenKeys(token, serverKey.publicKey.bytes, primitives);
  for (const [what, number] of [["an unknown TAG", tag ^ 1], ["another seal", tag]] as const) {
    const nonce = new WireBuffer(24);
    let took = 0;
    const turns = 500;
    for (let turn = 0; turn < turns; turn++) {
      batch.count = BATCH_SIZE;
      for (let i = 0; i < BATCH_SIZE; i++) {
        random(nonce.bytes);
        writeDatagramHeader(DATAGRAM.join, number >>> 0, nonce, 0, batch.payloads, i * SLOT_SIZE);
        batch.lengths[i] = JOIN_SIZE;
      }
      const start = cpuTime();
      bench.registry.answer(batch, bench.now, replies);
      took += cpuTime() - start;
    }
    const each = took * 1000 / turns / BATCH_SIZE;
    say(`a datagram that looks like a join, with ${what}: ${each.toFixed(2)} µs`);
  }
}

const [what = "polls", number = "1000000"] = process.argv.slice(2);
if (what === "memory") {
  const bench = benchOf(100_000);
  for (let i = 0; i < 3; i++) {
    (globalThis as { Bun?: { gc(force: boolean): void } }).Bun?.gc(true);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  const megabytes = process.memoryUsage.rss() / 1e6;
  say(
    `100000 proved peers with 3 candidates each: ${megabytes.toFixed(1)} MB resident (wanted: 120)`,
  );
  if (bench.registry.peerCount !== 100_000) process.exit(1);
} else if (what === "newcomers") measureNewcomers(benchOf(1000));
else if (what === "rosters") measureRosters();
else if (what === "fuzz") fuzz(benchOf(10), Number(number));
else {
  let least = 0;
  for (const count of [10, 1000, 100_000]) {
    const bench = benchOf(count);
    measurePolls(bench, count === 10 ? 5000 : 500);
    const { micros, bytes } = measurePolls(bench, 4000);
    least = count === 10 ? micros : least;
    say(
      `a poll with nothing new, ${String(count).padStart(6)} peers: ${micros.toFixed(2)} µs, ` +
        `${bytes} bytes both ways, ${(micros / least).toFixed(2)} times that of 10`,
    );
    if (count === 100_000) measureAnswer(bench);
  }
}

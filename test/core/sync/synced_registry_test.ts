/** A registry that is asked for an interface: through which port, in which order, in which protocol. */

import { assert, assertEquals } from "@std/assert";
import { Exchange } from "../../../lib/core/ask/exchange.ts";
import type { OwnReach } from "../../../lib/core/ask/own_reach.ts";
import { RegistryMemory } from "../../../lib/core/ask/registry_memory.ts";
import type { RegistryName } from "../../../lib/core/ask/server_name.ts";
import type { Now } from "../../../lib/core/net/clock.ts";
import { DatagramBatch } from "../../../lib/core/net/datagram_batch.ts";
import { type Family, formatHostPort } from "../../../lib/core/net/host_port.ts";
import { parseAddress } from "../../../lib/core/net/ip_address.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { NonceSource } from "../../../lib/core/net/random.ts";
import type { Inquiry } from "../../../lib/core/ask/inquiry.ts";
import { isRoundOver } from "../../../lib/core/sync/asked_together.ts";
import { type AskedRound, SyncedRegistry } from "../../../lib/core/sync/synced_registry.ts";
import { KEEP_ENDPOINT } from "../../../lib/wire/wgsig/request.ts";
import { readDatagramType } from "../../../lib/wire/wgsig2/datagram.ts";
import { OFFER } from "../../../lib/wire/wgsig2/answer.ts";
import { NAT, natOfFlags } from "../../../lib/wire/wgsig2/nat.ts";
import { QUESTION_FLAG } from "../../../lib/wire/wgsig2/question.ts";
import { RETRY } from "../../../lib/wire/wgsig2/retry.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { OWN_PRIVATE, OWN_PUBLIC } from "../../support/conversation_driver.ts";
import { countingRandom, idOf } from "../../support/fake_random.ts";
import { RegistryDriver, SECRET, T0 } from "../../support/registry_driver.ts";
import { type ReadQuestion, ScriptedRegistry } from "../../support/scripted_registry.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { test } from "../../testing.ts";

const NAME: RegistryName = { scheme: "wgsig", host: "registry", port: 1223 };
const IPV4 = "203.0.113.10";
const IPV6 = "2001:db8::10";
const OTHER = "203.0.113.11";
const THREE = ["203.0.113.1", "203.0.113.2", "203.0.113.3"];
const TIMEOUT = 5;
const LATENCY = 0.02;
const BOB = formatKey(idOf(2));

/** What is under way to the host. */
interface Coming {
  readonly at: number;
  readonly datagram: Uint8Array;
  readonly from: string;
  readonly port: number;
  readonly isOwn: boolean;
}

/** A host that asks a registry of wgsig 2, of the first protocol, or of both. */
class Scene {
  second: ScriptedRegistry | undefined;
  readonly first: RegistryDriver;
  readonly registry: SyncedRegistry;
  readonly memory: RegistryMemory;
  mono = 1000;
  /** How long an answer takes, in seconds. */
  latency = LATENCY;
  /** What this host's clock shows more than is true. */
  ahead = 0;
  /** What this peer says of itself. */
  reach: OwnReach | undefined;
  /** The question that was asked beside a round. */
  told: ReadQuestion | undefined;
  /** Each question of the last round: `SECONDS PORT FAMILY WHAT`. */
  sent: string[] = [];
  /** Whether a question gets to the registry. */
  passes: (isOwn: boolean, family: Family) => boolean = () => true;
  /** Which registry is at an address. */
  at: (host: string) => ScriptedRegistry | undefined = () => this.second;
  /** Whether the host at an address says that nothing listens there. */
  refuses: (host: string) => boolean = () => false;
  /** Where each question of the last round went. */
  asked: string[] = [];
  /** Whether it listens at a port. */
  reaches: (port: number) => boolean = () => true;
  /** From which port a question to one of its ports seems to come. */
  portOf: (port: number) => number = () => 4000;
  /** Where WireGuard's port and the other seem to be. */
  own = "192.0.2.7";
  #coming: Coming[] = [];
  #startedAt = 0;

  constructor(second: ScriptedRegistry | undefined, options: { serverKey?: Uint8Array } = {}) {
    this.second = second;
    this.first = new RegistryDriver();
    const { serverKey } = options;
    this.memory = new RegistryMemory({
      id: OWN_PUBLIC,
      secret: SECRET,
      group: 0,
      primitives: PORTABLE,
      privateKey: OWN_PRIVATE,
      serverKeys: serverKey && new Map([["registry:1223", serverKey]]),
    }, seededRandom(5));
    this.registry = new SyncedRegistry(NAME, this.memory.of(NAME));
  }

  get unix(): number {
    return T0 + this.mono - 1000;
  }

  get now(): Now {
    return { unix: this.unix + this.ahead, mono: this.mono };
  }

  /** Asks once; another registry answers at once where others do. @returns The seconds that it took. */
  round({ hosts = [IPV4], registers = true, beside = false, othersAnswer = false } = {}): number {
    this.sent = [];
    this.asked = [];
    this.#startedAt = this.mono;
    const asked = this.#asked(registers, beside);
    this.registry.begin(hosts, asked, othersAnswer, this.now);
    this.#run(othersAnswer);
    this.registry.finish(this.now);
    return this.mono - this.#startedAt;
  }

  /** Goes on with a round for so many seconds. */
  go(seconds: number): void {
    this.#run(false, this.mono + seconds);
  }

  #run(othersAnswer: boolean, until = Infinity): void {
    for (let count = 0; this.mono < until; count++) {
      assert(count < 500, this.sent.join("\n"));
      const step = this.registry.next(this.now);
      if (step.kind === "done") break;
      if (step.kind === "send") {
        const out = new WireBuffer(1232);
        const size = step.write(out, this.now);
        this.#send(out.bytes.slice(0, size), step.isOwn, step.family, step.port);
        continue;
      }
      const [next] = this.#coming.toSorted((a, b) => a.at - b.at);
      assert(step.until > this.mono, "it waits for what is over");
      const { hasFailed } = this.registry;
      const others = [
        { isDone: false, isAnswered: false, hasFailed },
        { isDone: true, isAnswered: true, hasFailed: false },
      ];
      if (othersAnswer && isRoundOver(others)) break;
      this.mono = Math.min(step.until, next?.at ?? Infinity);
      assert(this.mono < Infinity);
      this.#arrive();
    }
  }

  /** Asks beside a round, where that can be. */
  inquire(): Inquiry | undefined {
    const inquiry = this.registry.inquire(this.now);
    if (inquiry === undefined) return undefined;
    const out = new WireBuffer(1232);
    const { family } = inquiry.wish;
    this.#send(out.bytes.slice(0, inquiry.write(out, this.now)), false, family);
    this.told = this.second?.asked.at(-1);
    this.pass(LATENCY);
    return inquiry;
  }

  /** Begins a round, and does nothing in it. */
  begin(othersAnswer = false): void {
    this.#startedAt = this.mono;
    this.registry.begin([IPV4], this.#asked(true, false), othersAnswer, this.now);
  }

  #asked(registers: boolean, compares: boolean): AskedRound {
    return {
      publicKey: formatKey(OWN_PUBLIC),
      newExchange: (registers) =>
        new Exchange({
          id: OWN_PUBLIC,
          secret: SECRET,
          primitives: PORTABLE,
          group: 0,
          flags: registers ? 0 : KEEP_ENDPOINT,
          encrypt: false,
          maxAge: 86_400,
        }, new NonceSource(countingRandom())),
      followsRoster: false,
      compares,
      registers,
      subscribes: true,
      own: () => this.reach,
      startsIn: 0,
      endsAt: this.mono + TIMEOUT,
    };
  }

  /** Lets time pass in which nobody asks. */
  pass(seconds: number): void {
    this.mono += seconds;
    this.#arrive();
  }

  /** Hands in a datagram that was not asked for. */
  hear(datagram: Uint8Array, from = IPV4): void {
    this.#deliver({ at: this.mono, datagram, from, port: NAME.port, isOwn: false });
  }

  #send(
    datagram: Uint8Array,
    isOwn: boolean,
    family: Family | undefined,
    at?: number,
  ): void {
    const { host: to, port: asked } = this.registry.addresses.toAsk(this.mono, family ?? 4, at);
    const over: Family = to.includes(":") ? 6 : 4;
    const isSecond = readDatagramType(new WireBuffer(datagram.slice()), 0, datagram.length) !== 0;
    this.asked.push(to);
    const second = this.at(to);
    const seconds = Math.round(1000 * (this.mono - this.#startedAt)) / 1000;
    const port = isOwn ? "own" : "kept";
    if (!isSecond) this.sent.push(`${seconds} ${port} ${over} first`);
    const isNobody = this.second !== undefined && second === undefined;
    const answers = isNobody || !this.passes(isOwn, over) || !this.reaches(asked)
      ? []
      : isSecond
      ? second?.answer(datagram, this.unix, {
        host: over === 4 ? this.own : "2001:db8::7",
        port: this.portOf(asked),
      }) ?? []
      : this.#answerFirst(datagram);
    const what = this.reaches(asked) ? this.#textOf(second, isOwn, over) : "second";
    const elsewhere = at === undefined ? "" : ` at ${at}`;
    if (isSecond) this.sent.push(`${seconds} ${port} ${over} ${what}${elsewhere}`);
    if (this.refuses(to)) this.registry.noteProblem(to, "ECONNREFUSED", this.now);
    for (const answer of answers) {
      this.#coming.push({
        at: this.mono + this.latency,
        datagram: answer,
        from: to,
        port: asked,
        isOwn,
      });
    }
  }

  #textOf(second: ScriptedRegistry | undefined, isOwn: boolean, over: Family): string {
    const asked = second?.asked.at(-1)?.question;
    if (asked === undefined || !this.passes(isOwn, over)) return "second";
    const { flags, wants } = asked;
    return [
      flags & QUESTION_FLAG.keep ? "keeps" : "registers",
      wants.isGiven && wants.count === 0 ? "nobody" : "asks",
      ...flags & QUESTION_FLAG.subscribe ? ["subscribes"] : [],
      ...flags & QUESTION_FLAG.proved ? [] : ["unproved"],
    ].join(" ");
  }

  #answerFirst(datagram: Uint8Array): readonly Uint8Array[] {
    this.first.unix = this.unix;
    this.first.mono = this.mono;
    const [answer] = this.first.send([{ payload: datagram, from: `${this.own} 51820` }]);
    return answer?.datagrams ?? [];
  }

  #arrive(): void {
    const arrived = this.#coming.filter(({ at }) => at <= this.mono);
    this.#coming = this.#coming.filter(({ at }) => at > this.mono);
    for (const each of arrived) this.#deliver(each);
  }

  #deliver({ datagram, from, port, isOwn }: Coming): void {
    const batch = new DatagramBatch();
    batch.count = 1;
    batch.payloads.bytes.set(datagram);
    batch.lengths[0] = datagram.length;
    assert(parseAddress(from, batch.sources, 0));
    batch.setSourcePort(0, port);
    assert(this.registry.addresses.senderOf(batch, 0) !== undefined);
    this.registry.receive(batch, 0, isOwn, this.now);
  }

  /** Where the registry says that bob is. */
  get bob(): string[] {
    return this.registry.sightings(this.now).filter(({ publicKey }) => publicKey === BOB)
      .map(({ address: host, port }) => formatHostPort({ host, port }));
  }
}

/** A registry of wgsig 2 that knows bob. */
function scripted(
  ...options: ConstructorParameters<typeof ScriptedRegistry>[1][]
): ScriptedRegistry {
  const registry = new ScriptedRegistry(seededRandom(9), options[0]);
  registry.set(idOf(2), ["seen", "192.0.2.2", 7]);
  return registry;
}

const HERE = ["192.0.2.2:7"];

test("sync: what registers comes first, by each family, and what subscribes last", () => {
  const scene = new Scene(scripted());
  // The first time, the registry's key is not known yet.
  scene.round({ hosts: [IPV4, IPV6] });
  assertEquals([scene.registry.status, scene.registry.protocol, scene.bob], ["ok", 2, HERE]);
  scene.pass(10);
  const seconds = scene.round({ hosts: [IPV4, IPV6] });
  assertEquals(scene.sent, [
    "0 own 4 registers nobody",
    "0 own 6 registers nobody",
    "0.02 kept 4 keeps asks subscribes",
  ]);
  assert(seconds < 3 * LATENCY, `${seconds}`);
  const { ownEndpoints, received, besideReceived } = scene.registry;
  assertEquals(ownEndpoints.map(({ host }) => host), ["192.0.2.7", "2001:db8::7"]);
  assertEquals([received, besideReceived], [2, 1]);
});

test("sync: what this peer says of itself is said as it is when a question is written", () => {
  const second = scripted();
  const scene = new Scene(second);
  scene.reach = {
    candidates: [{ kind: "lan", host: "10.0.0.1", port: 51820 }],
    ...{ probes: true, nat: "hard", relays: [BOB], directs: [] },
  };
  scene.round();
  const said = () =>
    second.asked.splice(0).map(({ question: { flags, candidates, relayed, directs } }) => {
      const { keep, subscribe, probes } = QUESTION_FLAG;
      const isHard = natOfFlags(flags) === NAT.hard;
      return [
        flags & keep ? "keeps" : "registers",
        ...flags & subscribe ? ["subscribes"] : [],
        ...flags & probes && isHard ? ["probes hard"] : [],
        `${candidates.count} ${relayed.count} ${directs.count}`,
      ].join(" ");
    });
  said();
  scene.pass(10);
  scene.round();
  assertEquals(said(), ["registers probes hard 1 1 0", "keeps subscribes 0 1 0"]);
  // Beside a round, it is said through the port of our own, which is pushed to as before.
  scene.reach = { ...scene.reach, relays: [], directs: [BOB] };
  const inquiry = scene.inquire();
  assertEquals(said(), ["keeps subscribes 0 0 1"]);
  assertEquals([inquiry?.isAnswered, inquiry?.isSubscribed], [true, true]);
  second.set(idOf(2), ["seen", "192.0.2.2", 9]);
  scene.hear(second.push(scene.told));
  assertEquals(scene.bob, ["192.0.2.2:9"]);
});

test("sync: who is silent, or speaks the first protocol, is told nothing beside a round", () => {
  const first = new Scene(undefined);
  first.first.ask({ id: idOf(2), from: "192.0.2.2 7" });
  assertEquals(first.inquire(), undefined);
  first.round();
  assertEquals(first.inquire(), undefined);
  const silent = new Scene(scripted());
  silent.round();
  silent.passes = () => false;
  silent.pass(10);
  silent.round();
  assertEquals(silent.inquire(), undefined);
});

test("sync: where a registry relays is where WireGuard's port has asked it", () => {
  const also = [443, 53];
  const scene = new Scene(scripted({ offers: OFFER.pushes | OFFER.relays, also }));
  const relay = () => [scene.registry.relay?.host, scene.registry.relay?.port];
  const hosts = [IPV4, IPV6];
  scene.round({ hosts });
  assertEquals([relay(), scene.registry.also], [[IPV4, NAME.port], also]);
  scene.passes = (_, family) => family === 6;
  scene.pass(10);
  scene.round({ hosts });
  assertEquals(relay(), [IPV6, NAME.port]);
  // Through no other port, and not where it doesn't.
  scene.passes = (isOwn) => !isOwn;
  scene.pass(10);
  scene.round({ hosts });
  assertEquals([scene.registry.status, relay(), scene.registry.also], [
    "ok",
    [undefined, undefined],
    [],
  ]);
  const other = new Scene(scripted({ offers: OFFER.pushes, also }));
  other.round();
  assertEquals([other.registry.relay, other.registry.also], [undefined, also]);
});

test("sync: a registry's other ports are asked once how WireGuard's port is mapped", () => {
  const second = scripted({ also: [443, 53, 80] });
  const scene = new Scene(second);
  // The NAT counts, beginning anew with each host.
  scene.portOf = (port) => 40_000 + [NAME.port, 443, 53].indexOf(port);
  const ports = () => scene.registry.mapping.seen.map(({ port }) => port);
  scene.round();
  assertEquals(ports(), [40_000, 40_001, 40_002]);
  scene.pass(60);
  const asked = ["0 own 4 registers nobody", "0.02 kept 4 keeps asks subscribes"];
  scene.round();
  assertEquals([scene.sent, ports()], [asked, [40_000, 40_001, 40_002]]);

  // Elsewhere it is asked anew, by the way; a port that is silent is missed, and asked no more.
  scene.own = "192.0.2.8";
  scene.reaches = (port) => port !== 53;
  scene.pass(60);
  const seconds = scene.round();
  assertEquals(scene.sent.toSorted(), [
    "0 own 4 registers nobody",
    "0.02 kept 4 keeps asks subscribes",
    "0.02 own 4 keeps nobody at 443",
    "0.02 own 4 second at 53",
  ]);
  assertEquals(ports(), [40_000, 40_001]);
  assert(seconds < 0.5, `${seconds}`);
  assertEquals([scene.registry.status, scene.registry.ownEndpoints.length], ["ok", 1]);
  scene.pass(60);
  scene.round();
  assertEquals(scene.sent, asked);
  // And after a while, since routers are changed.
  scene.reaches = () => true;
  scene.pass(600);
  scene.round();
  assertEquals(ports(), [40_000, 40_001, 40_002]);
  // A port of our own says nothing of WireGuard's.
  const asking = new Scene(scripted({ also: [443] }));
  asking.round({ registers: false });
  assertEquals(asking.registry.mapping.seen, []);
});

test("sync: without registering, only the port of our own asks", () => {
  const scene = new Scene(scripted());
  scene.round({ registers: false });
  scene.round({ registers: false });
  assertEquals(scene.sent, ["0 kept 4 keeps asks subscribes"]);
  assertEquals([scene.registry.ownEndpoints, scene.bob], [[], HERE]);
});

test("sync: a server that only knows the first protocol costs one question, and no time", () => {
  const scene = new Scene(undefined);
  scene.first.ask({ id: idOf(2), from: "192.0.2.2 7" });
  const seconds = scene.round();
  assert(seconds <= LATENCY + 0.1 + 1e-9, `${seconds}`);
  assertEquals(scene.sent, ["0 own 4 second", "0 own 4 first"]);
  assertEquals([scene.registry.status, scene.registry.protocol, scene.bob], ["ok", 1, HERE]);
  assertEquals(scene.registry.ownEndpoints, [{ host: "192.0.2.7", port: 51820 }]);
  scene.pass(10);
  assert(scene.round() <= LATENCY + 1e-9);
  assertEquals(scene.sent, ["0 own 4 first"]);
});

test("sync: a server that has learnt wgsig 2 is asked in it, and in nothing else", () => {
  const scene = new Scene(scripted());
  scene.round();
  assertEquals(scene.sent.filter((text) => text.includes("first")), ["0 own 4 first"]);
  scene.pass(10);
  scene.round();
  assertEquals(scene.sent.filter((text) => text.includes("first")), []);
  // Whose key is pinned is never asked in the first protocol.
  const second = scripted();
  const pinned = new Scene(second, { serverKey: second.publicKey.bytes });
  pinned.passes = () => false;
  pinned.round();
  assertEquals(pinned.sent.filter((text) => text.includes("first")), []);
  assertEquals(pinned.registry.status, "no-answer");
});

test("sync: a family over which nothing comes back holds up the first round alone", () => {
  const scene = new Scene(scripted());
  scene.passes = (_, family) => family === 4;
  const hosts = [IPV4, IPV6];
  const first = scene.round({ hosts });
  assert(first > 1 && first < 2.5, `${first}`);
  assertEquals(scene.registry.status, "ok");
  scene.pass(10);
  const second = scene.round({ hosts });
  assert(second < 3 * LATENCY, `${second}`);
  assertEquals(scene.sent, [
    "0 own 4 registers nobody",
    "0 own 6 second",
    "0.02 kept 4 keeps asks subscribes",
  ]);
  // It is noticed when it works again.
  scene.passes = () => true;
  scene.pass(10);
  scene.round({ hosts });
  assertEquals(scene.registry.ownEndpoints.length, 2);
});

test("sync: a registry that IPv4 doesn't reach is asked over IPv6", () => {
  const scene = new Scene(scripted());
  scene.passes = (_, family) => family === 6;
  scene.round({ hosts: [IPV4, IPV6] });
  assertEquals([scene.registry.status, scene.bob], ["ok", HERE]);
  scene.pass(10);
  assert(scene.round({ hosts: [IPV4, IPV6] }) < 3 * LATENCY);
  assertEquals(scene.sent.at(-1), "0.02 kept 6 keeps asks subscribes");
  // The same where nothing is registered, and where the system says so at once.
  const asking = new Scene(scripted());
  asking.passes = (_, family) => family === 6;
  assert(asking.round({ hosts: [IPV4, IPV6], registers: false }) < 2);
  assertEquals(asking.registry.status, "ok");
});

test("sync: where WireGuard's port gets no answer, the other does, and that can be compared", () => {
  const scene = new Scene(scripted());
  scene.passes = (isOwn) => !isOwn;
  const seconds = scene.round();
  assert(seconds < 2.5, `${seconds}`);
  const { status, received, besideReceived, isCompared, ownEndpoints } = scene.registry;
  assertEquals([status, received, besideReceived, isCompared], ["ok", 0, 1, true]);
  assertEquals([ownEndpoints, scene.bob], [[], HERE]);
  // In the first protocol, it is asked beside where that is wanted.
  const first = new Scene(undefined);
  first.passes = (isOwn) => !isOwn;
  first.first.ask({ id: idOf(2), from: "192.0.2.2 7" });
  first.round({ beside: true });
  assertEquals(first.sent.slice(0, 3), [
    "0 own 4 second",
    "0 kept 4 first",
    "0.02 own 4 first",
  ]);
  assertEquals([first.registry.received, first.registry.besideReceived], [0, 1]);
  assertEquals(first.bob, HERE);
});

test("sync: what registers late has ended the subscription, which is begun anew", () => {
  const second = scripted();
  const scene = new Scene(second);
  scene.round();
  scene.pass(10);
  // The registry is busy with what registers until something was asked already.
  second.script.retries = [RETRY.busy];
  scene.round();
  const texts = scene.sent.map((text) => text.split(" ").slice(1).join(" "));
  const registered = texts.lastIndexOf("own 4 registers nobody");
  const subscribed = texts.lastIndexOf("kept 4 keeps asks subscribes");
  assert(registered > 0 && subscribed > registered, scene.sent.join("\n"));
  // What is lost for good is given up, and doesn't end what was begun.
  scene.passes = (isOwn) => !isOwn;
  scene.pass(10);
  const seconds = scene.round();
  assert(seconds < 2.5, `${seconds}`);
  assertEquals(scene.sent.at(-1)?.endsWith("kept 4 keeps asks subscribes"), true, `${scene.sent}`);
});

test("sync: what is pushed is told, and what was lost before it is noticed", () => {
  const second = scripted();
  const scene = new Scene(second);
  scene.round();
  assertEquals(scene.registry.takeTold(), false, "what was asked is no news");
  scene.pass(3);
  second.set(idOf(2), ["seen", "192.0.2.3", 8]);
  scene.hear(second.push());
  assertEquals([scene.registry.takeTold(), scene.registry.isBehind], [true, false]);
  assertEquals([scene.registry.takeTold(), scene.bob], [false, ["192.0.2.3:8"]]);
  second.set(idOf(2), ["seen", "192.0.2.4", 9]);
  second.push();
  second.set(idOf(3), ["seen", "192.0.2.5", 9]);
  scene.hear(second.push());
  assertEquals(scene.registry.isBehind, true);
  scene.round();
  assertEquals([scene.registry.isBehind, scene.bob], [false, ["192.0.2.4:9"]]);
  // What is asked next acknowledges it.
  assert((second.asked.at(-1)?.question.ack ?? 0) > 0);
});

test("sync: a registry that starts anew is asked anew, and forgets who is gone", () => {
  const second = scripted();
  const scene = new Scene(second);
  second.set(idOf(3), ["seen", "192.0.2.5", 9]);
  scene.round();
  second.remove(idOf(3));
  second.restart(0xe2);
  scene.pass(10);
  scene.round();
  assertEquals(scene.registry.status, "ok");
  const keys = scene.registry.sightings(scene.now).map(({ publicKey }) => publicKey);
  assertEquals(new Set(keys), new Set([formatKey(OWN_PUBLIC), BOB]));
});

test("sync: a registry that starts anew with another key is believed, and that is said", () => {
  const scene = new Scene(scripted());
  scene.round();
  assertEquals(scene.registry.takeNote()?.kind, "server-key-learnt");
  scene.pass(1);
  scene.round();
  assertEquals(scene.registry.takeNote(), undefined);
  scene.pass(1);
  scene.second = scripted({ privateKey: new Uint8Array(32).fill(0x77) });
  scene.second.restart(0xe7);
  const seconds = scene.round({ hosts: [IPV4, IPV6] });
  assert(seconds < 1.5, `${seconds}`);
  assertEquals([scene.registry.status, scene.bob], ["ok", HERE]);
  assertEquals(scene.registry.takeNote()?.kind, "server-key-changed");
});

test("sync: a clock that shows 1970 is corrected in one round, by either port", () => {
  const scene = new Scene(scripted());
  scene.ahead = 60 - T0;
  const seconds = scene.round();
  assert(seconds < 1, `${seconds}`);
  assertEquals([scene.registry.status, scene.bob], ["ok", HERE]);
  assertEquals(scene.registry.ownEndpoints.length, 1);
});

test("sync: a registry that is silent ends a round late once, and not where others answer", () => {
  const scene = new Scene(scripted());
  scene.passes = () => false;
  assertEquals(Math.round(scene.round({ othersAnswer: true })), TIMEOUT);
  assertEquals([scene.registry.status, scene.registry.hasFailed], ["no-answer", true]);
  // A round each second, for ten minutes: it is not waited for, and asked more and more seldom.
  let [waited, askedIn] = [0, [] as number[]];
  for (let second = 0; second < 600; second++) {
    scene.pass(1);
    waited += scene.round({ othersAnswer: true });
    assert(scene.sent.length <= 2 && scene.sent.every((each) => each.startsWith("0 kept 4")));
    if (scene.sent.length > 0) askedIn.push(second);
    assertEquals(scene.registry.status, "no-answer");
  }
  assertEquals(waited, 0);
  assertEquals(askedIn.slice(0, 5), [4, 14, 34, 74, 134]);
  assertEquals(askedIn.length, 12);
  // Where nobody else answers any more, it is asked as ever.
  assertEquals(Math.round(scene.round()), TIMEOUT);
  assert(scene.sent.some((each) => each.includes("own 4")));
});

test("sync: a registry that is there again is noticed, and registered in the same round", () => {
  const scene = new Scene(scripted());
  scene.passes = () => false;
  scene.round();
  scene.passes = () => true;
  scene.pass(60);
  // Others are done before it has answered.
  scene.round({ othersAnswer: true });
  assertEquals([scene.registry.status, scene.registry.isBehind], ["no-answer", false]);
  scene.pass(LATENCY);
  assert(scene.registry.isBehind);
  scene.round({ othersAnswer: true });
  assertEquals([scene.registry.status, scene.registry.isBehind], ["ok", false]);
  assertEquals(scene.registry.ownEndpoints.length, 1);
  assertEquals(scene.sent.at(-1), `${LATENCY} kept 4 keeps asks subscribes`);
  // Or while others are still asked.
  scene.passes = () => false;
  scene.round();
  scene.passes = () => true;
  scene.pass(60);
  scene.begin(true);
  const { sent } = scene;
  sent.length = 0;
  scene.go(1);
  scene.registry.finish(scene.now);
  assertEquals([scene.registry.status, scene.registry.ownEndpoints.length], ["ok", 1]);
  assertEquals(sent.filter((each) => each.includes("own 4 registers")).length, 1);
});

test("sync: a registry that is far away comes back as well", () => {
  const scene = new Scene(scripted());
  scene.latency = 0.8;
  scene.round();
  assertEquals(scene.registry.status, "ok");
  scene.at = () => undefined;
  for (let count = 0; count < 3; count++) {
    scene.round({ othersAnswer: true });
    scene.pass(15);
  }
  assertEquals([scene.registry.status, scene.registry.hasFailed], ["no-answer", true]);
  scene.at = () => scene.second;
  const statuses = Array.from({ length: 8 }, () => {
    scene.round({ othersAnswer: true });
    const { status } = scene.registry;
    scene.pass(15);
    return status;
  });
  assertEquals(statuses.slice(-3), ["ok", "ok", "ok"]);
});

test("sync: a registry that is found at another address is asked there at once", () => {
  const scene = new Scene(scripted());
  scene.at = (host) => host === OTHER ? scene.second : undefined;
  scene.round();
  scene.round({ othersAnswer: true });
  assertEquals(scene.asked, []);
  scene.round({ hosts: [OTHER], othersAnswer: true });
  assertEquals(scene.asked.slice(0, 1), [OTHER]);
  scene.pass(LATENCY);
  assert(scene.registry.isBehind);
});

test("sync: who is refused costs its time once as well, and doesn't seem to be back", () => {
  const key = scripted({ privateKey: new Uint8Array(32).fill(0x77) }).publicKey.bytes;
  const scene = new Scene(scripted(), { serverKey: key });
  const seconds = scene.round();
  assert(seconds < 2, `${seconds}`);
  assertEquals([scene.registry.status, scene.registry.hasFailed], ["wrong-key", true]);
  assertEquals(scene.registry.takeNote()?.kind, "server-key-refused");
  for (let second = 0; second < 60; second++) {
    scene.pass(1);
    assertEquals(scene.round({ othersAnswer: true }), 0);
    scene.pass(LATENCY);
    assertEquals([scene.registry.status, scene.registry.isBehind], ["wrong-key", false]);
  }
  assertEquals(scene.registry.takeNote(), undefined);
});

test("sync: of three addresses, the one that answers is stayed with", () => {
  for (const alive of [0, 1, 2]) {
    const scene = new Scene(scripted({ wantsCookie: true }));
    scene.at = (host) => host === THREE[alive] ? scene.second : undefined;
    const seconds = scene.round({ hosts: THREE });
    assert(seconds < 0.5 * alive + 0.2, `${seconds}`);
    // Each dead one was asked in both protocols, once.
    const dead = THREE.slice(0, alive);
    assertEquals(scene.asked.filter((host) => host !== THREE[alive]), dead.flatMap((h) => [h, h]));
    assertEquals([scene.registry.status, scene.bob], ["ok", HERE]);
    for (let count = 0; count < 10; count++) {
      scene.pass(15);
      // Resolvers turn them round.
      scene.round({ hosts: [...THREE.slice(count % 3), ...THREE.slice(0, count % 3)] });
      assertEquals(scene.asked, [THREE[alive], THREE[alive]]);
      assertEquals(scene.registry.status, "ok");
    }
  }
});

test("sync: when the address that answered dies, the next has all, half a second later", () => {
  const scene = new Scene(scripted());
  const other = scripted();
  other.restart(7);
  const dead = new Set<string>();
  scene.at = (host) => dead.has(host) ? undefined : host === THREE[0] ? scene.second : other;
  scene.round({ hosts: THREE });
  dead.add(THREE[0]!);
  scene.pass(15);
  const seconds = scene.round({ hosts: THREE });
  assert(seconds < 0.6, `${seconds}`);
  assertEquals([scene.registry.status, scene.bob], ["ok", HERE]);
  assertEquals(scene.asked, [THREE[0], ...scene.asked.slice(1).map(() => THREE[1])]);
  // What the other tells without being asked is heard.
  other.set(idOf(2), ["seen", "192.0.2.3", 8]);
  scene.hear(other.push(), THREE[1]);
  assertEquals(scene.bob, ["192.0.2.3:8"]);
  // All are gone, and the last one is back.
  for (const host of THREE) dead.add(host);
  scene.pass(15);
  assertEquals(Math.round(scene.round({ hosts: THREE })), TIMEOUT);
  assertEquals(new Set(scene.asked), new Set(THREE));
  dead.delete(THREE[2]!);
  scene.pass(15);
  scene.round({ hosts: THREE });
  assertEquals([scene.registry.status, scene.asked.at(-1)], ["ok", THREE[2]]);
});

test("sync: of three addresses, one where nothing listens costs no time", () => {
  const scene = new Scene(scripted());
  scene.at = (host) => host === THREE[2] ? scene.second : undefined;
  scene.refuses = (host) => host !== THREE[2];
  const seconds = scene.round({ hosts: THREE });
  assert(seconds < 0.2, `${seconds}`);
  assertEquals([scene.registry.status, scene.bob], ["ok", HERE]);
  // Where nothing listens at any of them, it is soon over.
  scene.refuses = () => true;
  assert(scene.round({ hosts: THREE }) < 2);
  assertEquals(scene.registry.status, "no-answer");
});

test("sync: what a registry pushes that was left doesn't lead back to it", () => {
  const [one, two] = [scripted(), scripted()];
  two.restart(7);
  const scene = new Scene(one);
  const lost = new Set<string>();
  scene.at = (host) => lost.has(host) ? undefined : host === THREE[0] ? one : two;
  const hosts = THREE.slice(0, 2);
  scene.round({ hosts });
  const before = one.asked.at(-1)!;
  lost.add(THREE[0]!);
  scene.pass(15);
  scene.round({ hosts });
  lost.clear();
  for (let count = 0; count < 3; count++) {
    scene.pass(15);
    one.set(idOf(2), ["seen", "192.0.2.3", 8 + count]);
    two.set(idOf(2), ["seen", "192.0.2.3", 8 + count]);
    scene.hear(two.push(), THREE[1]);
    scene.hear(one.push(before), THREE[0]);
    scene.round({ hosts });
    assertEquals([...new Set(scene.asked)], [THREE[1]]);
    assertEquals([scene.registry.status, scene.bob], ["ok", [`192.0.2.3:${8 + count}`]]);
  }
});

test("sync: a copy of an answer that comes from another address leads nobody there", () => {
  const one = scripted();
  const scene = new Scene(one);
  scene.at = (host) => host === THREE[0] ? one : undefined;
  const hosts = THREE.slice(0, 2);
  const copies: Uint8Array[] = [];
  const { answer } = one;
  one.answer = (...asked) => {
    const datagrams = answer.apply(one, asked);
    copies.push(...datagrams.map((each) => each.slice()));
    return datagrams;
  };
  scene.round({ hosts });
  assert(copies.length > 0);
  for (const copy of copies) scene.hear(copy, THREE[1]);
  scene.pass(15);
  scene.round({ hosts });
  assertEquals([scene.registry.status, ...new Set(scene.asked)], ["ok", THREE[0]]);
  // Nor does it seem to be back, once it is dead.
  scene.at = () => undefined;
  for (let count = 0; count < 2; count++) {
    scene.pass(15);
    scene.round({ hosts, othersAnswer: true });
  }
  assertEquals(scene.registry.hasFailed, true);
  for (const copy of copies) scene.hear(copy, THREE[1]);
  assertEquals([scene.registry.hasFailed, scene.registry.isBehind], [true, false]);
});

test("sync: of addresses with keys of their own and none pinned, each change is said once", () => {
  const scene = new Scene(scripted());
  const other = scripted({ privateKey: new Uint8Array(32).fill(0x71), wantsCookie: true });
  other.restart(7);
  const dead = new Set<string>();
  scene.at = (host) => dead.has(host) ? undefined : host === THREE[0] ? scene.second : other;
  const hosts = THREE.slice(0, 2);
  const rounds = () => {
    for (let count = 0; count < 5; count++) {
      scene.pass(15);
      assert(scene.round({ hosts }) < 0.8);
      assertEquals([scene.registry.status, scene.bob], ["ok", HERE]);
    }
    const { kind, from } = scene.registry.takeNote() ?? {};
    return [kind, from];
  };
  assertEquals(rounds(), ["server-key-learnt", THREE[0]]);
  dead.add(THREE[0]!);
  assertEquals(rounds(), ["server-key-changed", THREE[1]]);
  // Who is back is not asked, as long as the other answers.
  dead.clear();
  assertEquals(rounds(), [undefined, undefined]);
  assertEquals([...new Set(scene.asked)], [THREE[1]]);
});

test("sync: of three addresses with one pinned key, another key is told of, and not asked again", () => {
  const second = scripted();
  const scene = new Scene(second, { serverKey: second.publicKey.bytes });
  const others = [0x71, 0x72].map((byte) =>
    scripted({ privateKey: new Uint8Array(32).fill(byte) })
  );
  scene.at = (host) => [...others, second][THREE.indexOf(host)];
  const seconds = scene.round({ hosts: THREE });
  assert(seconds < 0.3, `${seconds}`);
  assertEquals([scene.registry.status, scene.bob], ["ok", HERE]);
  assertEquals(scene.registry.takeNote()?.kind, "server-key-refused");
  for (let count = 0; count < 5; count++) {
    scene.pass(15);
    scene.round({ hosts: THREE });
    assertEquals([...new Set(scene.asked)], [THREE[2]]);
    assertEquals(scene.registry.takeNote(), undefined);
  }
});

test("sync: what a registry has told holds while it is silent", () => {
  const scene = new Scene(scripted());
  scene.round();
  scene.passes = () => false;
  scene.round();
  assertEquals([scene.registry.status, scene.bob], ["no-answer", HERE]);
});

test("sync: where the system can't send at all, a round is over at once", () => {
  const scene = new Scene(scripted());
  scene.round();
  scene.begin();
  scene.registry.noteProblem(IPV4, "ENETUNREACH", scene.now);
  assertEquals(scene.registry.next(scene.now).kind, "done");
  assertEquals(scene.registry.addresses.problem, "ENETUNREACH");
});

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

  /** Asks once. @returns The seconds that it took. */
  round({ hosts = [IPV4], registers = true, beside = false, othersAnswer = false } = {}): number {
    this.sent = [];
    this.#startedAt = this.mono;
    const asked = this.#asked(registers, beside);
    this.registry.begin(hosts, asked, othersAnswer, this.now);
    for (let count = 0;; count++) {
      assert(count < 500, this.sent.join("\n"));
      const step = this.registry.next(this.now);
      if (step.kind === "done") break;
      if (step.kind === "send") {
        const out = new WireBuffer(1232);
        const size = step.write(out, this.now);
        this.#send(out.bytes.slice(0, size), step.isOwn, step.attempt, step.family, step.port);
        continue;
      }
      const [next] = this.#coming.toSorted((a, b) => a.at - b.at);
      assert(step.until > this.mono, "it waits for what is over");
      this.mono = Math.min(step.until, next?.at ?? Infinity);
      assert(this.mono < Infinity);
      this.#arrive();
    }
    this.registry.finish(this.now);
    return this.mono - this.#startedAt;
  }

  /** Asks beside a round, where that can be. */
  inquire(): Inquiry | undefined {
    const inquiry = this.registry.inquire(this.now);
    if (inquiry === undefined) return undefined;
    const out = new WireBuffer(1232);
    const { family } = inquiry.wish;
    this.#send(out.bytes.slice(0, inquiry.write(out, this.now)), false, 0, family);
    this.told = this.second?.asked.at(-1);
    this.pass(LATENCY);
    return inquiry;
  }

  /** Begins a round, and does nothing in it. */
  begin(): void {
    this.registry.begin([IPV4], this.#asked(true, false), false, this.now);
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
    attempt: number,
    family: Family | undefined,
    at?: number,
  ): void {
    const { host: to, port: asked } = this.registry.addresses.at(attempt, family ?? 4, at);
    const over: Family = to.includes(":") ? 6 : 4;
    const isSecond = readDatagramType(new WireBuffer(datagram.slice()), 0, datagram.length) !== 0;
    const seconds = Math.round(1000 * (this.mono - this.#startedAt)) / 1000;
    const port = isOwn ? "own" : "kept";
    if (!isSecond) this.sent.push(`${seconds} ${port} ${over} first`);
    const answers = !this.passes(isOwn, over) || !this.reaches(asked)
      ? []
      : isSecond
      ? this.second?.answer(datagram, this.unix, {
        host: over === 4 ? this.own : "2001:db8::7",
        port: this.portOf(asked),
      }) ?? []
      : this.#answerFirst(datagram);
    const what = this.reaches(asked) ? this.#textOf(isOwn, over) : "second";
    const elsewhere = at === undefined ? "" : ` at ${at}`;
    if (isSecond) this.sent.push(`${seconds} ${port} ${over} ${what}${elsewhere}`);
    for (const answer of answers) {
      this.#coming.push({
        at: this.mono + LATENCY,
        datagram: answer,
        from: to,
        port: asked,
        isOwn,
      });
    }
  }

  #textOf(isOwn: boolean, over: Family): string {
    const asked = this.second?.asked.at(-1)?.question;
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
  assertEquals(Math.round(scene.round()), TIMEOUT);
  assertEquals([scene.registry.status, scene.registry.isSilent], ["no-answer", true]);
  assertEquals(Math.round(scene.round({ othersAnswer: true })), 1);
  assertEquals(Math.round(scene.round()), TIMEOUT);
  scene.passes = () => true;
  scene.round({ othersAnswer: true });
  assertEquals([scene.registry.status, scene.registry.isSilent], ["ok", false]);
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
  scene.registry.noteProblem(IPV4, "ENETUNREACH");
  assertEquals(scene.registry.next(scene.now).kind, "done");
  assertEquals(scene.registry.addresses.problem, "ENETUNREACH");
});

import { assert, assertEquals } from "@std/assert";
import { AskedRegistry } from "../../../lib/core/ask/asked_registry.ts";
import { MAX_QUESTION_SIZE } from "../../../lib/core/ask/question_writer.ts";
import { Exchange } from "../../../lib/core/ask/exchange.ts";
import {
  RegistryMemory,
  type RegistryMemoryOptions,
} from "../../../lib/core/ask/registry_memory.ts";
import type { Now } from "../../../lib/core/net/clock.ts";
import { DatagramBatch } from "../../../lib/core/net/datagram_batch.ts";
import { formatHostPort, type HostPort } from "../../../lib/core/net/host_port.ts";
import { parseAddress } from "../../../lib/core/net/ip_address.ts";
import { NonceSource } from "../../../lib/core/net/random.ts";
import { oneGroupRegistry, Responder } from "../../../lib/core/registry/responder.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { readDatagramType } from "../../../lib/wire/wgsig2/datagram.ts";
import { KEEP_ENDPOINT } from "../../../lib/wire/wgsig/request.ts";
import { OWN_PRIVATE, OWN_PUBLIC } from "../../support/conversation_driver.ts";
import { idOf } from "../../support/fake_random.ts";
import { SECRET, T0 } from "../../support/registry_driver.ts";
import { type Script, ScriptedRegistry } from "../../support/scripted_registry.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { test } from "../../testing.ts";

const NAME = { scheme: "wgsig", host: "registry.example", port: 1223 } as const;
const IPV4 = "192.0.2.53";
const IPV6 = "2001:db8::53";
const LATENCY = 0.02;

/** What stands at an address: what comes back, of what is sent there at a time. */
type Station = (bytes: Uint8Array, unix: number, to: HostPort) => Uint8Array[];

function isSecond(bytes: Uint8Array): boolean {
  return readDatagramType(new WireBuffer(bytes), 0, bytes.length) !== 0;
}

/** A registry of the first protocol, which drops what it doesn't know. */
function firstStation(): Station {
  const responder = new Responder(oneGroupRegistry({ secret: SECRET, random: seededRandom(4) }));
  return (bytes, unix) => {
    const source = { address: "203.0.113.7", port: 51820 };
    return responder.answerOne(bytes, source, { unix, mono: unix - T0 });
  };
}

/** One of wgsig 2. */
function secondStation(registry: ScriptedRegistry): Station {
  return (bytes, unix, to) =>
    isSecond(bytes)
      ? registry.answer(bytes, unix, {
        host: to.host.includes(":") ? "2001:db8::7" : "203.0.113.7",
        port: 4000,
      })
      : [];
}

/** One that speaks both. */
function bothStation(registry: ScriptedRegistry): Station {
  const [first, second] = [firstStation(), secondStation(registry)];
  return (bytes, unix, to) => (isSecond(bytes) ? second : first)(bytes, unix, to);
}

function registryOf(script: Script = {}): ScriptedRegistry {
  const registry = new ScriptedRegistry(seededRandom(9), script);
  registry.set(idOf(1), ["seen", "2001:db8::1", 1001], ["lan", "10.0.0.1", 51820]);
  registry.set(idOf(2), ["mapped", "198.51.100.2", 7], ["seen", "192.0.2.2", 1002]);
  return registry;
}

/** A client that asks one registry again and again. */
class Client {
  readonly memory: RegistryMemory;
  mono = 100;
  /** What was sent: its protocol and where to. */
  readonly sent: [protocol: 1 | 2, to: string, at: number][] = [];
  readonly #register: boolean;

  constructor(options: Partial<RegistryMemoryOptions> = {}, register = true) {
    const own = { id: OWN_PUBLIC, secret: SECRET, group: 0, primitives: PORTABLE };
    this.memory = new RegistryMemory({ ...own, ...options }, seededRandom(1));
    this.#register = register;
  }

  get now(): Now {
    return { unix: T0 + this.mono, mono: this.mono };
  }

  /** Asks until it is done, or 3 s are over. */
  ask(
    station: Station,
    hosts: readonly string[] = [IPV4],
    unreachable: string[] = [],
    looksAround = false,
  ): AskedRegistry {
    const exchange = new Exchange({
      id: OWN_PUBLIC,
      secret: SECRET,
      primitives: PORTABLE,
      group: 0,
      flags: this.#register ? 0 : KEEP_ENDPOINT,
      encrypt: true,
      maxAge: 1000,
    }, new NonceSource(seededRandom(3)));
    const known = this.memory.of(NAME);
    const asked = new AskedRegistry(NAME, exchange, known, hosts, this.#register);
    if (looksAround) asked.lookAround();
    const out = new WireBuffer(MAX_QUESTION_SIZE);
    const coming: { at: number; bytes: Uint8Array; from: HostPort }[] = [];
    const end = this.mono + 3;
    asked.start(this.mono, this.now);
    for (;;) {
      for (let due; (due = asked.write(out, this.now)) !== undefined;) {
        const bytes = out.bytes.slice(0, due.size);
        const { to } = due;
        this.sent.push([isSecond(bytes) ? 2 : 1, formatHostPort(to), this.mono]);
        if (unreachable.includes(to.host)) {
          asked.noteProblem(to.host, "ENETUNREACH", this.now);
          continue;
        }
        const at = this.mono + LATENCY;
        const answers = station(bytes, this.now.unix, to);
        for (const bytes of answers) coming.push({ at, bytes, from: to });
      }
      if (asked.isDone(this.now)) break;
      const next = Math.min(asked.dueAt(this.now), ...coming.map(({ at }) => at));
      if (next >= end) break;
      this.mono = next;
      while (coming[0] !== undefined && coming[0].at <= next) {
        const { bytes, from } = coming.shift()!;
        const batch = new DatagramBatch();
        batch.payloads.bytes.set(bytes);
        batch.lengths[0] = bytes.length;
        batch.count = 1;
        parseAddress(from.host, batch.sources, 0);
        batch.setSourcePort(0, from.port);
        if (asked.addresses.senderOf(batch, 0) !== undefined) asked.receive(batch, 0, this.now);
      }
    }
    asked.finish(this.now);
    return asked;
  }

  /** The protocols in which it was asked since the last look. */
  takeSent(): (1 | 2)[] {
    return this.sent.splice(0).map(([protocol]) => protocol);
  }

  /** What is known of peers. */
  places(asked: AskedRegistry): string[] {
    return asked.sightings(this.now, 1000).map(({ kind = "?", address, port }) =>
      `${kind} ${formatHostPort({ host: address, port })}`
    );
  }
}

test("a server that knows the first protocol alone costs one datagram, and no time", () => {
  const client = new Client();
  const station = firstStation();
  const asked = client.ask(station);
  assertEquals([asked.status, asked.protocol, asked.received], ["ok", 1, 1]);
  assertEquals(client.mono, 100 + LATENCY);
  // wgsig 2 goes first, the same in the first protocol in the same moment.
  assertEquals(client.sent, [[2, "192.0.2.53:1223", 100], [1, "192.0.2.53:1223", 100]]);
  assertEquals(asked.ownEndpoints, [{ host: "203.0.113.7", port: 51820 }]);
  client.takeSent();
  // It is remembered.
  client.mono += 5;
  assertEquals(client.ask(station).status, "ok");
  assertEquals(client.takeSent(), [1]);
  client.mono += 60;
  client.ask(station);
  assertEquals(client.takeSent(), [2, 1]);
});

test("a server that speaks both is heard in wgsig 2, and asked in that alone from then on", () => {
  const registry = registryOf();
  const client = new Client({ privateKey: OWN_PRIVATE });
  const station = bothStation(registry);
  const asked = client.ask(station);
  assertEquals([asked.status, asked.protocol], ["ok", 2]);
  // The second question of wgsig 2 is for the key that it has told.
  assertEquals(client.takeSent(), [2, 1, 2]);
  assertEquals(client.places(asked), [
    "seen 203.0.113.7:4000",
    "seen [2001:db8::1]:1001",
    "lan 10.0.0.1:51820",
    "seen 192.0.2.2:1002",
    "mapped 198.51.100.2:7",
  ]);
  assertEquals(asked.serverKey, registry.publicKey.bytes);
  client.mono += 25;
  client.ask(station);
  assertEquals(client.takeSent(), [2]);
});

test("where words of wgsig 2 are lost, the first protocol's whole answer is taken", () => {
  const registry = registryOf();
  const both = bothStation(registry);
  const client = new Client();
  const lossy: Station = (bytes, ...rest) => isSecond(bytes) ? [] : both(bytes, ...rest);
  assertEquals(client.ask(lossy).protocol, 1);
  client.mono += 40;
  assertEquals(client.ask(both).protocol, 2);
});

test("a pinned server is never asked in the first protocol, and its answer in that is not taken", () => {
  const registry = registryOf();
  const serverKeys = new Map([["registry.example:1223", registry.publicKey.bytes]]);
  for (const privateKey of [undefined, OWN_PRIVATE]) {
    const client = new Client({ serverKeys, privateKey });
    const both = bothStation(registry);
    const first = firstStation();
    // Who is on the way drops wgsig 2, and plays back what it likes.
    const asked = client.ask((bytes, ...rest) => isSecond(bytes) ? [] : first(bytes, ...rest));
    assertEquals(asked.status, "no-answer");
    assert(client.takeSent().every((protocol) => protocol === 2));
    assertEquals(client.ask(both).status, "ok");
  }
});

test("a pinned server with another key is refused, and that is said", () => {
  const registry = registryOf({ privateKey: new Uint8Array(32).fill(0x77) });
  const pinned = registryOf();
  const serverKeys = new Map([["registry.example:1223", pinned.publicKey.bytes]]);
  const client = new Client({ serverKeys, privateKey: OWN_PRIVATE });
  const asked = client.ask(bothStation(registry));
  assertEquals([asked.status, client.places(asked)], ["wrong-key", []]);
  assertEquals(asked.takeNote()?.kind, "server-key-refused");
  // It is not waited for until the end.
  assert(client.mono < 102);
  assert(client.takeSent().every((protocol) => protocol === 2));
});

test("who registers does so over both families, and is told of the peers once", () => {
  const registry = registryOf();
  const client = new Client({ privateKey: OWN_PRIVATE });
  const asked = client.ask(bothStation(registry), [IPV6, IPV4]);
  assertEquals(asked.status, "ok");
  assertEquals(asked.ownEndpoints, [
    { host: "203.0.113.7", port: 4000 },
    { host: "2001:db8::7", port: 4000 },
  ]);
  const wants = registry.asked.slice(1).map(({ question: { wants } }) => wants.isGiven);
  assertEquals(wants, [false, true]);
  assert(Math.abs(client.mono - 100 - 3 * LATENCY) < 0.001);
});

test("who only asks does so over one family", () => {
  const registry = registryOf();
  const client = new Client({}, false);
  const asked = client.ask(secondStation(registry), [IPV4, IPV6]);
  assertEquals([asked.status, asked.ownEndpoints], ["ok", []]);
  assertEquals(client.sent.filter(([protocol]) => protocol === 2).length, 1);
});

test("where one family is silent or unreachable, the other one will do, and is soon done", () => {
  for (const [dead, alive] of [[IPV4, IPV6], [IPV6, IPV4]] as const) {
    for (const unreachable of [[], [dead]]) {
      for (const register of [true, false]) {
        const registry = registryOf();
        const second = secondStation(registry);
        const client = new Client({ privateKey: OWN_PRIVATE }, register);
        const station: Station = (bytes, unix, to) =>
          to.host === alive ? second(bytes, unix, to) : [];
        const asked = client.ask(station, [IPV4, IPV6], unreachable);
        assertEquals(asked.status, "ok");
        assertEquals(asked.ownEndpoints.length, register ? 1 : 0);
        assert(client.places(asked).length >= 4);
        assert(client.mono < (unreachable.length > 0 ? 100.2 : 101.5), `${client.mono}`);
      }
    }
  }
});

test("a server that wants a proof is told of as one, and waited for no longer than it helps", () => {
  const registry = registryOf({ retries: new Array<number>(50).fill(3) });
  const client = new Client();
  const asked = client.ask(secondStation(registry));
  assertEquals([asked.status, asked.isProofRefused], ["not-authenticated", true]);
  assert(client.mono < 102);
});

const THREE = ["192.0.2.51", "192.0.2.52", "192.0.2.53"];

/** Registries at some of the addresses of one name. */
function atAddresses(stations: Readonly<Record<string, Station>>): Station {
  return (bytes, unix, to) => stations[to.host]?.(bytes, unix, to) ?? [];
}

test("of three addresses, each dead one costs a question once, and a retry goes where it came from", () => {
  for (const alive of [0, 1, 2]) {
    // Each has cookies of its own.
    const registry = registryOf({ wantsCookie: true });
    const client = new Client({ privateKey: OWN_PRIVATE });
    const asked = client.ask(atAddresses({ [THREE[alive]!]: secondStation(registry) }), THREE);
    assertEquals([asked.status, asked.protocol], ["ok", 2]);
    assert(client.mono < 100 + 0.5 * alive + 0.2, `${client.mono}`);
    const hosts = client.sent.filter(([protocol]) => protocol === 2).map(([, to]) => to);
    const order = THREE.slice(0, alive + 1).map((host) => `${host}:1223`);
    assertEquals([...new Set(hosts)], order);
    // What it took the living one: its cookie, and its key.
    assertEquals(hosts.slice(alive), hosts.slice(alive).map(() => order.at(-1)));
  }
});

test("of three registries that each want their own cookie shown, the first is stayed with", () => {
  const registries = THREE.map((_, i) =>
    new ScriptedRegistry(seededRandom(i), { wantsCookie: true, retries: [5, 1] })
  );
  const client = new Client({ privateKey: OWN_PRIVATE });
  const stations = Object.fromEntries(
    THREE.map((host, i) => [host, secondStation(registries[i]!)]),
  );
  assertEquals(client.ask(atAddresses(stations), THREE).status, "ok");
  assertEquals(registries.slice(1).map(({ asked }) => asked.length), [0, 0]);
});

test("of three addresses, a pinned key that one has not is said once, and the others are asked at once", () => {
  const good = registryOf();
  const bad = [0x71, 0x72].map((byte) => registryOf({ privateKey: new Uint8Array(32).fill(byte) }));
  const serverKeys = new Map([["registry.example:1223", good.publicKey.bytes]]);
  const all = [...bad, good];
  const client = new Client({ serverKeys, privateKey: OWN_PRIVATE });
  const stations = Object.fromEntries(THREE.map((host, i) => [host, secondStation(all[i]!)]));
  const asked = client.ask(atAddresses(stations), THREE);
  assertEquals([asked.status, asked.answeredFrom], ["ok", THREE[2]]);
  assert(client.mono < 100.3, `${client.mono}`);
  assertEquals(asked.takeNote()?.kind, "server-key-refused");
  // Where all have another one, nobody is waited for until the end.
  const none = new Client({ serverKeys, privateKey: OWN_PRIVATE });
  delete stations[THREE[2]!];
  stations[THREE[2]!] = stations[THREE[0]!]!;
  assertEquals(none.ask(atAddresses(stations), THREE).status, "wrong-key");
  assert(none.mono < 102, `${none.mono}`);
});

test("where a NAT is looked at, the other ports of the address that has answered are asked", () => {
  const registry = registryOf({ also: [1224] });
  const client = new Client();
  const asked = client.ask(
    atAddresses({ [THREE[1]!]: secondStation(registry) }),
    THREE.slice(0, 2),
    [],
    true,
  );
  assertEquals(asked.status, "ok");
  assertEquals(
    asked.sights.map(({ registry }) => formatHostPort(registry)),
    [1223, 1224].map((port) => `${THREE[1]}:${port}`),
  );
});

test("a silent server is asked in both protocols again and again", () => {
  const client = new Client();
  const asked = client.ask(() => []);
  assertEquals([asked.status, asked.protocol], ["no-answer", undefined]);
  assertEquals(client.takeSent(), [2, 1, 2, 1, 2, 1]);
  // One that spoke the first protocol and is silent now may have learnt the second.
  assertEquals(client.ask(firstStation()).status, "ok");
  client.takeSent();
  client.ask(() => []);
  assertEquals(client.takeSent().slice(0, 3), [1, 2, 1]);
});

test("what looks like wgsig 2 and isn't is no wrong MAC", () => {
  const client = new Client();
  const noise: Station = (bytes) => isSecond(bytes) ? [bytes.slice()] : [];
  assertEquals(client.ask(noise).status, "no-answer");
});

test("without an address, it isn't found", () => {
  assertEquals(new Client().ask(() => [], []).status, "not-found");
});

test("a clock that is wrong is corrected for the first protocol as well", () => {
  const registry = registryOf({ ahead: 5000 });
  const client = new Client();
  assertEquals(client.ask(secondStation(registry)).status, "ok");
  const known = client.memory.of(NAME).conversation;
  assert(Math.abs(known.labels.timeAt(client.now.unix) - client.now.unix - 5000) < 1);
});

test("a registry is asked at its other ports as well where a NAT is looked at, once each", () => {
  const registry = registryOf({ offers: 4, also: [1224, 1225, 1226] });
  /** A NAT that counts: each port of the registry sees another one. */
  const ports = [1223, 1224, 1225, 1226];
  const answers: Station = (bytes, unix, to) =>
    isSecond(bytes) && to.port !== 1226
      ? registry.answer(bytes, unix, {
        host: "203.0.113.7",
        port: 4000 + 2 * ports.indexOf(to.port),
      })
      : [];
  const client = new Client();
  const asked = client.ask(answers, [IPV4], [], true);
  assertEquals(asked.status, "ok");
  assertEquals(
    asked.sights.map(({ server, registry, seen }) => [server, formatHostPort(registry), seen.port]),
    [
      ["registry.example:1223", `${IPV4}:1223`, 4000],
      ["registry.example:1224", `${IPV4}:1224`, 4002],
      ["registry.example:1225", `${IPV4}:1225`, 4004],
    ],
  );
  assertEquals(asked.relay, { host: IPV4, port: 1223 });
  const second = client.sent.filter(([protocol]) => protocol === 2).map(([, to]) => to);
  // The port that is silent is waited for, and keeps nobody for longer than that.
  assert(second.filter((to) => to === `${IPV4}:1226`).length >= 1);
  assert(client.mono < 102.5, String(client.mono));
  client.sent.length = 0;
  client.ask(answers);
  assertEquals(client.sent.filter(([, to]) => to !== `${IPV4}:1223`), []);
});

test("who looks at a NAT registers nothing, and asks again for ports that a cookie opens", () => {
  const registry = registryOf();
  let asked = 0;
  const answers: Station = (bytes, unix) => {
    if (!isSecond(bytes)) return [];
    // It tells of its ports to whom it has given a cookie before.
    if (asked++ > 0) registry.script.also = [1224];
    return registry.answer(bytes, unix, { host: "203.0.113.7", port: 4000 });
  };
  const looking = new Client().ask(answers, [IPV4], [], true);
  assertEquals(
    looking.sights.map(({ registry, seen }) => `${formatHostPort(registry)} ${seen.port}`),
    [`${IPV4}:1223 4000`, `${IPV4}:1224 4000`],
  );
  assertEquals(looking.ownEndpoints, []);
});

import { assert, assertEquals } from "@std/assert";
import type { OwnReach } from "../../../lib/core/ask/own_reach.ts";
import type { RegistryName } from "../../../lib/core/ask/server_name.ts";
import { DatagramBatch, ReplyBatch } from "../../../lib/core/net/datagram_batch.ts";
import { parseAddress } from "../../../lib/core/net/ip_address.ts";
import type { HostPort } from "../../../lib/core/net/host_port.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import type { UdpHandlers, UdpSocket } from "../../../lib/host/udp.ts";
import { Registries, type RegistriesHost } from "../../../lib/service/sync/registries.ts";
import { ExchangeKey } from "../../../lib/wire/crypto/exchange_key.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { OFFER } from "../../../lib/wire/wgsig2/answer.ts";
import { QUESTION_FLAG } from "../../../lib/wire/wgsig2/question.ts";
import { idOf } from "../../support/fake_random.ts";
import { privateKeyOf } from "../../support/question_driver.ts";
import { SECRET, T0 } from "../../support/registry_driver.ts";
import { ScriptedRegistry } from "../../support/scripted_registry.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { test } from "../../testing.ts";

const ID = new ExchangeKey(privateKeyOf(1), PORTABLE).publicKey.bytes;

/** What it takes to make ready; nothing is sent. */
function hostAt(clock: { mono: number }): RegistriesHost {
  const nothing = () => Promise.reject(new Error("no sockets here"));
  return {
    now: () => ({ unix: 1_700_000_000 + clock.mono, mono: clock.mono }),
    after: () => () => {},
    primitives: PORTABLE,
    random: (bytes) => void bytes.fill(7),
    udp: nothing,
    connectedUdp: nothing,
  };
}

test("what registries have told is kept while the key that can be read is another's", async () => {
  const clock = { mono: 1000 };
  const read: Uint8Array[] = [];
  let number = 2;
  const registries = new Registries(hostAt(clock), {
    readPrivateKey: () => {
      const key = privateKeyOf(number);
      read.push(key);
      return Promise.resolve(key);
    },
    onTold() {},
    onBehind() {},
  });
  const asker = { id: ID, secret: SECRET, group: 0, serverKeys: undefined };
  const first = await registries.prepare(asker);
  for (let i = 0; i < 3; i++) {
    clock.mono += 61;
    assert(await registries.prepare(asker) === first);
  }
  assertEquals(read.length, 4);
  number = 1;
  clock.mono += 61;
  const proving = await registries.prepare(asker);
  assert(proving !== first);
  clock.mono += 61;
  assert(await registries.prepare(asker) === proving);
  // And none of the keys stays where it was read.
  assertEquals(read.length, 5);
  for (const key of read) assertEquals(key, new Uint8Array(32));
});

/** A host whose sockets reach registries, that answer at once. */
class Net {
  mono = 1000;
  /** Whether anything comes back. */
  answers = true;
  /** How long what comes back from an address takes, in seconds; no time where this is left out. */
  readonly roundTrips = new Map<string, number>();
  readonly registries = new Map<string, ScriptedRegistry>();
  /** How many datagrams went to each address. */
  readonly sent = new Map<string, number>();
  /** What reaches the sockets that are open, by whether they are WireGuard's. */
  readonly #open = new Map<UdpHandlers["onBatch"], boolean>();
  #timers: { at: number; run: () => void }[] = [];

  get host(): RegistriesHost {
    return {
      now: () => ({ unix: T0 + this.mono, mono: this.mono }),
      after: (seconds, run) => {
        const timer = { at: this.mono + seconds, run };
        this.#timers.push(timer);
        return () => void (this.#timers = this.#timers.filter((each) => each !== timer));
      },
      primitives: PORTABLE,
      random: seededRandom(3),
      udp: ({ onBatch }) => Promise.resolve(this.#socket(onBatch, false)),
      connectedUdp: ({ onBatch }) => Promise.resolve(this.#socket(onBatch, true)),
    };
  }

  /** How many timers there are. */
  get timers(): number {
    return this.#timers.length;
  }

  /** Lets time pass until something is done. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let isDone = false;
    const done = promise.finally(() => isDone = true);
    for (let i = 0; !isDone; i++) {
      assert(i < 1000);
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      const [next] = this.#timers.toSorted((a, b) => a.at - b.at);
      if (isDone || next === undefined) continue;
      this.#timers.splice(this.#timers.indexOf(next), 1);
      this.mono = Math.max(this.mono, next.at);
      next.run();
    }
    return await done;
  }

  /** Lets so many seconds pass. */
  async pass(seconds: number): Promise<void> {
    await this.until(new Promise<void>((done) => void this.host.after(seconds, done)));
  }

  /** Sends a datagram from an address to the ports that are not WireGuard's. */
  push(datagram: Uint8Array, from: HostPort): void {
    for (const [onBatch, isOwn] of this.#open) if (!isOwn) deliver(datagram, from, onBatch);
  }

  #socket(onBatch: UdpHandlers["onBatch"], isOwn: boolean): UdpSocket {
    let isClosed = false;
    this.#open.set(onBatch, isOwn);
    return {
      port: 40_000,
      send: (bytes, to) => {
        this.sent.set(to.host, (this.sent.get(to.host) ?? 0) + 1);
        const registry = this.registries.get(to.host);
        const datagrams = registry?.answer(bytes.slice(), T0 + this.mono) ?? [];
        if (!this.answers) return;
        const arrive = () => {
          for (const datagram of isClosed ? [] : datagrams) deliver(datagram, to, onBatch);
        };
        const seconds = this.roundTrips.get(to.host);
        if (seconds === undefined) void Promise.resolve().then(arrive);
        else this.host.after(seconds, arrive);
      },
      close: () => {
        isClosed = true;
        this.#open.delete(onBatch);
      },
    };
  }
}

function deliver(datagram: Uint8Array, from: HostPort, onBatch: UdpHandlers["onBatch"]): void {
  const batch = new DatagramBatch();
  batch.count = 1;
  batch.payloads.bytes.set(datagram);
  batch.lengths[0] = datagram.length;
  assert(parseAddress(from.host, batch.sources, 0));
  batch.setSourcePort(0, from.port);
  onBatch(batch, new ReplyBatch());
}

test("a dead registry costs its time once: rounds go on without it, and what another pushes is heard", async () => {
  const net = new Net();
  const one = new ScriptedRegistry(seededRandom(1), { offers: OFFER.pushes });
  net.registries.set("192.0.2.1", one);
  const heard: string[] = [];
  const registries = new Registries(net.host, {
    readPrivateKey: () => Promise.resolve(privateKeyOf(1)),
    onTold: () => heard.push("told"),
    onBehind: () => heard.push("behind"),
  });
  const names = ["one", "two"].map((host): RegistryName => ({ scheme: "wgsig", host, port: 1223 }));
  const addresses = new Map(names.map((name, i) => [name, [`192.0.2.${i + 1}`]]));
  const own: OwnReach = {
    candidates: [],
    ...{ probes: true, nat: "easy", relays: [], directs: [] },
  };
  const ask = async () => {
    const startedAt = net.mono;
    const { servers } = await net.until(registries.ask(
      {
        ...{ id: ID, secret: SECRET, group: 0, encrypt: false, maxAge: 60 },
        ...{ port: 51820, anyPort: false, register: true, timeout: 10, startedAt },
        through: { raw: true, mark: 0 },
      },
      { wants: undefined, beside: false, anew: false, subscribes: true, own, othersAnswer: false },
      addresses,
    ));
    return [net.mono - startedAt, ...servers.map(({ status }) => status)];
  };
  assertEquals(await ask(), [10, "ok", "no-answer"]);
  one.set(idOf(9), ["seen", "192.0.2.9", 9]);
  net.push(one.push(), { host: "192.0.2.1", port: 1223 });
  assertEquals(heard.splice(0), ["told"]);
  net.sent.clear();
  // A quarter of an hour, a round each ten seconds.
  for (let round = 0; round < 90; round++) {
    net.mono += 10;
    const [seconds, ...statuses] = await ask();
    assert(Number(seconds) < 0.02, `${seconds}`);
    assertEquals(statuses, ["ok", "no-answer"]);
    one.set(idOf(9), ["seen", "192.0.2.9", 10 + round]);
    net.push(one.push(), { host: "192.0.2.1", port: 1223 });
    assertEquals(heard.splice(0), ["told"]);
  }
  assertEquals(net.sent.get("192.0.2.1"), 2 * 90);
  // Two datagrams, one of each protocol, a minute.
  const asked = net.sent.get("192.0.2.2") ?? 0;
  assert(asked <= 2 * 18, `${asked}`);

  // It is back: that is noticed within a minute, and it is registered again.
  const two = new ScriptedRegistry(seededRandom(2), { offers: OFFER.pushes });
  net.registries.set("192.0.2.2", two);
  let rounds = 0;
  do {
    net.mono += 10;
    rounds++;
  } while ((await ask()).includes("no-answer") && rounds < 10);
  assert(rounds <= 7, `${rounds}`);
  assert(two.asked.some(({ question: { flags } }) => (flags & QUESTION_FLAG.keep) === 0));
  registries.close();
});

test("registries are told at once whom to relay, beside rounds and in them", async () => {
  const net = new Net();
  const offers = OFFER.relays | OFFER.pushes;
  const [one, two] = [1, 2].map((number) =>
    new ScriptedRegistry(seededRandom(number), { offers, also: [443] })
  );
  net.registries.set("192.0.2.1", one!).set("192.0.2.2", two!);
  let told = 0;
  const registries = new Registries(net.host, {
    readPrivateKey: () => Promise.resolve(privateKeyOf(1)),
    onTold: () => told++,
    onBehind() {},
  });
  const names = ["one", "two"].map((host): RegistryName => ({ scheme: "wgsig", host, port: 1223 }));
  const addresses = new Map(names.map((name, i) => [name, [`192.0.2.${i + 1}`]]));
  const peer = formatKey(idOf(7));
  const own: OwnReach = {
    candidates: [{ kind: "lan", host: "10.0.0.9", port: 51820 }],
    ...{ probes: true, nat: "easy", relays: [peer], directs: [] },
  };
  const ask = () =>
    net.until(registries.ask(
      {
        ...{ id: ID, secret: SECRET, group: 0, encrypt: false, maxAge: 60 },
        ...{ port: 51820, anyPort: false, register: true, timeout: 5, startedAt: net.mono },
        through: { raw: true, mark: 0 },
      },
      { wants: undefined, beside: false, anew: false, subscribes: true, own, othersAnswer: false },
      addresses,
    ));
  // Nobody is there yet.
  assertEquals(await net.until(registries.tell({ relays: [], directs: [] })), false);
  const { servers } = await ask();
  assertEquals(servers.map(({ status, relay, also }) => [status, relay, also]), [
    ["ok", { host: "192.0.2.1", port: 1223 }, [443]],
    ["ok", { host: "192.0.2.2", port: 1223 }, [443]],
  ]);
  const said = () =>
    [one!, two!].map((registry) =>
      registry.asked.splice(0).map(({ question: { flags, candidates, relayed, directs } }) => {
        const is = flags & QUESTION_FLAG.subscribe ? "subscribes" : "registers";
        return `${is} ${candidates.count} ${relayed.count} ${directs.count}`;
      })
    );
  said();
  await ask();
  const round = ["registers 1 1 0", "subscribes 0 1 0"];
  assertEquals(said(), [round, round]);
  one!.set(idOf(9), ["seen", "192.0.2.9", 9]);
  assertEquals(await net.until(registries.tell({ relays: [], directs: [peer] })), true);
  assertEquals(said(), [["subscribes 0 0 1"], ["subscribes 0 0 1"]]);
  // What came with the answer is news.
  assertEquals(told, 1);

  // Who doesn't answer is asked again, and not waited for for long.
  net.answers = false;
  const before = net.mono;
  assertEquals(await net.until(registries.tell({ relays: [peer], directs: [] })), false);
  assertEquals(net.mono - before <= 1 + 1e-9, true);
  assertEquals(said().map((each) => each.length), [2, 2]);
  // Nothing is left where it is closed meanwhile.
  const telling = registries.tell({ relays: [peer], directs: [] });
  registries.close();
  assertEquals([await telling, net.timers], [false, 0]);
});

test("a registry that is back is heard though nobody else is asked over its family of addresses", async () => {
  // What answers is no registry, or one over IPv6: no datagram comes over IPv4 in the same round.
  for (const others of ["no registry", "2001:db8::1"]) {
    const net = new Net();
    net.roundTrips.set("192.0.2.1", 0.2);
    const names = ["one", "two"].map((host): RegistryName => ({
      scheme: "wgsig",
      host,
      port: 1223,
    }));
    const addresses = new Map([[names[0]!, ["192.0.2.1"]]]);
    if (others !== "no registry") {
      net.registries.set(others, new ScriptedRegistry(seededRandom(1), { offers: OFFER.pushes }));
      addresses.set(names[1]!, [others]);
    }
    let behind = 0;
    const registries = new Registries(net.host, {
      readPrivateKey: () => Promise.resolve(privateKeyOf(1)),
      onTold() {},
      onBehind: () => behind++,
    });
    const ask = async () => {
      const { servers: [dead] } = await net.until(registries.ask(
        {
          ...{ id: ID, secret: SECRET, group: 0, encrypt: false, maxAge: 60 },
          ...{ port: 51820, anyPort: false, register: true, timeout: 5, startedAt: net.mono },
          through: { raw: true, mark: 0 },
        },
        {
          ...{ wants: undefined, beside: false, anew: false, subscribes: true, own: undefined },
          othersAnswer: others === "no registry",
        },
        addresses,
      ));
      return dead?.status;
    };
    for (let round = 0; round < 3; round++) {
      assertEquals(await ask(), "no-answer");
      await net.pass(10);
    }
    const dead = new ScriptedRegistry(seededRandom(2), { offers: OFFER.pushes });
    net.registries.set("192.0.2.1", dead);
    let rounds = 0;
    while (await ask() !== "ok") {
      assert(++rounds < 8, `with ${others}, it is not found again`);
      await net.pass(10);
    }
    assert(behind > 0);
    registries.close();
  }
});

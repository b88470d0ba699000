import { assert, assertEquals } from "@std/assert";
import { LeaseBook } from "../../../../lib/core/lease/server/book.ts";
import { LeaseClient, type LeaseStep } from "../../../../lib/core/lease/client/client.ts";
import type { LeaseBookOptions } from "../../../../lib/core/lease/server/options.ts";
import { LeaseSession } from "../../../../lib/core/lease/server/session.ts";
import { formatKey } from "../../../../lib/core/net/peer_key.ts";
import { joinBytes } from "../../../../lib/wire/bytes/wire_buffer.ts";
import { idOf } from "../../../support/fake_random.ts";
import { encodeAdded, encodeLeases, restoreLeases } from "../../../support/saved_leases.ts";
import { seededNumbers, seededRandom } from "../../../support/seeded_random.ts";
import { test } from "../../../testing.ts";

const OPTIONS: LeaseBookOptions = {
  pools: ["10.0.0.0/28", "fd00::/124"],
  reserved: ["10.0.0.1", "fd00::1"],
  fixed: new Map([[formatKey(idOf(0)), ["10.0.0.5"]]]),
  leaseTime: 600,
  maxLeases: 100,
};

/** One client in the simulation. */
interface Node {
  readonly key: string;
  client: LeaseClient;
  session: LeaseSession | undefined;
  /** What its interface has. */
  readonly addresses: Set<string>;
  nextAt: number;
}

/** How bad the world is in a simulation. */
interface World {
  readonly seed: number;
  readonly clients: number;
  readonly seconds: number;
  /** How many of the connections break, 0 to 1, each way. */
  readonly loss: number;
  /** How often the server is killed, in seconds; it is started again within two minutes. */
  readonly killed: number;
}

/**
 * Days of clients and a server in memory. Connections break at any byte, the server is killed at
 * times, and the network delivers in any pieces.
 */
function simulate({ seed, clients, seconds, loss, killed }: World) {
  const number = seededNumbers(seed);
  // The server's clock is another one.
  const serverNow = (mono: number) => ({ unix: 1e9 + mono, mono: 1e6 + mono });
  let book = new LeaseBook(OPTIONS, seededRandom(seed));
  /** A file that is added to, in pieces. */
  let saved = [encodeLeases(book, serverNow(0))];
  let downUntil = 0;
  let nextKill = number() * 2 * killed;
  const device = new Map<string, readonly string[]>();
  const outcome = { ok: 0, broken: 0, changes: 0, killed: 0 };
  const nodes = Array.from({ length: clients }, (_, i): Node => ({
    key: formatKey(idOf(i)),
    client: new LeaseClient({ wants: { routes: false, peers: false } }),
    session: undefined,
    addresses: new Set(),
    nextAt: number() * 60,
  }));

  const apply = (mono: number) => {
    const changes = book.takeChanges();
    for (const { publicKey, addresses, gone } of changes) {
      device.set(publicKey, addresses);
      book.settled(publicKey, gone);
    }
    if (number() < 0.01) saved = [encodeLeases(book, serverNow(mono))];
    else saved.push(encodeAdded(book, serverNow(mono)));
  };
  const restart = (mono: number) => {
    outcome.killed++;
    nextKill = mono + number() * 2 * killed;
    downUntil = mono + number() * 120;
    book = new LeaseBook(OPTIONS, seededRandom(seed + mono));
    const now = serverNow(downUntil);
    assertEquals(restoreLeases(joinBytes(saved), book, now).dropped, 0);
    for (const node of nodes) {
      if (node.session !== undefined) node.client.lost(mono);
      node.session = undefined;
    }
  };
  const take = (node: Node) => {
    for (const event of node.client.takeEvents()) {
      if (event.kind !== "addresses") continue;
      outcome.changes++;
      for (const address of event.gone) assert(node.addresses.delete(address));
      for (const address of event.addresses) node.addresses.add(address);
      assertEquals([...node.addresses].sort(), [...event.addresses].sort());
    }
  };
  const deliver = (node: Node, bytes: Uint8Array, mono: number) => {
    node.session ??= new LeaseSession(node.key, book);
    const breaks = number() < loss;
    const cut = breaks ? Math.floor(number() * bytes.length) : bytes.length;
    const half = Math.floor(cut / 2);
    const now = serverNow(mono);
    const first = node.session.receive(bytes.subarray(0, half), now);
    const second = node.session.receive(bytes.subarray(half, cut), now);
    assertEquals([first.close, second.close], [false, false]);
    apply(mono);
    const reply = Uint8Array.of(...first.bytes, ...second.bytes);
    const loses = breaks || number() < loss;
    const end = loses ? Math.floor(number() * reply.length) : reply.length;
    for (let at = 0; at < end;) {
      const size = 1 + Math.floor(number() * 40);
      node.client.receive(reply.subarray(at, Math.min(end, at + size)), mono);
      at += size;
    }
    if (loses) {
      outcome.broken++;
      node.session = undefined;
      node.client.lost(mono);
    } else outcome.ok++;
  };

  for (let mono = 0; mono < seconds;) {
    if (mono >= nextKill) restart(mono);
    const isUp = mono >= downUntil;
    if (isUp) {
      book.expire(serverNow(mono).mono);
      apply(mono);
    }
    for (const node of nodes) {
      while (node.nextAt <= mono) {
        const step: LeaseStep = node.client.next(mono);
        take(node);
        if (step.kind === "wait") {
          node.nextAt = Math.max(step.until, mono + 0.001);
        } else if (step.kind === "ask") {
          if (isUp) deliver(node, step.bytes, mono);
          else node.client.lost(mono);
          take(node);
        } else {
          node.session = undefined;
          node.client.lost(mono);
        }
      }
    }
    // Nobody has what another one has.
    const all = nodes.flatMap(({ addresses }) => [...addresses]);
    assert(new Set(all).size === all.length, `at ${mono}`);
    // Who has something has it at the server as well.
    for (const { key, addresses } of isUp ? nodes : []) {
      for (const address of addresses) {
        assert(device.get(key)?.includes(address), `${address} at ${mono}`);
      }
    }
    mono = Math.min(nextKill, ...nodes.map(({ nextAt }) => nextAt));
  }
  return { book, nodes, outcome };
}

test("clients keep their addresses for days, over connections that break", () => {
  const { nodes, outcome } = simulate({
    seed: 1,
    clients: 8,
    seconds: 3 * 86_400,
    loss: 0.2,
    killed: 7200,
  });
  for (const { addresses } of nodes) assertEquals(addresses.size, 2);
  assert(nodes[0]!.addresses.has("10.0.0.5/32"));
  assert(outcome.broken > 500 && outcome.ok > 2000 && outcome.killed > 20, JSON.stringify(outcome));
  // Only a server that is away for longer than a renewal has time makes an address change.
  assert(outcome.changes < outcome.ok / 10, JSON.stringify(outcome));
});

test("on a network that loses nothing, an address never changes", () => {
  const { nodes, outcome } = simulate({
    seed: 2,
    clients: 6,
    seconds: 3 * 86_400,
    loss: 0,
    killed: Infinity,
  });
  for (const { addresses } of nodes) assertEquals(addresses.size, 2);
  assertEquals(outcome.changes, nodes.length);
  assertEquals(outcome.ok, nodes.length * Math.ceil(3 * 86_400 / 570));
});

test("more clients than addresses share what there is", () => {
  const { nodes } = simulate({ seed: 3, clients: 20, seconds: 43_200, loss: 0.1, killed: 7200 });
  const all = nodes.flatMap(({ addresses }) => [...addresses]);
  const ipv6 = all.filter((address) => address.includes(":")).length;
  // 10.0.0.2 to 10.0.0.14, and fd00::2 to fd00::f; a few are on their way.
  assert(ipv6 >= 11 && ipv6 <= 14, `${ipv6}`);
  assert(all.length - ipv6 >= 10 && all.length - ipv6 <= 13, `${all.length - ipv6}`);
});

test("when all have given back, the server holds nothing", () => {
  const { nodes, book } = simulate({
    seed: 4,
    clients: 8,
    seconds: 7200,
    loss: 0.1,
    killed: Infinity,
  });
  for (const { client, key } of nodes) {
    const { bytes } = new LeaseSession(key, book).receive(client.end(), { unix: 0, mono: 2e6 });
    assert(["errno=0\n\n", ""].includes(String.fromCharCode(...bytes)));
  }
  assertEquals(book.count, 0);
});

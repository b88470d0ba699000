/** Two machines, each with an interface: what the lab tries with real ones, in milliseconds. */

import { assert, assertEquals } from "@std/assert";
import { test } from "../../testing.ts";
import { World, type WorldHost } from "./world.ts";

const INTERVAL = 3;
/** After a move: a poll comes after half an interval at most, and the peer's half one later. */
const LIMIT = INTERVAL + 2;
/** The port is borrowed once an interval, on each side. */
const BORROW_LIMIT = 2 * INTERVAL + 2;
/** WireGuard's first handshake is lost, and it waits for the next. */
const HANDSHAKE = 5;
const HOUR = 3600;

const NEW_A = "203.0.113.31:51820";
const NEW_B = "203.0.113.32:35436";

/** A world in which a tunnel is up, and both sides know it. */
function tunnel(options: Parameters<World["pair"]>[0] = {}): [World, WorldHost, WorldHost] {
  const world = new World();
  const [alice, bob] = world.pair({ interval: INTERVAL, ...options });
  const isUp = () => [alice, bob].every(({ events }) => events.includes("peer-alive"));
  world.until(isUp, 10);
  return [world, alice, bob];
}

test("sync: a tunnel comes up between two that know only each other's keys", () => {
  const world = new World();
  const [alice, bob] = world.pair();
  assert(world.until(() => world.works(alice, bob), 3) < 3);
  world.run(3);
  assertEquals(alice.log.map((line) => line.replaceAll(bob.key, "BOB")), [
    'info interface-found interface=wg0 port=51820 register=raw why="as the settings say"',
    "info own-endpoint endpoint=203.0.113.21:51820",
    "info endpoint-set key=BOB endpoint=203.0.113.22:35436 persistentKeepalive=25",
    "info peer-alive key=BOB endpoint=203.0.113.22:35436",
  ]);
});

const MOVES: readonly (readonly [string, (alice: WorldHost, bob: WorldHost) => void])[] = [
  ["own address", (alice) => alice.move(NEW_A)],
  ["own NAT", (alice) => alice.move("203.0.113.21:7")],
  ["peer's address", (_, bob) => bob.move(NEW_B)],
  ["both addresses", (alice, bob) => {
    alice.move(NEW_A);
    bob.move(NEW_B);
  }],
];

for (const register of ["raw", "borrow"] as const) {
  test(`sync: tunnels come back when public addresses change, registered by ${register}`, () => {
    for (const [what, move] of MOVES) {
      // At any moment of an interval.
      for (let moment = 0; moment < 2 * INTERVAL; moment += 0.7) {
        const [world, alice, bob] = tunnel({ register });
        world.run(60 + moment);
        const writes = alice.kinds().length;
        move(alice, bob);
        assertEquals(world.works(alice, bob), false, what);
        const limit = register === "borrow" ? BORROW_LIMIT : LIMIT;
        world.until(() => world.works(alice, bob), limit);
        world.run(30);
        assert(world.works(alice, bob), what);
        assert(alice.kinds().length > writes);
      }
    }
  });
}

test("sync: after the own endpoint has moved, the peer is nudged until it has found it", () => {
  // A keepalive would tell it only after 25 s.
  const [world, alice, bob] = tunnel();
  world.run(2);
  alice.move(NEW_A);
  world.until(() => world.works(alice, bob), LIMIT);
  assertEquals(bob.endpointOf(alice), NEW_A);
  assert(alice.all("nudge-peer").length > 0);
  // Something of bob's says that he knows.
  world.run(30);
  const nudges = alice.all("nudge-peer").length;
  assert(nudges < 35, `${nudges}`);
  world.run(600);
  assertEquals(alice.all("nudge-peer").length, nudges);
});

test("sync: a healthy tunnel is left alone", () => {
  const [world, alice, bob] = tunnel({ interval: 25 });
  const logs = [alice.log, bob.log];
  const since = world.second;
  world.run(HOUR);
  assertEquals([alice.log, bob.log], logs);
  for (const host of [alice, bob]) {
    const kinds = host.kinds(since);
    assertEquals([...new Set(kinds)].toSorted(), ["ask", "read-device"]);
    // The servers are asked twice an interval, the interface is read once; a wait may be 10 % less.
    const reads = kinds.filter((kind) => kind === "read-device").length;
    const asks = kinds.length - reads;
    assert(reads >= HOUR / 25 && reads <= HOUR / 25 / 0.9 + 1, `${reads} reads`);
    assert(Math.abs(asks - 2 * reads) <= 2, `${asks} questions, ${reads} reads`);
  }
});

test("sync: a peer's move is known after half an interval, wherever in one it comes", () => {
  const endpoint = { host: "203.0.113.32", port: 35_436 };
  for (const isAlive of [true, false]) {
    for (let moment = 0; moment < 25; moment += 1.7) {
      const world = new World();
      const [alice, bob] = world.pair({ interval: 25 });
      world.run(60);
      // From here on, servers say where bob is, and he himself does nothing.
      world.hosts.pop();
      // Nothing is hurried ten minutes after he was lost.
      world.run((isAlive ? 0 : 900) + moment);
      const since = world.second;
      const seconds = Math.floor(world.now.unix);
      world.registries[0]!.records.set(bob.key, { endpoint, seconds });
      const isKnown = () => isAlive ? alice.opened.has(NEW_B) : alice.endpointOf(bob) === NEW_B;
      assert(world.until(isKnown, 14) < 13);
      // While he is alive, the path may work as it is: the NAT is only opened to where he is.
      assertEquals(alice.kinds(since).includes("set-peer"), !isAlive);
    }
  }
});

test("sync: while the port is borrowed to register, it is so once an interval", () => {
  const [world, alice] = tunnel({ register: "borrow", interval: 25 });
  const before = alice.all("ask").length;
  world.run(HOUR);
  const ways = alice.all("ask").slice(before).map(({ question }) => question.way);
  const borrowed = ways.filter((way) => way === "borrow").length;
  assert(borrowed <= HOUR / 25 / 0.8 + 1, `${borrowed} times`);
  assert(borrowed >= HOUR / 25 * 0.9, `${borrowed} times`);
  assert(ways.length > 1.8 * borrowed);
});

test("sync: registries that restart without their state change nothing", () => {
  const [world, alice, bob] = tunnel();
  for (const registry of world.registries) registry.records.clear();
  const logs = [alice.log, bob.log];
  world.run(60);
  assertEquals([alice.log, bob.log], logs);
  alice.move(NEW_A);
  world.until(() => world.works(alice, bob), LIMIT);
});

test("sync: a dead server is told of once, and asked less and less", () => {
  const [world, alice, bob] = tunnel({ interval: 25 });
  for (const registry of world.registries) registry.isUp = false;
  const told = alice.log.length;
  const since = world.second;
  world.run(HOUR);
  // The warning holds the time, which is another one at each question.
  assertEquals(alice.log.slice(told).map((line) => line.replace(/clock [\d.]+/, "clock …")), [
    "warn server-status server=registry:1223 status=no-answer",
    'warn server why="no answer (clock …)"',
  ]);
  assert(world.works(alice, bob), "the tunnel needs no server");
  const times = alice.done.filter(({ action, second }) => action.kind === "ask" && second >= since)
    .map(({ second }) => second);
  const waits = times.slice(2).map((time, i) => time - times[i + 1]! - 3);
  // 1, 2, 4 … 60 s, each 10 % more or less.
  waits.forEach((wait, i) => {
    const expected = Math.min(60, 2 ** (i + (waits[0]! > 1.5 ? 1 : 0)));
    assert(Math.abs(wait - expected) <= 0.1 * expected + 0.2, `${waits.map(Math.round)}`);
  });
  for (const registry of world.registries) registry.isUp = true;
  world.until(() => alice.log.at(-1) === "info server-status server=registry:1223 status=ok", 70);
});

test("sync: a server that is away while an address changes is found when it is back", () => {
  const [world, alice, bob] = tunnel();
  for (const registry of world.registries) registry.isUp = false;
  world.run(20);
  alice.move(NEW_A);
  bob.move(NEW_B);
  world.run(20);
  assertEquals(world.works(alice, bob), false);
  for (const registry of world.registries) registry.isUp = true;
  world.until(() => world.works(alice, bob), 70);
});

test("sync: one server of two that is dead changes nothing", () => {
  const world = new World(["a:1223", "b:1223"]);
  const [alice, bob] = world.pair({ interval: INTERVAL });
  world.registries[0]!.isUp = false;
  world.until(() => world.works(alice, bob), 10);
  alice.move(NEW_A);
  // Each question takes as long as the dead one lets it.
  world.until(() => world.works(alice, bob), LIMIT + 6);
  assertEquals(alice.events.filter((event) => event === "server-status").length, 1);
});

test("sync: a peer that no endpoint reaches is told of once, with what the NAT does", () => {
  const world = new World(["a:1223", "b:1223"]);
  const [alice, bob] = world.pair();
  // Each server sees another endpoint, and packets to peers come from a third.
  alice.seenBy = ["203.0.113.21:1001", "203.0.113.21:1002"];
  alice.publicEndpoint = "203.0.113.21:1003";
  world.run(200);
  const told = alice.log.filter((line) => line.includes(" peer-unreachable "));
  assertEquals(told.length, 1, alice.log.join("\n"));
  assert(told[0]!.includes(" nat=sequential "), told[0]);
  assertEquals(alice.events.filter((event) => event === "nat").length, 1);
  assertEquals(alice.events.filter((event) => event === "own-endpoint").length, 1);
  const ofBob = bob.log.find((line) => line.includes(" peer-unreachable "));
  assert(ofBob?.includes(" nat=easy "), bob.log.join("\n"));
});

test("sync: it waits for the interface, and follows it", () => {
  const world = new World();
  const [alice, bob] = world.pair({ interval: INTERVAL });
  alice.isThere = false;
  world.run(20);
  assertEquals(alice.log, ["info waiting interface=wg0"]);
  alice.isThere = true;
  world.until(() => world.works(alice, bob), 3);
  alice.stop();
  world.until(() => alice.log.at(-1) === "info waiting interface=wg0", LIMIT);
  alice.isThere = true;
  world.until(() => world.works(alice, bob), LIMIT);
  const found = alice.events.filter((event) => event === "interface-found");
  assertEquals([found.length, alice.events.includes("interface-changed")], [2, false]);
});

test("sync: an interface that goes at any moment is found again when it is back", () => {
  for (let moment = 0; moment < 2 * INTERVAL; moment += 0.1) {
    const [world, alice, bob] = tunnel();
    world.run(30 + moment);
    alice.stop();
    // What the servers say of bob makes a poll look.
    bob.move(NEW_B);
    world.until(() => alice.log.at(-1) === "info waiting interface=wg0", LIMIT);
    world.run(10);
    alice.isThere = true;
    world.until(() => alice.events.at(-1) !== "waiting", 2);
    world.until(() => world.works(alice, bob), 20);
  }
});

test("sync: an interface that was made anew between two looks is another one", () => {
  const [world, alice, bob] = tunnel();
  world.run(20);
  alice.stop();
  alice.isThere = true;
  alice.listenPort = 7;
  alice.move("203.0.113.21:7");
  world.until(() => world.works(alice, bob), LIMIT + HANDSHAKE);
  assert(alice.log.some((line) => line.startsWith("info interface-changed interface=wg0 port=7 ")));
  assert(alice.log.includes("info own-endpoint endpoint=203.0.113.21:7"), "it has not moved");
});

test("sync: WireGuard restarts on one side, then on the other", () => {
  const [world, alice, bob] = tunnel();
  for (const host of [alice, bob]) {
    world.run(20);
    host.stop();
    host.isThere = true;
    world.until(() => world.works(alice, bob), LIMIT);
    assertEquals(alice.endpointOf(bob), bob.publicEndpoint);
  }
});

test("sync: a wrong clock is told of once, and waited for", () => {
  const world = new World();
  const [alice, bob] = world.pair({ interval: INTERVAL });
  alice.clockError = 300 - world.now.unix;
  world.run(120);
  const [first, ...rest] = alice.log.filter((line) => / clock-/.test(line));
  assert(first?.startsWith("error clock-wrong clock=1970-01-01T"), first);
  assertEquals(rest, []);
  const asks = alice.all("ask").length;
  // A question takes 3 s, and a wait 2 s.
  assert(asks > 120 / 6 && asks < 120 / 4.5, `${asks}`);
  alice.clockError = 0;
  world.until(() => alice.events.includes("clock-set"), 6);
  world.until(() => world.works(alice, bob), 6);
});

test("sync: who is lost is told of, and who comes back", () => {
  const [world, alice, bob] = tunnel();
  world.run(10);
  bob.stop();
  world.until(() => alice.events.at(-1) === "peer-lost", 140);
  bob.isThere = true;
  world.until(() => alice.events.at(-1) === "peer-alive", 20);
  assert(world.works(alice, bob));
});

test("sync: fifty moves of both sides, at any time, and the tunnel comes back each time", () => {
  const [world, alice, bob] = tunnel();
  for (let i = 0; i < 50; i++) {
    world.run((i * 7.3) % 11);
    const host = i % 3 === 0 ? bob : alice;
    host.move(`203.0.113.${100 + i}:${1000 + i}`);
    if (i % 5 === 0) bob.move(`203.0.113.${200 - i}:${2000 + i}`);
    world.until(() => world.works(alice, bob), 2 * LIMIT);
  }
});

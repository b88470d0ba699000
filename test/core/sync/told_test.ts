/** What a machine does where servers tell of changes without being asked. */

import { assert, assertEquals } from "@std/assert";
import { test } from "../../testing.ts";
import { newPeer, World, type WorldHost } from "./world.ts";

const INTERVAL = 25;
const HOUR = 3600;
const NEW_B = "203.0.113.32:35436";

/** A world whose registries push, in which a tunnel is up, and both sides know it. */
function tunnel(): [World, WorldHost, WorldHost] {
  const world = new World();
  world.pushes = true;
  const [alice, bob] = world.pair({ interval: INTERVAL });
  const isUp = () => [alice, bob].every(({ events }) => events.includes("peer-alive"));
  world.until(isUp, 10);
  world.run(30);
  return [world, alice, bob];
}

/** The seconds in which an action of a kind was begun. */
function secondsOf(host: WorldHost, kind: string): number[] {
  return host.done.filter(({ action }) => action.kind === kind).map(({ second }) => second);
}

test("sync: a peer that has moved is followed as soon as servers tell of it", () => {
  for (let moment = 0; moment < INTERVAL; moment += 3.1) {
    const [world, alice, bob] = tunnel();
    world.run(moment);
    bob.move(NEW_B);
    // He sees it himself when he asks, and that is told.
    world.until(() => bob.log.some((line) => line.includes(`own-endpoint endpoint=${NEW_B}`)), 14);
    const asked = alice.all("ask").length;
    assert(world.until(() => alice.endpointOf(bob) === NEW_B, 1) <= 0.2);
    assertEquals(alice.all("ask").length, asked, "nothing had to be asked");
    world.run(0.1);
    assert(alice.all("nudge-peer").length > 0, "WireGuard says something at once");
    assert(world.until(() => world.works(alice, bob), 2) <= 2);
    // Something is awaited of him until he has been heard, which is at his next keepalive at the latest.
    world.run(30);
    const nudges = alice.all("nudge-peer").length;
    assert(nudges < 30, `${nudges}`);
    world.run(100);
    assertEquals(alice.all("nudge-peer").length, nudges);
    assertEquals(alice.all("set-peer").length, 2);
  }
});

test("sync: who is told of a peer leaves it the first word", () => {
  const beginnings = new Map<string, number>();
  for (const [first, second] of [[0, 1], [1, 0]] as const) {
    const world = new World();
    world.pushes = true;
    const hosts = world.pair({ interval: INTERVAL });
    const [one, other] = [hosts[first], hosts[second]];
    other.isThere = false;
    world.run(20);
    other.isThere = true;
    world.until(() => one.all("set-peer").length > 0 && other.all("set-peer").length > 0, 10);
    const [told] = secondsOf(one, "set-peer");
    const [asked] = secondsOf(other, "set-peer");
    assert(told! - asked! > 0.1 && told! - asked! < 0.8, `${told} ${asked}`);
    beginnings.set(`${one.key < other.key}`, told! - asked!);
    world.until(() => world.works(one, other), 1);
  }
  // The two never take it at the same moment, whoever was told.
  assert(beginnings.get("true")! < beginnings.get("false")!, `${[...beginnings]}`);
});

test("sync: what servers tell does not put off what is asked, and wakes nobody in vain", () => {
  const [world, alice] = tunnel();
  const carol = world.host("203.0.113.40:1000", { interval: INTERVAL });
  carol.isThere = true;
  carol.peers.set(alice.key, newPeer());
  const since = world.second;
  const log = [...alice.log];
  const news = () => alice.log.filter((line) => !line.includes(" peer-unknown "));
  // A member that moves all the time, and is no peer of alice.
  for (let i = 0; world.second < since + HOUR; i++) {
    carol.move(`203.0.113.40:${1001 + i}`);
    carol.machine.look();
    world.run(2);
  }
  assertEquals(news(), log);
  const asks = secondsOf(alice, "ask").filter((second) => second > since);
  const reads = secondsOf(alice, "read-device").filter((second) => second > since);
  assert(reads.length <= HOUR / INTERVAL / 0.9 + 1, `${reads.length} reads`);
  const gaps = asks.slice(1).map((second, i) => second - asks[i]!);
  assert(Math.max(...gaps) <= INTERVAL / 2 + 1, `${Math.max(...gaps)}`);
  assertEquals(alice.all("set-peer").length, 1);
});

test("sync: a server that tells of more than it has told is asked, once a second at most", () => {
  const [world, alice] = tunnel();
  const since = world.second;
  const asked = () => secondsOf(alice, "ask").filter((second) => second >= since);
  alice.machine.heard({ kind: "behind" }, alice.now());
  world.run(0.1);
  assertEquals(asked().length, 1);
  for (let i = 0; i < 200; i++) {
    alice.machine.heard({ kind: "behind" }, alice.now());
    world.run(0.05);
  }
  assert(asked().length >= 5 && asked().length <= 12, `${asked().length}`);
});

test("sync: what servers tell while there is no interface is of no matter", () => {
  const [world, alice, bob] = tunnel();
  alice.stop();
  world.run(30);
  bob.move(NEW_B);
  bob.machine.look();
  world.run(5);
  assertEquals(alice.endpointOf(bob), undefined);
  alice.isThere = true;
  world.until(() => world.works(alice, bob), 10);
});

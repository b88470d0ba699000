/** The machine of a lease server: what comes before what, and what a failure takes with it. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { MOST_TOGETHER } from "../../../../lib/core/lease/server/request_batcher.ts";
import type { LeaseServerStep } from "../../../../lib/core/lease/server/steps.ts";
import { test } from "../../../testing.ts";
import {
  addressOf,
  ANY,
  askFor,
  begun,
  type Failing,
  HUB,
  keyOf,
  LeaseWorld,
  NOTHING,
} from "./lease_world.ts";

const GRANTED = /^ip=10\.20\.\d+\.\d+\/32\n.*errno=0\n\n$/s;
const OUT_OF_MEMORY: Failing = { why: "Out of memory" };
const NEW_GRANT = ["save", "read-allowed-ips", "set-allowed-ips", "save", "answer"];

/** Fails where a peer of these is set. */
function refusing(...peers: number[]) {
  const keys = peers.map(keyOf);
  return (step: LeaseServerStep): Failing | undefined => {
    const isOne = step.kind === "set-allowed-ips" && keys.some((key) => step.peers.has(key));
    return isOne ? OUT_OF_MEMORY : undefined;
  };
}

/** Fails where a step is of this kind, the first times. */
function failing(kind: LeaseServerStep["kind"], times = Infinity, how = OUT_OF_MEMORY) {
  return (step: LeaseServerStep) => step.kind === kind && times-- > 0 ? how : undefined;
}

test("a look comes first: read, reserve, tidy, save, set up, listen; and again every two seconds", () => {
  const world = new LeaseWorld();
  world.settle();
  const look = [
    "read-device",
    "read-own-addresses",
    "save",
    "save",
    "read-link",
    "read-routes",
  ];
  const [first = "", restore, ...rest] = world.takeDone();
  assertEquals([first, restore], ["read-device", "restore"]);
  assertEquals(rest, [...look.slice(1), "listen"]);
  assertEquals(world.waitsUntil, world.mono + 2);
  world.pass(1.9);
  world.settle();
  assertEquals(world.takeDone(), []);
  world.look(0.1);
  assertEquals(world.takeDone(), look);
  assertEquals(world.waitsUntil, world.mono + 2);
  assertEquals(world.log, ["info lease-listening address=[fe80::%wg0]:970 leases=0"]);
});

test("what is granted is on the disk before the device, on the device before the answer", () => {
  const world = begun();
  const visitor = world.visitor(addressOf(0));
  assertMatch(world.answer(visitor), GRANTED);
  assertEquals(world.takeDone(), NEW_GRANT);
  const [lease = ""] = world.leaseOf(0);
  assertEquals(world.allowed(0), [`${addressOf(0)}/128`, lease]);
  // A renewal needs neither.
  world.pass(0.5);
  assertMatch(world.answer(visitor, askFor(lease)), GRANTED);
  assertEquals(world.takeDone(), ["answer"]);
  // What is given back is off the device before that is on the disk.
  assertEquals(world.answer(visitor, NOTHING), "errno=0\n\n");
  assertEquals(world.takeDone(), NEW_GRANT.slice(1));
  assertEquals(world.allowed(0), [`${addressOf(0)}/128`]);
  assertEquals(world.counters.get("lease-answered"), 3);
  // Another one instead: both at once.
  assertMatch(world.answer(visitor), GRANTED);
  world.takeDone();
  assertMatch(world.answer(visitor), GRANTED);
  assertEquals(world.takeDone(), NEW_GRANT);
  assertEquals(world.allowed(0)?.length, 2);
});

test("what comes while a group is answered is the next one, of so many at most", () => {
  const many = MOST_TOGETHER + 20;
  const world = begun({ pools: ["10.20.0.0/16"] }, many + 1);
  world.ask(0);
  world.until("save");
  for (let i = 1; i <= many; i++) world.ask(i);
  world.until("answer");
  assertEquals(world.takeTold().length, 1);
  world.until("answer");
  assertEquals(world.takeTold().length, MOST_TOGETHER);
  world.until("answer");
  const last = world.takeTold();
  assertEquals(last.length, 20);
  for (const text of last) assertMatch(text, GRANTED);
  assertEquals(world.sets.map(({ length }) => length), [1, MOST_TOGETHER, 20]);
});

test("of two requests of one peer, the second waits for the next group", () => {
  const world = begun();
  world.set(keyOf(0), [`${addressOf(0)}/128`, `${addressOf(9)}/128`]);
  world.look();
  world.takeDone();
  // The other order: between them, somebody else.
  world.ask(0);
  world.ask(1);
  world.ask(world.visitor(addressOf(9)));
  world.until("answer");
  const first = world.told.splice(0);
  assertEquals(first.map(({ address }) => address), [addressOf(0), addressOf(1)]);
  const [told = ""] = /^ip=(\S+)/.exec(first[0]!.text)?.slice(1) ?? [];
  assertEquals(world.allowed(0)?.includes(told), true);
  world.until("answer");
  assertEquals(world.told.map(({ address }) => address), [addressOf(9)]);
  const [second = ""] = /^ip=(\S+)/.exec(world.told[0]!.text)?.slice(1) ?? [];
  assertEquals([world.allowed(0)?.includes(told), world.allowed(0)?.includes(second)], [
    false,
    true,
  ]);
});

test("one that only wants to know who it is waits for nobody, and strangers are nobody", () => {
  const world = begun();
  const visitors = [addressOf(0), "fe80::99", "10.0.0.1"].map((each) => world.visitor(each));
  const bytes = new Uint8Array(0);
  for (const visitor of visitors) world.server.ask({ visitor, bytes }, world.now);
  world.ask(visitors[0]!);
  world.settle();
  assertEquals(world.takeTold().map((text) => text.slice(0, 3)), ["", "abo", "abo", "ip="]);
  assertEquals(world.counters.get("lease-stranger"), 2);
  assertEquals(visitors[1]?.known, undefined);
});

test("the device is read for a stranger once a second, for a known one after three", () => {
  const world = begun();
  const reads = (peer: number) => {
    world.takeDone();
    world.ask(peer, NOTHING);
    world.until("answer");
    return world.takeDone().filter((kind) => kind === "read-device").length;
  };
  for (const [seconds, peer, count] of [[0.5, 9, 0], [0.4, 0, 0], [0.2, 9, 1], [0.7, 9, 0]]) {
    world.pass(seconds!);
    assertEquals(reads(peer!), count);
  }
  // What a slow change lets grow old.
  for (const [takes, peer, count] of [[2.5, 0, 0], [3.5, 0, 1], [2.5, 9, 1]]) {
    world.look();
    world.fails = failing("set-allowed-ips", 1, { ...OUT_OF_MEMORY, takes: takes! });
    world.ask(1);
    world.until("set-allowed-ips");
    world.ask(peer!, NOTHING);
    world.until("answer");
    world.takeDone();
    world.until("answer");
    assertEquals(world.takeDone().filter((kind) => kind === "read-device").length, count);
  }
  // What could not be read is read again.
  world.fails = failing("read-device");
  world.look();
  world.fails = () => undefined;
  assertEquals(reads(0), 1);
});

test("a failure at any step of a request ends that, and nothing else", () => {
  const kinds = ["read-device", "save", "read-allowed-ips", "set-allowed-ips"] as const;
  for (const kind of kinds) {
    // The second in a row fails as well: what could not be done is done again at once.
    for (const times of [1, 2, 3]) {
      const world = begun();
      world.pass(1.9);
      world.fails = failing(kind, times);
      // Nobody is known there as far as was read.
      world.set(keyOf(7), [`${addressOf(7)}/128`]);
      const visitor = world.ask(7);
      world.ask(1, NOTHING);
      world.until("answer");
      world.fails = () => undefined;
      const told = world.told.find(({ address }) => address === addressOf(7))?.text ?? "";
      const isRetried = times < 2 && kind !== "read-device";
      assertEquals(told, isRetried ? told : "aborted", `${kind} ${times}`);
      if (isRetried) assertMatch(told, GRANTED);
      // Who needs none of it has its answer.
      const other = world.told.find(({ address }) => address === addressOf(1))?.text;
      assertEquals(other, kind === "read-device" ? "aborted" : "errno=0\n\n", kind);
      assertEquals(world.told.length, 2, kind);
      world.takeTold();
      // All is made up for, and the same connection could go on.
      world.look();
      world.look();
      assertEquals(world.allowed(7)?.slice(1), world.leaseOf(7), kind);
      const leases = [...world.book.leases()].map(({ publicKey }) => publicKey).sort();
      const onDisk = [...world.disk.values()].filter(({ expiresAt }) => expiresAt !== undefined);
      assertEquals(onDisk.map(({ publicKey }) => publicKey).sort(), leases, kind);
      assertMatch(world.answer(visitor, askFor("0.0.0.0")), GRANTED);
      assert(world.isListening);
    }
  }
});

test("a peer that can't be set takes no other with it, and is set apart from then on", () => {
  const world = begun({ pools: ["10.20.0.0/16"] }, MOST_TOGETHER);
  const bad = 77;
  world.fails = refusing(bad);
  let calls = 0;
  const askAll = () => {
    world.sets.length = 0;
    calls = 0;
    const { fails } = world;
    world.fails = (step) => {
      if (step.kind === "set-allowed-ips") calls++;
      return fails(step);
    };
    for (let i = 0; i < MOST_TOGETHER; i++) world.ask(i);
    world.until("answer");
    world.fails = fails;
    const aborted = world.told.filter(({ text }) => text === "aborted");
    assertEquals(aborted.map(({ address }) => address), [addressOf(bad)]);
    assertEquals(world.told.splice(0).length, MOST_TOGETHER);
    for (let i = 0; i < MOST_TOGETHER; i++) {
      assertEquals(world.allowed(i)?.slice(1), i === bad ? [] : world.leaseOf(i));
    }
  };
  askAll();
  // All, and then halves down to the one.
  assert(calls <= 2 + 2 * Math.log2(MOST_TOGETHER), `${calls}`);
  const why = `error lease-not-applied key=${keyOf(bad)} why=Out of memory`;
  assertEquals(world.log.filter((line) => line.includes("not-applied")), [why]);
  askAll();
  // The others, the one, and the one again.
  assertEquals(calls, 3);
  world.fails = () => undefined;
  world.look();
  assertEquals(world.allowed(bad)?.slice(1), world.leaseOf(bad));
  world.sets.length = 0;
  for (let i = 0; i < MOST_TOGETHER; i++) world.ask(i);
  world.until("answer");
  assertEquals(world.sets.length, 1);
  assertEquals(world.log.filter((line) => line.includes("not-applied")), [why]);
});

test("where nothing can be set, it is not tried with everybody, nor again where it takes long", () => {
  const world = begun({ pools: ["10.20.0.0/16"] }, MOST_TOGETHER);
  for (const [takes, most] of [[0.01, 1 + 12], [5, 2]] as const) {
    let calls = 0;
    world.fails = (step) => {
      if (step.kind !== "set-allowed-ips") return undefined;
      calls++;
      return { ...OUT_OF_MEMORY, takes };
    };
    for (let i = 0; i < MOST_TOGETHER; i++) world.ask(i);
    world.until("answer");
    assertEquals(new Set(world.takeTold()), new Set(["aborted"]));
    assert(calls > 1 && calls <= most, `${calls}`);
    // Each is told of once.
    const told = world.log.filter((line) => line.includes("not-applied"));
    assertEquals([told.length, new Set(told).size], [MOST_TOGETHER, MOST_TOGETHER]);
  }
  world.fails = () => undefined;
  world.sets.length = 0;
  world.look();
  for (let i = 0; i < MOST_TOGETHER; i++) {
    assertEquals(world.allowed(i)?.slice(1), world.leaseOf(i));
  }
  assertEquals(world.sets.length, 1);
});

test("many that can't be set keep the others waiting for a few looks at most", () => {
  const peers = 300;
  const world = begun({ pools: ["10.20.0.0/16"] }, peers);
  const bad = Array.from({ length: 30 }, (_, i) => i * 10 + (i * i) % 10);
  for (let i = 0; i < peers; i++) world.ask(i);
  world.settle();
  world.takeTold();
  // The device was made anew, and doesn't take them all.
  for (let i = 0; i < peers; i++) world.set(keyOf(i), [`${addressOf(i)}/128`]);
  world.fails = refusing(...bad);
  let looks = 0;
  const lacks = () =>
    Array.from({ length: peers }, (_, i) => i).filter((i) => world.allowed(i)?.length === 1);
  while (lacks().length > bad.length && looks++ < 20) world.look();
  assertEquals(lacks(), bad);
  assert(looks <= 10, `${looks}`);
  // Each of them gets well by itself, whatever the others do.
  for (const well of [bad[29]!, bad[0]!, bad[15]!]) {
    const ill = bad.filter((each) => each !== well);
    world.fails = refusing(...ill);
    for (looks = 0; lacks().includes(well) && looks < 40; looks++) world.look();
    assertEquals(lacks(), ill);
    world.set(keyOf(well), [`${addressOf(well)}/128`]);
  }
  world.fails = () => undefined;
  world.look();
  assertEquals(lacks(), []);
});

test("after a change that failed half-way, nothing of it is believed", () => {
  const world = begun({}, 4);
  for (const i of [0, 1]) world.answer(i);
  const [own = ""] = world.leaseOf(0);
  // The first of two is done, and then the device can't even be read.
  let isDone = false;
  world.fails = (step) => {
    if (step.kind === "read-allowed-ips") return isDone ? OUT_OF_MEMORY : undefined;
    if (step.kind !== "set-allowed-ips") return undefined;
    const [[publicKey, allowedIps] = ["", []]] = step.peers;
    world.set(publicKey, allowedIps);
    isDone = true;
    return OUT_OF_MEMORY;
  };
  world.ask(0, NOTHING);
  world.ask(1, NOTHING);
  world.until("answer");
  assertEquals(world.takeTold(), ["aborted", "aborted"]);
  assertEquals([world.allowed(0)?.length, world.allowed(1)?.length], [1, 2]);
  // It has lost its address, whatever was there before.
  world.fails = failing("read-allowed-ips");
  assertEquals(world.answer(0, askFor(own)), "aborted");
  world.fails = () => undefined;
  assertMatch(world.answer(0, askFor(own)), GRANTED);
  // One that was done has nothing to be done any more.
  isDone = false;
  world.fails = (step) => {
    if (step.kind !== "set-allowed-ips" || isDone) return undefined;
    isDone = true;
    for (const [publicKey, allowedIps] of step.peers) world.set(publicKey, allowedIps);
    return OUT_OF_MEMORY;
  };
  world.sets.length = 0;
  assertMatch(world.answer(2), GRANTED);
  assertEquals([world.sets.length, world.leaseOf(2)], [0, world.allowed(2)?.slice(1)]);
});

test("what ends with another's request is taken back, also where that fails", () => {
  for (const kind of ["save", "read-allowed-ips", "set-allowed-ips"] as const) {
    const world = begun({ leaseTime: 10 });
    world.answer(0);
    for (let i = 0; i < 5; i++) world.look(1.9);
    world.pass(0.6);
    world.fails = failing(kind, 2);
    world.ask(1);
    world.until("answer");
    assertEquals([world.leaseOf(0).length, world.allowed(0)?.length], [0, 2], kind);
    world.fails = () => undefined;
    world.look();
    assertEquals(world.allowed(0)?.length, 1, kind);
  }
});

test("a disk that takes nothing keeps nobody waiting; all is there once it takes something", () => {
  const world = begun();
  world.isDiskFull = true;
  assertMatch(world.answer(0), GRANTED);
  assertMatch(world.answer(1), GRANTED);
  assertEquals(world.disk.size, 0);
  world.isDiskFull = false;
  world.look();
  assertEquals(world.disk.size, 2);
  // A save that is refused altogether (none of our stores does) ends what waits for it alone.
  world.fails = failing("save");
  assertEquals(world.answer(2), "aborted");
  const [lease = ""] = world.leaseOf(0);
  assertMatch(world.answer(0, askFor(lease)), GRANTED);
  world.look();
  assertMatch(world.log.at(-1) ?? "", /^warn lease-waiting .*why=Out of memory$/);
  world.fails = () => undefined;
  world.look();
  assert(world.isListening);
  assertEquals(world.allowed(2)?.slice(1), world.leaseOf(2));
});

test("an address that goes to another peer during a request is no identity of the old one", () => {
  const world = begun();
  const visitor = world.visitor(addressOf(0));
  world.ask(visitor);
  world.until("save");
  // As another request's look, or a change of this one, finds it.
  world.set(keyOf(1), [`${addressOf(1)}/128`, `${addressOf(0)}/128`]);
  world.until("answer");
  assertEquals(world.takeTold(), ["aborted"]);
  world.look();
  assertEquals(world.answer(visitor), "aborted");
  assertEquals(world.counters.get("lease-stranger"), 1);
  // On a new connection, it is the other one's.
  const [lease = ""] = world.leaseOf(1);
  assertMatch(world.answer(world.visitor(addressOf(0)), ANY), GRANTED);
  assertEquals(world.leaseOf(1).includes(lease), false);
});

test("a peer that is removed during a request is forgotten, and doesn't come back", () => {
  const world = begun();
  world.ask(0);
  world.until("save");
  world.device?.delete(keyOf(0));
  world.until("answer");
  assertEquals([world.takeTold(), world.allowed(0), world.leaseOf(0)], [
    ["aborted"],
    undefined,
    [],
  ]);
  assertEquals(world.log.at(-1), `info lease-forgotten key=${keyOf(0)} why=the peer is gone`);
  // Nor is anything to be taken off one that is gone.
  world.answer(1);
  world.fails = failing("set-allowed-ips");
  world.answer(1, NOTHING);
  assertEquals(world.book.owedBy(keyOf(1)).length, 1);
  world.device?.delete(keyOf(1));
  world.look();
  assertEquals(world.book.owedBy(keyOf(1)), []);
  for (const { expiresAt } of world.disk.values()) assertEquals(expiresAt, undefined);
});

test("a device that goes during a request takes no lease with it", () => {
  const world = begun();
  world.ask(0);
  world.until("save");
  const { device } = world;
  world.device = undefined;
  world.until("answer");
  assertEquals(world.takeTold(), ["aborted"]);
  world.look();
  assertEquals(world.isListening, false);
  assertEquals(
    world.log.at(-1),
    "warn lease-waiting interface=wg0 why=there is no such interface yet",
  );
  world.look();
  assertEquals(world.log.filter((line) => line.includes("lease-waiting")).length, 1);
  world.device = device;
  world.look();
  assertEquals([world.isListening, world.allowed(0)?.slice(1)], [true, world.leaseOf(0)]);
  // What ends meanwhile has ended.
  world.device = undefined;
  world.look(61);
  assertEquals(world.book.count, 0);
  world.device = device;
  world.look();
  assertEquals(world.allowed(0)?.length, 1);
});

test("what is to be done with many is done in pieces, with requests between them", () => {
  const peers = 2000;
  const world = begun({ pools: ["10.20.0.0/16"], leaseTime: 3600 }, peers);
  for (let i = 0; i < peers; i++) world.ask(i);
  world.settle();
  world.takeTold();
  world.sets.length = 0;
  for (let i = 0; i < peers; i++) world.set(keyOf(i), [`${addressOf(i)}/128`]);
  world.pass(2);
  world.until("set-allowed-ips");
  assertEquals(world.sets[0]?.length, 512);
  world.ask(0, NOTHING);
  world.until("answer");
  assert(world.sets.length <= 3, `${world.sets.length}`);
  // A look that comes before all is done leaves nobody out.
  world.pass(2);
  world.until("read-device");
  assert(world.sets.length < 6);
  world.settle();
  for (let i = 1; i < peers; i++) assertEquals(world.allowed(i)?.length, 2);
  const longest = Math.max(...world.sets.map(({ length }) => length));
  assertEquals([world.allowed(0)?.length, longest], [1, 512]);
  // The same where all ends.
  world.sets.length = 0;
  world.pass(3601);
  world.until("set-allowed-ips");
  world.ask(5);
  world.until("answer");
  assert(world.sets.length <= 3);
  world.settle();
  const left = [...world.device!.values()].filter((ips) => ips.length > 1);
  assertEquals(left.length, 1);
  assertEquals(world.allowed(5)?.slice(1), world.leaseOf(5));
});

test("settings are looked at once for all that was said meanwhile; the watch goes on as it was", () => {
  const world = begun();
  assertMatch(world.answer(0), GRANTED);
  const due = world.waitsUntil;
  world.pass(1);
  world.takeDone();
  world.configure({ pools: ["10.21.0.0/24"] });
  world.configure({ pools: ["10.22.0.0/24"], leaseTime: 30 });
  world.settle();
  assertEquals(world.takeDone().filter((kind) => kind === "read-device").length, 1);
  assertEquals(world.waitsUntil, due);
  assertEquals(world.log.includes("warn leases-taken-back addresses=1"), true);
  assertEquals(world.allowed(0)?.length, 1);
  assertMatch(world.answer(0), /^ip=10\.22\.0\..*leasetime=30\n/s);
  // Settings that are none leave all as it was, and are told.
  world.configure({ pools: ["10.22.0.0/24", "no pool"] });
  world.settle();
  assertMatch(world.log.at(-1) ?? "", /^warn lease-waiting interface=wg0 why="?.*no pool/);
  assertEquals(world.leaseOf(0).length, 1);
  world.configure({ pools: ["10.22.0.0/24"] });
  world.settle();
  assert(world.isListening);
});

test("a peer whose AllowedIPs are none keeps nothing else from being reserved", () => {
  const world = new LeaseWorld({ pools: ["10.20.0.0/29"] }, 2);
  world.ownAddresses = ["10.20.0.1", "fe80::1%wg0"];
  world.set(keyOf(1), [`${addressOf(1)}/128`, "what is this", "10.20.0.2/31"]);
  world.set(keyOf(5), ["10.20.0.4/31", "10.20.0.6/32"]);
  world.settle();
  assert(world.isListening);
  assertEquals(world.answer(0), "errno=3\nerrmsg=Chosen IP(s) unavailable\n\n");
});

test("what has begun is done when all ends, and nothing else", () => {
  const world = begun();
  world.ask(0);
  world.until("save");
  world.ask(1);
  world.pass(5);
  world.server.end();
  world.settle();
  assertEquals(world.takeTold().length, 1);
  assertEquals(world.takeDone(), NEW_GRANT);
  assertEquals(world.hasEnded, true);
  // Also where that is a look, which listens no more.
  const late = new LeaseWorld();
  late.until("read-link");
  late.server.end();
  late.settle();
  assertEquals([late.isListening, late.hasEnded], [false, true]);
  const later = new LeaseWorld();
  later.until("listen");
  later.server.end();
  later.settle();
  assertEquals([later.isListening, later.hasEnded], [false, true]);
});

test("an address that was added just now is tried again, and one that can't come is not", () => {
  const soon = { why: "no such address", code: "EADDRNOTAVAIL" };
  const world = new LeaseWorld();
  world.fails = failing("listen", 3, soon);
  const start = world.mono;
  world.settle();
  assert(world.isListening);
  assertEquals(world.takeDone().filter((kind) => kind === "pause").length, 3);
  assert(world.mono - start < 0.2);
  for (const [code, tries] of [["EADDRINUSE", 1], ["EADDRNOTAVAIL", 10]] as const) {
    const other = new LeaseWorld();
    other.fails = failing("listen", Infinity, { why: "it can't be", code });
    other.settle();
    assertEquals(other.takeDone().filter((kind) => kind === "listen").length, tries);
    assertEquals(other.log, ["warn lease-waiting interface=wg0 why=it can't be"]);
    other.fails = () => undefined;
    other.look();
    assert(other.isListening);
  }
});

test("an interface that was made anew is listened on anew", () => {
  const world = begun();
  world.look();
  assertEquals(world.takeDone().includes("listen"), false);
  world.link.index = 4;
  world.look();
  assertEquals(world.takeDone().slice(-3), ["read-routes", "unlisten", "listen"]);
  world.link.addresses = [];
  world.look();
  assertEquals(world.isListening, false);
  const why = "run: ip -6 addr add fe80::/128 dev wg0 (or serve with --configure)";
  assertEquals(world.log.at(-1), `warn lease-waiting interface=wg0 why=${why}`);
  world.look();
  assertEquals(world.log.filter((line) => line.includes("lease-waiting")).length, 1);
  world.link.addresses = ["fe80::/128"];
  world.look();
  assert(world.isListening);
});

test("what is missing is done where that is wanted; a route that can't be added stops nobody", () => {
  const world = new LeaseWorld({ configure: true });
  world.link = { index: 3, addresses: [], routes: [], shadows: [] };
  world.settle();
  assert(world.isListening);
  const routes = [0, 1, 2].map((i) => `ip -6 route add ${addressOf(i)}/128 dev wg0`);
  const commands = ["ip -6 addr add fe80::/128 dev wg0", ...routes];
  assertEquals(
    world.log.slice(0, 4),
    commands.map((command) => `info lease-configured command=${command}`),
  );
  world.set(keyOf(3), [`${addressOf(3)}/128`]);
  world.set(keyOf(4), [`${addressOf(4)}/128`]);
  world.fails = (step) =>
    step.kind === "set-up" && step.setup.prefix === `${addressOf(3)}/128`
      ? { why: "no way" }
      : undefined;
  world.look();
  assertEquals(world.isListening, true);
  assertEquals(world.log.slice(-2), [
    `info lease-configured command=ip -6 route add ${addressOf(4)}/128 dev wg0`,
    "warn lease-waiting interface=wg0 why=no way",
  ]);
  world.look();
  assertEquals(world.log.at(-1), "warn lease-waiting interface=wg0 why=no way");
  // What nobody can be served without is another thing.
  world.link.addresses = [];
  world.fails = failing("set-up", Infinity, { why: "not permitted" });
  world.look();
  assertEquals(world.isListening, false);
  assertEquals(world.log.at(-1), "warn lease-waiting interface=wg0 why=not permitted");
  world.fails = () => undefined;
  world.look();
  assertEquals(world.isListening, true);
});

test("a file that is the interface's own is named once, after its key is known", () => {
  const world = new LeaseWorld();
  const restored: string[] = [];
  world.fails = (step) => {
    if (step.kind === "restore") restored.push(step.publicKey);
    return undefined;
  };
  const { device } = world;
  world.device = undefined;
  world.settle();
  world.device = device;
  for (let i = 0; i < 3; i++) world.look();
  assertEquals(restored, [HUB]);
});

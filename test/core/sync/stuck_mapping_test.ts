/** A NAT that keeps its old address for what goes on, as Linux's `snat to ADDRESS` does. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { StuckMapping } from "../../../lib/core/sync/stuck_mapping.ts";
import { test } from "../../testing.ts";
import { newPeer, World, type WorldHost } from "./world.ts";

const INTERVAL = 25;

function count({ log }: WorldHost, text: string): number {
  return log.filter((line) => line.includes(text)).length;
}

/** A tunnel that works, and then a NAT that keeps the old address. */
function stuckPair(options: Parameters<World["pair"]>[0]): [World, WorldHost, WorldHost] {
  const world = new World();
  const [alice, bob] = world.pair({ interval: INTERVAL, ...options }, { interval: INTERVAL });
  world.until(() => world.works(alice, bob), 10);
  world.run(60);
  alice.moveStuck("203.0.113.31:51820");
  return [world, alice, bob];
}

for (const register of ["raw", "borrow"] as const) {
  test(`sync: an old mapping is noticed and said once, ${register}`, () => {
    const [world, alice] = stuckPair({ register });
    const limit = register === "raw" ? 60 : 4 * INTERVAL;
    world.until(() => count(alice, "warn mapping-stuck port=51820 hint=") === 1, limit);
    world.run(1000);
    assertEquals(count(alice, "mapping-stuck"), 1, alice.log.join("\n"));
    assertEquals(count(alice, "port-moved"), 0);
  });

  test(`sync: with move-port the tunnel is back on another port, ${register}`, () => {
    const [world, alice, bob] = stuckPair({ register, movePort: true });
    world.until(() => count(alice, "port-moved interface=wg0 before=51820") === 1, 4 * INTERVAL);
    world.until(() => world.works(alice, bob), 2 * INTERVAL + 10);
    assertEquals(count(alice, "own-endpoint endpoint=203.0.113.31:51821"), 1);
    world.run(1000);
    assertEquals(alice.all("move-port").length, 1);
  });
}

test("sync: the mapping to the registry dies, and the new address is registered", () => {
  const [world, alice] = stuckPair({ register: "raw" });
  const took = world.until(() => count(alice, "endpoint=203.0.113.31:51820 before=") === 1, 300);
  assert(took > 120, "it was refreshed all the time");
});

test("sync: a port that moves in vain is moved once", () => {
  const world = new World();
  const [alice] = world.pair({ register: "raw", movePort: true });
  // A firewall that lets nothing out of raw sockets.
  alice.isStuckTo = () => true;
  world.run(1000);
  assertEquals(alice.all("move-port").length, 1);
});

test("sync: a registry that is away for a while is no stuck mapping", () => {
  for (let seconds = 5; seconds < 200; seconds += 13) {
    const world = new World();
    const [alice, bob] = world.pair({ interval: INTERVAL, register: "raw", movePort: true });
    bob.peers.set(alice.key, newPeer(alice.publicEndpoint, 25));
    world.run(30);
    world.registries[0]!.isUp = false;
    world.run(seconds);
    world.registries[0]!.isUp = true;
    world.run(150);
    assertEquals(count(alice, "mapping-stuck"), 0, `${seconds}`);
    assertEquals(
      alice.log.at(-1)?.includes("status=ok") || count(alice, "server-status") === 0,
      true,
    );
  }
});

/** A host behind no NAT at all, and a server that goes up and down, so many seconds each. */
function flapped(options: Parameters<World["pair"]>[0], seconds: readonly number[]): string[] {
  const world = new World();
  const [alice, bob] = world.pair({ movePort: true, ...options });
  bob.peers.set(alice.key, newPeer(alice.publicEndpoint, 25));
  world.run(30);
  for (const each of seconds) {
    world.registries[0]!.isUp = !world.registries[0]!.isUp;
    world.run(each);
  }
  world.registries[0]!.isUp = true;
  world.run(60);
  return alice.log.filter((line) => /mapping-stuck|port-moved/.test(line));
}

test("sync: a server that is restarted twice is no stuck mapping", () => {
  for (const register of ["raw", "borrow"] as const) {
    for (let up = 1; up < 6; up += 0.4) {
      for (let down = 5; down < 20; down += 3) {
        const log = flapped({ register, interval: 2 }, [14, up, down]);
        assertEquals(log, [], `${register}: up ${up} s, down ${down} s`);
      }
    }
  }
});

test("sync: without a NAT, however a server goes up and down is no stuck mapping", () => {
  const seconds = fc.double({ min: 0.1, max: 20, noNaN: true });
  fc.assert(fc.property(
    fc.constantFrom("raw" as const, "borrow" as const),
    fc.constantFrom(2, 5, 25),
    fc.array(seconds, { minLength: 2, maxLength: 60 }),
    (register, interval, seconds) => {
      assertEquals(flapped({ register, interval }, seconds), []);
    },
  ));
});

test("dry-run and one look move no port", () => {
  for (const options of [{ dryRun: true }, { once: true }]) {
    const world = new World();
    const [alice] = world.pair({ register: "raw", movePort: true, ...options });
    alice.isStuckTo = () => true;
    world.run(300);
    assertEquals(alice.all("move-port").length, 0);
  }
});

test("another port is asked through after a silence, and rarely where it is silent as well", () => {
  const mapping = new StuckMapping();
  let asked = 0;
  for (let mono = 0; mono < 300; mono += 3) {
    const beside = mapping.asksBeside(mono);
    if (beside) asked++;
    assertEquals(mapping.took(false, beside ? false : undefined, mono), false);
    if (mono === 0) assertEquals(beside, false);
  }
  assert(asked >= 8 && asked <= 10, `${asked}`);
  assertEquals(mapping.isStuck, false);
});

test("a mapping is stuck after three answers in a row that only another port has got", () => {
  const sequences: readonly (readonly [string, boolean])[] = [
    // Own port and other port, question by question: + is answered, - is silent, . is not asked.
    ["-. -+ -+ -+", true],
    ["-. -+ -+", false],
    ["-. -+ -+ ++ -+ -+", false],
    ["-. -+ -+ +. -+ -+", false],
    ["-. -+ -+ -- -+ -+", false],
    ["-. -+ -+ -- -. -+ -+ -+", true],
    ["-. -. -. -. -.", false],
  ];
  for (const [sequence, isStuck] of sequences) {
    const mapping = new StuckMapping();
    for (const [own, beside] of sequence.split(" ")) {
      mapping.took(own === "+", beside === "." ? undefined : beside === "+", 0);
    }
    assertEquals(mapping.isStuck, isStuck, sequence);
  }
});

test("a mapping that is known to be stuck needs one such answer after the silence, not three", () => {
  const mapping = new StuckMapping();
  for (let i = 0; i < 3; i++) mapping.took(false, true, i);
  assertEquals(mapping.isQuiet(202), false);
  assertEquals(mapping.isQuiet(201.9), true);
  assertEquals(mapping.asksBeside(203), true);
  assertEquals(mapping.took(false, false, 203), false);
  assertEquals(mapping.isStuck, true, "a server that is away says nothing of it");
  assertEquals(mapping.took(false, true, 233), true);
  assertEquals(mapping.isQuiet(432), true);
  assertEquals(mapping.took(true, true, 434), false);
  assertEquals(mapping.isStuck, false);
});

/** What two hosts make of each other, behind all pairs of NATs. */

import { assert, assertEquals } from "@std/assert";
import { formatHostPort } from "../../../lib/core/net/host_port.ts";
import { test } from "../../testing.ts";
import { PathWorld, REGISTRY, WG_PORT, type WorldNat, type WorldPeer } from "./path_world.ts";

function kindOf({ finder, other }: WorldPeer): string | undefined {
  return finder.wayTo(other.publicKey)?.held?.kind;
}

function endpointOf({ tunnel: { endpoint } }: WorldPeer): string {
  return endpoint === undefined ? "none" : formatHostPort(endpoint);
}

const KINDS: readonly WorldNat[] = ["none", "cone", "restricted", "sym", "blocked"];

/** Whether two such NATs can be punched. */
function meets(a: WorldNat, b: WorldNat): boolean {
  if (a === "blocked" || b === "blocked") return false;
  const opens = (kind: WorldNat) => kind === "none" || kind === "cone";
  return (a !== "sym" && b !== "sym") || opens(a) || opens(b);
}

for (const a of KINDS) {
  for (const b of KINDS) {
    test(`path: ${a} and ${b} find each other`, () => {
      for (let seed = 1; seed < 9; seed++) {
        const world = new PathWorld([a, b], { seed });
        world.start();
        const at = world.until(() => world.pinged(), 20);
        const expected = meets(a, b) ? 1.6 : 4.2;
        assert(at !== undefined && at <= expected, `seed ${seed}: ${at}`);
        world.run(30);
        for (const peer of [world.a, world.b]) {
          assertEquals(kindOf(peer), meets(a, b) ? "punched" : "relay", `seed ${seed}`);
          if (!meets(a, b)) assertEquals(endpointOf(peer), formatHostPort(REGISTRY));
        }
        assertEquals(world.lost(at + 0.1, world.mono - 0.2), 0, `seed ${seed}`);
      }
    });
  }
}

test("path: two hosts behind one NAT meet on their LAN", () => {
  for (let seed = 1; seed < 9; seed++) {
    const world = new PathWorld(["sym", "sym"], { seed, shared: true });
    world.start();
    const at = world.until(() => world.pinged(), 20);
    assert(at !== undefined && at < 1.6, `${at}`);
    world.run(5);
    assertEquals([kindOf(world.a), kindOf(world.b)], ["lan", "lan"]);
  }
});

test("path: a relayed pair becomes direct as soon as that works, and loses little", () => {
  for (let seed = 1; seed < 9; seed++) {
    const world = new PathWorld(["restricted", "restricted"], { seed });
    world.isCut = true;
    world.start();
    world.run(12);
    assertEquals([kindOf(world.a), kindOf(world.b)], ["relay", "relay"]);
    world.isCut = false;
    const from = world.mono;
    const at = world.until(
      () => kindOf(world.a) === "punched" && kindOf(world.b) === "punched",
      60,
    );
    assert(at !== undefined, `seed ${seed}`);
    world.run(30);
    assertEquals([kindOf(world.a), kindOf(world.b)], ["punched", "punched"]);
    assert(endpointOf(world.a).startsWith("198.51.100.2:"), endpointOf(world.a));
    assert(
      world.lost(from, world.mono - 0.2) <= 4,
      `seed ${seed}: ${world.lost(from, world.mono - 0.2)}`,
    );
  }
});

test("path: a direct way that dies is left for the relay within 5 s", () => {
  for (let seed = 1; seed < 9; seed++) {
    const world = new PathWorld(["restricted", "cone"], { seed });
    world.start();
    world.run(20 + seed / 4);
    assertEquals(kindOf(world.a), "punched");
    world.isCut = true;
    const from = world.mono;
    const at = world.until(() => world.pinged(from + 0.1), 20);
    assert(at !== undefined && at - from < 5, `seed ${seed}: ${at! - from}`);
    world.run(10);
    assertEquals(
      [endpointOf(world.a), endpointOf(world.b)],
      Array(2).fill(formatHostPort(REGISTRY)),
    );
  }
});

test("path: what works is left alone", () => {
  const world = new PathWorld(["restricted", "restricted"]);
  world.start();
  world.run(10);
  const sets = world.a.sets + world.b.sets;
  const probes = world.a.probes + world.b.probes;
  world.run(1000);
  assertEquals(world.a.sets + world.b.sets, sets);
  // A probe and an echo every 2 s.
  assert(world.a.probes + world.b.probes - probes <= 1010, `${world.a.probes + world.b.probes}`);
});

test("path: where the other side's program ends, its tunnel is left alone", () => {
  for (let seed = 1; seed < 9; seed++) {
    const world = new PathWorld(["restricted", "restricted"], { seed });
    world.start();
    world.run(10);
    const { a, b } = world;
    const sets = a.sets;
    (seed % 2 === 0 ? a : b).isRunning = false;
    const from = world.mono;
    world.run(100);
    assertEquals(a.sets, sets);
    assertEquals(world.lost(from, world.mono - 0.2), 0);
  }
});

test("path: without a relay nothing is set that isn't proved", () => {
  const world = new PathWorld(["sym", "sym"]);
  world.hasRelay = false;
  world.start();
  world.run(60);
  assertEquals(world.a.sets + world.b.sets, 0);
  assert(!world.a.finder.owns(world.b.publicKey, world.now), "others may try by other means");
});

test("path: relay never and always", () => {
  const never = new PathWorld(["sym", "sym"], { relay: "never" });
  never.start();
  never.run(30);
  assertEquals(never.pinged(), false);
  const always = new PathWorld(["none", "none"], { relay: "always" });
  always.start();
  const at = always.until(() => always.pinged(), 10);
  assert(at !== undefined && at < 1.5, `${at}`);
  always.run(60);
  assertEquals([kindOf(always.a), kindOf(always.b)], ["relay", "relay"]);
});

test("path: where one side is to be relayed always, the other one stays there too", () => {
  for (let seed = 1; seed < 9; seed++) {
    const world = new PathWorld(["restricted", "none"], { seed });
    const always = seed % 2 === 0 ? world.a : world.b;
    always.setRelay("always", world.now);
    world.start();
    const at = world.until(() => world.pinged(), 10);
    assert(at !== undefined && at < 4.2, `seed ${seed}: ${at}`);
    world.run(30);
    const sets = world.a.sets + world.b.sets;
    const from = world.mono;
    world.run(300);
    assertEquals([kindOf(world.a), kindOf(world.b)], ["relay", "relay"], `seed ${seed}`);
    assertEquals(world.a.sets + world.b.sets, sets, `seed ${seed}`);
    assertEquals(world.lost(from, world.mono - 0.2), 0, `seed ${seed}`);
  }
});

test("path: datagrams are lost, and they meet all the same", () => {
  for (let seed = 1; seed < 30; seed++) {
    const world = new PathWorld(["restricted", "restricted"], { seed });
    world.loss = 0.2;
    world.start();
    world.run(40);
    assertEquals([kindOf(world.a), kindOf(world.b)], ["punched", "punched"], `seed ${seed}`);
  }
});

const HARD_PAIRS: readonly (readonly [WorldNat, WorldNat, seconds: number])[] = [
  ["seq", "restricted", 3],
  ["restricted", "seq", 3],
  ["seq", "seq", 3],
  ["random", "restricted", 12],
  ["restricted", "random", 12],
  ["random", "random", Infinity],
];

for (const [a, b, seconds] of HARD_PAIRS) {
  test(`path: ${a} and ${b} become direct${seconds === Infinity ? " never" : ""}`, () => {
    let direct = 0;
    let sent = 0;
    const RUNS = 12;
    for (let seed = 1; seed <= RUNS; seed++) {
      const world = new PathWorld([a, b], { seed });
      world.start();
      const first = world.until(() => world.pinged(), 20);
      assert(first !== undefined && first < 4.2, `seed ${seed}: ${first}`);
      const isDirect = () =>
        [world.a, world.b].every((peer) => ["punched", "predicted"].includes(kindOf(peer) ?? ""));
      if (world.until(isDirect, Math.min(seconds, 30)) !== undefined) direct++;
      world.run(40);
      sent = Math.max(sent, world.a.probes, world.b.probes);
      const from = world.mono;
      world.run(30);
      assertEquals(world.lost(from, world.mono - 0.2), 0, `seed ${seed}`);
    }
    if (seconds === Infinity) assertEquals(direct, 0);
    else assert(direct >= RUNS - 1, `${direct} of ${RUNS}`);
    assert(sent < 1500, `${sent}`);
  });
}

for (const hasRelay of [true, false]) {
  test(`path: a port that was hit is given back when it is dead, ${hasRelay ? "with" : "without"} a relay`, () => {
    let again = 0;
    for (let seed = 1; seed < 9; seed++) {
      const world = new PathWorld(["random", "restricted"], { seed });
      world.hasRelay = hasRelay;
      world.start();
      world.at(5, () => world.poll());
      const isDirect = () => world.a.moves.size > 0 && world.pinged(world.mono - 0.5);
      assert(world.until(isDirect, 30) !== undefined, `seed ${seed}`);
      world.run(5);
      const through = [...world.a.moves.values()][0];
      world.a.nat.forget();
      world.run(20);
      assert([...world.a.moves.values()][0] !== through, `seed ${seed}`);
      if (world.until(isDirect, 100) !== undefined) again++;
    }
    assert(again >= 7, `${again} of 8`);
  });
}

test("path: where a relay isn't offered for a moment, it is no direct way", () => {
  const world = new PathWorld(["restricted", "restricted"]);
  world.isCut = true;
  world.start();
  world.run(12);
  assertEquals([kindOf(world.a), kindOf(world.b)], ["relay", "relay"]);
  world.hasRelay = false;
  world.tell();
  world.run(5);
  world.hasRelay = true;
  world.tell();
  world.run(5);
  assertEquals([kindOf(world.a), kindOf(world.b)], ["relay", "relay"]);
  world.isCut = false;
  world.run(130);
  assertEquals([kindOf(world.a), kindOf(world.b)], ["punched", "punched"]);
});

test("path: where probes go through, and WireGuard's datagrams don't, it is the relay", () => {
  for (let seed = 1; seed < 9; seed++) {
    const world = new PathWorld(["restricted", "cone"], { seed });
    world.isFiltered = true;
    world.start();
    const at = world.until(() => world.pinged(), 60);
    assert(at !== undefined && at < 60, `seed ${seed}: ${at}`);
    world.isFiltered = false;
    world.run(150);
    assertEquals([kindOf(world.a), kindOf(world.b)], ["punched", "punched"], `seed ${seed}`);
  }
});

test("path: a tunnel that nobody uses is left alone, and used again", () => {
  const world = new PathWorld(["restricted", "restricted"]);
  world.start();
  world.run(10);
  world.isQuiet = true;
  const sets = world.a.sets + world.b.sets;
  world.run(1000);
  assertEquals(world.a.sets + world.b.sets, sets);
  assertEquals([kindOf(world.a), kindOf(world.b)], ["punched", "punched"]);
  world.isQuiet = false;
  assert(world.until(() => world.pinged(world.mono - 0.5), 10) !== undefined);
});

test("path: far hosts become direct, and nothing is read again and again", () => {
  for (let seed = 1; seed < 9; seed++) {
    const world = new PathWorld(["restricted", "restricted"], { seed, delay: 0.45 });
    world.start();
    world.run(20);
    assertEquals([kindOf(world.a), kindOf(world.b)], ["punched", "punched"], `seed ${seed}`);
    const [reads, probes] = [world.a.reads + world.b.reads, world.a.probes + world.b.probes];
    world.run(100);
    assert(world.a.reads + world.b.reads - reads < 5, `${world.a.reads + world.b.reads - reads}`);
    assert(world.a.probes + world.b.probes - probes < 120);
  }
});

test("path: told of other places all the time, they take the relay in time", () => {
  const world = new PathWorld(["sym", "sym"]);
  world.start();
  const move = () => {
    for (const peer of [world.a, world.b]) {
      peer.extra[0] = {
        endpoint: { host: "192.0.2.7", port: 1024 + Math.floor(world.mono) },
        kind: "mapped",
      };
    }
    world.tell();
    world.after(1, move);
  };
  world.at(0.5, move);
  const at = world.until(() => world.pinged(), 60);
  assert(at !== undefined && at < 5, `${at}`);
});

test("path: who answers no probes, nor through the relay, is left to others", () => {
  for (let seed = 1; seed < 9; seed++) {
    const world = new PathWorld(["restricted", "none"], { seed });
    const { a, b } = world;
    world.start();
    b.isRunning = false;
    b.seen = { host: b.nat.address, port: WG_PORT };
    world.stoppedUntil = Infinity;
    // As the plan of sync does: each is tried for 6 s.
    let i = 0;
    const tryOne = () => {
      world.after(6, tryOne);
      const isAlive = a.tunnel.handshakeAt !== undefined;
      if (isAlive || a.finder.owns(b.publicKey, world.now)) return;
      a.tunnel.endpoint = [{ host: "192.0.2.7", port: 7 }, b.seen, REGISTRY][i++ % 3];
    };
    world.at(0, tryOne);
    const at = world.until(() => world.pinged(), 120);
    assert(at !== undefined && at < 60, `seed ${seed}: ${at}`);
    const sets = a.sets;
    world.run(300);
    assertEquals(a.sets, sets, `seed ${seed}`);
    assertEquals(world.lost(at, world.mono - 0.2), 0, `seed ${seed}`);
  }
});

/** What a machine makes of a wall clock that is set while it runs. */

import { assert, assertEquals } from "@std/assert";
import { Handshakes } from "../../../lib/core/sync/handshakes.ts";
import { test } from "../../testing.ts";
import { newPeer, World } from "./world.ts";

const ALIVE = 135;
const MINUTE = 60;
/** The interval of two looks, the time until a dead peer is known to be, and some. */
const NOTICED = ALIVE + 25 + 5;

for (const step of [-20 * MINUTE, 20 * MINUTE]) {
  test(`sync: a clock that is set by ${step} s changes nothing of a tunnel that works`, () => {
    const world = new World();
    const [alice, bob] = world.pair();
    world.until(() => world.works(alice, bob), 5);
    world.run(200);
    const written = alice.all("set-peer").length;
    // Nobody answers who asks with a wrong clock: so it is right after it was set.
    world.now = { ...world.now, unix: world.now.unix + step };
    world.run(600);
    assertEquals(alice.all("set-peer").length, written);
    assertEquals(alice.events.filter((event) => event === "peer-lost"), [], alice.log.join("\n"));
    assert(world.works(alice, bob));
  });

  test(`sync: who dies before the clock is set by ${step} s is lost as soon as others`, () => {
    const world = new World();
    const [alice, bob] = world.pair();
    world.until(() => world.works(alice, bob), 5);
    world.run(200);
    bob.stop();
    world.now = { ...world.now, unix: world.now.unix + step };
    const seconds = world.until(() => alice.events.includes("peer-lost"), 1000);
    assert(seconds < NOTICED, `${seconds}`);
  });

  test(`sync: who moves after the clock was set by ${step} s is found again`, () => {
    const world = new World();
    const [alice, bob] = world.pair();
    world.until(() => world.works(alice, bob), 5);
    world.run(100);
    alice.move("203.0.113.31:51820");
    bob.move("203.0.113.32:35436");
    world.run(20);
    world.now = { ...world.now, unix: world.now.unix + step };
    const seconds = world.until(() => world.works(alice, bob), 1000);
    assert(seconds < 40, `${seconds}`);
    world.run(300);
    const written = alice.all("set-peer").length;
    alice.move("203.0.113.41:51820");
    bob.move("203.0.113.42:35436");
    assert(world.until(() => world.works(alice, bob), 1000) < 60);
    world.run(10 * MINUTE);
    assert(alice.all("set-peer").length <= written + 2);
  });
}

test("sync: a peer whose last handshake is in the future when it is met first is not alive for long", () => {
  const world = new World();
  const alice = world.host("203.0.113.21:51820");
  const future = world.now.unix + 20 * MINUTE;
  alice.peers.set(
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    { ...newPeer("192.0.2.7:7", 25), latestHandshake: future, handshakeAt: -1000 },
  );
  alice.isThere = true;
  world.until(() => alice.events.includes("peer-lost"), 60);
});

/** An interface with one peer, and handshakes that watch it. */
class Watch {
  readonly handshakes = new Handshakes(ALIVE);
  mono = 1000;

  look(unix: number, latestHandshake: number, received = 0): number | undefined {
    const peer = { ...newPeer(), publicKey: "a", sent: 0, latestHandshake, received };
    const device = { publicKey: "own", listenPort: 1, mark: 0, peers: [peer] };
    this.handshakes.look(device, { unix, mono: this.mono });
    const at = this.handshakes.at("a");
    return at === undefined ? undefined : this.mono - at;
  }
}

test("a handshake is as old as the wall clock says, but no older than the last look without it", () => {
  const watch = new Watch();
  assertEquals(watch.look(5000, 0), undefined);
  watch.mono += 10;
  assertEquals(watch.look(5010, 5003), 7);
  watch.mono += 10;
  assertEquals(watch.look(5020, 5003), 17);
  watch.mono += 10;
  // The clock has gone back, and there was another handshake.
  assertEquals(watch.look(3000, 2998), 2);
  watch.mono += 10;
  assertEquals(watch.look(3010, 3020), 0);
  watch.mono += 10;
  assertEquals(watch.look(3020, 0), undefined);
});

test("a handshake that was there at first is as old as the wall clock says", () => {
  assertEquals(new Watch().look(5000, 4000), 1000);
  assertEquals(new Watch().look(5000, 4990), 10);
});

test("data says that a handshake can't be too old for any; initiations don't", () => {
  const watch = new Watch();
  assertEquals(watch.look(5000, 1, 1000), 4999);
  watch.mono += 10;
  assertEquals(watch.look(5010, 1, 1000 + 2 * 148), 5009);
  watch.mono += 10;
  assertEquals(watch.look(5020, 1, 1000 + 2 * 148 + 32), 0);
});

test("after sleep, or a clock that has gone ahead, who is silent is alive for 30 s at most", () => {
  for (const hears of [false, true]) {
    const watch = new Watch();
    watch.look(5000, 5000);
    watch.mono += 20;
    assertEquals(watch.look(5020, 5000), 20);
    watch.mono += 20;
    assertEquals(watch.look(6040, 5000), ALIVE - 30);
    watch.mono += 25;
    assertEquals(watch.look(6065, 5000, hears ? 32 : 0), hears ? 65 : ALIVE - 5);
  }
});

test("boringtun tells how old a handshake is", () => {
  const watch = new Watch();
  const unix = 1_800_000_000;
  for (
    const [passed, told, age] of [[0, 5, 5], [25, 30, 30], [1, 30, 31], [120, 3, 3], [
      200,
      203,
      203,
    ]]
  ) {
    watch.mono += passed!;
    assertEquals(watch.look(unix, told!), age);
  }
  // A host without a battery had a handshake before its clock was set: that is one as any other.
  const router = new Watch();
  assertEquals(router.look(300, 290), 10);
  router.mono += 10;
  assertEquals(router.look(unix, 290), ALIVE - 30);
  router.mono += 10;
  assertEquals(router.look(unix + 10, 290, 32), 30);
});

import { assertEquals } from "@std/assert";
import type { DevicePeer } from "../../../lib/core/net/device.ts";
import { parseHostPort } from "../../../lib/core/net/host_port.ts";
import { KeepaliveLimit } from "../../../lib/core/sync/keepalive_limit.ts";
import { test } from "../../testing.ts";
import { World } from "./world.ts";

type Peer = Pick<DevicePeer, "publicKey" | "endpoint" | "persistentKeepalive">;

const ADDRESS = "203.0.113.21";

function peer(publicKey: string, persistentKeepalive = 25, endpoint = "192.0.2.1:5"): Peer {
  return { publicKey, endpoint: parseHostPort(endpoint), persistentKeepalive };
}

function moved(limit: KeepaliveLimit, mono: number, peers: readonly Peer[], from = "", to = "") {
  const before = from || `${ADDRESS}:${1000 + mono}`;
  limit.ownMoved({ family: 4, endpoint: to || `${ADDRESS}:${1001 + mono}`, before }, peers, mono);
}

/** Sets what is to be set, and says so. */
function set(limit: KeepaliveLimit, peers: Peer[]): string[] {
  return limit.toLower(peers).map(({ publicKey, persistentKeepalive }) => {
    limit.lowered(publicKey);
    const at = peers.findIndex((each) => each.publicKey === publicKey);
    peers[at] = { ...peers[at]!, persistentKeepalive };
    return `${publicKey} ${persistentKeepalive}`;
  });
}

test("keepalives are halved where the own port changes twice, down to 10 s, and that is told once each", () => {
  const limit = new KeepaliveLimit();
  const peers = [peer("a"), peer("b", 60), peer("c", 0)];
  moved(limit, 0, peers);
  assertEquals([set(limit, peers), limit.takeNews()], [[], undefined]);
  moved(limit, 20, peers);
  assertEquals(limit.takeNews(), { persistentKeepalive: 12, before: 25 });
  assertEquals(limit.takeNews(), undefined);
  assertEquals(set(limit, peers), ["a 12", "b 12"]);
  assertEquals(set(limit, peers), []);
  // Of before, most likely.
  moved(limit, 25, peers);
  moved(limit, 49, peers);
  moved(limit, 60, peers);
  assertEquals(set(limit, peers), []);
  moved(limit, 80, peers);
  assertEquals(limit.takeNews(), { persistentKeepalive: 10, before: 12 });
  assertEquals(set(limit, peers), ["a 10", "b 10"]);
  for (let at = 200; at < 2000; at += 50) moved(limit, at, peers);
  assertEquals([set(limit, peers), limit.takeNews()], [[], undefined]);
  assertEquals(peers.map(({ persistentKeepalive }) => persistentKeepalive), [10, 10, 0]);
});

test("a change now and then, of the address, or without keepalives, lowers nothing", () => {
  const limit = new KeepaliveLimit();
  const peers = [peer("a")];
  for (let at = 0; at < 20_000; at += 900) moved(limit, at, peers);
  assertEquals(set(limit, peers), []);
  for (let at = 20_900; at < 21_500; at += 20) {
    moved(limit, at, peers);
    moved(limit, at + 5, peers, `${ADDRESS}:5`, "203.0.113.31:5");
  }
  assertEquals(set(limit, peers), []);
  for (let at = 30_000; at < 31_000; at += 20) moved(limit, at, [peer("a", 0)]);
  assertEquals(set(limit, [peer("a", 0)]), []);
  for (let at = 40_000; at < 41_000; at += 20) moved(limit, at, []);
  for (let at = 50_000; at < 51_000; at += 20) moved(limit, at, [peer("a", 10), peer("b")]);
  assertEquals([set(limit, peers), limit.takeNews()], [[], undefined]);
});

test("what somebody sets afterwards is left, and who comes later is lowered", () => {
  const limit = new KeepaliveLimit();
  const peers = [peer("a")];
  moved(limit, 0, peers);
  moved(limit, 20, peers);
  // What could not be set is set again.
  assertEquals([1, 2].map(() => limit.toLower(peers).length), [1, 1]);
  assertEquals(set(limit, peers), ["a 12"]);
  peers[0] = peer("a", 25);
  peers.push(peer("b", 25), peer("c", 12));
  assertEquals(set(limit, peers), ["b 12"]);
  limit.forget();
  const anew = [peer("a"), peer("b")];
  assertEquals(set(limit, anew), []);
});

test("a peer that is lost while registries hear it, and comes back where it was, is a sign as well", () => {
  /** Loses it, has it back, and says what is set. */
  const run = (
    { heard = 150, back = "192.0.2.1:5", moves = false, keepalive = 25, times = 2 },
  ): string[] => {
    const limit = new KeepaliveLimit();
    const peers = [peer("a", keepalive)];
    const look = (alive: boolean, mono: number, heardAt: number) =>
      limit.look(peers, () => alive, () => heardAt, mono);
    for (let n = 0; n < times; n++) {
      const at = n * 300;
      peers[0] = peer("a", keepalive);
      look(true, at, at);
      look(false, at + 140, at);
      look(false, at + 160, at + heard);
      if (moves) moved(limit, at + 165, peers, `${ADDRESS}:5`, "203.0.113.31:5");
      peers[0] = peer("a", keepalive, back);
      look(true, at + 170, at + heard);
    }
    return set(limit, peers);
  };
  assertEquals(run({}), ["a 12"]);
  assertEquals(run({ keepalive: 60 }), ["a 30"]);
  assertEquals(run({ times: 1 }), []);
  assertEquals(run({ heard: 100 }), []);
  assertEquals(run({ back: "192.0.2.1:6" }), []);
  assertEquals(run({ moves: true }), []);
  assertEquals(run({ keepalive: 0 }), []);
  // Who was never there comes.
  const limit = new KeepaliveLimit();
  for (let at = 0; at < 100; at += 10) {
    limit.look([peer(`${at}`)], () => true, () => Infinity, at);
  }
  assertEquals(limit.takeNews(), undefined);
});

test("sync: where the NAT forgets mappings between polls, keepalives are lowered, and it holds", () => {
  const world = new World();
  // Both interval and keepalive are longer than what the NAT remembers.
  const [alice, bob] = world.pair({ interval: 60, persistentKeepalive: 40 });
  const keepalives = () =>
    [alice, bob].map((host) => [...host.peers.values()][0]?.persistentKeepalive);
  const lowered = () => alice.log.filter((line) => line.includes(" keepalive-lowered "));
  world.until(() => world.works(alice, bob), 10);
  world.run(300);
  assertEquals([keepalives(), lowered()], [[40, 40], []]);
  alice.mappingLife = 15;
  world.until(() => lowered().length === 2, 1000);
  world.run(100);
  const before = alice.events.filter((event) => event === "own-endpoint").length;
  world.run(3600);
  assertEquals(lowered().map((line) => line.split(" ").slice(0, 4).join(" ")), [
    "warn keepalive-lowered persistentKeepalive=20 before=40",
    "warn keepalive-lowered persistentKeepalive=10 before=20",
  ]);
  assertEquals(keepalives(), [10, 40]);
  assertEquals(alice.events.filter((event) => event === "own-endpoint").length, before);
  assertEquals(world.works(alice, bob), true);
  assertEquals(bob.events.includes("keepalive-lowered"), false);
});

import { assertEquals } from "@std/assert";
import type { Device } from "../../../lib/core/net/device.ts";
import { DoubtedPeers } from "../../../lib/core/sync/doubted_peers.ts";
import { test } from "../../testing.ts";

/** An interface with peers that have sent so many bytes. */
function deviceWith(
  received: Readonly<Record<string, number>>,
  persistentKeepalive = 25,
): Device {
  const peers = Object.entries(received).map(([publicKey, received]) => ({
    publicKey,
    endpoint: undefined,
    allowedIps: [],
    latestHandshake: 0,
    received,
    sent: 0,
    persistentKeepalive,
  }));
  return { publicKey: "own", listenPort: 1, mark: 0, peers };
}

test("who is doubted is so until something comes", () => {
  const doubted = new DoubtedPeers();
  assertEquals(doubted.count, 0);
  doubted.doubt(deviceWith({ a: 1, b: 2, c: 3 }).peers);
  doubted.look(deviceWith({ a: 1, b: 2, c: 3 }), false);
  assertEquals(doubted.count, 3);
  // c has left.
  doubted.look(deviceWith({ a: 1, b: 3 }), false);
  assertEquals([doubted.count, doubted.has("a"), doubted.has("b")], [1, true, false]);
});

test("what has come before the interface was looked at says nothing", () => {
  const doubted = new DoubtedPeers();
  doubted.doubt(deviceWith({ a: 1 }).peers);
  doubted.look(deviceWith({ a: 5 }), true);
  assertEquals(doubted.has("a"), true);
  doubted.look(deviceWith({ a: 5 }), false);
  assertEquals(doubted.has("a"), true);
  doubted.look(deviceWith({ a: 6 }), false);
  assertEquals(doubted.has("a"), false);
});

test("those are nudged that are doubted, alive, and have keepalives", () => {
  const doubted = new DoubtedPeers();
  const device = deviceWith({ a: 1, b: 1, c: 1 });
  doubted.doubt(deviceWith({ a: 1, b: 1 }).peers);
  const keys = (device: Device) =>
    doubted.toNudge(device, ({ publicKey }) => publicKey !== "b").map((peer) => peer.publicKey);
  assertEquals(keys(device), ["a"]);
  assertEquals(keys(deviceWith({ a: 1 }, 0)), []);
});

/** What a machine says of its interface when it is asked. */

import { assert, assertEquals } from "@std/assert";
import { test } from "../../testing.ts";
import { World } from "./world.ts";

test("sync: the report says who is reached and who isn't, and which server has answered", () => {
  const world = new World();
  const [alice, bob] = world.pair();
  const report = () => alice.machine.report(undefined, alice.now());
  assertEquals([report().present, report().peers], [false, []]);
  // A server that was not asked yet has its row.
  const [asked] = report().servers;
  assertEquals([report().servers.length, asked?.status, asked?.age], [1, "no answer yet", null]);
  world.until(() => world.works(alice, bob), 30);
  world.run(5);
  const { present, publicKey, servers, peers, endpoints, more } = report();
  assertEquals([present, publicKey, more], [true, alice.key, 0]);
  assertEquals(endpoints, ["203.0.113.21:51820"]);
  const [server] = servers;
  assertEquals([servers.length, server?.status], [1, "ok"]);
  assert(server!.age !== null && server!.age >= 0);
  assertEquals(server!.age, Math.round(server!.age * 1000) / 1000, "whole milliseconds");
  const [peer] = peers;
  assertEquals([peer?.publicKey, peer?.alive, peer?.path], [bob.key, true, "handshake"]);
  assertEquals(peer?.endpoint, "203.0.113.22:35436");
  assertEquals(peer?.candidates.map(({ outcome }) => outcome), ["in-use"]);
  assert(peer!.handshakeAge! >= 0);
  alice.stop();
  world.run(60);
  assertEquals([report().present, report().peers, report().endpoints], [false, [], []]);
});

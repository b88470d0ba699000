import { assertEquals } from "@std/assert";
import type { Sighting } from "../../../lib/core/ask/sighting.ts";
import { SharedKeys } from "../../../lib/core/sync/shared_keys.ts";
import { test } from "../../testing.ts";
import { newPeer, World } from "./world.ts";

function seen(text: string, more: Partial<Sighting> = {}): Sighting {
  const [address = "", port] = text.split(":");
  return {
    ...{ publicKey: "a", address, port: Number(port), seconds: 1, nanoseconds: 0, server: "s" },
    ...more,
  };
}

/** How often a key is told of, where a server says this of it in turn, every so many seconds. */
function toldOf(all: readonly (readonly Sighting[])[], seconds = 10): number {
  const shared = new SharedKeys();
  return all.reduce((sum, each, i) => {
    return sum + shared.look(["a"], new Map([["a", each]]), i * seconds).length;
  }, 0);
}

const A = "192.0.2.1:1";
const B = "192.0.2.2:2";

test("an endpoint that goes to and fro is told of once", () => {
  const turns = Array.from({ length: 40 }, (_, i) => [seen(i % 2 === 0 ? A : B)]);
  assertEquals(toldOf(turns), 1);
  const uneven = [A, A, B, B, B, A, A, B, A, A].map((text) => [seen(text)]);
  assertEquals(toldOf(uneven), 1);
  const shared = new SharedKeys();
  const [told] = [A, B, A, B, A].flatMap((text, i) =>
    shared.look(["a"], new Map([["a", [seen(text)]]]), i)
  );
  assertEquals(told, { publicKey: "a", endpoints: [B, A] });
});

test("who moves, and who comes back now and then, is one host", () => {
  const moves = Array.from({ length: 40 }, (_, i) => [seen(`192.0.2.${i}:1`)]);
  assertEquals(toldOf(moves), 0);
  assertEquals(toldOf([A, B, A].map((text) => [seen(text)])), 0);
  const rarely = Array.from({ length: 40 }, (_, i) => [seen(i % 2 === 0 ? A : B)]);
  assertEquals(toldOf(rarely, 400), 0);
});

test("two servers that see two endpoints are no two hosts, nor are claims", () => {
  const two = Array.from({ length: 40 }, (_, i) => {
    const both = [seen(A), seen(B, { server: "t" })];
    return i % 2 === 0 ? both : both.toReversed();
  });
  assertEquals(toldOf(two), 0);
  const claims = Array.from({ length: 40 }, (_, i) => [seen(i % 2 ? A : B, { isClaim: true })]);
  assertEquals(toldOf(claims), 0);
});

test("sync: a key on two hosts is said once by its peers, and where the port is borrowed by both", () => {
  for (const register of ["raw", "borrow"] as const) {
    const world = new World();
    const [alice, bob] = world.pair({ register });
    const copy = world.copyOf(bob, "203.0.113.23:51820", { register });
    copy.peers.set(alice.key, newPeer());
    copy.isThere = true;
    const told = (log: readonly string[]) =>
      log.filter((line) => line.includes("key-on-two-hosts")).map((line) =>
        line.split(" hint=")[0]
      );
    world.run(1200);
    const [line, ...more] = told(alice.log);
    assertEquals(more, []);
    const both = [bob.publicEndpoint, copy.publicEndpoint];
    assertEquals(
      both.flatMap((_, i) => {
        const endpoints = i === 0 ? both : both.toReversed();
        return line === `warn key-on-two-hosts key=${bob.key} endpoints=${endpoints}` ? [1] : [];
      }),
      [1],
      alice.log.join("\n"),
    );
    const own = [bob, copy].map(({ log }) => told(log).length);
    if (register === "borrow") assertEquals(own, [1, 1]);
  }
});

test("sync: hosts with keys of their own that move are not called so", () => {
  const world = new World();
  const [alice, bob] = world.pair();
  for (let i = 0; i < 20; i++) {
    bob.move(`203.0.113.${30 + i}:35436`);
    if (i % 3 === 0) alice.move(`203.0.113.${60 + i}:51820`);
    world.run(50);
  }
  for (const { events } of [alice, bob]) assertEquals(events.includes("key-on-two-hosts"), false);
});

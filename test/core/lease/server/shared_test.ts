/** Lease servers that share a store, case by case. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { decodeLogged, decodeTabled } from "../../../../lib/core/lease/server/claim_codec.ts";
import type { LeaseServerConfig } from "../../../../lib/core/lease/server/config.ts";
import { MOST_ASKS } from "../../../../lib/core/lease/server/shared_leases.ts";
import { LEASE_GRACE, YOUNG_TABLE } from "../../../../lib/core/lease/server/claims.ts";
import { test } from "../../../testing.ts";
import { ClaimTwin } from "./claim_twin.ts";
import { ANY, askFor, keyOf, LeaseWorld, NOTHING } from "./lease_world.ts";

/** Servers on one store. */
class Servers {
  readonly twin = new ClaimTwin(9_000);
  readonly worlds: LeaseWorld[] = [];
  isAway = false;
  asked = 0;

  add(config: Partial<LeaseServerConfig> = {}): LeaseWorld {
    const name = `server ${this.worlds.length}`;
    const world = new LeaseWorld(config, 3, this.worlds.length, {
      do: (step) => {
        this.asked++;
        if (this.isAway) return { kind: "failed", why: "connection refused", code: "" };
        if (step.kind === "scan-claims") return this.twin.scan(step.from);
        return this.twin.claim(name, step.after, step.claims, step.by);
      },
    });
    world.mono += 500 * this.worlds.length;
    world.unix -= 20 * this.worlds.length;
    this.worlds.push(world);
    world.settle();
    return world;
  }

  /** Two with the usual settings, past what a new table gives nothing for. */
  static two(): [Servers, LeaseWorld, LeaseWorld] {
    const servers = new Servers();
    const worlds = [servers.add(), servers.add()] as const;
    servers.pass(YOUNG_TABLE);
    return [servers, ...worlds];
  }

  /** Lets time pass, with a look of everyone. */
  pass(seconds: number): void {
    this.twin.now += seconds;
    for (const world of this.worlds) world.look(seconds);
  }
}

function ipOf(answer: string): string {
  return /^ip=(\S+)$/m.exec(answer)?.[1] ?? answer;
}

function secondsOf(answer: string): number {
  return Number(/^leasetime=(\d+)$/m.exec(answer)?.[1]);
}

test("shared: a peer has the same address at whichever server it asks", () => {
  const [servers, a, b] = Servers.two();
  const address = ipOf(a.answer(0));
  assertEquals(ipOf(b.answer(0)), address);
  assertEquals(ipOf(b.answer(0, askFor(address))), address);
  assertEquals(ipOf(a.answer(0)), address);
  servers.pass(2);
  for (const world of [a, b]) assertEquals(world.allowed(0), ["fe80::1:0/128", address]);
  // Nobody else has it, also where the other server hasn't heard of that.
  assertMatch(b.answer(1, askFor(address)), /errno=3\n/);
  a.answer(2, askFor("10.20.0.99"));
  assertMatch(b.answer(1, askFor("10.20.0.99")), /errno=3\n/);
});

test("shared: what is given back is another's once all servers know that", () => {
  const [servers, a, b] = Servers.two();
  a.answer(0, askFor("10.20.0.9"));
  servers.pass(2);
  assertMatch(a.answer(0, NOTHING), /^errno=0\n/);
  assertEquals(a.allowed(0), ["fe80::1:0/128"]);
  // The second server may tell the peer that it has it still.
  assertMatch(a.answer(1, askFor("10.20.0.9")), /errno=3\n/);
  servers.pass(2);
  assertEquals(b.allowed(0), ["fe80::1:0/128"]);
  assertEquals(ipOf(a.answer(1, askFor("10.20.0.9"))), "10.20.0.9/32");
});

test("shared: what has ended is another's a while later", () => {
  const [servers, a, b] = Servers.two();
  a.answer(0, askFor("10.20.0.9"));
  servers.pass(61);
  assertEquals(a.allowed(0), ["fe80::1:0/128"]);
  assertMatch(b.answer(1, askFor("10.20.0.9")), /errno=3\n/);
  servers.pass(LEASE_GRACE);
  assertEquals(ipOf(b.answer(1, askFor("10.20.0.9"))), "10.20.0.9/32");
});

test("shared: while the store is away there is what is left, and nothing new; it is said once", () => {
  const [servers, a] = Servers.two();
  const address = ipOf(a.answer(0));
  servers.isAway = true;
  servers.pass(20);
  const left = a.answer(0);
  assertEquals(ipOf(left), address);
  assertEquals(secondsOf(left), 40);
  assertEquals(a.answer(1), "aborted");
  // It is not asked again for each.
  const { asked } = servers;
  a.answer(0);
  assertEquals(servers.asked, asked);
  servers.pass(10);
  servers.pass(29.5);
  assertEquals(a.answer(0), "aborted");
  servers.pass(2);
  assertEquals(a.allowed(0), ["fe80::1:0/128"]);
  servers.isAway = false;
  servers.pass(2);
  assertEquals(secondsOf(a.answer(0)), 60);
  const said = a.log.filter((line) => line.includes("lease-store"));
  assertEquals(said.map((line) => line.split(" why=")[0]), [
    "warn lease-store-away",
    "info lease-store-back leases=0",
  ]);
});

test("shared: nothing is said of leases before the store was read, nor after the host has slept", () => {
  const [servers, a] = Servers.two();
  a.answer(0);
  servers.isAway = true;
  a.restart();
  a.settle();
  assertEquals(a.leaseOf(0).length, 1);
  assertEquals(a.answer(0), "aborted");
  servers.isAway = false;
  servers.pass(2);
  assertMatch(a.answer(0), /errno=0\n/);
  servers.isAway = true;
  servers.pass(2);
  assertMatch(a.answer(0), /errno=0\n/);
  a.unix += 30;
  assertEquals(a.answer(0), "aborted");
});

test("shared: what a server has on its disk is another's, where the store says so", () => {
  const [servers, a, b] = Servers.two();
  a.answer(0, askFor("10.20.0.9"));
  a.pass(2);
  a.settle();
  const disk = new Map(a.disk);
  servers.twin.now += 100;
  b.look(100);
  assertEquals(ipOf(b.answer(1, askFor("10.20.0.9"))), "10.20.0.9/32");
  // Its clock was set back.
  for (const [name, note] of disk) a.disk.set(name, { ...note, expiresAt: a.mono + 50 });
  a.restart();
  a.settle();
  assertEquals(a.allowed(0), ["fe80::1:0/128"]);
  assertEquals(a.allowed(1), ["fe80::1:1/128", "10.20.0.9/32"]);
  assertMatch(a.answer(0, askFor("10.20.0.9")), /errno=3\n/);
});

test("shared: an emptied store gets back what there was, before it gives anything new", () => {
  const [servers, a, b] = Servers.two();
  const [first, second] = [ipOf(a.answer(0)), ipOf(b.answer(1))];
  servers.pass(2);
  servers.twin.lose();
  servers.pass(2);
  assertEquals(servers.twin.leases.get(first)?.publicKey, keyOf(0));
  assertEquals(servers.twin.leases.get(second)?.publicKey, keyOf(1));
  assertEquals(ipOf(b.answer(0)), first);
  // A server that knows nothing of before.
  const c = servers.add();
  assertEquals(c.allowed(0), ["fe80::1:0/128", first]);
  assertEquals(c.answer(2), "aborted");
  servers.pass(YOUNG_TABLE);
  assertMatch(c.answer(2), /errno=0\n/);
});

test("shared: an address of the settings waits for the end of who has it, and is then the peer's", () => {
  const servers = new Servers();
  const a = servers.add({ fixed: new Map([[keyOf(0), ["10.20.0.9"]]]) });
  const b = servers.add();
  servers.pass(YOUNG_TABLE);
  b.answer(1, askFor("10.20.0.9"));
  servers.pass(2);
  assertEquals(a.allowed(1), ["fe80::1:1/128"]);
  assertMatch(a.answer(0), /errno=3\n/);
  // Who has it gets another one here, and gives that one up.
  assertMatch(a.answer(1, askFor("10.20.0.9")), /errno=3\n/);
  const other = ipOf(a.answer(1));
  assert(other !== "10.20.0.9/32");
  servers.pass(2);
  servers.pass(2);
  assertEquals(ipOf(a.answer(0)), "10.20.0.9/32");
  servers.pass(2);
  assertEquals(b.allowed(0), ["fe80::1:0/128", "10.20.0.9/32"]);
  // At the server whose settings don't have it, it is the peer's all the same.
  assertEquals(ipOf(b.answer(0)), "10.20.0.9/32");
});

test("shared: pools that differ: a peer has an address of where it has asked last", () => {
  const servers = new Servers();
  const a = servers.add();
  const b = servers.add({ pools: ["10.30.0.0/24"] });
  servers.pass(YOUNG_TABLE);
  const first = ipOf(a.answer(0));
  assertMatch(ipOf(b.answer(0)), /^10\.30\.0\./);
  servers.pass(2);
  assertEquals(a.allowed(0), ["fe80::1:0/128"]);
  assert((servers.twin.leases.get(first)?.released ?? 0) > 0);
  // Other settings show what others have had all the time.
  a.configure({ pools: ["10.20.0.0/24", "10.30.0.0/24"] });
  a.settle();
  assertEquals(a.allowed(0)?.[1], b.allowed(0)?.[1]);
});

test("shared: a peer that is removed at one server keeps its lease at the others", () => {
  const [servers, a, b] = Servers.two();
  const address = ipOf(a.answer(0));
  servers.pass(2);
  a.device?.delete(keyOf(0));
  servers.pass(2);
  assertEquals(a.allowed(0), undefined);
  assertEquals(b.allowed(0), ["fe80::1:0/128", address]);
  assertEquals(ipOf(b.answer(0)), address);
  // Where it comes back, it has what it has elsewhere.
  a.set(keyOf(0), ["fe80::1:0/128"]);
  servers.pass(2);
  assertEquals(a.allowed(0), ["fe80::1:0/128", address]);
});

test("shared: of many requests at once, the last are refused; each of the others is decided", () => {
  const [, a] = Servers.two();
  const answer = a.answer(0, ANY.repeat(MOST_ASKS) + ANY);
  const parts = answer.split("\n\n").filter((part) => part !== "");
  assertEquals(parts.length, MOST_ASKS + 1);
  assertEquals(new Set(parts.slice(0, -1).map(ipOf)).size, 1);
  assertMatch(parts.at(-1)!, /^errno=1\n/);
});

test("shared: what a store says that is no lease is passed over", () => {
  for (const size of [0, 1, 48, 64, 65, 66]) {
    assertEquals(decodeTabled(new Uint8Array(16), new Uint8Array(size)), undefined);
    assertEquals(decodeLogged(new Uint8Array(size)), undefined);
  }
  const logged = new Uint8Array(65);
  const address = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
  logged.set(address, 32);
  logged.set([0x7f, 0xf0], 48);
  assertEquals(decodeLogged(logged), undefined, "it never ends");
  logged.set([0x41, 0xd0], 48);
  assertEquals(decodeLogged(logged)?.address, { family: 6, value: (0xfdn << 120n) + 7n });
  assertEquals(decodeTabled(Uint8Array.from(address).subarray(1), new Uint8Array(48)), undefined);
});

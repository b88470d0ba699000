import { assert, assertEquals } from "@std/assert";
import { signingRate, SigningWork } from "../../../../lib/core/zone/server/signing_work.ts";
import { test } from "../../../testing.ts";

const RATE = { perSecond: 100, burst: 200 };

function most(work: SigningWork, transport: "udp" | "tcp", isKept: boolean, mono: number): number {
  let taken = 0;
  while (work.take(transport, 1, isKept, mono)) taken++;
  return taken;
}

test("of the burst, names that don't exist get half, and each transport has its own", () => {
  const work = new SigningWork(RATE);
  assertEquals(most(work, "udp", false, 5), 100);
  assertEquals(most(work, "udp", true, 5), 100);
  assertEquals(most(work, "tcp", true, 5), 200);
  assertEquals(most(work, "udp", true, 5.5), 50);
  assertEquals(most(work, "udp", true, 1e9), 200);
});

test("what isn't enough takes nothing, and a clock that goes back gives nothing", () => {
  const work = new SigningWork(RATE);
  assert(!work.take("udp", 201, true, 10));
  assert(work.take("udp", 200, true, 10));
  assert(!work.take("udp", 1, true, 9));
  assert(!work.take("udp", 2, true, 10.01));
  assert(work.take("udp", 1, true, 10.02));
});

test("it begins anywhere, as clocks do that never jump", () => {
  for (const from of [-1e6, -3, 0, 1e12]) {
    const work = new SigningWork(RATE);
    assertEquals(most(work, "udp", true, from), 200, String(from));
    assertEquals(most(work, "udp", true, from + 0.5), 50, String(from));
  }
});

test("another rate holds at once", () => {
  const work = new SigningWork(RATE);
  work.configure({ perSecond: 10, burst: 20 });
  assertEquals(most(work, "udp", true, 1), 20);
});

test("what a signature takes says how many there may be", () => {
  assertEquals(signingRate(25e-6), { perSecond: 5000, burst: 10_000 });
  assertEquals(signingRate(0), { perSecond: 5000, burst: 10_000 });
  assertEquals(signingRate(1e-3), { perSecond: 250, burst: 500 });
  assertEquals(signingRate(10), { perSecond: 50, burst: 100 });
});

/** Which of a host's addresses have a socket of their own. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { LocalAddressPlan, MAX_LOCAL_SOCKETS } from "../../../lib/core/net/local_addresses.ts";
import { test } from "../../testing.ts";

const A = "192.0.2.1";
const B = "10.0.0.1";
const C = "10.0.0.2";

/** A plan whose sockets are all opened, at these looks in turn. */
function looks(isIpv6: boolean, ...presents: readonly string[][]) {
  const plan = new LocalAddressPlan(isIpv6);
  return presents.map((present) => {
    const step = plan.next(present);
    for (const each of step.open) plan.told(each, true);
    return step;
  });
}

test("each address of the family has a socket, and what goes and comes is followed", () => {
  assertEquals(looks(false, [A, B, "2001:db8::1"], [A, B], [A, B, C], [C, A], [A]), [
    { close: [], open: [A, B] },
    { close: [], open: [] },
    { close: [], open: [C] },
    { close: [B], open: [] },
    { close: [A, C], open: [] },
  ]);
});

test("where there is one address alone, each answer is from that", () => {
  const none = { close: [], open: [] };
  assertEquals(looks(false, [], ["127.0.0.1", A], ["127.0.0.1", "127.1.2.3", A, A]), [
    none,
    none,
    none,
  ]);
  assertEquals(looks(true, ["::1", "fe80::1", "2001:db8::1", A, B]), [none]);
  assertEquals(looks(true, ["::1", "fe80::1", "2001:db8::1", "fd00::1", A]), [
    { close: [], open: ["2001:db8::1", "fd00::1"] },
  ]);
});

test("what is no address is passed over", () => {
  assertEquals(looks(false, ["", "x", "10.0.0.1/8", A, "fe80::1%eth0", B]), [
    { close: [], open: [A, B] },
  ]);
});

test("one that can't be opened is tried at each look, and said once, the second time", () => {
  const plan = new LocalAddressPlan(false);
  assertEquals(plan.next([A, B]).open, [A, B]);
  assertEquals([plan.told(A, true), plan.told(B, false)], [false, false]);
  for (const isSaid of [true, false, false]) {
    assertEquals(plan.next([A, B]).open, [B]);
    assertEquals(plan.told(B, false), isSaid);
  }
  assertEquals(plan.next([A, B]).open, [B]);
  assertEquals(plan.told(B, true), false);
  // It was there, went, and comes again.
  plan.next([A, C]);
  plan.told(C, true);
  for (const isSaid of [false, true]) {
    assertEquals(plan.next([A, B, C]).open, [B]);
    assertEquals(plan.told(B, false), isSaid);
  }
});

test("there are so many at most, of those that the host has now", () => {
  const address = fc.integer({ min: 0, max: 200 }).map((n) => `10.1.${n >> 4}.${n & 15}`);
  const present = fc.array(address, { maxLength: 150 });
  fc.assert(fc.property(fc.array(fc.tuple(present, fc.nat()), { maxLength: 8 }), (steps) => {
    const plan = new LocalAddressPlan(false);
    const open = new Set<string>();
    for (const [here, fails] of steps) {
      const step = plan.next(here);
      for (const each of step.close) assert(open.delete(each), each);
      for (const [i, each] of step.open.entries()) {
        const isOpen = (fails >> i % 8) % 2 === 0;
        plan.told(each, isOpen);
        if (isOpen) open.add(each);
      }
      assert(open.size <= MAX_LOCAL_SOCKETS);
      for (const each of open) assert(here.includes(each), each);
      const wanted = new Set(here);
      const isAll = wanted.size < 2 || fails % 256 !== 0 ||
        open.size === Math.min(wanted.size, MAX_LOCAL_SOCKETS);
      assert(isAll, `${open.size} of ${wanted.size}`);
    }
  }));
});

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Epoch } from "../../../lib/core/portmap/epoch.ts";
import { test } from "../../testing.ts";

test("epoch: a gateway that counts on, by any clock that is nearly right, has lost nothing", () => {
  const gap = fc.integer({ min: 0, max: 8000 });
  const drift = fc.double({ min: -0.06, max: 0.06, noNaN: true });
  fc.assert(fc.property(fc.array(gap, { maxLength: 20 }), drift, fc.nat(9999), (gaps, off, at) => {
    const epoch = new Epoch();
    let mono = 50;
    let there = at;
    assertEquals(epoch.take(Math.floor(there), mono), false);
    for (const seconds of gaps) {
      mono += seconds;
      there += seconds * (1 + off);
      assertEquals(epoch.take(Math.floor(there), mono), false);
    }
  }));
});

test("epoch: one that goes back, stands still or jumps ahead has lost what it had", () => {
  for (
    const [passed, there, isLost] of [
      [10, -2, true],
      [0, -1, false],
      [100, 0, true],
      [3600, 3300, true],
      [3600, 3400, false],
      [3600, 3900, true],
      [3600, 3800, false],
      [0, 2, false],
      [0, 10, true],
    ] as const
  ) {
    const epoch = new Epoch();
    epoch.take(5000, 1);
    assertEquals(epoch.take(5000 + there, 1 + passed), isLost, `${passed} s here, ${there} there`);
  }
});

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { AnswerBudget, type AnswerBudgetOptions } from "../../../lib/core/net/answer_budget.ts";
import { addressBytes } from "../../support/dns.ts";
import { test } from "../../testing.ts";

const SEED = 0x9_8765_4321;

/** Spends by addresses as text. */
class Purse {
  readonly #budget: AnswerBudget;
  constructor(options: AnswerBudgetOptions, seed = SEED) {
    this.#budget = new AnswerBudget(options, seed);
  }
  spend(source: string, bytes: number, mono = 0): boolean {
    return this.#budget.spend(addressBytes(source), 0, bytes, mono);
  }
}

test("a burst can be spent at once, and no more", () => {
  const purse = new Purse({ bytesPerSecond: 10, burst: 100 });
  assert(purse.spend("192.0.2.1", 60));
  assert(!purse.spend("192.0.2.1", 41));
  assert(purse.spend("192.0.2.1", 40), "what was refused was not taken");
  assert(!purse.spend("192.0.2.1", 1));
});

test("answers that are no longer than their questions are free", () => {
  const purse = new Purse({ bytesPerSecond: 10, burst: 0 });
  assert(purse.spend("192.0.2.1", 0));
  assert(purse.spend("192.0.2.1", -500));
  assert(!purse.spend("192.0.2.1", 1));
});

test("time brings bytes back, up to a burst", () => {
  const purse = new Purse({ bytesPerSecond: 10, burst: 100 });
  assert(purse.spend("192.0.2.1", 100, -5));
  assert(!purse.spend("192.0.2.1", 20, -4));
  assert(purse.spend("192.0.2.1", 20, -3));
  assert(!purse.spend("192.0.2.1", 101, 1000));
  assert(purse.spend("192.0.2.1", 100, 1000));
  assert(!purse.spend("192.0.2.1", 1, 1000), "a clock that stands brings nothing");
});

test("a /24 and a /56 are one source", () => {
  const purse = () => new Purse({ bytesPerSecond: 10, burst: 100 });
  const shared = [
    ["192.0.2.1", "192.0.2.255"],
    ["2001:db8:1:100::1", "2001:db8:1:1ff:ffff:ffff:ffff:ffff"],
    ["::1", "::2"],
  ] as const;
  for (const [a, b] of shared) {
    const one = purse();
    assert(one.spend(a, 100));
    assert(!one.spend(b, 1), `${a} ${b}`);
  }
  const apart = [
    ["192.0.2.1", "192.0.3.1"],
    ["192.0.2.1", "193.0.2.1"],
    ["2001:db8:1:100::1", "2001:db8:1:200::1"],
    ["2001:db8::1", "192.0.2.1"],
    ["::1", "0.0.0.1"],
  ] as const;
  for (const [a, b] of apart) {
    const one = purse();
    assert(one.spend(a, 100));
    assert(one.spend(b, 100), `${a} ${b}`);
  }
});

test("who asked before makes no difference", () => {
  const purse = new Purse({ bytesPerSecond: 10, burst: 100 });
  assert(purse.spend("2001:db8::1", 100));
  assert(purse.spend("255.255.255.255", 100));
  assert(!purse.spend("2001:db8::1", 1));
});

test("a rate of 0 is no limit", () => {
  const purse = new Purse({ bytesPerSecond: 0, burst: 0 });
  for (let i = 0; i < 10; i++) assert(purse.spend("192.0.2.1", 1e9));
});

test("many sources share what there is: none gets more than by itself", () => {
  const options = { bytesPerSecond: 10, burst: 100 };
  const sources = Array.from({ length: 20_000 }, (_, i) => `10.${i >> 8}.${i & 255}.1`);
  const purse = new Purse(options);
  const served = sources.filter((source) => purse.spend(source, 100)).length;
  // Fewer than there are sources, as places are 4096; and none comes twice.
  assert(served > 3900 && served <= 4096, `${served}`);
  assertEquals(sources.filter((source) => purse.spend(source, 100)).length, 0);
});

test("who shares a place is another with another seed", () => {
  const sources = Array.from({ length: 2000 }, (_, i) => `10.${i >> 8}.${i & 255}.1`);
  const served = (seed: number) => {
    const purse = new Purse({ bytesPerSecond: 10, burst: 100 }, seed);
    return sources.map((source) => purse.spend(source, 100)).join();
  };
  assertEquals(served(1), served(1));
  assert(served(1) !== served(2));
});

test("over any time, a source gets at most a burst and the rate", () => {
  const step = fc.record({ wait: fc.double({ min: 0, max: 3, noNaN: true }), bytes: fc.nat(60) });
  fc.assert(fc.property(fc.array(step), (steps) => {
    const purse = new Purse({ bytesPerSecond: 20, burst: 50 });
    let time = 0;
    let spent = 0;
    for (const { wait, bytes } of steps) {
      time += wait;
      if (purse.spend("192.0.2.1", bytes, time)) spent += bytes;
      assert(spent <= 50 + 20 * time + 1e-6);
    }
  }));
});

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { RankedSet } from "../../../../lib/core/lease/server/ranked_set.ts";
import { seededNumbers } from "../../../support/seeded_random.ts";
import { test } from "../../../testing.ts";

/** The first numbers that are not in the set, by counting. */
function missingFrom(set: ReadonlySet<bigint>, count: number): bigint[] {
  const missing: bigint[] = [];
  for (let number = 0n; missing.length < count; number++) {
    if (!set.has(number)) missing.push(number);
  }
  return missing;
}

function ranks(numbers: RankedSet, count: number): bigint[] {
  return Array.from({ length: count }, (_, rank) => numbers.missing(BigInt(rank)));
}

test("an empty set lacks every number", () => {
  const numbers = new RankedSet();
  assertEquals(numbers.count, 0);
  assertEquals(numbers.has(0n), false);
  assertEquals(numbers.remove(0n), false);
  assertEquals(numbers.missing(0n), 0n);
  assertEquals(numbers.missing(1n << 127n), 1n << 127n);
});

test("it has what was added and not removed, and knows what it lacks", () => {
  const step = fc.record({ adds: fc.boolean(), number: fc.bigInt({ min: 0n, max: 30n }) });
  fc.assert(fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
    const numbers = new RankedSet();
    const model = new Set<bigint>();
    for (const { adds, number } of steps) {
      if (adds) assertEquals(numbers.add(number), !model.has(number));
      else assertEquals(numbers.remove(number), model.has(number));
      if (adds) model.add(number);
      else model.delete(number);
      assertEquals([numbers.count, numbers.has(number)], [model.size, adds]);
    }
    assertEquals(ranks(numbers, 40), missingFrom(model, 40));
  }));
});

test("many numbers, in many chunks, come and go", () => {
  const random = seededNumbers(1);
  const numbers = new RankedSet();
  const model = new Set<bigint>();
  for (const share of [0.9, 0.5, 0.02]) {
    for (let i = 0; i < 8000; i++) {
      const number = BigInt(Math.floor(random() * 4000));
      if (random() < share) {
        assertEquals(numbers.add(number), !model.has(number) && !!model.add(number));
      } else assertEquals(numbers.remove(number), model.delete(number));
    }
    assertEquals(numbers.count, model.size);
    assertEquals(ranks(numbers, 3000), missingFrom(model, 3000));
    for (let number = 0n; number < 4000n; number++) {
      assertEquals(numbers.has(number), model.has(number));
    }
  }
  for (const number of model) numbers.remove(number);
  assertEquals(numbers.count, 0);
  assertEquals(ranks(numbers, 10), missingFrom(new Set(), 10));
});

test("numbers that come in order make no long chunks wrong", () => {
  for (const sign of [1, -1]) {
    const numbers = new RankedSet();
    for (let i = 0; i < 2000; i++) numbers.add(BigInt(5000 + sign * 2 * i));
    assertEquals(numbers.count, 2000);
    const first = sign === 1 ? 5000n : 1002n;
    assertEquals(numbers.missing(first - 1n), first - 1n);
    assertEquals(numbers.missing(first), first + 1n);
    assertEquals(numbers.missing(first + 1999n), first + 3999n);
    assertEquals(numbers.missing(first + 2000n), first + 4000n);
  }
});

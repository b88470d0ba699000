import { assertEquals } from "@std/assert";
import { COUNTER_NAMES, Counters } from "../../../lib/core/net/counters.ts";
import { test } from "../../testing.ts";

test("every counter starts at 0 and counts for itself", () => {
  const counters = new Counters();
  assertEquals(COUNTER_NAMES.map((name) => counters.get(name)), COUNTER_NAMES.map(() => 0));
  COUNTER_NAMES.forEach((name, i) => {
    counters.add(name);
    counters.add(name, i);
  });
  assertEquals(COUNTER_NAMES.map((name) => counters.get(name)), COUNTER_NAMES.map((_, i) => 1 + i));
});

test("a snapshot shows how much work was done, and what else is not 0, in order", () => {
  const counters = new Counters();
  assertEquals(counters.snapshot(), { received: 0, answered: 0 });
  counters.add("drop-bad-mac", 2);
  counters.add("sent");
  counters.add("received", 3);
  assertEquals(Object.entries(counters.snapshot()), [
    ["received", 3],
    ["answered", 0],
    ["sent", 1],
    ["drop-bad-mac", 2],
  ]);
});

test("a snapshot does not change afterwards", () => {
  const counters = new Counters();
  const before = counters.snapshot();
  counters.add("received");
  assertEquals(before, { received: 0, answered: 0 });
});

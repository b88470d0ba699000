import { assert, assertEquals } from "@std/assert";
import {
  LeaseBudgets,
  REPLY_BURST,
  REPLY_BYTES_PER_SECOND,
} from "../../../../lib/core/lease/server/budget.ts";
import { test } from "../../../testing.ts";

test("a budget is a peer's, and comes back with time", () => {
  const budgets = new LeaseBudgets();
  assert(budgets.mayAsk("A", 0));
  budgets.spend("A", REPLY_BURST, 0);
  assertEquals([budgets.mayAsk("A", 0), budgets.mayAsk("B", 0)], [false, true]);
  assertEquals(budgets.mayAsk("A", 1), true);
  budgets.spend("A", REPLY_BYTES_PER_SECOND, 1);
  assertEquals([budgets.mayAsk("A", 1), budgets.mayAsk("A", 0)], [false, false]);
  // No more than a burst, however long nobody asks.
  budgets.spend("A", REPLY_BURST, 1e6);
  assertEquals(budgets.mayAsk("A", 1e6), false);
  // Small ones cost something, too.
  for (let i = 0; i < REPLY_BURST / 256; i++) budgets.spend("C", 1, 0);
  assertEquals(budgets.mayAsk("C", 0), false);
});

test("what doesn't matter any more is forgotten, and so many are kept", () => {
  const budgets = new LeaseBudgets(100);
  for (let i = 0; i < 1000; i++) {
    budgets.spend(`${i}`, REPLY_BURST, 0);
    assert(budgets.size <= 100, `${budgets.size}`);
  }
  assertEquals([budgets.mayAsk("999", 0), budgets.mayAsk("0", 0)], [false, true]);
  for (let i = 0; i < 200; i++) budgets.spend("late", 1, 40);
  assertEquals(budgets.size, 1);
});

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { ExpiryQueue } from "../../../../lib/core/lease/server/expiry_queue.ts";
import { test } from "../../../testing.ts";

test("the earliest end is found, whatever comes, moves and goes", () => {
  const step = fc.record({
    key: fc.nat({ max: 20 }).map(String),
    end: fc.option(fc.nat({ max: 50 })),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const ends = new ExpiryQueue();
    const model = new Map<string, number>();
    for (const { key, end } of steps) {
      if (end === null) {
        ends.delete(key);
        model.delete(key);
      } else {
        ends.set(key, end);
        model.set(key, end);
      }
      const first = Math.min(...model.values());
      assertEquals(ends.first, first);
      assertEquals(ends.firstKey === undefined ? Infinity : model.get(ends.firstKey), first);
    }
    for (; model.size > 0; model.delete(ends.firstKey!), ends.delete(ends.firstKey!)) {
      assertEquals(model.get(ends.firstKey!), Math.min(...model.values()));
    }
    assertEquals([ends.first, ends.firstKey], [Infinity, undefined]);
  }));
});

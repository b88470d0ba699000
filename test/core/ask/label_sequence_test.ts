import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { LabelSequence } from "../../../lib/core/ask/label_sequence.ts";
import { compareLabels, type Label, labelOf } from "../../../lib/wire/wgsig/tai64n.ts";
import { T0 } from "../../support/registry_driver.ts";
import { test } from "../../testing.ts";

const label: fc.Arbitrary<Label> = fc.record({
  seconds: fc.oneof(fc.nat(2_000_000_000), fc.maxSafeNat()),
  nanoseconds: fc.oneof(fc.nat(999_999_999), fc.nat(0xffff_ffff)),
});

test("labels rise, whatever the clock does and whatever is heard", () => {
  const clock = fc.double({ min: 0, max: 4e9, noNaN: true });
  const event = fc.tuple(fc.constantFrom("next", "startAt", "hear"), label, clock);
  fc.assert(fc.property(fc.array(event, { maxLength: 40 }), (events) => {
    const labels = new LabelSequence();
    let last: Label = { seconds: -1, nanoseconds: 0 };
    for (const [what, told, unix] of events) {
      if (what === "startAt") labels.startAt(told);
      if (what === "hear") labels.hear(told, unix, unix);
      const next = labels.next(unix);
      assert(compareLabels(next, last) > 0);
      assert(next.nanoseconds >= 0 && next.nanoseconds < 1_000_000_000);
      last = next;
    }
  }));
});

test("a clock that is right is gone by", () => {
  const labels = new LabelSequence();
  assertEquals(labels.next(T0 + 0.5), labelOf(T0 + 0.5));
  labels.hear(labelOf(T0 + 3), T0 + 1, T0 + 1.1);
  assertEquals(labels.ahead, 0);
  assertEquals(labels.next(T0 + 2), labelOf(T0 + 2));
});

test("a clock that is wrong is corrected by a retry, and by an answer", () => {
  for (const wrong of [-T0 + 7, -3600, 3600, 1e9]) {
    const labels = new LabelSequence();
    labels.next(T0 + wrong);
    labels.goBy(labelOf(T0), T0 + wrong);
    const { seconds } = labels.next(T0 + wrong + 2);
    assert(Math.abs(seconds - T0 - 2) <= 1);
    const others = new LabelSequence();
    others.hear(labelOf(T0), T0 + wrong, T0 + wrong);
    assert(Math.abs(others.timeAt(T0 + wrong) - T0) < 0.001);
  }
});

test("an answer that was long on its way corrects nothing", () => {
  const labels = new LabelSequence();
  labels.hear(labelOf(T0 + 1), T0, T0 + 60);
  labels.hear(labelOf(T0 + 59), T0, T0 + 60);
  assertEquals(labels.ahead, 0);
});

test("after a retry, labels are later than the last one that was let in, and may be earlier than others", () => {
  const labels = new LabelSequence();
  const used = labels.next(T0);
  labels.used(used);
  const refused = labels.next(T0 + 1e6);
  labels.goBy(labelOf(T0 - 5), T0 + 1e6);
  const next = labels.next(T0 + 1e6);
  assert(compareLabels(next, used) > 0);
  assert(compareLabels(next, refused) < 0);
});

test("the least label that will do is the next one", () => {
  fc.assert(fc.property(fc.nat(2_000_000_000), fc.nat(999_999_999), (seconds, nanoseconds) => {
    const labels = new LabelSequence();
    labels.startAt({ seconds, nanoseconds });
    assertEquals(labels.next(0), { seconds, nanoseconds });
  }));
});

test("a time beyond all times changes nothing", () => {
  const labels = new LabelSequence();
  const never = { seconds: Number.MAX_SAFE_INTEGER, nanoseconds: 0 };
  labels.goBy(never, T0);
  labels.startAt(never);
  labels.hear(never, T0, T0);
  assertEquals(labels.next(T0), labelOf(T0));
});

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ReplayFilter } from "../../../lib/core/registry/replay_filter.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { ODD_PLACE, placed } from "../../support/bytes.ts";
import { idOf } from "../../support/fake_random.ts";
import { test } from "../../testing.ts";

const WINDOW = 30;
/** IDs in a generation. */
const CAPACITY = 4096;
const { at } = ODD_PLACE;

function placedId(number: number): WireBuffer {
  return placed(idOf(number), ODD_PLACE);
}

test("a new filter knows no ID", () => {
  const filter = new ReplayFilter(1, WINDOW);
  assert(!filter.isReplay(placedId(1), at, 0, 0));
});

test("a label that was used, and every earlier one, is a replay; a later one is not", () => {
  const filter = new ReplayFilter(1, WINDOW);
  filter.note(placedId(1), at, 100, 50, 0);
  for (
    const [seconds, nanoseconds] of [[100, 50], [100, 49], [99, 51], [99, 999_999_999], [0, 0]]
  ) {
    assert(filter.isReplay(placedId(1), at, seconds!, nanoseconds!), `${seconds}.${nanoseconds}`);
  }
  for (const [seconds, nanoseconds] of [[100, 51], [101, 0], [101, 50], [2 ** 40, 0]]) {
    assert(!filter.isReplay(placedId(1), at, seconds!, nanoseconds!), `${seconds}.${nanoseconds}`);
  }
});

test("the labels of one ID say nothing of another's", () => {
  const filter = new ReplayFilter(1, WINDOW);
  filter.note(placedId(1), at, 100, 50, 0);
  assert(!filter.isReplay(placedId(2), at, 100, 50));
});

test("an ID of zero bytes and a label of 0 are remembered as any other", () => {
  const filter = new ReplayFilter(0, WINDOW);
  const zero = new WireBuffer(32);
  filter.note(zero, 0, 0, 0, 0);
  assert(filter.isReplay(zero, 0, 0, 0));
  assert(!filter.isReplay(zero, 0, 0, 1));
});

test("an earlier label that is noted late does not take the place of a later one", () => {
  const filter = new ReplayFilter(1, WINDOW);
  filter.note(placedId(1), at, 100, 50, 0);
  filter.note(placedId(1), at, 90, 60, 1);
  filter.note(placedId(1), at, 100, 40, 1);
  assert(filter.isReplay(placedId(1), at, 100, 50));
});

test("a label is remembered for as long as it could be accepted, whatever else is noted", () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.nat(1e6),
      fc.array(fc.integer({ min: 0, max: 20 * WINDOW }), { maxLength: 40 }),
      fc.array(fc.integer({ min: -1000, max: 0 }), { maxLength: 40 }),
      (seed, start, later, earlier) => {
        const filter = new ReplayFilter(seed, WINDOW);
        const noted = start + 100;
        earlier.sort((a, b) => a - b).forEach((tenths, i) => {
          filter.note(placedId(i + 100), at, 5, 0, noted + tenths / 10);
        });
        filter.note(placedId(1), at, 100, 0, noted);
        later.sort((a, b) => a - b).forEach((tenths, i) => {
          filter.note(placedId(i + 1000), at, 5, 0, noted + tenths / 10);
          assert(filter.isReplay(placedId(1), at, 100, 0), `${tenths / 10} s later`);
        });
      },
    ),
  );
});

test("what can't be accepted any more is forgotten, so that the filter never fills up for good", () => {
  const filter = new ReplayFilter(1, WINDOW);
  filter.note(placedId(1), at, 100, 0, 0);
  filter.note(placedId(2), at, 100, 0, 2 * WINDOW + 2);
  assert(filter.isReplay(placedId(1), at, 100, 0), "still in the older generation");
  filter.note(placedId(3), at, 100, 0, 4 * WINDOW + 4);
  assert(!filter.isReplay(placedId(1), at, 100, 0), "outlived");
  assert(filter.isReplay(placedId(2), at, 100, 0));
});

test("as many IDs as a generation holds are remembered at once, of more at least the last ones", () => {
  const filter = new ReplayFilter(7, WINDOW);
  for (let number = 0; number < CAPACITY; number++) filter.note(placedId(number), at, 9, number, 0);
  const known = (number: number) => filter.isReplay(placedId(number), at, 9, number);
  const count = (to: number) => Array.from({ length: to }, (_, number) => known(number));
  assertEquals(count(CAPACITY).filter((replay) => !replay).length, 0);
  for (let number = CAPACITY; number < 3 * CAPACITY; number++) {
    filter.note(placedId(number), at, 9, number, 0);
  }
  const remembered = count(3 * CAPACITY);
  assertEquals(remembered.slice(2 * CAPACITY).filter((replay) => !replay).length, 0);
  assertEquals(remembered.slice(0, CAPACITY).filter((replay) => replay).length, 0);
});

test("one ID that asks again and again takes one place only", () => {
  const filter = new ReplayFilter(7, WINDOW);
  filter.note(placedId(1), at, 9, 0, 0);
  for (let i = 0; i < 3 * CAPACITY; i++) filter.note(placedId(2), at, 9, i, 0);
  assert(filter.isReplay(placedId(1), at, 9, 0));
});

test("a longer window makes the memory longer", () => {
  const filter = new ReplayFilter(1, WINDOW);
  filter.setWindow(300);
  filter.note(placedId(1), at, 100, 0, 0);
  filter.note(placedId(2), at, 100, 0, 299);
  filter.note(placedId(3), at, 100, 0, 600);
  assert(filter.isReplay(placedId(1), at, 100, 0));
});

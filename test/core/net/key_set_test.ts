import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { KeySet } from "../../../lib/core/net/key_set.ts";
import { key32, place } from "../../support/arbitraries.ts";
import { hex, ODD_PLACE, placed } from "../../support/bytes.ts";
import { idOf } from "../../support/fake_random.ts";
import { test } from "../../testing.ts";

function has(set: KeySet, id: Uint8Array): boolean {
  return set.has(placed(id, ODD_PLACE), ODD_PLACE.at);
}

test("an empty set has no ID, not even the one of zero bytes", () => {
  const set = new KeySet([], 1);
  assert(!has(set, new Uint8Array(32)));
  assert(!has(set, idOf(1)));
});

test("a set has its IDs and no others, wherever they lie", () => {
  const ids = fc.array(key32, { maxLength: 40 });
  fc.assert(fc.property(ids, ids, fc.integer(), place, (members, others, seed, where) => {
    const set = new KeySet(members, seed);
    const texts = new Set(members.map(hex));
    for (const id of [...members, ...others]) {
      assertEquals(set.has(placed(id, where), where.at), texts.has(hex(id)));
    }
  }));
});

test("an ID that differs in one bit is another", () => {
  const ids = [idOf(1), idOf(2), idOf(3)];
  const set = new KeySet(ids, 5);
  for (let bit = 0; bit < 256; bit++) {
    const other = ids[1]!.slice();
    other[bit >> 3]! ^= 1 << (bit & 7);
    const expected = ids.some((id) => hex(id) === hex(other));
    assertEquals(has(set, other), expected, `bit ${bit}`);
  }
});

test("sets of every size up to 300 are right with every seed tried", () => {
  for (let size = 0; size <= 300; size += 7) {
    const set = new KeySet(Array.from({ length: size }, (_, i) => idOf(i)), size * 7919);
    for (let number = 0; number < 320; number++) {
      assertEquals(has(set, idOf(number)), number < size, `${number} of ${size}`);
    }
  }
});

test("an ID that is given twice is in the set once more than not at all", () => {
  const set = new KeySet([idOf(1), idOf(1), idOf(2), idOf(1)], 3);
  assert(has(set, idOf(1)));
  assert(has(set, idOf(2)));
  assert(!has(set, idOf(3)));
});

test("the IDs are not kept: changing their bytes later changes nothing", () => {
  const id = idOf(1);
  const set = new KeySet([id], 3);
  id.fill(9);
  assert(has(set, idOf(1)));
  assert(!has(set, id));
});

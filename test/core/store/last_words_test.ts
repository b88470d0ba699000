/** The last word on each name, where entries have one size or different ones. */

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Batch } from "../../../lib/core/store/journal_file.ts";
import {
  countWords,
  type EntryLayout,
  visitLastWords,
} from "../../../lib/core/store/last_words.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { test } from "../../testing.ts";

const NAME = 32;
const SIZE = NAME;
const WORD = NAME + 1;
const LEAST = NAME + 2;
/** Bytes before the first entry of a batch. */
const FIRST = 4;

/** A name, a size, what is said. */
interface Entry {
  readonly name: number;
  readonly more: number;
  readonly word: number;
}

const entry = fc.record({
  name: fc.nat(5),
  more: fc.nat(9),
  word: fc.nat(255),
});
const file = fc.array(
  fc.record({ entries: fc.array(entry, { maxLength: 8 }), torn: fc.nat(LEAST - 1) }),
  { maxLength: 8 },
);

/** Writes batches one after the other, each with something after its last entry. */
function written(
  content: readonly { readonly entries: readonly Entry[]; readonly torn: number }[],
  sizeOf: (entry: Entry) => number,
): { file: WireBuffer; batches: Batch[] } {
  const bytes: number[] = [0xee];
  const batches = content.map(({ entries, torn }): Batch => {
    const at = bytes.length;
    bytes.push(...new Array<number>(FIRST).fill(0xff));
    for (const entry of entries) {
      const { name, word } = entry;
      const size = sizeOf(entry);
      const head = [...new Array<number>(NAME).fill(name), size, word];
      bytes.push(...head, ...new Array<number>(size - LEAST).fill(0xaa));
    }
    // As much as a whole entry, but for a byte: it says nothing.
    bytes.push(...new Array<number>(torn).fill(0xff));
    return { at, end: bytes.length, writtenAt: at };
  });
  return { file: new WireBuffer(Uint8Array.from(bytes)), batches };
}

test("the last word on each name counts, the newest first, whatever sizes entries have", () => {
  const fixed: EntryLayout = { size: LEAST, name: NAME, first: FIRST };
  const varied: EntryLayout = { ...fixed, sizeAt: ({ bytes }, at) => bytes[at + SIZE]! };
  const cases: readonly (readonly [EntryLayout, (entry: Entry) => number])[] = [
    [fixed, () => LEAST],
    [varied, ({ more }) => LEAST + more],
  ];
  fc.assert(fc.property(file, fc.nat(), (content, seed) => {
    for (const [layout, sizeOf] of cases) {
      const { file, batches } = written(content, sizeOf);
      const said = content.flatMap(({ entries }, batch) =>
        entries.map(({ name, word }) => ({ name, word, batch }))
      ).reverse();
      const expected = said.filter(({ name }, i) =>
        said.findIndex((each) => each.name === name) === i
      );
      const found: { name: number; word: number; batch: number }[] = [];
      visitLastWords(file, batches, layout, seed, (at, batch) => {
        const { bytes } = file;
        found.push({ name: bytes[at]!, word: bytes[at + WORD]!, batch: batches.indexOf(batch) });
      });
      assertEquals(found, expected);
      assertEquals(countWords(batches, layout) >= said.length, true);
    }
  }));
});

test("an entry whose size is none, or goes beyond its batch, ends it without another's bytes", () => {
  const layout: EntryLayout = {
    size: LEAST,
    name: NAME,
    first: 0,
    sizeAt: ({ bytes }, at) => bytes[at + SIZE]!,
  };
  const bytes = new WireBuffer(3 * LEAST);
  const batches: Batch[] = [{ at: 0, end: 2 * LEAST, writtenAt: 0 }];
  const visited = () => {
    const places: number[] = [];
    visitLastWords(bytes, batches, layout, 1, (at) => places.push(at));
    return places;
  };
  bytes.bytes[LEAST] = 1;
  // A size of 0 would not get anywhere.
  assertEquals(visited(), [LEAST, 0]);
  bytes.bytes[SIZE] = LEAST + 1;
  assertEquals(visited(), [0]);
  bytes.bytes[SIZE] = 2 * LEAST + 1;
  assertEquals(visited(), []);
});

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  PIECE_SIZE,
  SignatureCache,
  type SignedWords,
} from "../../../../lib/core/zone/server/signature_cache.ts";
import { WireBuffer } from "../../../../lib/wire/bytes/wire_buffer.ts";
import { test } from "../../../testing.ts";

const HEAD_WORDS = 7;
const PIECE_WORDS = PIECE_SIZE / 4;

/** A set of so many words; those of the same number have the same. */
function wordsOf(number: number, size: number): SignedWords {
  const words = new Int32Array(size + 3).fill(number);
  // What lies behind belongs to no set.
  words.fill(-1, size);
  return { words, size };
}

/** Signatures that are another one's for everything that is another. */
function signaturesOf(number: number, size: number, signer: number, count: number): Uint8Array {
  return Uint8Array.from(
    { length: 64 * count },
    (_, i) => number * 31 + size * 7 + signer * 101 + i,
  );
}

function found(cache: SignatureCache, count: number): Uint8Array {
  const out = new WireBuffer(64 * count + 1);
  for (let i = 0; i < count; i++) cache.copy(i, out, 1 + 64 * i);
  return out.bytes.slice(1);
}

test("of all that is found, it is the newest signature of the same words and signer", () => {
  const step = fc.record({
    number: fc.nat(6),
    size: fc.constantFrom(1, 2, 3, 30, 31, 900, 8000, 20_000),
    signer: fc.integer({ min: 1, max: 2 }),
    isAdded: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.constantFrom(1, 2, 4), fc.array(step, { maxLength: 120 }), (pieces, steps) => {
      const cache = new SignatureCache(pieces, 99);
      /** By content: what was added last, and how many words were since. */
      const added = new Map<string, { time: number; signer: number; words: number }>();
      let time = 0;
      let words = 0;
      for (const { number, size, signer, isAdded } of steps) {
        const id = `${number} ${size} ${signer}`;
        const set = wordsOf(number, size);
        if (isAdded) {
          words += HEAD_WORDS + size + 16 * signer;
          added.set(id, { time: ++time, signer, words });
          const signatures = signaturesOf(number, size, signer, signer);
          assert(cache.add(set, signer, signatures, time, time + 5));
        }
        const known = added.get(id);
        const isThere = cache.find(set, signer);
        assert(cache.bytes <= pieces * PIECE_SIZE);
        if (isThere) {
          assert(known !== undefined, "what was never added");
          assertEquals([cache.inception, cache.expiry], [known.time, known.time + 5]);
          assertEquals(found(cache, signer), signaturesOf(number, size, signer, signer));
        } else if (known !== undefined) {
          // It is lost only once the ring has come round.
          assert(words - known.words > (pieces - 1) * PIECE_WORDS - pieces * 20_100);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test("words that differ anywhere are others", () => {
  const cache = new SignatureCache(1, 5);
  const set = wordsOf(3, 50);
  cache.add(set, 1, signaturesOf(0, 0, 0, 1), 0, 0);
  for (let i = 0; i < 50; i++) {
    for (const bit of [1, 0x8000_0000]) {
      const words = set.words.slice();
      words[i]! ^= bit;
      assert(!cache.find({ words, size: 50 }, 1));
    }
  }
  assert(!cache.find({ words: set.words, size: 49 }, 1));
  assert(!cache.find({ words: set.words, size: 51 }, 1));
  assert(!cache.find(set, 2));
  assert(cache.find(set, 1));
});

test("an entry fills a piece to its end, and one that is larger isn't kept", () => {
  const most = PIECE_WORDS - HEAD_WORDS - 16;
  const cache = new SignatureCache(2, 7);
  const signatures = signaturesOf(1, 2, 3, 1);
  assert(!cache.add(wordsOf(1, most + 1), 1, signatures, 0, 0));
  assert(!cache.find(wordsOf(1, most + 1), 1));
  assert(cache.add(wordsOf(1, most), 1, signatures, 0, 0));
  assertEquals(cache.bytes, PIECE_SIZE);
  assert(cache.find(wordsOf(1, most), 1));
  assertEquals(found(cache, 1), signatures);
  // Of the next piece, all but one word.
  assert(cache.add(wordsOf(2, most - HEAD_WORDS - 16 - 2), 1, signatures, 0, 0));
  assert(cache.add(wordsOf(3, 1), 1, signatures, 0, 0));
  assertEquals(cache.bytes, 2 * PIECE_SIZE);
  assert(cache.find(wordsOf(1, most), 1));
  // The first piece is written over, whatever is in it.
  assert(cache.add(wordsOf(4, 1), 1, signatures, 0, 0));
  assert(cache.add(wordsOf(5, 1), 1, signatures, 0, 0));
  assertEquals(cache.bytes, 2 * PIECE_SIZE);
  assert(!cache.find(wordsOf(1, most), 1));
  for (const number of [3, 4, 5]) assert(cache.find(wordsOf(number, 1), 1));
});

test("the oldest go first, and memory is taken when it is needed", () => {
  const pieces = 4;
  const cache = new SignatureCache(pieces, 11);
  const size = 100;
  const perPiece = Math.floor(PIECE_WORDS / (HEAD_WORDS + size + 16));
  assertEquals(cache.bytes, 0);
  for (let i = 0; i < 10 * perPiece; i++) {
    cache.add(wordsOf(i, size), 1, signaturesOf(i, size, 1, 1), i, i);
    assertEquals(cache.bytes, PIECE_SIZE * Math.min(pieces, 1 + Math.floor(i / perPiece)));
  }
  const there = Array.from({ length: 10 * perPiece }, (_, i) => cache.find(wordsOf(i, size), 1));
  assertEquals(there.slice(0, 6 * perPiece).filter((each) => each).length, 0);
  // A bucket is looked into for some steps alone, so a few may not be found.
  assert(there.slice(6 * perPiece).filter((each) => each).length > 4 * perPiece - 3);
});

test("of sets with the same hash, none gets the signatures of another", () => {
  const cache = new SignatureCache(64, 13);
  const set = { words: new Int32Array(2), size: 2 };
  const signatures = signaturesOf(1, 1, 1, 1);
  const added = 60_000;
  // So many pairs that some have the same 32 bits of hash: about fourteen.
  const asked = 1_000_000;
  for (let i = 0; i < added; i++) {
    set.words[0] = Math.imul(i, 0x01f3_5a7b);
    set.words[1] = i;
    cache.add(set, 1, signatures, 0, 0);
  }
  let found = 0;
  for (let i = added; i < added + asked; i++) {
    set.words[0] = Math.imul(i, 0x01f3_5a7b);
    set.words[1] = i;
    if (cache.find(set, 1)) found++;
  }
  assertEquals(found, 0);
});

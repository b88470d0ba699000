/**
 * What counts of a journal: the last word on each name.
 *
 * @module
 */

import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { hashId } from "../net/id_hash.ts";
import type { Batch } from "./journal_file.ts";

/** How the entries of batches are laid out: each begins with its name. */
export interface EntryLayout {
  /** Size of an entry, in bytes; the least where {@linkcode sizeAt} is there. */
  readonly size: number;
  /** Size of the entry at `at`, of which {@linkcode size} bytes are there. */
  readonly sizeAt?: (file: WireBuffer, at: number) => number;
  /** Size of its name: a public key (32 bytes), and perhaps something after it; a multiple of 4. */
  readonly name: number;
  /** Where the first entry of a batch is in its content. */
  readonly first: number;
}

const KEY_SIZE = 32;
/** 2^32 divided by the golden ratio: it spreads what differs in a few bits. */
const SPREAD = 0x9e37_79b1;

/** How many entries there are; at most so many where they have different sizes. */
export function countWords(batches: readonly Batch[], layout: EntryLayout): number {
  return batches.reduce((count, batch) => count + entriesIn(batch, layout), 0);
}

/**
 * Calls `visit` with each entry, the newest first, for as long as it returns true. What stands after
 * the last whole entry of a batch is passed over.
 *
 * @returns Whether it has returned true for all of them.
 */
export function visitWords(
  file: WireBuffer,
  batches: readonly Batch[],
  layout: EntryLayout,
  visit: (at: number, batch: Batch) => boolean,
): boolean {
  for (let i = batches.length - 1; i >= 0; i--) {
    const batch = batches[i]!;
    const first = batch.at + layout.first;
    if (layout.sizeAt !== undefined) {
      const places = placesIn(file, batch, layout.size, layout.first, layout.sizeAt);
      for (let k = places.length - 1; k >= 0; k--) if (!visit(places[k]!, batch)) return false;
      continue;
    }
    for (let left = entriesIn(batch, layout); left > 0; left--) {
      if (!visit(first + (left - 1) * layout.size, batch)) return false;
    }
  }
  return true;
}

/**
 * Calls `visit` with the last entry of each name, the newest first.
 *
 * @param seed Random, so that nobody can choose names that collide.
 */
export function visitLastWords(
  file: WireBuffer,
  batches: readonly Batch[],
  layout: EntryLayout,
  seed: number,
  visit: (at: number, batch: Batch) => unknown,
): void {
  const most = countWords(batches, layout);
  /** Open addressing: where an entry is, or 0; at most two thirds full. */
  const index = new Int32Array(2 ** Math.ceil(Math.log2(1.5 * most + 2)));
  const mask = index.length - 1;
  const visitAt = (at: number, batch: Batch): boolean => {
    let place = hashName(file, at, layout.name, seed) & mask;
    while (index[place] !== 0 && !isSame(file, at, index[place]!, layout.name)) {
      place = (place + 1) & mask;
    }
    if (index[place] === 0) {
      index[place] = at;
      visit(at, batch);
    }
    return true;
  };
  visitWords(file, batches, layout, visitAt);
}

/** Where the whole entries of a batch are. */
function placesIn(
  file: WireBuffer,
  batch: Batch,
  least: number,
  first: number,
  sizeAt: (file: WireBuffer, at: number) => number,
): number[] {
  const places: number[] = [];
  for (let at = batch.at + first; at + least <= batch.end;) {
    const next = at + Math.max(least, sizeAt(file, at));
    if (next > batch.end) break;
    places.push(at);
    at = next;
  }
  return places;
}

function entriesIn({ at, end }: Batch, { first, size }: EntryLayout): number {
  return Math.max(0, Math.floor((end - at - first) / size));
}

function hashName(file: WireBuffer, at: number, size: number, seed: number): number {
  let hash = hashId(file, at, seed);
  for (let i = KEY_SIZE; i < size; i += 4) {
    hash = Math.imul(hash ^ file.view.getInt32(at + i), SPREAD);
    hash ^= hash >>> 15;
  }
  return hash;
}

function isSame({ view }: WireBuffer, a: number, b: number, size: number): boolean {
  for (let i = 0; i < size; i += 4) {
    if (view.getInt32(a + i) !== view.getInt32(b + i)) return false;
  }
  return true;
}

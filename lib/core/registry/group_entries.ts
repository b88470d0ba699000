/**
 * Entries of groups in the batches of a state file: each batch begins with the number of the group that
 * its entries are of.
 *
 * @module
 */

import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { Now } from "../net/clock.ts";
import { type Batch, MAX_CONTENT_SIZE } from "../store/journal_file.ts";
import { NONE } from "../net/none.ts";
import type { Pieces } from "../store/journaled.ts";
import type { RegistryGroup } from "./group.ts";

/** Size of what a batch begins with, in bytes: GROUP. */
export const BATCH_GROUP_SIZE = 4;
/** The most entries of a batch. */
const MOST_ENTRIES = 1024;

/** How entries are written. */
export interface EntryFormat {
  /** The most bytes that one takes. */
  readonly mostSize: number;
  /** Writes what there is of somebody, and returns how many bytes that takes: 0 who is gone. */
  write(group: RegistryGroup, peer: number, to: WireBuffer, at: number, now: Now): number;
  /** Writes that somebody is gone, in bytes that are zeros, and returns how many that takes. */
  writeRemoved(id: Uint8Array, to: WireBuffer, at: number): number;
}

/** What is to be written of a group. */
export interface GroupWork {
  readonly group: RegistryGroup;
  /** IDs of those that are gone; they are written first. */
  readonly removed: readonly Uint8Array[];
  /** Those that are there, asked for when it is their turn. */
  peers(): PeerWalk;
}

/** Peers, one after the other. */
export interface PeerWalk {
  /** At most so many are left. */
  readonly left: number;
  /** The next one, or NONE. */
  next(): number;
}

/** What has numbers. */
interface Numbered {
  /** All are below this number. */
  readonly end: number;
}

/** Some of the numbers that there are now. */
export class NumberWalk implements PeerWalk {
  readonly #isOne: (number: number) => boolean;
  readonly #end: number;
  #next = 0;

  /** @param isOne Whether a number is one of those, when it is its turn. */
  constructor({ end }: Numbered, isOne: (number: number) => boolean) {
    this.#end = end;
    this.#isOne = isOne;
  }

  /** See {@linkcode PeerWalk}. */
  get left(): number {
    return this.#end - this.#next;
  }

  /** See {@linkcode PeerWalk}. */
  next(): number {
    while (this.#next < this.#end) {
      const number = this.#next++;
      if (this.#isOne(number)) return number;
    }
    return NONE;
  }
}

/** The numbers of a list. */
export class ListWalk implements PeerWalk {
  readonly #list: readonly number[];
  #next = 0;

  /** @param list Not changed any more. */
  constructor(list: readonly number[]) {
    this.#list = list;
  }

  /** See {@linkcode PeerWalk}. */
  get left(): number {
    return this.#list.length - this.#next;
  }

  /** See {@linkcode PeerWalk}. */
  next(): number {
    return this.#list[this.#next++] ?? NONE;
  }
}

/** Writes groups, as many entries at a time as fit a batch. */
export class GroupPieces implements Pieces {
  readonly #format: EntryFormat;
  readonly #most: number;
  readonly #gone: number[];
  readonly #work: GroupWork[];
  #peers: PeerWalk | undefined;
  /** How many of those of the first group that are gone are written. */
  #removed = 0;

  /** @param gone Numbers of groups that are gone; they are written first. */
  constructor(format: EntryFormat, gone: readonly number[], work: readonly GroupWork[]) {
    const room = MAX_CONTENT_SIZE - BATCH_GROUP_SIZE;
    this.#format = format;
    this.#most = Math.min(MOST_ENTRIES, Math.floor(room / format.mostSize));
    this.#gone = [...gone];
    this.#work = [...work];
  }

  /** See `Pieces`. */
  next(now: Now): Uint8Array | undefined {
    const gone = this.#gone.shift();
    if (gone !== undefined) return newBatch(gone, 0).bytes;
    for (let work = this.#work[0]; work !== undefined; work = this.#work[0]) {
      const piece = this.#nextOf(work, now);
      if (piece !== undefined) return piece;
      this.#work.shift();
      this.#peers = undefined;
      this.#removed = 0;
    }
    return undefined;
  }

  #nextOf({ group, removed, peers }: GroupWork, now: Now): Uint8Array | undefined {
    const format = this.#format;
    const walk = this.#peers ??= peers();
    const most = Math.min(this.#most, removed.length - this.#removed + walk.left);
    if (most <= 0) return undefined;
    const buffer = newBatch(group.id, most * format.mostSize);
    let at = BATCH_GROUP_SIZE;
    for (let left = most; left > 0;) {
      const id = removed[this.#removed];
      const peer = id === undefined ? walk.next() : NONE;
      if (id === undefined && peer === NONE) break;
      const size = id === undefined
        ? format.write(group, peer, buffer, at, now)
        : format.writeRemoved(id, buffer, at);
      if (id !== undefined) this.#removed++;
      at += size;
      // Who was removed meanwhile takes no room.
      if (size > 0) left--;
    }
    return at > BATCH_GROUP_SIZE ? buffer.bytes.subarray(0, at) : undefined;
  }
}

function newBatch(group: number, size: number): WireBuffer {
  const buffer = new WireBuffer(BATCH_GROUP_SIZE + size);
  buffer.view.setUint32(0, group);
  return buffer;
}

/**
 * The batches of each group, in the order in which they were written; without those before a word that
 * the group is gone. The first one is that word then.
 */
export function batchesByGroup(
  file: WireBuffer,
  batches: readonly Batch[],
): ReadonlyMap<number, readonly Batch[]> {
  const byGroup = new Map<number, Batch[]>();
  for (const batch of batches) {
    if (batch.end < batch.at + BATCH_GROUP_SIZE) continue;
    const id = file.view.getUint32(batch.at);
    const of = byGroup.get(id);
    if (of === undefined || !hasEntries(batch)) byGroup.set(id, [batch]);
    else of.push(batch);
  }
  return byGroup;
}

/** Whether a batch is more than the word that its group is gone. */
export function hasEntries({ at, end }: Batch): boolean {
  return end > at + BATCH_GROUP_SIZE;
}

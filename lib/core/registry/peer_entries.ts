/**
 * Peers as they are written to the disk.
 *
 * @module
 */

import { copyBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { ID_SIZE, RECORD_SIZE } from "../../wire/wgsig/record.ts";
import { type Label, LABEL_SIZE, writeLabel } from "../../wire/wgsig/tai64n.ts";
import type { Now } from "../net/clock.ts";
import type { Pieces } from "../store/journaled.ts";
import type { RegistryGroup } from "./group.ts";

/** Size of what a batch begins with, in bytes: GROUP. */
export const BATCH_GROUP_SIZE = 4;
/** Offset of the highest label in an entry; before it is the record. */
export const ENTRY_LABEL: number = RECORD_SIZE;
/** Offset of how far ahead the peer's clock was. */
export const ENTRY_AHEAD: number = ENTRY_LABEL + LABEL_SIZE;
/** Offset of the age. */
export const ENTRY_AGE: number = ENTRY_AHEAD + 4;
/** Size of an entry, in bytes. */
export const ENTRY_SIZE: number = ENTRY_AGE + 4;
/** The age of who was removed. */
const REMOVED = -1;
/** The most entries of a batch. */
const MOST_ENTRIES = 1024;

/** What is to be written of a group. */
export interface GroupWork {
  readonly group: RegistryGroup;
  /** IDs of those that are gone; they are written first. */
  readonly removed: readonly Uint8Array[];
  /** Those that are there, asked for when it is their turn. */
  peers(): readonly number[];
}

/** Writes groups, as many entries at a time as fit a batch. */
export class PeerPieces implements Pieces {
  readonly #gone: number[];
  readonly #work: GroupWork[];
  readonly #label: Label = { seconds: 0, nanoseconds: 0 };
  #removed: readonly Uint8Array[] = [];
  #peers: readonly number[] | undefined;
  /** How many entries of the first group are written. */
  #written = 0;

  /** @param gone Numbers of groups that are gone; they are written first. */
  constructor(gone: readonly number[], work: readonly GroupWork[]) {
    this.#gone = [...gone];
    this.#work = [...work];
  }

  /** See `Pieces`. */
  next(now: Now): Uint8Array | undefined {
    const gone = this.#gone.shift();
    if (gone !== undefined) return headOf(gone, 0).bytes;
    for (let work = this.#work[0]; work !== undefined; work = this.#work[0]) {
      const piece = this.#nextOf(work, now);
      if (piece !== undefined) return piece;
      this.#work.shift();
      this.#peers = undefined;
      this.#written = 0;
    }
    return undefined;
  }

  #nextOf({ group, removed, peers }: GroupWork, now: Now): Uint8Array | undefined {
    this.#peers ??= peers();
    this.#removed = removed;
    const all = removed.length + this.#peers.length;
    const left = Math.min(MOST_ENTRIES, all - this.#written);
    if (left <= 0) return undefined;
    const buffer = headOf(group.id, left);
    let at = BATCH_GROUP_SIZE;
    for (const end = this.#written + left; this.#written < end; this.#written++) {
      if (this.#write(group, this.#written, buffer, at, now)) at += ENTRY_SIZE;
    }
    // Where all of them were removed meanwhile, the next are looked at.
    if (at > BATCH_GROUP_SIZE) return buffer.bytes.subarray(0, at);
    return this.#nextOf({ group, removed, peers }, now);
  }

  /** Writes an entry, where there is one. */
  #write(group: RegistryGroup, i: number, to: WireBuffer, at: number, now: Now): boolean {
    const removed = this.#removed[i];
    if (removed !== undefined) {
      to.bytes.set(removed, at);
      to.bytes.fill(0, at + ID_SIZE, at + ENTRY_AGE);
      to.view.setFloat32(at + ENTRY_AGE, REMOVED);
      return true;
    }
    const { table } = group;
    const peer = this.#peers![i - this.#removed.length]!;
    const recordAt = table.recordAt(peer);
    // It was removed meanwhile: that is another change.
    if (table.find(table.pages, recordAt) !== peer) return false;
    copyBytes(table.pages, recordAt, to, at, RECORD_SIZE);
    // A peer that was only seen through a tunnel has used none.
    this.#label.seconds = Math.max(0, table.labelSeconds(peer));
    this.#label.nanoseconds = table.labelNanoseconds(peer);
    writeLabel(to, at + ENTRY_LABEL, this.#label);
    const ahead = group.changes?.aheadOf(peer) ?? 0;
    to.view.setUint32(at + ENTRY_AHEAD, ahead);
    to.view.setFloat32(at + ENTRY_AGE, Math.max(0, now.mono - table.seenAt(peer)));
    group.changes?.saved(peer, ahead);
    return true;
  }
}

function headOf(group: number, entries: number): WireBuffer {
  const buffer = new WireBuffer(BATCH_GROUP_SIZE + entries * ENTRY_SIZE);
  buffer.view.setUint32(0, group);
  return buffer;
}

/**
 * How the peers of a file come into the table of their group: those seen last first, since of too many
 * these are kept.
 *
 * @module
 */

import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { ID_SIZE, readAddress, RECORD_LABEL, RECORD_PORT } from "../../wire/wgsig/record.ts";
import { type Label, readNanoseconds, readSeconds } from "../../wire/wgsig/tai64n.ts";
import type { Now } from "../net/clock.ts";
import { NONE } from "../net/none.ts";
import { orderOf } from "../net/number_order.ts";
import type { Batch } from "../store/journal_file.ts";
import { countWords, visitLastWords, visitWords } from "../store/last_words.ts";
import type { RegistryGroup } from "./group.ts";
import { BATCH_GROUP_SIZE } from "./group_entries.ts";
import { ENTRY_AGE, ENTRY_AHEAD, ENTRY_LABEL, ENTRY_SIZE } from "./peer_entries.ts";

/** Who was not seen for longer, in seconds, was not for so long: what comes after has to stay in order. */
export const LONGEST_SILENCE: number = 2 ** 32;

const LAYOUT = { size: ENTRY_SIZE, name: ID_SIZE, first: BATCH_GROUP_SIZE };

/** How many peers batches speak of, by the last word on each. @param seed Random, for a hash. */
export function countPeers(file: WireBuffer, batches: readonly Batch[], seed: number): number {
  let count = 0;
  visitLastWords(file, batches, LAYOUT, seed, (at) => {
    if (file.view.getFloat32(at + ENTRY_AGE) >= 0) count++;
  });
  return count;
}

/** Puts peers into the table of a group. */
export class PeerRestorer {
  readonly #group: RegistryGroup;
  readonly #file: WireBuffer;
  readonly #now: Now;
  /** Whether somebody may be in the table already: else nobody is looked up. */
  #mayBeThere = true;
  readonly #highest: Label = { seconds: 0, nanoseconds: 0 };
  /** Who comes next, where rows lie in the file in the order of what the directory had from it. */
  #next = 0;

  /** Begins with a file. */
  constructor(group: RegistryGroup, file: WireBuffer, now: Now) {
    this.#group = group;
    this.#file = file;
    this.#now = now;
  }

  /** Makes room for so many more. */
  reserve(peers: number): void {
    const { table, changes } = this.#group;
    table.reserve(table.count + peers);
    changes?.reserve(Math.min(table.count + peers, table.maxPeers));
  }

  /**
   * Adds the peer whose record is at `at`, with its highest label after it, as the one that was seen
   * longest ago; unless it is there. One that is not allowed, or too many, is left out, and is to be
   * on the disk no more.
   *
   * @param seenAt On the monotonic clock of this process, in seconds.
   * @param ahead How far ahead its clock was at most, in seconds.
   */
  add(at: number, seenAt: number, ahead: number): void {
    const { table, changes } = this.#group;
    const file = this.#file;
    const { directory } = this.#group.members;
    let known = NONE;
    if (directory !== undefined) {
      known = directory.findGuessed(file, at, this.#next);
      if (known !== NONE) {
        this.#next = known + 1;
        if (directory.rowOf(known) !== NONE) return;
      }
    } else if (this.#mayBeThere && table.find(file, at) !== NONE) return;
    const highest = this.#highest;
    highest.seconds = readSeconds(file, at + ENTRY_LABEL);
    highest.nanoseconds = readNanoseconds(file, at + ENTRY_LABEL);
    const isRight = this.#group.allows(file, at) && !Number.isNaN(highest.seconds);
    const peer = isRight
      ? this.#group.restorePeer(file, at, seenAt, highest, known, this.#now.mono)
      : NONE;
    if (peer === NONE) return changes?.removed(file, at);
    table.setEndpoint(peer, readAddress(file, at), file.view.getUint16(at + RECORD_PORT));
    table.setLabel(peer, file, at + RECORD_LABEL);
    changes?.saved(peer, ahead);
  }

  /**
   * Adds those that batches speak of, by the last word on each.
   *
   * @param seed Random, for a hash.
   */
  addBatches(batches: readonly Batch[], seed: number): void {
    const { view } = this.#file;
    const most = countWords(batches, LAYOUT);
    this.reserve(most);
    const { table, members } = this.#group;
    // Where nobody is removed, the table finds who is there twice, and the last word comes first.
    if (members.count + most <= table.maxPeers && this.#areAllThere(batches)) {
      visitWords(this.#file, batches, LAYOUT, (at, batch) => {
        this.add(at, this.#seenAt(at, batch), view.getUint32(at + ENTRY_AHEAD));
        return true;
      });
      return table.sort();
    }
    const places = new Int32Array(most);
    /** For how long each is not seen any more. */
    const silences = new Float64Array(most);
    let count = 0;
    visitLastWords(this.#file, batches, LAYOUT, seed, (at, batch) => {
      const seenAt = this.#seenAt(at, batch);
      if (Number.isNaN(seenAt)) return;
      places[count] = at;
      silences[count] = this.#now.mono - seenAt;
      count++;
    });
    this.#mayBeThere = table.count > 0;
    // Of too many, those seen last are kept; else they are taken as they lie in the file, which is faster.
    const isRoom = members.count + count <= table.maxPeers;
    const order = isRoom ? undefined : orderOf(silences.subarray(0, count));
    for (let k = 0; k < count; k++) {
      const i = order?.[k] ?? k;
      const at = places[i]!;
      this.add(at, this.#now.mono - silences[i]!, view.getUint32(at + ENTRY_AHEAD));
    }
    table.sort();
  }

  #areAllThere(batches: readonly Batch[]): boolean {
    const { view } = this.#file;
    return visitWords(this.#file, batches, LAYOUT, (at) => view.getFloat32(at + ENTRY_AGE) >= 0);
  }

  /** When the peer of an entry was seen; NaN where it was removed. */
  #seenAt(at: number, { writtenAt }: Batch): number {
    const age = this.#file.view.getFloat32(at + ENTRY_AGE);
    // A clock that was set back must not make records younger than they are.
    const elapsed = Math.max(0, this.#now.unix - writtenAt);
    return age >= 0 ? this.#now.mono - Math.min(LONGEST_SILENCE, elapsed + age) : NaN;
  }
}

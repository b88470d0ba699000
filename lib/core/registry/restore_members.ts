/**
 * How what a file says of the peers of wgsig 2 comes into the directory of their group. Their rows come
 * after that.
 *
 * @module
 */

import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { ID_SIZE } from "../../wire/wgsig/record.ts";
import {
  CANDIDATE,
  type CandidateList,
  MAX_CANDIDATES,
  newCandidates,
  readCandidate,
} from "../../wire/wgsig2/candidate.ts";
import { PATH_FLAGS } from "../../wire/wgsig2/nat.ts";
import type { Now } from "../net/clock.ts";
import { NONE } from "../net/none.ts";
import { orderOf } from "../net/number_order.ts";
import type { Batch } from "../store/journal_file.ts";
import { countWords, type EntryLayout, visitLastWords, visitWords } from "../store/last_words.ts";
import type { RegistryGroup } from "./group.ts";
import { BATCH_GROUP_SIZE } from "./group_entries.ts";
import {
  MEMBER_CANDIDATES,
  MEMBER_FLAGS,
  MEMBER_HEARD,
  MEMBER_SAID,
  MEMBER_SEEN,
  MEMBER_SIZE,
  memberSize,
  PROVED_MEMBER,
} from "./member_entries.ts";
import type { PeerDirectory } from "./peer_directory.ts";
import { LONGEST_SILENCE } from "./restore_peers.ts";

const LAYOUT: EntryLayout = {
  size: MEMBER_CANDIDATES,
  sizeAt: memberSize,
  name: ID_SIZE,
  first: BATCH_GROUP_SIZE,
};

/** Puts what a file says of peers into a directory. */
export class MemberRestorer {
  readonly #group: RegistryGroup;
  readonly #directory: PeerDirectory;
  readonly #file: WireBuffer;
  readonly #now: Now;
  readonly #list: CandidateList = newCandidates();

  /** Begins with a file. */
  constructor(group: RegistryGroup, directory: PeerDirectory, file: WireBuffer, now: Now) {
    this.#group = group;
    this.#directory = directory;
    this.#file = file;
    this.#now = now;
  }

  /**
   * Takes over what batches say, by the last word on each peer: of too many, those that have proved
   * their keys, and of each kind those that were heard last. The directory is to be sorted then.
   *
   * @param seed Random, for a hash.
   */
  addBatches(batches: readonly Batch[], seed: number): void {
    const { view, bytes } = this.#file;
    const { unix, mono } = this.#now;
    const most = countWords(batches, LAYOUT);
    const directory = this.#directory;
    const isRoom = directory.count + most <= this.#group.table.maxPeers;
    // A clock that was set back must not make peers younger than they are.
    const timeOf = ({ writtenAt }: Batch) => mono - Math.max(0, unix - writtenAt);
    const isProvedAt = (at: number) => (bytes[at + MEMBER_FLAGS]! & PROVED_MEMBER) !== 0;
    // Where nobody is removed, the directory finds who is there twice, and the last word comes first.
    if (isRoom && directory.count === 0 && this.#areAllThere(batches)) {
      directory.reserve(Math.min(most, this.#group.table.maxPeers));
      visitWords(this.#file, batches, LAYOUT, (at, batch) => {
        const time = timeOf(batch);
        if (directory.find(this.#file, at) === NONE) {
          this.#add(at, isProvedAt(at), time, time - view.getFloat32(at + MEMBER_HEARD));
        }
        return true;
      });
      return;
    }
    // By word: where it is, when it was written, and how long ago its peer was heard.
    const places = new Int32Array(most);
    const times = new Float64Array(most);
    const silences = new Float64Array(most);
    let count = 0;
    visitLastWords(this.#file, batches, LAYOUT, seed, (at, batch) => {
      const age = view.getFloat32(at + MEMBER_HEARD);
      if (!(age >= 0)) return;
      places[count] = at;
      times[count] = timeOf(batch);
      silences[count] = Math.min(LONGEST_SILENCE, mono - times[count]! + age);
      count++;
    });
    directory.reserve(Math.min(directory.count + count, this.#group.table.maxPeers));
    const order = orderOf(silences.subarray(0, count));
    for (const isProved of [true, false]) {
      for (let k = 0; k < count; k++) {
        const i = order[k]!;
        if (isProvedAt(places[i]!) !== isProved) continue;
        this.#add(places[i]!, isProved, times[i]!, mono - silences[i]!);
      }
    }
  }

  #areAllThere(batches: readonly Batch[]): boolean {
    const { view } = this.#file;
    return visitWords(this.#file, batches, LAYOUT, (at) => view.getFloat32(at + MEMBER_HEARD) >= 0);
  }

  /**
   * One that is not allowed, too old, or too many, is left out, and is to be on the disk no more.
   */
  #add(at: number, isProved: boolean, writtenAt: number, heardAt: number): void {
    const { table, members } = this.#group;
    const directory = this.#directory;
    const file = this.#file;
    if (this.#now.mono - heardAt > members.maxAge) return members.memberChanges?.removed(file, at);
    let peer = directory.find(file, at);
    if (peer === NONE) {
      if (!this.#group.allows(file, at) || directory.count >= table.maxPeers) {
        return members.memberChanges?.removed(file, at);
      }
      peer = directory.add(file, at, heardAt, isProved);
    } else {
      directory.heard(peer, heardAt);
      if (isProved) directory.prove(peer);
    }
    this.#place(peer, at, writtenAt);
    members.memberChanges?.saved(peer, 0);
  }

  /** Takes over where somebody is. What can't be read ends it. */
  #place(peer: number, at: number, writtenAt: number): void {
    const { places } = this.#directory;
    const file = this.#file;
    const list = this.#list;
    const end = at + MEMBER_CANDIDATES + file.bytes[at + MEMBER_SIZE]!;
    list.count = 0;
    for (let next = at + MEMBER_CANDIDATES; next < end && list.count < MAX_CANDIDATES;) {
      const slot = list.slots[list.count]!;
      next = readCandidate(file, next, end, slot);
      if (next < 0) break;
      if (slot.kind === CANDIDATE.seen) {
        const age = file.view.getFloat32(at + MEMBER_SEEN);
        if (age >= 0) places.see(peer, slot.address, 0, slot.port, writtenAt - age);
      } else list.count++;
    }
    const flags = file.bytes[at + MEMBER_FLAGS]! & PATH_FLAGS;
    if (list.count === 0 && flags === 0) return;
    places.say(peer, list, flags, writtenAt - file.view.getFloat32(at + MEMBER_SAID));
  }
}

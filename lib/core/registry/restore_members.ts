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
import type { Batch } from "../store/journal_file.ts";
import { type EntryLayout, visitLastWords } from "../store/last_words.ts";
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

const LAYOUT: EntryLayout = {
  size: MEMBER_CANDIDATES,
  sizeAt: memberSize,
  name: ID_SIZE,
  first: BATCH_GROUP_SIZE,
};

/** The last word on somebody. */
interface Word {
  readonly at: number;
  readonly isProved: boolean;
  /** When it was written, and when its peer was heard, on the monotonic clock of this process. */
  readonly writtenAt: number;
  readonly heardAt: number;
}

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
   * Takes over what batches say, by the last word on each peer: those that have proved their keys first,
   * and of each kind those that were heard last, since of too many these are kept.
   *
   * @param seed Random, for a hash.
   */
  addBatches(batches: readonly Batch[], seed: number): void {
    const { view, bytes } = this.#file;
    const { unix, mono } = this.#now;
    const words: Word[] = [];
    visitLastWords(this.#file, batches, LAYOUT, seed, (at, batch) => {
      const age = view.getFloat32(at + MEMBER_HEARD);
      if (!(age >= 0)) return;
      const isProved = (bytes[at + MEMBER_FLAGS]! & PROVED_MEMBER) !== 0;
      // A clock that was set back must not make peers younger than they are.
      const writtenAt = mono - Math.max(0, unix - batch.writtenAt);
      words.push({ at, isProved, writtenAt, heardAt: writtenAt - age });
    });
    words.sort((a, b) => Number(b.isProved) - Number(a.isProved) || b.heardAt - a.heardAt);
    const directory = this.#directory;
    directory.reserve(Math.min(directory.count + words.length, this.#group.table.maxPeers));
    for (const word of words) this.#add(word);
  }

  /** One that is not allowed, or too many, is left out, and is to be on the disk no more. */
  #add({ at, isProved, writtenAt, heardAt }: Word): void {
    const { table, members } = this.#group;
    const directory = this.#directory;
    const file = this.#file;
    let peer = directory.find(file, at);
    if (peer === NONE) {
      if (!this.#group.allows(file, at) || directory.count >= table.maxPeers) {
        return members.memberChanges?.removed(file, at);
      }
      peer = directory.add(file, at, heardAt);
    } else directory.heard(peer, heardAt);
    if (isProved) directory.prove(peer);
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
        const seenAt = writtenAt - file.view.getFloat32(at + MEMBER_SEEN);
        places.see(peer, slot.address, 0, slot.port, seenAt);
      } else list.count++;
    }
    const flags = file.bytes[at + MEMBER_FLAGS]! & PATH_FLAGS;
    if (list.count === 0 && flags === 0) return;
    places.say(peer, list, flags, writtenAt - file.view.getFloat32(at + MEMBER_SAID));
  }
}

/**
 * What is kept of the peers of wgsig 2 over a restart, beyond their rows: who has proved its key, and
 * where they are over IPv6, and by their own words. The last word on a peer counts.
 *
 * ```
 * part "memb": GROUP (u32), per entry:
 *   peer ID (32) | flags (u8), 1: its key was proved, 0x38: as in a question | size of the candidates (u8) | 0 (u16)
 *   | seconds since it was heard, when written (f32) | since it was seen over IPv6 (f32)
 *   | since it has said where it is (f32) | candidates, as in a question; `seen` is where it was seen
 *   | zeros up to a multiple of 4
 * ```
 *
 * Who was heard less than no seconds ago was removed.
 *
 * **What isn't kept, and why that is enough.** Labels: a question from before the start has a cookie of
 * before the start, and changes nothing. Keys that peers share with the registry: they are secret, and
 * are computed anew. EPOCH and VERSION: with another EPOCH each client is told everything, once; to
 * keep them, each change would have to be on the disk before it is told.
 *
 * @module
 */

import { copyBytes, type WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { ID_SIZE } from "../../wire/wgsig/record.ts";
import {
  type CandidateList,
  IP_SIZE,
  MAX_CANDIDATES,
  newCandidates,
  writeCandidate,
} from "../../wire/wgsig2/candidate.ts";
import type { EntryFormat } from "./group_entries.ts";

/** Offset of the flags. */
export const MEMBER_FLAGS: number = ID_SIZE;
/** Offset of the size of the candidates. */
export const MEMBER_SIZE: number = MEMBER_FLAGS + 1;
/** Offset of when it was heard. */
export const MEMBER_HEARD: number = MEMBER_FLAGS + 4;
/** Offset of when it was seen over IPv6. */
export const MEMBER_SEEN: number = MEMBER_HEARD + 4;
/** Offset of when it has said where it is. */
export const MEMBER_SAID: number = MEMBER_SEEN + 4;
/** Offset of the candidates, and the least size of an entry, in bytes. */
export const MEMBER_CANDIDATES: number = MEMBER_SAID + 4;
/** The flag of who has proved its key. */
export const PROVED_MEMBER = 1;
/** How long ago who was removed was heard. */
const REMOVED = -1;
/** Sizes of entries are multiples of this. */
const UNIT = 4;
/** A candidate's kind and port. */
const CANDIDATE_HEAD = 3;

// One entry is written at a time.
const list: CandidateList = newCandidates();

/** The size of the entry at `at`, in bytes. */
export function memberSize({ bytes }: WireBuffer, at: number): number {
  return roundedUp(MEMBER_CANDIDATES + bytes[at + MEMBER_SIZE]!);
}

/** Peers in the directory of their group. */
export const MEMBER_ENTRIES: EntryFormat = {
  mostSize: roundedUp(MEMBER_CANDIDATES + MAX_CANDIDATES * (CANDIDATE_HEAD + IP_SIZE)),
  write({ members }, peer, to, at, { mono }) {
    const { directory } = members;
    if (directory === undefined) return 0;
    const idAt = directory.idAt(peer);
    // It was removed meanwhile: that is another change.
    if (!directory.isThere(peer)) return 0;
    const { places } = directory;
    copyBytes(directory.ids, idAt, to, at, ID_SIZE);
    const proved = directory.isProved(peer) ? PROVED_MEMBER : 0;
    to.bytes[at + MEMBER_FLAGS] = proved | places.flagsOf(peer);
    to.view.setFloat32(at + MEMBER_HEARD, Math.max(0, mono - directory.heardAt(peer)));
    list.count = 0;
    if (!Number.isNaN(places.seenAt(peer))) {
      to.view.setFloat32(at + MEMBER_SEEN, Math.max(0, mono - places.seenAt(peer)));
      places.readSeen(peer, list.slots[list.count++]!, mono);
    }
    to.view.setFloat32(at + MEMBER_SAID, Math.max(0, mono - places.saidAt(peer)));
    places.readSaid(peer, list, true, mono);
    let end = at + MEMBER_CANDIDATES;
    for (let i = 0; i < list.count; i++) end = writeCandidate(list.slots[i]!, to, end);
    to.bytes[at + MEMBER_SIZE] = end - at - MEMBER_CANDIDATES;
    members.memberChanges?.saved(peer, 0);
    return roundedUp(end - at);
  },
  writeRemoved(id, to, at) {
    to.bytes.set(id, at);
    to.view.setFloat32(at + MEMBER_HEARD, REMOVED);
    return MEMBER_CANDIDATES;
  },
};

function roundedUp(size: number): number {
  return Math.ceil(size / UNIT) * UNIT;
}

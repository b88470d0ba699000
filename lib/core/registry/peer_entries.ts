/**
 * Peers as they are written to the disk.
 *
 * @module
 */

import { copyBytes } from "../../wire/bytes/wire_buffer.ts";
import { RECORD_SIZE } from "../../wire/wgsig/record.ts";
import { type Label, LABEL_SIZE, writeLabel } from "../../wire/wgsig/tai64n.ts";
import type { EntryFormat } from "./group_entries.ts";

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

const label: Label = { seconds: 0, nanoseconds: 0 };

/** Peers in the table of their group. */
export const PEER_ENTRIES: EntryFormat = {
  mostSize: ENTRY_SIZE,
  write(group, peer, to, at, now) {
    const { table } = group;
    const recordAt = table.recordAt(peer);
    // It was removed meanwhile: that is another change.
    if (!table.isThere(peer)) return 0;
    copyBytes(table.pages, recordAt, to, at, RECORD_SIZE);
    // A peer that was only seen through a tunnel has used none.
    label.seconds = Math.max(0, table.labelSeconds(peer));
    label.nanoseconds = table.labelNanoseconds(peer);
    writeLabel(to, at + ENTRY_LABEL, label);
    const ahead = group.changes?.aheadOf(peer) ?? 0;
    to.view.setUint32(at + ENTRY_AHEAD, ahead);
    to.view.setFloat32(at + ENTRY_AGE, Math.max(0, now.mono - table.seenAt(peer)));
    group.changes?.saved(peer, ahead);
    return ENTRY_SIZE;
  },
  writeRemoved(id, to, at) {
    to.bytes.set(id, at);
    to.view.setFloat32(at + ENTRY_AGE, REMOVED);
    return ENTRY_SIZE;
  },
};

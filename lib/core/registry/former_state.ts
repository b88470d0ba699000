/**
 * State files as they were before there was a journal: they are read, and not written any more.
 *
 * ```
 * "wgsigst1" | saved at, Unix seconds (f64) | groups (u32)
 *   per group:  GROUP (u32) | peers (u32)
 *     per peer, the one seen longest ago first:
 *       record (50) | highest label (12) | age in seconds when saved (u32)
 * CRC-32 of all before (u32)
 * ```
 *
 * @module
 */

import { crc32 } from "../../wire/bytes/crc32.ts";
import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { RECORD_SIZE } from "../../wire/wgsig/record.ts";
import { LABEL_SIZE } from "../../wire/wgsig/tai64n.ts";
import type { Now } from "../net/clock.ts";
import { FORMER_STATE_MAGIC, MAGIC_SIZE, magicOf } from "../net/state_magic.ts";

const SAVED_AT = MAGIC_SIZE;
const GROUPS = SAVED_AT + 8;
const HEADER_SIZE = GROUPS + 4;
const GROUP_HEADER_SIZE = 8;
const AGE = RECORD_SIZE + LABEL_SIZE;
const PEER_SIZE = AGE + 4;
const CRC_SIZE = 4;

/** Told of a peer of a file: its group, where its record is, and when it was seen. */
export type FormerPeer = (group: number, at: number, seenAt: number) => void;

/**
 * Tells of the peers of a file, in each group those seen last first.
 *
 * @throws {SyntaxError} If the file is damaged. Nothing is told of it then.
 */
export function readFormerState(file: WireBuffer, now: Now, visit: FormerPeer): void {
  const { bytes, view } = file;
  const end = bytes.length - CRC_SIZE;
  if (end < HEADER_SIZE) throw new SyntaxError("it is too short");
  if (magicOf(bytes) !== FORMER_STATE_MAGIC) throw new SyntaxError("it is no state file");
  if (view.getUint32(end) !== crc32(bytes, 0, end)) throw new SyntaxError("its checksum is wrong");
  const groups = view.getUint32(GROUPS);
  let at = HEADER_SIZE;
  for (let i = 0; i < groups; i++) {
    if (at + GROUP_HEADER_SIZE > end) throw new SyntaxError("a group is cut off");
    at += GROUP_HEADER_SIZE + view.getUint32(at + 4) * PEER_SIZE;
  }
  if (at !== end) throw new SyntaxError("its size is not what it says");

  // A clock that was set back must not make records younger than they are.
  const savedAt = now.mono - Math.max(0, now.unix - view.getFloat64(SAVED_AT));
  at = HEADER_SIZE;
  for (let i = 0; i < groups; i++) {
    const id = view.getUint32(at);
    const first = at + GROUP_HEADER_SIZE;
    at = first + view.getUint32(at + 4) * PEER_SIZE;
    for (let peer = at - PEER_SIZE; peer >= first; peer -= PEER_SIZE) {
      visit(id, peer, savedAt - view.getUint32(peer + AGE));
    }
  }
}

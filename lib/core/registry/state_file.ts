/**
 * The registry's state as a file, so that a restart forgets no peer and opens no replay window.
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
import { readAddress, RECORD_LABEL, RECORD_PORT, RECORD_SIZE } from "../../wire/wgsig/record.ts";
import {
  type Label,
  LABEL_SIZE,
  readNanoseconds,
  readSeconds,
  writeLabel,
} from "../../wire/wgsig/tai64n.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { NONE } from "../net/none.ts";
import type { Now } from "../net/clock.ts";
import type { Registry } from "./registry.ts";
import type { RegistryGroup } from "./group.ts";
import { isStateFile, STATE_MAGIC } from "../net/state_magic.ts";

/** The largest state file that is read: 16 groups of 100 000 peers. */
export const MAX_STATE_SIZE = 128 * 1024 * 1024;

const SAVED_AT = STATE_MAGIC.length;
const GROUPS = SAVED_AT + 8;
const HEADER_SIZE = GROUPS + 4;
const GROUP_HEADER_SIZE = 8;
const AGE = RECORD_SIZE + LABEL_SIZE;
const PEER_SIZE = AGE + 4;
const CRC_SIZE = 4;

/** The bytes of a state file for what `registry` holds. */
export function encodeState(registry: Registry, now: Now): Uint8Array {
  let size = HEADER_SIZE + CRC_SIZE;
  for (const { table } of registry.groups.values()) {
    size += GROUP_HEADER_SIZE + table.count * PEER_SIZE;
  }
  const buffer = new WireBuffer(size);
  const { view } = buffer;
  for (let i = 0; i < STATE_MAGIC.length; i++) view.setUint8(i, STATE_MAGIC.charCodeAt(i));
  view.setFloat64(SAVED_AT, now.unix);
  view.setUint32(GROUPS, registry.groups.size);
  let at = HEADER_SIZE;
  const highest: Label = { seconds: 0, nanoseconds: 0 };
  for (const { id, table } of registry.groups.values()) {
    view.setUint32(at, id);
    view.setUint32(at + 4, table.count);
    at += GROUP_HEADER_SIZE;
    for (let peer = table.oldest; peer !== NONE; peer = table.newerThan(peer)) {
      copyRecord(table.pages.view, table.recordAt(peer), view, at);
      // A peer that was only seen through a tunnel has used none.
      highest.seconds = Math.max(0, table.labelSeconds(peer));
      highest.nanoseconds = table.labelNanoseconds(peer);
      writeLabel(buffer, at + RECORD_SIZE, highest);
      view.setUint32(at + AGE, Math.max(0, now.mono - table.seenAt(peer)));
      at += PEER_SIZE;
    }
  }
  view.setUint32(at, crc32(buffer.bytes, 0, at));
  return buffer.bytes;
}

/** Copies 50 bytes, in words: a table may have 100 000 of them. */
function copyRecord(from: DataView, fromAt: number, to: DataView, toAt: number): void {
  for (let i = 0; i < RECORD_SIZE - 2; i += 4) to.setInt32(toAt + i, from.getInt32(fromAt + i));
  to.setInt16(toAt + RECORD_SIZE - 2, from.getInt16(fromAt + RECORD_SIZE - 2));
}

/**
 * Puts the peers of a state file into the groups of `registry` that it knows. Those that are no
 * longer allowed, too old, or too many are left out.
 *
 * @returns How many peers were taken.
 * @throws {SyntaxError} If the file is damaged. The registry is then as it was.
 */
export function restoreState(bytes: Uint8Array, registry: Registry, now: Now): number {
  const buffer = new WireBuffer(bytes);
  const { view } = buffer;
  const end = bytes.length - CRC_SIZE;
  if (end < HEADER_SIZE) throw new SyntaxError("it is too short");
  if (!isStateFile(bytes)) throw new SyntaxError("it is no state file");
  if (view.getUint32(end) !== crc32(bytes, 0, end)) throw new SyntaxError("its checksum is wrong");
  const groups = view.getUint32(GROUPS);
  let at = HEADER_SIZE;
  for (let i = 0; i < groups; i++) {
    if (at + GROUP_HEADER_SIZE > end) throw new SyntaxError("a group is cut off");
    at += GROUP_HEADER_SIZE + view.getUint32(at + 4) * PEER_SIZE;
  }
  if (at !== end) throw new SyntaxError("its size is not what it says");

  // A clock that was set back must not make records younger than they are.
  const elapsed = Math.max(0, now.unix - view.getFloat64(SAVED_AT));
  const before = countPeers(registry);
  at = HEADER_SIZE;
  for (let i = 0; i < groups; i++) {
    const group = registry.groups.get(view.getUint32(at));
    const peers = view.getUint32(at + 4);
    at += GROUP_HEADER_SIZE;
    const first = at;
    at += peers * PEER_SIZE;
    if (group !== undefined) {
      restoreGroup(group, buffer, first, peers, now.mono - elapsed, now.mono);
    }
  }
  registry.expire(now);
  return countPeers(registry) - before;
}

/** Adds the `peers` at `first`, the newest of which comes last. */
function restoreGroup(
  group: RegistryGroup,
  buffer: WireBuffer,
  first: number,
  peers: number,
  savedAt: number,
  mono: number,
): void {
  const { table } = group;
  const highest: Label = { seconds: 0, nanoseconds: 0 };
  table.reserve(table.count + peers);
  for (let at = first + (peers - 1) * PEER_SIZE; at >= first; at -= PEER_SIZE) {
    if (!group.allows(buffer, at) || table.find(buffer, at) !== NONE) continue;
    highest.seconds = readSeconds(buffer, at + RECORD_SIZE);
    highest.nanoseconds = readNanoseconds(buffer, at + RECORD_SIZE);
    if (Number.isNaN(highest.seconds)) continue;
    const seenAt = savedAt - buffer.view.getUint32(at + AGE);
    const peer = group.restorePeer(buffer, at, seenAt, highest, mono);
    if (peer === NONE) continue;
    table.setEndpoint(peer, readAddress(buffer, at), buffer.view.getUint16(at + RECORD_PORT));
    table.setLabel(peer, buffer, at + RECORD_LABEL);
  }
}

function countPeers(registry: Registry): number {
  let count = 0;
  for (const { table } of registry.groups.values()) count += table.count;
  return count;
}

/**
 * Files of leases as they were before there was one file for all: they are read, and not written any
 * more. Their entries are those of today.
 *
 * ```
 * "wgsiglt1" | saved at, Unix seconds (f64) | entries (u32) | the entries | CRC-32 of all before (u32)
 *
 * "wgsiglt2"
 * per group: size of its entries, 52 to 53 248 (u32) | CRC-32 of the rest of it (u32)
 *            | written at, Unix seconds (f64) | the entries
 * ```
 *
 * What a crash has left of a last group is passed over.
 *
 * @module
 */

import { crc32 } from "../../../wire/bytes/crc32.ts";
import type { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import { FORMER_LEASE_MAGICS, MAGIC_SIZE, magicOf } from "../../net/state_magic.ts";
import type { Batch, JournalEnd } from "../../store/journal_file.ts";

const ENTRY_SIZE = 52;
const MAX_GROUP_SIZE = 1024 * ENTRY_SIZE;
const GROUP_CRC = 4;
const GROUP_WRITTEN_AT = 8;
const GROUP_HEAD = 16;
const CRC_SIZE = 4;
const FIRST_COUNT = MAGIC_SIZE + 8;
const FIRST_HEAD = FIRST_COUNT + 4;

/**
 * Where a file's entries are.
 *
 * @throws {SyntaxError} If it is no file of leases, or one of the first version that is damaged.
 */
export function readFormerLeases(file: WireBuffer): JournalEnd & { readonly batches: Batch[] } {
  const version = FORMER_LEASE_MAGICS.indexOf(magicOf(file.bytes) ?? "");
  if (version < 0) throw new SyntaxError("it is no file of leases");
  if (version === 0) return { batches: [readFirstVersion(file)], cut: 0, isDamaged: false };
  const batches: Batch[] = [];
  for (let at = MAGIC_SIZE; at < file.size;) {
    const group = readGroup(file, at);
    if (typeof group === "string") {
      return { batches, cut: file.size - at, isDamaged: group === "damaged" };
    }
    batches.push(group);
    at = group.end;
  }
  return { batches, cut: 0, isDamaged: false };
}

/** The group at `at`, which is torn where it may be what was being written in a crash. */
function readGroup({ view, bytes, size: fileSize }: WireBuffer, at: number) {
  if (at + GROUP_HEAD > fileSize) return "torn";
  const size = view.getUint32(at);
  const end = at + GROUP_HEAD + size;
  const isSize = size > 0 && size % ENTRY_SIZE === 0 && size <= MAX_GROUP_SIZE;
  if (isSize && end > fileSize) return "torn";
  const checked = at + GROUP_WRITTEN_AT;
  if (!isSize || view.getUint32(at + GROUP_CRC) !== crc32(bytes, checked, end - checked)) {
    // A file system that has lost power may know a file's new size, and not what is there.
    const isLast = isSize && end === fileSize;
    return isLast || bytes.subarray(at).every((byte) => byte === 0) ? "torn" : "damaged";
  }
  const writtenAt = view.getFloat64(at + GROUP_WRITTEN_AT);
  return Number.isFinite(writtenAt) ? { writtenAt, at: at + GROUP_HEAD, end } : "damaged";
}

function readFirstVersion({ bytes, view }: WireBuffer): Batch {
  const end = bytes.length - CRC_SIZE;
  if (end < FIRST_HEAD) throw new SyntaxError("it is too short");
  if (view.getUint32(end) !== crc32(bytes, 0, end)) throw new SyntaxError("its checksum is wrong");
  if (FIRST_HEAD + view.getUint32(FIRST_COUNT) * ENTRY_SIZE !== end) {
    throw new SyntaxError("its size is not what it says");
  }
  const writtenAt = view.getFloat64(MAGIC_SIZE);
  if (!Number.isFinite(writtenAt)) throw new SyntaxError("it does not say when it was saved");
  return { writtenAt, at: FIRST_HEAD, end };
}

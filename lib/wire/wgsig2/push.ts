/**
 * The payload of a push: what changed, told without being asked again.
 *
 * ```
 *  0         4       12         20        28
 * +---------+-------+----------+---------+---------+
 * | COUNTER | EPOCH | PREVIOUS | VERSION | records |
 * +---------+-------+----------+---------+---------+
 * ```
 *
 * Offsets are those of the whole datagram at `at`: see `datagram.ts`. docs/protocol-2.md, "Push".
 *
 * @module
 */

import { TAG_SIZE } from "../crypto/aead_key.ts";
import { checkBounds, checkField, copyBytes, WireBuffer } from "../bytes/wire_buffer.ts";
import type { RecordSpan } from "./answer.ts";
import { EPOCH_SIZE, readVersion, VERSION_SIZE, writeVersion } from "./cursor.ts";
import { DATAGRAM_PAYLOAD, MAX_DATAGRAM_SIZE } from "./datagram.ts";
import { areWholeRecords } from "./record.ts";

const COUNTER = DATAGRAM_PAYLOAD;
const EPOCH = COUNTER + 4;
const PREVIOUS = EPOCH + EPOCH_SIZE;
const VERSION = PREVIOUS + VERSION_SIZE;
const RECORDS = VERSION + VERSION_SIZE;

/** A push's fields. {@linkcode decodePush} writes into one that the caller keeps. */
export interface Push {
  /** Which push of its subscription this is, 1 to 0xffffffff. */
  counter: number;
  /** EPOCH, 8 bytes. */
  readonly epoch: WireBuffer;
  /** What the client has to know already. */
  previous: number;
  /** What it knows then. */
  version: number;
}

/** An empty push to decode into. */
export function newPush(): Push {
  return { counter: 0, epoch: new WireBuffer(EPOCH_SIZE), previous: 0, version: 0 };
}

/**
 * Writes what stands before the records of a push, behind its header. `writePeerNews` puts records
 * behind that, which end 16 bytes before the datagram does.
 *
 * @param at Where the datagram begins.
 * @returns Where the first record goes.
 * @throws {RangeError} If the buffer is too small or a field out of range.
 */
export function encodePush(push: Push, buffer: WireBuffer, at: number): number {
  checkBounds(buffer, at, RECORDS, "a push");
  checkBounds(push.epoch, 0, EPOCH_SIZE, "an epoch");
  checkField(push.counter, 32, "the counter of a push");
  buffer.view.setUint32(at + COUNTER, push.counter);
  copyBytes(push.epoch, 0, buffer, at + EPOCH, EPOCH_SIZE);
  writeVersion(buffer, at + PREVIOUS, push.previous);
  writeVersion(buffer, at + VERSION, push.version);
  return at + RECORDS;
}

/**
 * Reads the push of `length` bytes at `at`, which was opened, into `push`, and where its records lie
 * into `records`.
 *
 * @returns Whether it is a push, with whole records. What `push` is where not, is unspecified.
 * @throws {RangeError} If the buffer is smaller than `length` says.
 */
export function decodePush(
  buffer: WireBuffer,
  at: number,
  length: number,
  push: Push,
  records: RecordSpan,
): boolean {
  if (length < RECORDS + TAG_SIZE || length > MAX_DATAGRAM_SIZE) return false;
  checkBounds(buffer, at, length, "a push");
  push.counter = buffer.view.getUint32(at + COUNTER);
  copyBytes(buffer, at + EPOCH, push.epoch, 0, EPOCH_SIZE);
  push.previous = readVersion(buffer, at + PREVIOUS);
  push.version = readVersion(buffer, at + VERSION);
  records.at = at + RECORDS;
  records.end = at + length - TAG_SIZE;
  return push.previous >= 0 && push.version >= 0 &&
    areWholeRecords(buffer, records.at, records.end);
}

/**
 * The response: ten records of the group, in as many datagrams as the group needs.
 *
 * ```
 *  0                     500     502       504     508                540
 * +---------------------+-------+---------+-------+------------------+
 * | 10 records of 50    | SVEXT | N_OTHER | GROUP | HMAC of 0 to 507 |
 * +---------------------+-------+---------+-------+------------------+
 * ```
 *
 * SVEXT: the optional extensions that the server accepted, 0 for none. N_OTHER: how many more
 * datagrams there are. Which of them this one is, it does not say.
 *
 * @module
 */

import { MAC_SIZE, type MacKey } from "../crypto/mac.ts";
import { decodeRecord, encodeRecord, type PeerRecord, RECORD_SIZE } from "./record.ts";
import { checkBounds, type WireBuffer } from "../bytes/wire_buffer.ts";

/** Records in a response datagram. */
export const RECORDS_PER_RESPONSE: number = 10;
/** Offset of the accepted extensions. */
export const RESPONSE_EXTENSIONS: number = RECORDS_PER_RESPONSE * RECORD_SIZE;
/** Offset of the number of further datagrams. */
export const RESPONSE_OTHERS: number = RESPONSE_EXTENSIONS + 2;
/** Offset of the group number. */
export const RESPONSE_GROUP: number = RESPONSE_OTHERS + 2;
/** Offset of the MAC, which covers everything before it. */
export const RESPONSE_MAC: number = RESPONSE_GROUP + 4;
/** Size of a response datagram, in bytes. */
export const RESPONSE_SIZE: number = RESPONSE_MAC + MAC_SIZE;
/** The most datagrams that one answer can have: N_OTHER has 16 bits. */
export const MAX_RESPONSES: number = 0x1_0000;

/** What a response says besides its records. */
export interface ResponseTrailer {
  /** SVEXT, 0 to 0xffff. */
  extensions: number;
  /** N_OTHER, 0 to 0xffff: datagrams of the answer besides this one. */
  others: number;
  /** GROUP, 0 to 0xffffffff. */
  group: number;
}

/**
 * Writes what follows the records, with the MAC over all of it: the records at `at` are already
 * there, each in its place. This is how the server keeps answers ready.
 *
 * @throws {RangeError} If the buffer is too small.
 */
export function authenticateResponse(
  trailer: ResponseTrailer,
  key: MacKey,
  buffer: WireBuffer,
  at: number,
): void {
  checkBounds(buffer, at, RESPONSE_SIZE, "a response");
  buffer.view.setUint16(at + RESPONSE_EXTENSIONS, trailer.extensions);
  buffer.view.setUint16(at + RESPONSE_OTHERS, trailer.others);
  buffer.view.setUint32(at + RESPONSE_GROUP, trailer.group);
  key.compute(buffer, at, RESPONSE_MAC, buffer, at + RESPONSE_MAC);
}

/**
 * Writes a whole response of up to ten records at `at`, 540 bytes; the rest of the records are zero.
 *
 * @throws {RangeError} If there are more than ten records or the buffer is too small.
 */
export function encodeResponse(
  records: readonly PeerRecord[],
  trailer: ResponseTrailer,
  key: MacKey,
  buffer: WireBuffer,
  at: number,
): void {
  if (records.length > RECORDS_PER_RESPONSE) {
    throw new RangeError(`Cannot write a response: ${records.length} records, 10 at most`);
  }
  checkBounds(buffer, at, RESPONSE_SIZE, "a response");
  buffer.bytes.fill(0, at, at + RESPONSE_EXTENSIONS);
  for (let i = 0; i < records.length; i++) {
    encodeRecord(records[i]!, buffer, at + i * RECORD_SIZE);
  }
  authenticateResponse(trailer, key, buffer, at);
}

/**
 * Reads what follows the records of the response at `at` into `trailer`. The MAC is not looked at:
 * {@linkcode verifyResponse} does that.
 *
 * @returns Whether `length` is enough for a response.
 * @throws {RangeError} If the buffer is smaller than `length` says.
 */
export function decodeTrailer(
  buffer: WireBuffer,
  at: number,
  length: number,
  trailer: ResponseTrailer,
): boolean {
  if (length < RESPONSE_SIZE) return false;
  checkBounds(buffer, at, length, "a response");
  trailer.extensions = buffer.view.getUint16(at + RESPONSE_EXTENSIONS);
  trailer.others = buffer.view.getUint16(at + RESPONSE_OTHERS);
  trailer.group = buffer.view.getUint32(at + RESPONSE_GROUP);
  return true;
}

/**
 * Reads record `index` (0 to 9) of the response at `at` into `record`.
 *
 * @returns Whether there is one.
 * @throws {RangeError} If there is no such place in a response or the buffer is too small.
 */
export function decodeResponseRecord(
  buffer: WireBuffer,
  at: number,
  index: number,
  record: PeerRecord,
): boolean {
  if (!(index >= 0 && index < RECORDS_PER_RESPONSE)) {
    throw new RangeError(`Cannot read record ${index} of a response: it has 0 to 9`);
  }
  return decodeRecord(buffer, at + index * RECORD_SIZE, record);
}

/** Whether the response at `at` carries the right MAC, in constant time. */
export function verifyResponse(key: MacKey, buffer: WireBuffer, at: number): boolean {
  return key.verify(buffer, at, RESPONSE_MAC, at + RESPONSE_MAC);
}

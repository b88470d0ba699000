/**
 * A peer's record, as responses carry it.
 *
 * ```
 *  0         32              36           38        50
 * +---------+---------------+------------+---------+
 * | peer ID | IPv4 ^ mask   | UDP port   | TAI64N  |   50 zero bytes: no record
 * +---------+---------------+------------+---------+
 * ```
 *
 * The address is masked so that a NAT that rewrites addresses in payloads leaves it alone.
 *
 * @module
 */

import { LABEL_SIZE, readNanoseconds, readSeconds, writeLabel } from "./tai64n.ts";
import { checkBounds, checkField, copyBytes, WireBuffer } from "../bytes/wire_buffer.ts";

/** Size of a peer ID (a WireGuard public key), in bytes. */
export const ID_SIZE: number = 32;
/** Offset of the masked IPv4 address in a record. */
export const RECORD_ADDRESS: number = ID_SIZE;
/** Offset of the UDP port in a record. */
export const RECORD_PORT: number = RECORD_ADDRESS + 4;
/** Offset of the TAI64N label of the peer's last valid request in a record. */
export const RECORD_LABEL: number = RECORD_PORT + 2;
/** Size of a record, in bytes. */
export const RECORD_SIZE: number = RECORD_LABEL + LABEL_SIZE;
/** What an IPv4 address is XORed with (protocol text of February 2022). */
export const ADDRESS_MASK: number = 0x322d_ccac;

/** A record's fields. {@linkcode decodeRecord} writes into one that the caller keeps. */
export interface PeerRecord {
  /** The WireGuard public key, 32 bytes. */
  readonly id: WireBuffer;
  /** IPv4 address as a number, most significant byte first: 0x7f000001 is 127.0.0.1. */
  address: number;
  /** UDP port, 0 to 65535. */
  port: number;
  /** Unix seconds of the last valid request, or NaN where the label is none. */
  seconds: number;
  /** Nanoseconds of it. */
  nanoseconds: number;
}

/** An empty record to decode into. */
export function newRecord(): PeerRecord {
  return { id: new WireBuffer(ID_SIZE), address: 0, port: 0, seconds: 0, nanoseconds: 0 };
}

/**
 * Writes the endpoint of a record (offset {@linkcode RECORD_ADDRESS}, 6 bytes).
 * The caller has checked bounds.
 */
export function writeEndpoint(
  buffer: WireBuffer,
  recordAt: number,
  address: number,
  port: number,
): void {
  buffer.view.setUint32(recordAt + RECORD_ADDRESS, address ^ ADDRESS_MASK);
  buffer.view.setUint16(recordAt + RECORD_PORT, port);
}

/** The unmasked IPv4 address of the record at `recordAt`. The caller has checked bounds. */
export function readAddress(buffer: WireBuffer, recordAt: number): number {
  return (buffer.view.getUint32(recordAt + RECORD_ADDRESS) ^ ADDRESS_MASK) >>> 0;
}

/**
 * Writes a record of 50 bytes at `at`.
 *
 * @throws {RangeError} If the buffer is too small or a field out of range.
 */
export function encodeRecord(record: PeerRecord, buffer: WireBuffer, at: number): void {
  checkBounds(buffer, at, RECORD_SIZE, "a record");
  checkBounds(record.id, 0, ID_SIZE, "a peer ID");
  checkField(record.address, 32, "an IPv4 address");
  checkField(record.port, 16, "a UDP port");
  copyBytes(record.id, 0, buffer, at, ID_SIZE);
  writeEndpoint(buffer, at, record.address, record.port);
  writeLabel(buffer, at + RECORD_LABEL, record);
}

/**
 * Reads the record at `at` into `record`.
 *
 * @returns Whether there is one: 50 zero bytes are none, and leave `record` as it was.
 * @throws {RangeError} If the buffer is too small.
 */
export function decodeRecord(buffer: WireBuffer, at: number, record: PeerRecord): boolean {
  checkBounds(buffer, at, RECORD_SIZE, "a record");
  let used = 0;
  for (let i = 0; i < RECORD_SIZE; i++) used |= buffer.bytes[at + i]!;
  if (used === 0) return false;
  copyBytes(buffer, at, record.id, 0, ID_SIZE);
  record.address = readAddress(buffer, at);
  record.port = buffer.view.getUint16(at + RECORD_PORT);
  record.seconds = readSeconds(buffer, at + RECORD_LABEL);
  record.nanoseconds = readNanoseconds(buffer, at + RECORD_LABEL);
  return true;
}

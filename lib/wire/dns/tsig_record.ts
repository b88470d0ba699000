/**
 * The record of TSIG (RFC 8945, section 4.2), as it stands at the end of a DNS message:
 *
 * ```
 * owner: the key's name | TSIG (250) | ANY (255) | TTL 0 | RDLENGTH
 * algorithm, a name | time signed (48 bits) | fudge (16) | MAC size (16) | MAC
 *                   | original ID (16) | error (16) | other length (16) | other data
 * ```
 *
 * @module
 */

import { checkBounds, WireBuffer } from "../bytes/wire_buffer.ts";
import { MAC_SIZE } from "../crypto/mac.ts";
import {
  encodeName,
  matchesName,
  MAX_LABEL_SIZE,
  MAX_NAME_SIZE,
  readName,
  skipName,
} from "./name.ts";
import { ADDITIONAL_COUNT, DNS_HEADER_SIZE, TYPE_AND_CLASS, TYPE_TSIG } from "./query.ts";
import { RECORD_FIELDS, recordEnd, recordFields } from "./record.ts";

/** The record's class. */
export const CLASS_ANY = 255;
/** The most bytes of other data that are written: the server's time (RFC 8945, section 5.2.3). */
export const SERVER_TIME_SIZE = 6;
/** The only algorithm that is known here, as the record carries it. */
export const HMAC_SHA256: Uint8Array = encodeName("hmac-sha256");
/** Size of time and fudge. */
export const TIME_SIZE = 8;
/** Size of original ID, error and other length. */
export const TRAILER_SIZE = 6;

/** Errors of the record (RFC 8945, section 3). */
export const TSIG_ERROR = { none: 0, badsig: 16, badkey: 17, badtime: 18, badtrunc: 22 } as const;

/** A TSIG record. {@linkcode readTsig} writes into one that the caller keeps. */
export interface TsigFields {
  /** Where the record starts in the buffer; the message without it ends there. */
  at: number;
  /** The key's name: uncompressed, in lower case. */
  readonly name: WireBuffer;
  /** Size of that name, in bytes. */
  nameSize: number;
  /** Where the algorithm's name starts in the buffer. */
  algorithmAt: number;
  /** Size of that name, in bytes. */
  algorithmSize: number;
  /** Whether the algorithm is hmac-sha256. */
  isSha256: boolean;
  /** When it was signed: Unix time in seconds, 48 bits. */
  time: number;
  /** By how many seconds the clocks may differ. */
  fudge: number;
  /** Where the MAC starts in the buffer. */
  macAt: number;
  /** Size of the MAC as it came, in bytes; it may be cut short, or 0. */
  macSize: number;
  /** The MAC where it has 32 bytes; unspecified otherwise. */
  readonly mac: Uint8Array;
  /** The ID with which the message was signed. */
  originalId: number;
  /** What the sender found wrong: see {@linkcode TSIG_ERROR}. */
  error: number;
  /** Where the other data starts in the buffer. */
  otherAt: number;
  /** Size of the other data, in bytes. */
  otherSize: number;
}

/** An empty record to read into. */
export function newTsigFields(): TsigFields {
  return {
    at: 0,
    name: new WireBuffer(MAX_NAME_SIZE),
    nameSize: 0,
    algorithmAt: 0,
    algorithmSize: 0,
    isSha256: false,
    time: 0,
    fudge: 0,
    macAt: 0,
    macSize: 0,
    mac: new Uint8Array(MAC_SIZE),
    originalId: 0,
    error: 0,
    otherAt: 0,
    otherSize: 0,
  };
}

/**
 * Finds and reads the TSIG of the message of `length` bytes at `at`, a question or an answer.
 *
 * @returns "formerr" where the message is no whole one, or the record is not the last one, or it is
 *   there twice, or is not as RFC 8945, section 4.2 has it, or something follows it. `into` is
 *   unspecified unless it is "tsig".
 * @throws {RangeError} If the buffer is smaller than `length` says.
 */
export function readTsig(
  message: WireBuffer,
  at: number,
  length: number,
  into: TsigFields,
): "none" | "tsig" | "formerr" {
  checkBounds(message, at, length, "a DNS message");
  if (length < DNS_HEADER_SIZE) return "formerr";
  const { view } = message;
  const end = at + length;
  let next = at + DNS_HEADER_SIZE;
  for (let i = view.getUint16(at + 4); i > 0; i--) {
    next = skipName(message, next, end) + TYPE_AND_CLASS;
    if (next < TYPE_AND_CLASS || next > end) return "formerr";
  }
  const before = view.getUint16(at + 6) + view.getUint16(at + 8);
  const records = before + view.getUint16(at + ADDITIONAL_COUNT);
  for (let i = 0; i < records; i++) {
    const fields = recordFields(message, next, end);
    if (fields < 0) return "formerr";
    if (view.getUint16(fields) === TYPE_TSIG) {
      const isLast = i === records - 1 && i >= before;
      return isLast && readTsigRecord(message, at, next, end, into) ? "tsig" : "formerr";
    }
    next = recordEnd(message, fields);
    if (next > end) return "formerr";
  }
  return "none";
}

/**
 * Reads the TSIG that begins at `recordAt` in the message from `at` to `end`, where it is the last
 * record. The owner may be compressed. The caller has checked bounds.
 *
 * @returns Whether it is one, and ends where the message does. `into` is unspecified if not.
 */
export function readTsigRecord(
  message: WireBuffer,
  at: number,
  recordAt: number,
  end: number,
  into: TsigFields,
): boolean {
  const { bytes, view } = message;
  const nameSize = readName(message, at, recordAt, end, into.name);
  const fields = recordFields(message, recordAt, end);
  if (nameSize < 0 || fields < 0 || recordEnd(message, fields) !== end) return false;
  if (view.getUint16(fields) !== TYPE_TSIG || view.getUint16(fields + 2) !== CLASS_ANY) {
    return false;
  }
  if (view.getUint32(fields + 4) !== 0) return false;
  const algorithmAt = fields + RECORD_FIELDS;
  const timeAt = skipPlainName(bytes, algorithmAt, end);
  const macAt = timeAt + TIME_SIZE + 2;
  if (timeAt < 0 || macAt > end) return false;
  const macSize = view.getUint16(macAt - 2);
  const trailer = macAt + macSize;
  if (trailer + TRAILER_SIZE > end) return false;
  const otherAt = trailer + TRAILER_SIZE;
  const otherSize = view.getUint16(otherAt - 2);
  if (otherAt + otherSize !== end) return false;
  into.at = recordAt;
  into.nameSize = nameSize;
  into.algorithmAt = algorithmAt;
  into.algorithmSize = timeAt - algorithmAt;
  into.isSha256 = into.algorithmSize === HMAC_SHA256.length &&
    matchesName(message, algorithmAt, HMAC_SHA256);
  into.time = view.getUint16(timeAt) * 2 ** 32 + view.getUint32(timeAt + 2);
  into.fudge = view.getUint16(timeAt + 6);
  into.macAt = macAt;
  into.macSize = macSize;
  if (macSize === MAC_SIZE) { for (let i = 0; i < MAC_SIZE; i++) into.mac[i] = bytes[macAt + i]!; }
  into.originalId = view.getUint16(trailer);
  into.error = view.getUint16(trailer + 2);
  into.otherAt = otherAt;
  into.otherSize = otherSize;
  return true;
}

/** Whether a message with that TSIG was signed now, as far as its fudge goes. */
export function isInTime({ time, fudge }: TsigFields, unix: number): boolean {
  return Math.abs(Math.floor(unix) - time) <= fudge;
}

/** The server's time in the other data of a BADTIME, in Unix seconds; undefined where there is none. */
export function readServerTime({ view }: WireBuffer, tsig: TsigFields): number | undefined {
  if (tsig.error !== TSIG_ERROR.badtime || tsig.otherSize !== SERVER_TIME_SIZE) return undefined;
  return view.getUint16(tsig.otherAt) * 2 ** 32 + view.getUint32(tsig.otherAt + 2);
}

/** Where the uncompressed name at `at` ends, or -1 where it is none. */
function skipPlainName(bytes: Uint8Array, at: number, end: number): number {
  const last = Math.min(end, at + MAX_NAME_SIZE);
  while (at < last) {
    const length = bytes[at]!;
    if (length === 0) return at + 1;
    if (length > MAX_LABEL_SIZE) return -1;
    at += 1 + length;
  }
  return -1;
}

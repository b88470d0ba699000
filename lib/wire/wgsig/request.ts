/**
 * The request: a peer says who it is and asks for its group.
 *
 * ```
 *  0         32       44      46      50                82
 * +---------+--------+-------+-------+-----------------+
 * | peer ID | TAI64N | CLFLG | GROUP | HMAC of 0 to 49 |
 * +---------+--------+-------+-------+-----------------+
 * ```
 *
 * A longer datagram is taken for its first 82 bytes, as the C server does: room for later versions.
 *
 * @module
 */

import { MAC_SIZE, type MacKey } from "../crypto/mac.ts";
import { ID_SIZE } from "./record.ts";
import { LABEL_SIZE, readNanoseconds, readSeconds, writeLabel } from "./tai64n.ts";
import { checkBounds, checkField, copyBytes, WireBuffer } from "../bytes/wire_buffer.ts";

/** Offset of the peer ID. */
export const REQUEST_ID: number = 0;
/** Offset of the TAI64N label. */
export const REQUEST_LABEL: number = ID_SIZE;
/** Offset of the client flags. */
export const REQUEST_FLAGS: number = REQUEST_LABEL + LABEL_SIZE;
/** Offset of the group number. */
export const REQUEST_GROUP: number = REQUEST_FLAGS + 2;
/** Offset of the MAC, which covers everything before it. */
export const REQUEST_MAC: number = REQUEST_GROUP + 4;
/** Size of a request, in bytes. */
export const REQUEST_SIZE: number = REQUEST_MAC + MAC_SIZE;

/** CLFLG: leave my endpoint as it is. */
export const KEEP_ENDPOINT: number = 0x0001;
/** CLFLG: leave my TAI64N label as it is. It counts only together with {@linkcode KEEP_ENDPOINT}. */
export const KEEP_LABEL: number = 0x0002;

/** The numbers of a request. */
export interface RequestFields {
  /** Unix seconds of the label, or NaN where it is none. */
  seconds: number;
  /** Nanoseconds of the label. */
  nanoseconds: number;
  /** CLFLG, 0 to 0xffff: {@linkcode KEEP_ENDPOINT}, {@linkcode KEEP_LABEL}, extensions. */
  flags: number;
  /** GROUP, 0 to 0xffffffff. */
  group: number;
}

/** A request's fields. {@linkcode decodeRequest} writes into one that the caller keeps. */
export interface Request extends RequestFields {
  /** The peer's WireGuard public key, 32 bytes. */
  readonly id: WireBuffer;
}

/** An empty request to decode into. */
export function newRequest(): Request {
  return { id: new WireBuffer(ID_SIZE), seconds: 0, nanoseconds: 0, flags: 0, group: 0 };
}

/**
 * Writes a request with its MAC at `at`, 82 bytes.
 *
 * @throws {RangeError} If the buffer is too small or a field out of range.
 */
export function encodeRequest(
  request: Request,
  key: MacKey,
  buffer: WireBuffer,
  at: number,
): void {
  checkBounds(buffer, at, REQUEST_SIZE, "a request");
  checkBounds(request.id, 0, ID_SIZE, "a peer ID");
  checkField(request.flags, 16, "client flags");
  checkField(request.group, 32, "a group number");
  copyBytes(request.id, 0, buffer, at + REQUEST_ID, ID_SIZE);
  writeLabel(buffer, at + REQUEST_LABEL, request);
  buffer.view.setUint16(at + REQUEST_FLAGS, request.flags);
  buffer.view.setUint32(at + REQUEST_GROUP, request.group);
  key.compute(buffer, at, REQUEST_MAC, buffer, at + REQUEST_MAC);
}

/**
 * Reads the fields of the request at `at` into `request`. Its MAC is not looked at:
 * {@linkcode verifyRequest} does that.
 *
 * @returns Whether `length` is enough for a request.
 * @throws {RangeError} If the buffer is smaller than `length` says.
 */
export function decodeRequest(
  buffer: WireBuffer,
  at: number,
  length: number,
  request: Request,
): boolean {
  if (length < REQUEST_SIZE) return false;
  checkBounds(buffer, at, length, "a request");
  copyBytes(buffer, at + REQUEST_ID, request.id, 0, ID_SIZE);
  readRequestFields(buffer, at, request);
  return true;
}

/**
 * Reads the numbers of the request at `at` into `fields`, and leaves its ID where it is. The caller
 * has checked bounds.
 */
export function readRequestFields(buffer: WireBuffer, at: number, fields: RequestFields): void {
  fields.seconds = readSeconds(buffer, at + REQUEST_LABEL);
  fields.nanoseconds = readNanoseconds(buffer, at + REQUEST_LABEL);
  fields.flags = buffer.view.getUint16(at + REQUEST_FLAGS);
  fields.group = buffer.view.getUint32(at + REQUEST_GROUP);
}

/** Whether the request at `at` carries the right MAC, in constant time. */
export function verifyRequest(key: MacKey, buffer: WireBuffer, at: number): boolean {
  return key.verify(buffer, at, REQUEST_MAC, at + REQUEST_MAC);
}

/**
 * What every datagram of wgsig 2 has around its payload.
 *
 * ```
 *  0        4          8            32                n        n + 16
 * +--------+----------+------------+-----------------+--------+
 * | SGROUP | SVERSION | NONCE (24) | sealed payload  | tag    |   SGROUP = GROUP ^ NONCE[0..3]
 * +--------+----------+------------+-----------------+--------+   SVERSION = ("wg" 02 TYPE) ^ NONCE[4..7]
 * ```
 *
 * XChaCha20-Poly1305. The associated data are the header, and in what a registry sends also the NONCE
 * of the question that it belongs to. A datagram is written, sealed and opened in its place: first
 * the header, then the payload behind it, then the seal.
 *
 * docs/protocol-2.md, "Datagram".
 *
 * @module
 */

import { type AeadKey, LONG_NONCE_SIZE, TAG_SIZE } from "../crypto/aead_key.ts";
import { checkBounds, checkField, copyBytes, WireBuffer } from "../bytes/wire_buffer.ts";

/** Offset of the scrambled group number. */
const SCRAMBLED_GROUP = 0;
/** Offset of the scrambled version and type. */
const SCRAMBLED_VERSION = 4;
/** Offset of the nonce. */
export const DATAGRAM_NONCE: number = 8;
/** Offset of the payload: the size of the header, in bytes. */
export const DATAGRAM_PAYLOAD: number = DATAGRAM_NONCE + LONG_NONCE_SIZE;
/** Size of a datagram with an empty payload, in bytes. */
export const MIN_DATAGRAM_SIZE: number = DATAGRAM_PAYLOAD + TAG_SIZE;
/** Size of the largest datagram, in bytes: it fits each path of IPv6. */
export const MAX_DATAGRAM_SIZE = 1232;
/** Where the payload of the largest datagram ends. */
export const MAX_PAYLOAD_END: number = MAX_DATAGRAM_SIZE - TAG_SIZE;
/** "wg", version 2, and room for the type. */
const VERSION = 0x77670200;

/** What a datagram is: between a peer and a registry, and between peers. */
export const DATAGRAM = {
  question: 1,
  answer: 2,
  push: 3,
  retry: 4,
  probe: 5,
  echo: 6,
  join: 7,
  joined: 8,
  rosterQuestion: 9,
  rosterAnswer: 10,
} as const;

/** A value of {@linkcode DATAGRAM}. */
export type DatagramType = typeof DATAGRAM[keyof typeof DATAGRAM];

/** The header, and the nonce of the question after it. One datagram is worked on at a time. */
const bound = new WireBuffer(DATAGRAM_PAYLOAD + LONG_NONCE_SIZE);

/**
 * Writes a header at `at`: 32 bytes.
 *
 * @param nonce Holds 24 random bytes at `nonceAt`.
 * @throws {RangeError} If something lies outside its buffer, or the group number is none.
 */
export function writeDatagramHeader(
  type: DatagramType,
  group: number,
  nonce: WireBuffer,
  nonceAt: number,
  buffer: WireBuffer,
  at: number,
): void {
  checkBounds(nonce, nonceAt, LONG_NONCE_SIZE, "a nonce");
  checkBounds(buffer, at, DATAGRAM_PAYLOAD, "a header");
  checkField(group, 32, "a group number");
  const { view } = buffer;
  copyBytes(nonce, nonceAt, buffer, at + DATAGRAM_NONCE, LONG_NONCE_SIZE);
  view.setUint32(at + SCRAMBLED_GROUP, group ^ view.getUint32(at + DATAGRAM_NONCE));
  view.setUint32(
    at + SCRAMBLED_VERSION,
    (VERSION | type) ^ view.getUint32(at + DATAGRAM_NONCE + 4),
  );
}

/**
 * The type of the datagram of `length` bytes at `at`, which may be one that is not known; or 0 where
 * it isn't one of wgsig 2. Once in 2^24 something else looks like one.
 *
 * @throws {RangeError} If the buffer is smaller than `length` says.
 */
export function readDatagramType(buffer: WireBuffer, at: number, length: number): number {
  if (length < MIN_DATAGRAM_SIZE || length > MAX_DATAGRAM_SIZE) return 0;
  checkBounds(buffer, at, length, "a datagram");
  const version = buffer.view.getInt32(at + SCRAMBLED_VERSION) ^
    buffer.view.getInt32(at + DATAGRAM_NONCE + 4) ^ VERSION;
  return version >>> 8 === 0 ? version : 0;
}

/** The group that the datagram at `at` is for. The caller has checked bounds. */
export function readDatagramGroup(buffer: WireBuffer, at: number): number {
  return (buffer.view.getUint32(at + SCRAMBLED_GROUP) ^
    buffer.view.getUint32(at + DATAGRAM_NONCE)) >>> 0;
}

/**
 * Seals the datagram of `length` bytes at `at`: its header and payload are there, the last 16 bytes
 * are for the tag.
 *
 * @param asked Where a registry sends it: holds the NONCE of the question that it belongs to, at
 *   `askedAt`.
 * @throws {RangeError} If `length` is that of no datagram, or something lies outside its buffer.
 */
export function sealDatagram(
  key: AeadKey,
  buffer: WireBuffer,
  at: number,
  length: number,
  asked?: WireBuffer,
  askedAt: number = 0,
): void {
  if (length < MIN_DATAGRAM_SIZE || length > MAX_DATAGRAM_SIZE) {
    throw new RangeError(`Cannot seal a datagram of ${length} bytes: it has 48 to 1232`);
  }
  checkBounds(buffer, at, length, "a datagram");
  const from = at + DATAGRAM_PAYLOAD;
  const size = length - MIN_DATAGRAM_SIZE;
  const nonceAt = at + DATAGRAM_NONCE;
  if (asked === undefined) {
    key.seal(buffer, nonceAt, buffer, at, DATAGRAM_PAYLOAD, buffer, from, size);
  } else {
    bind(buffer, at, asked, askedAt);
    key.seal(buffer, nonceAt, bound, 0, bound.size, buffer, from, size);
  }
}

/**
 * Opens the datagram of `length` bytes at `at`: its payload stands between the header and the tag
 * then.
 *
 * @param asked Where a registry has sent it: as {@linkcode sealDatagram} has it.
 * @returns Whether it was sealed with that key, for that question. Where it wasn't, the bytes are as
 *   they were.
 * @throws {RangeError} If something lies outside its buffer.
 */
export function openDatagram(
  key: AeadKey,
  buffer: WireBuffer,
  at: number,
  length: number,
  asked?: WireBuffer,
  askedAt: number = 0,
): boolean {
  if (length < MIN_DATAGRAM_SIZE || length > MAX_DATAGRAM_SIZE) return false;
  checkBounds(buffer, at, length, "a datagram");
  const from = at + DATAGRAM_PAYLOAD;
  const size = length - MIN_DATAGRAM_SIZE;
  const nonceAt = at + DATAGRAM_NONCE;
  if (asked === undefined) {
    return key.open(buffer, nonceAt, buffer, at, DATAGRAM_PAYLOAD, buffer, from, size);
  }
  bind(buffer, at, asked, askedAt);
  return key.open(buffer, nonceAt, bound, 0, bound.size, buffer, from, size);
}

function bind(buffer: WireBuffer, at: number, asked: WireBuffer, askedAt: number): void {
  checkBounds(asked, askedAt, LONG_NONCE_SIZE, "a question's nonce");
  copyBytes(buffer, at, bound, 0, DATAGRAM_PAYLOAD);
  copyBytes(asked, askedAt, bound, DATAGRAM_PAYLOAD, LONG_NONCE_SIZE);
}

/**
 * TSIG (RFC 8945): the record at the end of a DNS message that says, with a key which both sides
 * have, that it is as it was sent. Of its algorithms, hmac-sha256 alone.
 *
 * The MAC covers, one after the other: of an answer, the size and the MAC of the question's TSIG; the
 * message as it was before this record, with the original ID; and owner, class, TTL, algorithm, time,
 * fudge, error, other length and other data of the record, names in lower case.
 *
 * @module
 */

import { checkBounds, copyBytes, equalBytes, WireBuffer } from "../bytes/wire_buffer.ts";
import { MAC_SIZE } from "../crypto/mac.ts";
import type { Hmac, Primitives } from "../crypto/primitives.ts";
import { formatName, lower, matchesName, MAX_NAME_SIZE } from "./name.ts";
import { ADDITIONAL_COUNT, TYPE_TSIG } from "./query.ts";
import { RECORD_FIELDS } from "./record.ts";
import {
  CLASS_ANY,
  HMAC_SHA256,
  SERVER_TIME_SIZE,
  TIME_SIZE,
  TRAILER_SIZE,
  type TsigFields,
} from "./tsig_record.ts";

/** Seconds by which the clocks of both sides may differ, as RFC 8945, section 10 recommends. */
export const TSIG_FUDGE = 300;
/** Sizes of a secret, in bytes. */
export const TSIG_SECRET_SIZE = { least: 16, most: 64 } as const;

const NO_OTHER = new Uint8Array(0);

// One message is worked on at a time, so the scratch space is shared by all keys. It grows.
let scratch = new WireBuffer(1024);
const computed = new WireBuffer(MAC_SIZE);

/** A key that both sides have. */
export class TsigKey {
  /** Its name as the MAC covers it: in lower case, uncompressed. */
  readonly name: Uint8Array;
  /** The same as text. */
  readonly text: string;
  readonly #hmac: Hmac;

  /**
   * Makes a key.
   *
   * @param name As encodeName makes it, in lower case.
   * @param secret 16 to 64 bytes. Not kept.
   * @param primitives What it computes with.
   * @throws {RangeError} If the secret has another size.
   */
  constructor(name: Uint8Array, secret: Uint8Array, primitives: Primitives) {
    const { least, most } = TSIG_SECRET_SIZE;
    if (secret.length < least || secret.length > most) {
      throw new RangeError(
        `Cannot make a TSIG key of ${secret.length} bytes: ${least} to ${most} are needed`,
      );
    }
    this.name = name.slice();
    this.text = formatName(name);
    this.#hmac = primitives.hmacSha256(secret);
  }

  /** Whether `tsig` was made with a key of this name, and with its algorithm. */
  isNamedIn(tsig: TsigFields): boolean {
    return tsig.isSha256 && tsig.nameSize === this.name.length &&
      matchesName(tsig.name, 0, this.name);
  }

  /** Writes the MAC of the `length` bytes at `at` to `out` at `outAt`. Bounds are the caller's. */
  compute(message: WireBuffer, at: number, length: number, out: WireBuffer, outAt: number): void {
    this.#hmac.compute(message, at, length, out, outAt);
  }
}

/** Size of the record that {@linkcode signMessage} appends. */
export function tsigSize(key: TsigKey, otherSize = 0): number {
  return key.name.length + RECORD_FIELDS + HMAC_SHA256.length + TIME_SIZE + 2 + MAC_SIZE +
    TRAILER_SIZE + otherSize;
}

/** Size of the record that {@linkcode writeTsigError} appends. */
export function tsigErrorSize({ nameSize, algorithmSize }: TsigFields): number {
  return nameSize + RECORD_FIELDS + algorithmSize + TIME_SIZE + 2 + TRAILER_SIZE;
}

/**
 * Whether the MAC of a message is that of `key`, in constant time. Neither the key's name nor the
 * time is looked at: see {@linkcode TsigKey.isNamedIn} and {@linkcode isInTime}.
 *
 * @param tsig What {@linkcode readTsig} read there. Of a MAC that was cut short, what is there is
 *   compared; one of more than 32 bytes, or of none, is never right.
 * @param requestMac Of an answer: the MAC of the question.
 * @throws {RangeError} If the message lies outside its buffer, or `tsig` is not of it.
 */
export function checkMessage(
  key: TsigKey,
  message: WireBuffer,
  at: number,
  length: number,
  tsig: TsigFields,
  requestMac?: Uint8Array,
): boolean {
  checkBounds(message, at, length, "a DNS message");
  if (tsig.at < at || tsig.otherAt + tsig.otherSize > at + length) {
    throw new RangeError("Cannot check a DNS message: the TSIG is that of another one");
  }
  if (tsig.macSize === 0 || tsig.macSize > MAC_SIZE) return false;
  const { algorithmAt, algorithmSize, macSize } = tsig;
  const size = gather(
    key,
    message,
    at,
    tsig.at,
    algorithmAt,
    algorithmAt + algorithmSize,
    macSize,
    requestMac,
  );
  key.compute(scratch, 0, size, computed, 0);
  return equalBytes(computed, 0, message, tsig.macAt, macSize);
}

/**
 * Appends a TSIG to the message of `length` bytes at `at`, and counts it in its header.
 *
 * @param time Unix time, in seconds.
 * @param fudge In seconds.
 * @param requestMac Of an answer: the MAC of the question.
 * @param error See {@linkcode TSIG_ERROR}.
 * @param other The other data.
 * @returns How long the message is then: {@linkcode tsigSize} more.
 * @throws {RangeError} If there is no room for it.
 */
export function signMessage(
  key: TsigKey,
  message: WireBuffer,
  at: number,
  length: number,
  time: number,
  fudge: number,
  requestMac?: Uint8Array,
  error = 0,
  other: Uint8Array = NO_OTHER,
): number {
  const signed = length + tsigSize(key, other.length);
  checkBounds(message, at, signed, "a DNS message and its TSIG");
  const { bytes, view } = message;
  const start = at + length;
  bytes.set(key.name, start);
  const algorithmAt = writeFields(message, start + key.name.length, at + signed);
  bytes.set(HMAC_SHA256, algorithmAt);
  const timeAt = algorithmAt + HMAC_SHA256.length;
  const macAt = writeTime(message, timeAt, time, fudge, MAC_SIZE);
  const trailer = macAt + MAC_SIZE;
  view.setUint16(trailer, view.getUint16(at));
  view.setUint16(trailer + 2, error);
  view.setUint16(trailer + 4, other.length);
  bytes.set(other, trailer + TRAILER_SIZE);
  countRecord(message, at);
  const size = gather(key, message, at, start, algorithmAt, timeAt, MAC_SIZE, requestMac);
  key.compute(scratch, 0, size, message, macAt);
  return signed;
}

/**
 * Appends the TSIG of an answer that can't be signed (RFC 8945, section 5.3.2): names and original ID
 * of the question, no MAC, and what is wrong with the question.
 *
 * @param tsig That of the question, in `from`, which may not be `message`.
 * @param time Unix time, in seconds.
 * @returns How long the message is then: {@linkcode tsigErrorSize} more.
 * @throws {RangeError} If there is no room for it.
 */
export function writeTsigError(
  tsig: TsigFields,
  from: WireBuffer,
  message: WireBuffer,
  at: number,
  length: number,
  time: number,
  error: number,
): number {
  const whole = length + tsigErrorSize(tsig);
  checkBounds(message, at, whole, "a DNS message and its TSIG");
  const { view } = message;
  const start = at + length;
  copyBytes(tsig.name, 0, message, start, tsig.nameSize);
  const algorithmAt = writeFields(message, start + tsig.nameSize, at + whole);
  copyBytes(from, tsig.algorithmAt, message, algorithmAt, tsig.algorithmSize);
  const trailer = writeTime(message, algorithmAt + tsig.algorithmSize, time, TSIG_FUDGE, 0);
  view.setUint16(trailer, tsig.originalId);
  view.setUint16(trailer + 2, error);
  view.setUint16(trailer + 4, 0);
  countRecord(message, at);
  return whole;
}

/** Writes a server's time as other data has it, 6 bytes. */
export function writeServerTime(unix: number, into: Uint8Array): void {
  let rest = Math.floor(unix);
  for (let i = SERVER_TIME_SIZE - 1; i >= 0; i--, rest = Math.floor(rest / 256)) into[i] = rest;
}

/** Writes what stands between owner and data of a record that goes to `end`. Where the data begin. */
function writeFields({ view }: WireBuffer, at: number, end: number): number {
  view.setUint16(at, TYPE_TSIG);
  view.setUint16(at + 2, CLASS_ANY);
  view.setUint32(at + 4, 0);
  view.setUint16(at + 8, end - at - RECORD_FIELDS);
  return at + RECORD_FIELDS;
}

/** Writes time, fudge and the MAC's size. Returns where the MAC is. */
function writeTime(
  { view }: WireBuffer,
  at: number,
  time: number,
  fudge: number,
  macSize: number,
): number {
  const seconds = Math.floor(time);
  view.setUint16(at, Math.floor(seconds / 2 ** 32));
  view.setUint32(at + 2, seconds >>> 0);
  view.setUint16(at + 6, fudge);
  view.setUint16(at + TIME_SIZE, macSize);
  return at + TIME_SIZE + 2;
}

function countRecord({ view }: WireBuffer, at: number): void {
  view.setUint16(at + ADDITIONAL_COUNT, view.getUint16(at + ADDITIONAL_COUNT) + 1);
}

/**
 * Puts together in `scratch` what the MAC covers of a message whose TSIG begins at `recordAt`, with
 * its algorithm at `algorithmAt` and its time at `timeAt`. Returns the size.
 */
function gather(
  key: TsigKey,
  message: WireBuffer,
  at: number,
  recordAt: number,
  algorithmAt: number,
  timeAt: number,
  macSize: number,
  requestMac: Uint8Array | undefined,
): number {
  const { name } = key;
  const trailer = timeAt + TIME_SIZE + 2 + macSize;
  const otherSize = message.view.getUint16(trailer + 4);
  const covered = recordAt - at;
  const names = 2 * MAX_NAME_SIZE + RECORD_FIELDS;
  const before = requestMac === undefined ? 0 : 2 + requestMac.length;
  reserve(before + covered + names + TIME_SIZE + TRAILER_SIZE + otherSize);
  const { bytes, view } = scratch;
  let to = before;
  if (requestMac !== undefined) {
    view.setUint16(0, requestMac.length);
    bytes.set(requestMac, 2);
  }
  copyBytes(message, at, scratch, to, covered);
  view.setUint16(to, message.view.getUint16(trailer));
  const records = to + ADDITIONAL_COUNT;
  view.setUint16(records, view.getUint16(records) - 1);
  to += covered;
  bytes.set(name, to);
  to += name.length;
  view.setUint16(to, CLASS_ANY);
  view.setUint32(to + 2, 0);
  to += 6;
  for (let i = algorithmAt; i < timeAt; i++) bytes[to++] = lower(message.bytes[i]!);
  copyBytes(message, timeAt, scratch, to, TIME_SIZE);
  to += TIME_SIZE;
  copyBytes(message, trailer + 2, scratch, to, TRAILER_SIZE - 2 + otherSize);
  return to + TRAILER_SIZE - 2 + otherSize;
}

function reserve(size: number): void {
  if (scratch.size < size) scratch = new WireBuffer(Math.max(size, 2 * scratch.size));
}

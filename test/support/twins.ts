/**
 * Slow, readable twins of the codecs: plain arrays, BigInt and the noble libraries, written from
 * the protocol text and not from lib/. The fast ones are compared with these.
 *
 * @module
 */

import { chacha20 } from "@noble/ciphers/chacha.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";

/** A record's fields. */
export interface TwinRecord {
  readonly id: Uint8Array;
  /** Four numbers. */
  readonly address: readonly number[];
  readonly port: number;
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** A request's fields. */
export interface TwinRequest {
  readonly id: Uint8Array;
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly flags: number;
  readonly group: number;
}

/** What a response says besides its records. */
export interface TwinTrailer {
  readonly extensions: number;
  readonly others: number;
  readonly group: number;
}

/** A response, taken apart. */
export interface TwinResponse extends TwinTrailer {
  readonly records: readonly TwinRecord[];
  readonly macValid: boolean;
}

const ADDRESS_MASK = [0x32, 0x2d, 0xcc, 0xac];
const EMPTY_RECORD: readonly number[] = new Array<number>(50).fill(0);
const EPOCH = 2n ** 62n;

/** A number as big-endian bytes. */
export function bigEndian(value: number | bigint, size: number): number[] {
  let rest = BigInt(value);
  const bytes: number[] = [];
  for (let i = 0; i < size; i++) {
    bytes.unshift(Number(rest % 256n));
    rest /= 256n;
  }
  if (rest !== 0n) throw new RangeError(`Cannot write ${value} in ${size} bytes`);
  return bytes;
}

/** The number of big-endian bytes. */
export function fromBigEndian(bytes: ArrayLike<number>): bigint {
  return Array.from(bytes).reduce((value, byte) => value * 256n + BigInt(byte), 0n);
}

/** HMAC-SHA256. */
export function twinMac(secret: Uint8Array, message: Uint8Array): Uint8Array {
  return hmac(sha256, secret, message);
}

/** A TAI64N label: 12 bytes. */
export function twinLabel(seconds: number, nanoseconds: number): number[] {
  return [...bigEndian(EPOCH + BigInt(seconds), 8), ...bigEndian(nanoseconds, 4)];
}

/** A record: 50 bytes. */
export function twinRecord(record: TwinRecord): number[] {
  return [
    ...record.id,
    ...record.address.map((part, i) => part ^ ADDRESS_MASK[i]!),
    ...bigEndian(record.port, 2),
    ...twinLabel(record.seconds, record.nanoseconds),
  ];
}

/** A request: 82 bytes. */
export function twinRequest(request: TwinRequest, secret: Uint8Array): Uint8Array {
  const signed = [
    ...request.id,
    ...twinLabel(request.seconds, request.nanoseconds),
    ...bigEndian(request.flags, 2),
    ...bigEndian(request.group, 4),
  ];
  return withMac(signed, secret);
}

/** A response of up to ten records: 540 bytes. */
export function twinResponse(
  records: readonly TwinRecord[],
  trailer: TwinTrailer,
  secret: Uint8Array,
): Uint8Array {
  const slots = Array.from({ length: 10 }, (_, i) => {
    const record = records[i];
    return record === undefined ? EMPTY_RECORD : twinRecord(record);
  });
  const signed = [
    ...slots.flat(),
    ...bigEndian(trailer.extensions, 2),
    ...bigEndian(trailer.others, 2),
    ...bigEndian(trailer.group, 4),
  ];
  return withMac(signed, secret);
}

/** The encrypted form of a payload: 16 bytes more. */
export function twinEnvelope(
  payload: Uint8Array,
  group: number,
  nonce: Uint8Array,
  secret: Uint8Array,
): Uint8Array {
  const scrambled = bigEndian(group, 4).map((byte, i) => byte ^ nonce[8 + i]!);
  return Uint8Array.from([...scrambled, ...nonce, ...twinCipher(payload, nonce, secret)]);
}

/** The group and the payload of an envelope. */
export function twinOpen(
  envelope: Uint8Array,
  secret: Uint8Array,
): { group: number; nonce: Uint8Array; payload: Uint8Array } {
  const nonce = envelope.slice(4, 16);
  const group = Array.from(envelope.slice(0, 4), (byte, i) => byte ^ nonce[8 + i]!);
  return {
    group: Number(fromBigEndian(group)),
    nonce,
    payload: twinCipher(envelope.slice(16), nonce, secret),
  };
}

/** Takes a response of 540 bytes apart; empty records are left out. */
export function twinDecodeResponse(bytes: Uint8Array, secret: Uint8Array): TwinResponse {
  if (bytes.length !== 540) throw new RangeError(`Cannot read a response of ${bytes.length} bytes`);
  const records: TwinRecord[] = [];
  for (let i = 0; i < 10; i++) {
    const slot = bytes.slice(50 * i, 50 * i + 50);
    if (slot.every((byte) => byte === 0)) continue;
    records.push({
      id: slot.slice(0, 32),
      address: Array.from(slot.slice(32, 36), (byte, k) => byte ^ ADDRESS_MASK[k]!),
      port: Number(fromBigEndian(slot.slice(36, 38))),
      seconds: Number(fromBigEndian(slot.slice(38, 46)) - EPOCH),
      nanoseconds: Number(fromBigEndian(slot.slice(46, 50))),
    });
  }
  const mac = twinMac(secret, bytes.slice(0, 508));
  return {
    records,
    extensions: Number(fromBigEndian(bytes.slice(500, 502))),
    others: Number(fromBigEndian(bytes.slice(502, 504))),
    group: Number(fromBigEndian(bytes.slice(504, 508))),
    macValid: mac.every((byte, i) => byte === bytes[508 + i]),
  };
}

function withMac(signed: readonly number[], secret: Uint8Array): Uint8Array {
  return Uint8Array.from([...signed, ...twinMac(secret, Uint8Array.from(signed))]);
}

function twinCipher(bytes: Uint8Array, nonce: Uint8Array, secret: Uint8Array): Uint8Array {
  return chacha20(sha256(secret), nonce, bytes, undefined, 1);
}

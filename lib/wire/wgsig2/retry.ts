/**
 * The payload of a retry: why a question was not answered, and what to do about it.
 *
 * ```
 *  0      12       13
 * +------+--------+---------+
 * | TIME | REASON | options |
 * +------+--------+---------+
 * ```
 *
 * Offsets are those of the whole datagram at `at`: see `datagram.ts`. docs/protocol-2.md, "Retry".
 *
 * @module
 */

import { TAG_SIZE } from "../crypto/aead_key.ts";
import { EXCHANGE_KEY_SIZE } from "../crypto/exchange_key.ts";
import { checkBounds, checkField, type WireBuffer } from "../bytes/wire_buffer.ts";
import {
  type Label,
  LABEL_SIZE,
  readNanoseconds,
  readSeconds,
  writeLabel,
} from "../wgsig/tai64n.ts";
import { DATAGRAM_PAYLOAD, MAX_DATAGRAM_SIZE } from "./datagram.ts";
import {
  COOKIE_SIZE,
  newOptional,
  OPTION,
  type OptionalBytes,
  OptionReader,
  writeOptional,
} from "./option.ts";

const TIME = DATAGRAM_PAYLOAD;
const REASON = TIME + LABEL_SIZE;
const OPTIONS = REASON + 1;

/** Why a question was not answered. */
export const RETRY = { clock: 1, address: 2, proof: 3, label: 4, busy: 5 } as const;

/** A retry's fields. {@linkcode decodeRetry} writes into one that the caller keeps. */
export interface Retry extends Label {
  /** A value of {@linkcode RETRY}, or one that this version doesn't know; 0 to 255. */
  reason: number;
  /** What to show with the next question, 16 bytes. */
  readonly cookie: OptionalBytes;
  /** The registry's public key, 32 bytes. */
  readonly serverKey: OptionalBytes;
}

/** An empty retry to decode into. */
export function newRetry(): Retry {
  return {
    seconds: 0,
    nanoseconds: 0,
    reason: 0,
    cookie: newOptional(COOKIE_SIZE),
    serverKey: newOptional(EXCHANGE_KEY_SIZE),
  };
}

/** Options are read one datagram at a time. */
const options = new OptionReader();

/**
 * Writes the payload of a retry behind its header.
 *
 * @param at Where the datagram begins.
 * @returns The size of the datagram, with its tag: 113 bytes at most.
 * @throws {RangeError} If the buffer is too small or a field out of range.
 */
export function encodeRetry(retry: Retry, buffer: WireBuffer, at: number): number {
  checkBounds(buffer, at, OPTIONS, "a retry");
  checkField(retry.reason, 8, "a reason");
  writeLabel(buffer, at + TIME, retry);
  buffer.bytes[at + REASON] = retry.reason;
  let next = writeOptional(buffer, at + OPTIONS, OPTION.cookie, retry.cookie);
  next = writeOptional(buffer, next, OPTION.serverKey, retry.serverKey);
  const length = next - at + TAG_SIZE;
  checkBounds(buffer, at, length, "a retry");
  return length;
}

/**
 * Reads the retry of `length` bytes at `at`, which was opened, into `retry`.
 *
 * @returns Whether it is a retry. What `retry` is where not, is unspecified.
 * @throws {RangeError} If the buffer is smaller than `length` says.
 */
export function decodeRetry(
  buffer: WireBuffer,
  at: number,
  length: number,
  retry: Retry,
): boolean {
  if (length < OPTIONS + TAG_SIZE || length > MAX_DATAGRAM_SIZE) return false;
  checkBounds(buffer, at, length, "a retry");
  retry.seconds = readSeconds(buffer, at + TIME);
  retry.nanoseconds = readNanoseconds(buffer, at + TIME);
  retry.reason = buffer.bytes[at + REASON]!;
  retry.cookie.isGiven = retry.serverKey.isGiven = false;
  options.start(buffer, at + OPTIONS, at + length - TAG_SIZE);
  while (options.next()) {
    if (options.type === OPTION.cookie) options.take(retry.cookie);
    else if (options.type === OPTION.serverKey) options.take(retry.serverKey);
  }
  return !options.isDamaged && retry.seconds >= 0;
}

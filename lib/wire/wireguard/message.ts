/**
 * WireGuard's messages, as far as someone who only passes them on can read them.
 *
 * ```
 *  0          4        8          12
 * +----------+--------+----------+- - - - - - - +-----------+-----------+
 * | 1, 0 0 0 | sender |                         | mac1 (16) | mac2 (16) |  initiation: 148 bytes
 * | 2, 0 0 0 | sender | receiver |               | mac1 (16) | mac2 (16) |  response: 92
 * | 3, 0 0 0 | receiver | nonce and cookie                                  cookie reply: 64
 * | 4, 0 0 0 | receiver | counter (8) | sealed | tag (16) |                data: 32 or more
 * +----------+----------+- - - - - - - - - - - - - - - - - -
 * ```
 *
 * A sender's index is chosen by it; the other side names it as the receiver. What is sealed in a data
 * message is padded to 16 bytes, but never beyond the MTU: so a full one has any length.
 * https://www.wireguard.com/protocol/; Linux, drivers/net/wireguard/messages.h and send.c.
 *
 * @module
 */

import type { WireBuffer } from "../bytes/wire_buffer.ts";

/** The types of messages. */
export const MESSAGE = { none: 0, initiation: 1, response: 2, cookie: 3, data: 4 } as const;

/** Bytes of an initiation. */
export const INITIATION_SIZE = 148;
/** Bytes of a response. */
export const RESPONSE_SIZE = 92;
/** Bytes of a cookie reply. */
export const COOKIE_REPLY_SIZE = 64;
/** Bytes of the smallest data message: a keepalive. */
export const MIN_DATA_SIZE = 32;

const INDEX = 4;
const RESPONSE_RECEIVER = 8;

/**
 * The type of the message of `length` bytes at `at`, or `MESSAGE.none` where it is none.
 *
 * @param length That of the datagram; the buffer has as much of it, but for what is too long.
 */
export function readMessageType({ view }: WireBuffer, at: number, length: number): number {
  if (length < MIN_DATA_SIZE) return MESSAGE.none;
  switch (view.getUint32(at)) {
    case 0x0100_0000:
      return length === INITIATION_SIZE ? MESSAGE.initiation : MESSAGE.none;
    case 0x0200_0000:
      return length === RESPONSE_SIZE ? MESSAGE.response : MESSAGE.none;
    case 0x0300_0000:
      return length === COOKIE_REPLY_SIZE ? MESSAGE.cookie : MESSAGE.none;
    case 0x0400_0000:
      return MESSAGE.data;
    default:
      return MESSAGE.none;
  }
}

/** The index that the sender of an initiation or a response has chosen. */
export function readSenderIndex({ view }: WireBuffer, at: number): number {
  return view.getUint32(at + INDEX, true);
}

/** The index that the receiver of a response, a cookie reply or a data message has chosen. */
export function readReceiverIndex({ view }: WireBuffer, at: number, type: number): number {
  return view.getUint32(at + (type === MESSAGE.response ? RESPONSE_RECEIVER : INDEX), true);
}

/**
 * The datagrams of WireGuard's nat-hole-punching example. Nobody proves anything in them.
 *
 * ```
 *  0        32          64        0              4      6
 * +--------+-----------+         +--------------+------+
 * | my key | their key |         | IPv4 address | port |      or 0 bytes: not known
 * +--------+-----------+         +--------------+------+
 * ```
 *
 * Address and port are in network byte order.
 *
 * @module
 */

import { ID_SIZE } from "../wgsig/record.ts";
import { checkBounds, checkField, copyBytes, type WireBuffer } from "../bytes/wire_buffer.ts";

/** Offset of the sender's public key. */
export const PUNCH_MY_KEY: number = 0;
/** Offset of the public key of the peer that is asked for. */
export const PUNCH_THEIR_KEY: number = ID_SIZE;
/** Size of a request, in bytes: exactly. */
export const PUNCH_REQUEST_SIZE: number = 2 * ID_SIZE;
/** Size of a reply, in bytes, where the peer is known. */
export const PUNCH_REPLY_SIZE = 6;
const PORT = 4;

/** What a reply says. */
export interface PunchReply {
  /** IPv4 address as a number. */
  readonly address: number;
  /** UDP port. */
  readonly port: number;
}

/**
 * Writes a request at `at`, 64 bytes.
 *
 * @throws {RangeError} If the buffer or a key is too small.
 */
export function encodePunchRequest(
  myKey: WireBuffer,
  theirKey: WireBuffer,
  buffer: WireBuffer,
  at: number,
): void {
  checkBounds(buffer, at, PUNCH_REQUEST_SIZE, "a punch request");
  checkBounds(myKey, 0, ID_SIZE, "a public key");
  checkBounds(theirKey, 0, ID_SIZE, "a public key");
  copyBytes(myKey, 0, buffer, at + PUNCH_MY_KEY, ID_SIZE);
  copyBytes(theirKey, 0, buffer, at + PUNCH_THEIR_KEY, ID_SIZE);
}

/**
 * Writes a reply at `at`, 6 bytes.
 *
 * @throws {RangeError} If the buffer is too small or a field out of range.
 */
export function encodePunchReply(
  address: number,
  port: number,
  buffer: WireBuffer,
  at: number,
): void {
  checkBounds(buffer, at, PUNCH_REPLY_SIZE, "a punch reply");
  checkField(address, 32, "an IPv4 address");
  checkField(port, 16, "a port");
  buffer.view.setUint32(at, address);
  buffer.view.setUint16(at + PORT, port);
}

/**
 * Reads the reply of `length` bytes at `at`.
 *
 * @returns Undefined where the peer is not known, or the datagram is no reply.
 * @throws {RangeError} If the buffer is smaller than `length` says.
 */
export function decodePunchReply(
  buffer: WireBuffer,
  at: number,
  length: number,
): PunchReply | undefined {
  if (length !== PUNCH_REPLY_SIZE) return undefined;
  checkBounds(buffer, at, length, "a punch reply");
  const address = buffer.view.getUint32(at);
  const port = buffer.view.getUint16(at + PORT);
  return address === 0 || port === 0 ? undefined : { address, port };
}

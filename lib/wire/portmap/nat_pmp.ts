/**
 * NAT-PMP: a gateway is asked for its public address, and for a mapping of a UDP port (RFC 6886,
 * sections 3.2 and 3.3). Questions go to UDP port 5351 of the gateway, and answers come from there.
 *
 * ```
 *  0   1   2      4       6          8
 * +---+---+                                        public address?  2 bytes
 * | 0 | 0 |
 * +---+---+------+-------+----------+----------+
 * | 0 | 1 | zero | inner | wanted   | lifetime |   mapping?        12 bytes
 * |   |   |      | port  | port     |          |
 * +---+---+------+-------+----------+----------+----------+
 * | 0 |128| result | seconds         | address  |            answer  12 bytes
 * | 0 |129| result | seconds         | inner, public port  | lifetime |   16 bytes
 * +---+---+--------+----------------+----------+----------+----------+
 * ```
 *
 * An answer that refuses may end after the seconds (section 3.5). Longer ones are read as if they
 * ended where they should.
 *
 * @module
 */

import { checkBounds, checkField, type WireBuffer } from "../bytes/wire_buffer.ts";

/** The UDP port of gateways, for PCP as well. */
export const GATEWAY_PORT = 5351;
/** Size of the question for the public address, in bytes. */
export const NAT_PMP_ADDRESS_QUESTION_SIZE = 2;
/** Size of the question for a mapping, in bytes. */
export const NAT_PMP_MAP_QUESTION_SIZE = 12;
/** The result of a question that was answered as asked. */
export const NAT_PMP_SUCCESS = 0;

const VERSION = 0;
const ADDRESS = 0;
const MAP_UDP = 1;
const ANSWER = 128;
const RESULT = 2;
const EPOCH = 4;
const INTERNAL_PORT = 4;
const WANTED_PORT = 6;
const LIFETIME = 8;
const ANSWER_ADDRESS = 8;
const ANSWER_INTERNAL_PORT = 8;
const ANSWER_PUBLIC_PORT = 10;
const ANSWER_LIFETIME = 12;
const REFUSAL_SIZE = 8;
const ADDRESS_ANSWER_SIZE = 12;
const MAP_ANSWER_SIZE = 16;

/** What every answer says. */
export interface NatPmpAnswer {
  /** {@linkcode NAT_PMP_SUCCESS}, or why it refuses; then all but `epoch` is 0. */
  readonly result: number;
  /** Seconds since the gateway lost its mappings last. */
  readonly epoch: number;
}

/** What the gateway's public address is. */
export interface NatPmpAddress extends NatPmpAnswer {
  /** IPv4 address as a number. */
  readonly address: number;
}

/** A mapping as the gateway made it. */
export interface NatPmpMapping extends NatPmpAnswer {
  readonly internalPort: number;
  readonly externalPort: number;
  /** Seconds. */
  readonly lifetime: number;
}

/** Writes the question for the public address at `at`, 2 bytes. @throws {RangeError} Without room. */
export function encodeNatPmpAddressQuestion(buffer: WireBuffer, at: number): void {
  checkBounds(buffer, at, NAT_PMP_ADDRESS_QUESTION_SIZE, "a NAT-PMP question");
  buffer.bytes[at] = VERSION;
  buffer.bytes[at + 1] = ADDRESS;
}

/**
 * Writes the question for a mapping of a UDP port at `at`, 12 bytes.
 *
 * @param wantedPort The public port that would be best; 0 lets the gateway choose.
 * @param lifetime In seconds; 0, with `wantedPort` 0, gives the mapping back.
 * @throws {RangeError} If there is no room or a field is out of range.
 */
export function encodeNatPmpMapQuestion(
  internalPort: number,
  wantedPort: number,
  lifetime: number,
  buffer: WireBuffer,
  at: number,
): void {
  checkBounds(buffer, at, NAT_PMP_MAP_QUESTION_SIZE, "a NAT-PMP question");
  checkField(internalPort, 16, "a port");
  checkField(wantedPort, 16, "a port");
  checkField(lifetime, 32, "a lifetime");
  const { view } = buffer;
  view.setUint8(at, VERSION);
  view.setUint8(at + 1, MAP_UDP);
  view.setUint16(at + 2, 0);
  view.setUint16(at + INTERNAL_PORT, internalPort);
  view.setUint16(at + WANTED_PORT, wantedPort);
  view.setUint32(at + LIFETIME, lifetime);
}

/** The result of an answer of `length` bytes to `operation`; -1 where it is none. */
function resultOf(
  buffer: WireBuffer,
  at: number,
  length: number,
  operation: number,
  size: number,
): number {
  if (length < REFUSAL_SIZE) return -1;
  checkBounds(buffer, at, length, "a NAT-PMP answer");
  const { view } = buffer;
  if (view.getUint8(at) !== VERSION || view.getUint8(at + 1) !== ANSWER + operation) return -1;
  const result = view.getUint16(at + RESULT);
  return result === NAT_PMP_SUCCESS && length < size ? -1 : result;
}

/**
 * Reads the answer of `length` bytes at `at` to the question for the public address.
 *
 * @returns Undefined where it is none.
 * @throws {RangeError} If the buffer is smaller than `length` says.
 */
export function decodeNatPmpAddress(
  buffer: WireBuffer,
  at: number,
  length: number,
): NatPmpAddress | undefined {
  const result = resultOf(buffer, at, length, ADDRESS, ADDRESS_ANSWER_SIZE);
  if (result < 0) return undefined;
  const { view } = buffer;
  const epoch = view.getUint32(at + EPOCH);
  const address = result === NAT_PMP_SUCCESS ? view.getUint32(at + ANSWER_ADDRESS) : 0;
  return { result, epoch, address };
}

/**
 * Reads the answer of `length` bytes at `at` to the question for a mapping.
 *
 * @returns Undefined where it is none.
 * @throws {RangeError} If the buffer is smaller than `length` says.
 */
export function decodeNatPmpMapping(
  buffer: WireBuffer,
  at: number,
  length: number,
): NatPmpMapping | undefined {
  const result = resultOf(buffer, at, length, MAP_UDP, MAP_ANSWER_SIZE);
  if (result < 0) return undefined;
  const { view } = buffer;
  const epoch = view.getUint32(at + EPOCH);
  if (result !== NAT_PMP_SUCCESS) {
    return { result, epoch, internalPort: 0, externalPort: 0, lifetime: 0 };
  }
  return {
    result,
    epoch,
    internalPort: view.getUint16(at + ANSWER_INTERNAL_PORT),
    externalPort: view.getUint16(at + ANSWER_PUBLIC_PORT),
    lifetime: view.getUint32(at + ANSWER_LIFETIME),
  };
}

/**
 * PCP: a gateway is asked for a mapping of a UDP port, or for a hole in its firewall where there is
 * no NAT (RFC 6887, sections 7, 11 and 14.1). The port is that of NAT-PMP.
 *
 * ```
 *  0   1          4          8                24         36         40
 * +---+---+------+----------+----------------+
 * | 2 | 0 | zero | lifetime | client address |             ANNOUNCE?   24 bytes
 * | 2 | 1 |      |          |       (16)     |             MAP?        60 bytes, with what follows
 * +---+---+------+----------+-------+--------+
 * | 2 |128| 0  result | life | epoch | zero   |             answer      24 bytes
 * | 2 |129|           | time |       |  (12)  |                         60 bytes, with what follows
 * +---+---+-----------+------+-------+--------+----------+---------------+--------+-----------------+
 *                                             | nonce    | 17, zero (3)  | inner, | public address  |
 *                                             |    (12)  |               | public |    (16)         |
 *                                             |          |               | port   |                 |
 *                                             +----------+---------------+--------+-----------------+
 * ```
 *
 * IPv4 addresses are IPv4-mapped ones. Options may follow an answer, and are passed over. A gateway
 * that knows only NAT-PMP answers in its version 0.
 *
 * @module
 */

import {
  checkBounds,
  checkField,
  copyBytes,
  equalBytes,
  type WireBuffer,
} from "../bytes/wire_buffer.ts";

/** Size of a nonce, in bytes. */
export const PCP_NONCE_SIZE = 12;
/** Size of the question whether the gateway is the one that it was, in bytes. */
export const PCP_ANNOUNCE_SIZE = 24;
/** Size of the question for a mapping, in bytes. */
export const PCP_MAP_SIZE = 60;
/** The result of a question that was answered as asked. */
export const PCP_SUCCESS = 0;
/** The result where the gateway speaks another version, NAT-PMP among them. */
export const PCP_OTHER_VERSION = 1;

const VERSION = 2;
const NAT_PMP_VERSION = 0;
const ANNOUNCE = 0;
const MAP = 1;
const ANSWER = 0x80;
const UDP = 17;
const ADDRESS_SIZE = 16;
const RESULT = 3;
const LIFETIME = 4;
const CLIENT = 8;
const EPOCH = 8;
const NONCE = 24;
const PROTOCOL = 36;
const INTERNAL_PORT = 40;
const EXTERNAL_PORT = 42;
const EXTERNAL_ADDRESS = 44;
/** An answer is no longer (section 7). */
const MAX_SIZE = 1100;
/** An answer of NAT-PMP that tells of its version ends here. */
const OTHER_VERSION_SIZE = 4;

/** What is asked for. */
export interface PcpMapQuestion {
  /** Seconds; 0 gives the mapping back. */
  readonly lifetime: number;
  /** The own address, from which the question is sent; 16 bytes. */
  readonly client: WireBuffer;
  /** Of this mapping alone, and random: 12 bytes. */
  readonly nonce: WireBuffer;
  readonly internalPort: number;
  /** The public port that would be best; 0 lets the gateway choose. */
  readonly externalPort: number;
  /** The public address that would be best, 16 bytes; that of no host (`::` or `::ffff:0.0.0.0`) for any. */
  readonly externalAddress: WireBuffer;
}

/** What every answer says. */
export interface PcpAnswer {
  /** {@linkcode PCP_SUCCESS}, or why it refuses. */
  readonly result: number;
  /** Seconds: of the mapping, or how long to take a refusal for the answer. */
  readonly lifetime: number;
  /** Seconds since the gateway lost its mappings last; -1 where the answer is of another version. */
  readonly epoch: number;
}

/** A mapping as the gateway made it. */
export interface PcpMapping extends PcpAnswer {
  /** 0 where it refuses. */
  readonly externalPort: number;
}

function encodeHeader(
  operation: number,
  lifetime: number,
  client: WireBuffer,
  buffer: WireBuffer,
  at: number,
): void {
  checkBounds(client, 0, ADDRESS_SIZE, "an address");
  checkField(lifetime, 32, "a lifetime");
  const { view } = buffer;
  view.setUint32(at, (VERSION << 24) | (operation << 16));
  view.setUint32(at + LIFETIME, lifetime);
  copyBytes(client, 0, buffer, at + CLIENT, ADDRESS_SIZE);
}

/**
 * Writes the question for the gateway's epoch at `at`, 24 bytes.
 *
 * @param client The own address, 16 bytes.
 * @throws {RangeError} If the buffer or the address is too small.
 */
export function encodePcpAnnounce(client: WireBuffer, buffer: WireBuffer, at: number): void {
  checkBounds(buffer, at, PCP_ANNOUNCE_SIZE, "a PCP question");
  encodeHeader(ANNOUNCE, 0, client, buffer, at);
}

/**
 * Writes the question for a mapping at `at`, 60 bytes.
 *
 * @throws {RangeError} If a buffer is too small or a field out of range.
 */
export function encodePcpMap(question: PcpMapQuestion, buffer: WireBuffer, at: number): void {
  const { lifetime, client, nonce, internalPort, externalPort, externalAddress } = question;
  checkBounds(buffer, at, PCP_MAP_SIZE, "a PCP question");
  checkBounds(nonce, 0, PCP_NONCE_SIZE, "a nonce");
  checkBounds(externalAddress, 0, ADDRESS_SIZE, "an address");
  checkField(internalPort, 16, "a port");
  checkField(externalPort, 16, "a port");
  encodeHeader(MAP, lifetime, client, buffer, at);
  const { view } = buffer;
  copyBytes(nonce, 0, buffer, at + NONCE, PCP_NONCE_SIZE);
  view.setUint32(at + PROTOCOL, UDP << 24);
  view.setUint16(at + INTERNAL_PORT, internalPort);
  view.setUint16(at + EXTERNAL_PORT, externalPort);
  copyBytes(externalAddress, 0, buffer, at + EXTERNAL_ADDRESS, ADDRESS_SIZE);
}

const OTHER_VERSION: PcpAnswer = { result: PCP_OTHER_VERSION, lifetime: 0, epoch: -1 };

/** The answer to `operation`; undefined where it is none. It may lack what follows the header. */
function decodeHeader(
  buffer: WireBuffer,
  at: number,
  length: number,
  operation: number,
): PcpAnswer | undefined {
  if (length < OTHER_VERSION_SIZE || length > MAX_SIZE) return undefined;
  checkBounds(buffer, at, length, "a PCP answer");
  const { view } = buffer;
  const version = view.getUint8(at);
  const code = view.getUint8(at + 1);
  if (version === NAT_PMP_VERSION && code >= ANSWER) return OTHER_VERSION;
  if (length < PCP_ANNOUNCE_SIZE || code !== (ANSWER | operation)) return undefined;
  const result = view.getUint8(at + RESULT);
  if (version !== VERSION) return result === PCP_OTHER_VERSION ? OTHER_VERSION : undefined;
  return { result, lifetime: view.getUint32(at + LIFETIME), epoch: view.getUint32(at + EPOCH) };
}

/**
 * Reads the answer of `length` bytes at `at` to the question for the epoch.
 *
 * @returns Undefined where it is none.
 * @throws {RangeError} If the buffer is smaller than `length` says.
 */
export function decodePcpAnnounce(
  buffer: WireBuffer,
  at: number,
  length: number,
): PcpAnswer | undefined {
  return decodeHeader(buffer, at, length, ANNOUNCE);
}

/**
 * Reads the answer of `length` bytes at `at` to the question for a mapping.
 *
 * @param internalPort That of the question.
 * @param nonce That of the question, 12 bytes.
 * @param externalAddress Gets the public address, 16 bytes, where the mapping was made.
 * @returns Undefined where it is none, or has another nonce or port.
 * @throws {RangeError} If the buffer is smaller than `length` says.
 */
export function decodePcpMapping(
  buffer: WireBuffer,
  at: number,
  length: number,
  { internalPort, nonce }: Pick<PcpMapQuestion, "internalPort" | "nonce">,
  externalAddress: WireBuffer,
): PcpMapping | undefined {
  const answer = decodeHeader(buffer, at, length, MAP);
  if (answer === undefined) return undefined;
  if (answer.result === PCP_OTHER_VERSION) return { ...answer, externalPort: 0 };
  const { view } = buffer;
  if (
    length < PCP_MAP_SIZE || !equalBytes(buffer, at + NONCE, nonce, 0, PCP_NONCE_SIZE) ||
    view.getUint8(at + PROTOCOL) !== UDP || view.getUint16(at + INTERNAL_PORT) !== internalPort
  ) return undefined;
  if (answer.result !== PCP_SUCCESS) return { ...answer, externalPort: 0 };
  copyBytes(buffer, at + EXTERNAL_ADDRESS, externalAddress, 0, ADDRESS_SIZE);
  return { ...answer, externalPort: view.getUint16(at + EXTERNAL_PORT) };
}

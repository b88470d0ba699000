/**
 * The payloads of a join, by which a new peer shows its key and the token of an invitation, and of
 * what the registry says to that.
 *
 * ```
 * join, 512 bytes of datagram                joined, 512 bytes at most
 *  0          32        464 - 16              0        1      13      17       49
 * +----------+---------+-------+             +--------+------+-------+--------+---------+
 * | public P | options | PROOF |             | RESULT | TIME | GROUP | secret | options |
 * +----------+---------+-------+             +--------+------+-------+--------+---------+
 * ```
 *
 * TAG stands in the place of GROUP in the header of both. Offsets are those of the whole datagram at
 * `at`: see `datagram.ts`. `proveQuestion` and `verifyProof` make and check PROOF.
 * docs/protocol-2.md, "Joining".
 *
 * @module
 */

import { TAG_SIZE } from "../crypto/aead_key.ts";
import { EXCHANGE_KEY_SIZE } from "../crypto/exchange_key.ts";
import { SECRET_SIZE } from "../crypto/mac.ts";
import { checkBounds, checkField, copyBytes, WireBuffer } from "../bytes/wire_buffer.ts";
import {
  type Label,
  LABEL_SIZE,
  readNanoseconds,
  readSeconds,
  writeLabel,
} from "../wgsig/tai64n.ts";
import { DATAGRAM_PAYLOAD } from "./datagram.ts";
import {
  encodeName,
  MAX_NAME_SIZE,
  MAX_WIRE_PREFIX_SIZE,
  readName,
  readWirePrefix,
  type TunnelPrefix,
  wirePrefixSize,
  writeWirePrefix,
} from "./name.ts";
import { OptionReader, writeOptionHead } from "./option.ts";
import { PROOF_SIZE } from "./question.ts";

/** Size of a join, in bytes: what it is answered with is never longer. */
export const JOIN_SIZE = 512;
/** Offset of the public key in a join. */
export const JOIN_KEY: number = DATAGRAM_PAYLOAD;
const JOIN_OPTIONS = JOIN_KEY + EXCHANGE_KEY_SIZE;
const JOIN_END = JOIN_SIZE - TAG_SIZE - PROOF_SIZE;

const RESULT = DATAGRAM_PAYLOAD;
const TIME = RESULT + 1;
const GROUP = TIME + LABEL_SIZE;
const SECRET = GROUP + 4;
const OPTIONS = SECRET + SECRET_SIZE;
/** Options of what the registry says. */
const NAME = 1;
const ADDRESS = 2;
/** The most addresses that a new peer is given. */
export const MAX_JOIN_ADDRESSES = 8;

/** What came of a join. */
export const JOIN_RESULT = {
  /** The peer is in the roster, and here is what it needs. */
  joined: 0,
  /** Another key, or as many as it was good for, has used the invitation. */
  used: 1,
  /** Its time is over. */
  ended: 2,
  /** It was taken back. */
  revoked: 3,
  /** There is no room, or too much is asked at the moment: try again. */
  busy: 4,
} as const;

/** What a registry says to a join. */
export interface Joined extends Label {
  /** A value of {@linkcode JOIN_RESULT}, or one that this version doesn't know; 0 to 255. */
  result: number;
  /** GROUP, 0 to 0xffffffff. */
  group: number;
  /** The secret of the group, 32 bytes; zeros where nobody has joined. */
  readonly secret: WireBuffer;
  /** The name of the peer in the roster; undefined where it isn't told. */
  name: string | undefined;
  /** The peer's own addresses in the tunnel, with the lengths of their networks; 8 at most. */
  addresses: readonly TunnelPrefix[];
}

/** An empty one to decode into. */
export function newJoined(): Joined {
  return {
    seconds: 0,
    nanoseconds: 0,
    result: 0,
    group: 0,
    secret: new WireBuffer(SECRET_SIZE),
    name: undefined,
    addresses: [],
  };
}

/** Options are read one datagram at a time. */
const options = new OptionReader();

/**
 * Writes the payload of a join behind its header. PROOF and then the tag are still to be written.
 *
 * @param key Public P, 32 bytes.
 * @param at Where the datagram begins.
 * @returns The size of the datagram: {@linkcode JOIN_SIZE}.
 * @throws {RangeError} If it doesn't fit, or the key has another size.
 */
export function encodeJoin(key: WireBuffer, buffer: WireBuffer, at: number): number {
  checkBounds(buffer, at, JOIN_SIZE, "a join");
  checkBounds(key, 0, EXCHANGE_KEY_SIZE, "a public key");
  copyBytes(key, 0, buffer, at + JOIN_KEY, EXCHANGE_KEY_SIZE);
  buffer.bytes.fill(0, at + JOIN_OPTIONS, at + JOIN_END);
  return JOIN_SIZE;
}

/**
 * Whether the datagram of `length` bytes at `at`, which was opened, is a join, whose key stands at
 * {@linkcode JOIN_KEY} then. Its proof is not looked at.
 *
 * @throws {RangeError} If the buffer is smaller than `length` says.
 */
export function isJoin(buffer: WireBuffer, at: number, length: number): boolean {
  if (length !== JOIN_SIZE) return false;
  checkBounds(buffer, at, length, "a join");
  options.start(buffer, at + JOIN_OPTIONS, at + JOIN_END);
  while (options.next()) { /* none is known yet */ }
  return !options.isDamaged;
}

/**
 * Writes what a registry says to a join, behind its header.
 *
 * @param at Where the datagram begins.
 * @returns The size of the datagram, with its tag: 512 bytes at most.
 * @throws {RangeError} If it doesn't fit or a field is out of range.
 */
export function encodeJoined(joined: Joined, buffer: WireBuffer, at: number): number {
  const { addresses, name } = joined;
  checkBounds(buffer, at, OPTIONS, "what comes of a join");
  checkField(joined.result, 8, "a result");
  checkField(joined.group, 32, "a group number");
  checkBounds(joined.secret, 0, SECRET_SIZE, "a secret");
  if (addresses.length > MAX_JOIN_ADDRESSES) {
    throw new RangeError(`Cannot write ${addresses.length} addresses: 8 at most`);
  }
  buffer.bytes[at + RESULT] = joined.result;
  writeLabel(buffer, at + TIME, joined);
  buffer.view.setUint32(at + GROUP, joined.group);
  copyBytes(joined.secret, 0, buffer, at + SECRET, SECRET_SIZE);
  let next = at + OPTIONS;
  if (name !== undefined) {
    const bytes = encodeName(name);
    next = writeOptionHead(buffer, next, NAME, bytes.length);
    buffer.bytes.set(bytes, next);
    next += bytes.length;
  }
  for (const address of addresses) {
    next = writeOptionHead(buffer, next, ADDRESS, wirePrefixSize(address));
    next = writeWirePrefix(address, buffer, next);
  }
  const length = next - at + TAG_SIZE;
  checkBounds(buffer, at, length, "what comes of a join");
  return length;
}

/**
 * Reads what a registry says to a join, `length` bytes at `at`, which was opened, into `joined`.
 *
 * @returns Whether it is that. What `joined` is where not, is unspecified.
 * @throws {RangeError} If the buffer is smaller than `length` says.
 */
export function decodeJoined(
  buffer: WireBuffer,
  at: number,
  length: number,
  joined: Joined,
): boolean {
  if (length < OPTIONS + TAG_SIZE || length > JOIN_SIZE) return false;
  checkBounds(buffer, at, length, "what comes of a join");
  joined.result = buffer.bytes[at + RESULT]!;
  joined.seconds = readSeconds(buffer, at + TIME);
  joined.nanoseconds = readNanoseconds(buffer, at + TIME);
  joined.group = buffer.view.getUint32(at + GROUP);
  copyBytes(buffer, at + SECRET, joined.secret, 0, SECRET_SIZE);
  joined.name = undefined;
  const addresses: TunnelPrefix[] = [];
  options.start(buffer, at + OPTIONS, at + length - TAG_SIZE);
  while (options.next()) {
    if (options.type === NAME) {
      const name = readName(buffer, options.at, options.length);
      if (name === undefined) return false;
      joined.name = name;
    } else if (options.type === ADDRESS && addresses.length < MAX_JOIN_ADDRESSES) {
      const address = readWirePrefix(buffer, options.at, options.at + options.length);
      if (address !== undefined) addresses.push(address);
    }
  }
  joined.addresses = addresses;
  return !options.isDamaged && joined.seconds >= 0;
}

/** Size of the longest answer, in bytes: not more than that of its question. */
export const MAX_JOINED_SIZE: number = OPTIONS + TAG_SIZE + 2 + MAX_NAME_SIZE +
  MAX_JOIN_ADDRESSES * (2 + MAX_WIRE_PREFIX_SIZE);

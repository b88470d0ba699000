/**
 * What two peers send each other from WireGuard's port to WireGuard's port, to prove a path: probes,
 * and the echoes that answer them. 76 bytes each.
 *
 * ```
 *  0      4          8            32                        60       76
 * +------+----------+------------+-------------------------+--------+
 * | STAG | SVERSION | NONCE (24) | sealed, padded by zeros | tag    |   STAG = TAG ^ NONCE[0..3]
 * +------+----------+------------+-------------------------+--------+
 *
 *         32      33        41      49             32      33      41
 *        +-------+---------+-------+              +-------+-------+------+
 *  probe | FLAGS | COUNTER | TOKEN |         echo | FLAGS | TOKEN | SEEN |
 *        +-------+---------+-------+              +-------+-------+------+
 * ```
 *
 * It is a datagram as in `wgsig2/datagram.ts`, with TAG in the place of the group. An echo belongs to
 * the NONCE of its probe as an answer belongs to its question. The first byte is never 1 to 4: what
 * begins so may be WireGuard's. docs/protocol-2.md, "Between peers".
 *
 * @module
 */

import { TAG_SIZE } from "../crypto/aead_key.ts";
import { checkBounds, checkField, copyBytes, WireBuffer } from "../bytes/wire_buffer.ts";
import {
  CANDIDATE,
  type Candidate,
  newCandidate,
  readCandidate,
  writeCandidate,
} from "../wgsig2/candidate.ts";
import { readVersion, writeVersion } from "../wgsig2/cursor.ts";
import {
  DATAGRAM,
  DATAGRAM_PAYLOAD,
  type DatagramType,
  openDatagram,
  readDatagramGroup,
  readDatagramType,
  sealDatagram,
  writeDatagramHeader,
} from "../wgsig2/datagram.ts";
import type { PairKeys } from "./pair_keys.ts";

/** Size of a token, in bytes: drawn at random by each process. */
export const TOKEN_SIZE = 8;
/** Size of a probe, and of an echo, in bytes. */
export const PROBE_SIZE = 76;

const FLAGS = DATAGRAM_PAYLOAD;
const COUNTER = FLAGS + 1;
const PROBE_TOKEN = COUNTER + 8;
const PROBE_REST = PROBE_TOKEN + TOKEN_SIZE;
const ECHO_TOKEN = FLAGS + 1;
const SEEN = ECHO_TOKEN + TOKEN_SIZE;
const END = PROBE_SIZE - TAG_SIZE;
/** The types of WireGuard's messages, which are their first bytes. */
const WIREGUARD = { first: 1, last: 4 } as const;

/** FLAGS of a probe, and of an echo. */
export const PROBE_FLAG = {
  /** I move WireGuard to this path now; in an echo: so do I. */
  switch: 0x01,
} as const;

/** A probe's fields. {@linkcode openProbe} writes into one that the caller keeps. */
export interface Probe {
  /** {@linkcode PROBE_FLAG}, 0 to 255. */
  flags: number;
  /** Means nothing any more: 0, or what an earlier program has sent, below 2^53. */
  counter: number;
  /** The token of the other side's last echo, 8 bytes; zeros for none. */
  readonly token: WireBuffer;
}

/** An echo's fields. {@linkcode openEcho} writes into one that the caller keeps. */
export interface Echo {
  /** {@linkcode PROBE_FLAG}, 0 to 255. */
  flags: number;
  /** The token of the process that answers, 8 bytes. */
  readonly token: WireBuffer;
  /** Where the probe came from. Its kind is `seen`. */
  readonly seen: Candidate;
}

/** An empty probe to open into. */
export function newProbe(): Probe {
  return { flags: 0, counter: 0, token: new WireBuffer(TOKEN_SIZE) };
}

/** An empty echo to open into. */
export function newEcho(): Echo {
  return { flags: 0, token: new WireBuffer(TOKEN_SIZE), seen: newCandidate() };
}

/**
 * Whether the `length` bytes at `at` are a probe (`DATAGRAM.probe`) or an echo (`DATAGRAM.echo`), by
 * their header; 0 where they are neither.
 *
 * @throws {RangeError} If the buffer is smaller than `length` says.
 */
export function readProbeType(buffer: WireBuffer, at: number, length: number): number {
  if (length !== PROBE_SIZE) return 0;
  const type = readDatagramType(buffer, at, length);
  const isKnown = (type === DATAGRAM.probe || type === DATAGRAM.echo) && !isWireGuard(buffer, at);
  return isKnown ? type : 0;
}

/** By which `receiveTag` the probe or echo at `at` is marked. The caller has checked bounds. */
export function readProbeTag(buffer: WireBuffer, at: number): number {
  return readDatagramGroup(buffer, at);
}

/**
 * Writes a probe at `at`, 76 bytes, and seals it.
 *
 * @param nonce Holds 24 random bytes at `nonceAt`.
 * @returns Whether it may be sent. Once in 64 the first byte would be one of WireGuard's: draw another
 *   nonce then.
 * @throws {RangeError} If something lies outside its buffer, or a field is out of range.
 */
export function sealProbe(
  keys: PairKeys,
  probe: Probe,
  nonce: WireBuffer,
  nonceAt: number,
  buffer: WireBuffer,
  at: number,
): boolean {
  const { flags, counter, token } = probe;
  if (!Number.isSafeInteger(counter) || counter < 0) {
    throw new RangeError(`Cannot write a probe: its counter is ${counter}`);
  }
  if (!writeHead(keys, DATAGRAM.probe, flags, nonce, nonceAt, buffer, at)) return false;
  checkBounds(token, 0, TOKEN_SIZE, "a token");
  writeVersion(buffer, at + COUNTER, counter);
  copyBytes(token, 0, buffer, at + PROBE_TOKEN, TOKEN_SIZE);
  buffer.bytes.fill(0, at + PROBE_REST, at + END);
  sealDatagram(keys.send, buffer, at, PROBE_SIZE);
  return true;
}

/**
 * Writes the echo of a probe at `at`, 76 bytes, and seals it.
 *
 * @param asked Holds the NONCE of the probe, 24 bytes at `askedAt`.
 * @param nonce Holds 24 random bytes at `nonceAt`.
 * @returns As {@linkcode sealProbe} does.
 * @throws {RangeError} If something lies outside its buffer, or a field is out of range.
 */
export function sealEcho(
  keys: PairKeys,
  echo: Echo,
  asked: WireBuffer,
  askedAt: number,
  nonce: WireBuffer,
  nonceAt: number,
  buffer: WireBuffer,
  at: number,
): boolean {
  const { flags, token, seen } = echo;
  if (!writeHead(keys, DATAGRAM.echo, flags, nonce, nonceAt, buffer, at)) return false;
  checkBounds(token, 0, TOKEN_SIZE, "a token");
  copyBytes(token, 0, buffer, at + ECHO_TOKEN, TOKEN_SIZE);
  buffer.bytes.fill(0, writeCandidate(seen, buffer, at + SEEN), at + END);
  sealDatagram(keys.send, buffer, at, PROBE_SIZE, asked, askedAt);
  return true;
}

/**
 * Opens the probe at `at`, of which {@linkcode readProbeType} has said that it is one, and reads it
 * into `probe`.
 *
 * @returns Whether the other side of the pair has sent it. Where not, what `probe` is, is unspecified,
 *   and it is never answered. Where it was not sealed by that side, the bytes are as they were.
 * @throws {RangeError} If it lies outside its buffer.
 */
export function openProbe(keys: PairKeys, buffer: WireBuffer, at: number, probe: Probe): boolean {
  if (readProbeType(buffer, at, PROBE_SIZE) !== DATAGRAM.probe) return false;
  if (!openDatagram(keys.receive, buffer, at, PROBE_SIZE)) return false;
  probe.flags = buffer.bytes[at + FLAGS]!;
  probe.counter = readVersion(buffer, at + COUNTER);
  copyBytes(buffer, at + PROBE_TOKEN, probe.token, 0, TOKEN_SIZE);
  return probe.counter >= 0;
}

/**
 * Opens the echo at `at`, of which {@linkcode readProbeType} has said that it is one, and reads it
 * into `echo`.
 *
 * @param asked Holds the NONCE of the probe that it may belong to, 24 bytes at `askedAt`.
 * @returns As {@linkcode openProbe} does; false also where it belongs to another probe.
 * @throws {RangeError} If something lies outside its buffer.
 */
export function openEcho(
  keys: PairKeys,
  buffer: WireBuffer,
  at: number,
  asked: WireBuffer,
  askedAt: number,
  echo: Echo,
): boolean {
  if (readProbeType(buffer, at, PROBE_SIZE) !== DATAGRAM.echo) return false;
  if (!openDatagram(keys.receive, buffer, at, PROBE_SIZE, asked, askedAt)) return false;
  echo.flags = buffer.bytes[at + FLAGS]!;
  copyBytes(buffer, at + ECHO_TOKEN, echo.token, 0, TOKEN_SIZE);
  const { seen } = echo;
  return readCandidate(buffer, at + SEEN, at + END, seen) >= 0 && seen.kind === CANDIDATE.seen;
}

/** Writes the header and FLAGS, and says whether the first byte will do. */
function writeHead(
  { sendTag }: PairKeys,
  type: DatagramType,
  flags: number,
  nonce: WireBuffer,
  nonceAt: number,
  buffer: WireBuffer,
  at: number,
): boolean {
  checkBounds(buffer, at, PROBE_SIZE, "a probe");
  checkField(flags, 8, "a probe's flags");
  writeDatagramHeader(type, sendTag, nonce, nonceAt, buffer, at);
  buffer.bytes[at + FLAGS] = flags;
  return !isWireGuard(buffer, at);
}

function isWireGuard({ bytes }: WireBuffer, at: number): boolean {
  return bytes[at]! >= WIREGUARD.first && bytes[at]! <= WIREGUARD.last;
}

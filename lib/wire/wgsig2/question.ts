/**
 * The payload of a question: a peer says who it is, where it can be reached, what it knows and what
 * it wants.
 *
 * ```
 *  0         32       44      46      54        62        n       n + 16
 * +---------+--------+-------+-------+---------+---------+-------+
 * | peer ID | TAI64N | FLAGS | EPOCH | VERSION | options | PROOF |   PROOF only with PROVED
 * +---------+--------+-------+-------+---------+---------+-------+
 * ```
 *
 * Offsets are those of the whole datagram at `at`: see `datagram.ts`. docs/protocol-2.md, "Question".
 *
 * @module
 */

import { TAG_SIZE } from "../crypto/aead_key.ts";
import { MAC_SIZE, type MacKey } from "../crypto/mac.ts";
import { checkBounds, checkField, copyBytes, WireBuffer } from "../bytes/wire_buffer.ts";
import { ID_SIZE } from "../wgsig/record.ts";
import {
  type Label,
  LABEL_SIZE,
  readNanoseconds,
  readSeconds,
  writeLabel,
} from "../wgsig/tai64n.ts";
import {
  CANDIDATE,
  type CandidateList,
  candidateSize,
  MAX_CANDIDATES,
  newCandidates,
  readCandidate,
  writeCandidate,
} from "./candidate.ts";
import { EPOCH_SIZE, readVersion, VERSION_SIZE, writeVersion } from "./cursor.ts";
import { DATAGRAM_PAYLOAD, MAX_DATAGRAM_SIZE, MAX_PAYLOAD_END } from "./datagram.ts";
import {
  COOKIE_SIZE,
  newOptional,
  newPrefixes,
  OPTION,
  type OptionalBytes,
  OptionReader,
  PREFIX_SIZE,
  type PrefixList,
  writeOptional,
  writeOptionHead,
  writePrefixes,
  writeVersionOption,
} from "./option.ts";

/** Offset of the peer ID in the datagram. */
export const QUESTION_ID: number = DATAGRAM_PAYLOAD;
/** Offset of the TAI64N label. */
export const QUESTION_LABEL: number = QUESTION_ID + ID_SIZE;
/** Offset of the flags. */
export const QUESTION_FLAGS: number = QUESTION_LABEL + LABEL_SIZE;
/** Offset of the cursor. */
const QUESTION_EPOCH = QUESTION_FLAGS + 2;
const QUESTION_VERSION = QUESTION_EPOCH + EPOCH_SIZE;
const QUESTION_OPTIONS = QUESTION_VERSION + VERSION_SIZE;
/** Size of a proof, in bytes. */
export const PROOF_SIZE = 16;
/** Size of the smallest question, in bytes: no retry is longer. */
export const MIN_QUESTION_SIZE = 160;
/** The most prefixes of one list. */
export const MAX_PREFIXES: number = Math.floor((MAX_PAYLOAD_END - QUESTION_OPTIONS) / PREFIX_SIZE);

/** FLAGS of a question. */
export const QUESTION_FLAG = {
  /** Ask only: leave my record as it is. */
  keep: 0x0001,
  /** The proof is there. */
  proved: 0x0002,
  /** Push to where this came from what changes of the peers that I want. */
  subscribe: 0x0004,
  /** My host answers path probes at the port that is registered. */
  probes: 0x0008,
} as const;

/** A question's fields. {@linkcode decodeQuestion} writes into one that the caller keeps. */
export interface Question extends Label {
  /** The peer's WireGuard public key, 32 bytes. */
  readonly id: WireBuffer;
  /** Unix seconds of the label; decoded, NaN where it is none. */
  seconds: number;
  /** {@linkcode QUESTION_FLAG}, and `flagsOfNat`; 0 to 0xffff. */
  flags: number;
  /** EPOCH of the last answer, 8 bytes: zeros for none. */
  readonly epoch: WireBuffer;
  /** VERSION of the last answer, 0 for none. */
  version: number;
  /** The peers that are wanted; the whole group where it is not given. */
  readonly wants: PrefixList;
  /** The peers that are wanted through the relay. */
  readonly relayed: PrefixList;
  /** Those that a direct path to was proved: what is relayed from and to them may be dropped. */
  readonly directs: PrefixList;
  /** Where else the peer can be reached. Their ages are 0. */
  readonly candidates: CandidateList;
  /** What the registry has given, 16 bytes. */
  readonly cookie: OptionalBytes;
  /** The beginning of the registry's public key that is meant, 8 bytes. */
  readonly key: OptionalBytes;
  /** COUNTER of the last push that came; 0 for none. */
  ack: number;
  /** The version of the roster that is known, 0 for none; -1 where the roster isn't asked for. */
  roster: number;
}

/** An empty question to decode into. */
export function newQuestion(): Question {
  return {
    id: new WireBuffer(ID_SIZE),
    seconds: 0,
    nanoseconds: 0,
    flags: 0,
    epoch: new WireBuffer(EPOCH_SIZE),
    version: 0,
    wants: newPrefixes(MAX_PREFIXES),
    relayed: newPrefixes(MAX_PREFIXES),
    directs: newPrefixes(MAX_PREFIXES),
    candidates: newCandidates(),
    cookie: newOptional(COOKIE_SIZE),
    key: newOptional(PREFIX_SIZE),
    ack: 0,
    roster: -1,
  };
}

/** Size of what stands behind the options: the proof, if any, and the tag. */
function tailSize(flags: number): number {
  return TAG_SIZE + ((flags & QUESTION_FLAG.proved) !== 0 ? PROOF_SIZE : 0);
}

/** Options are read one datagram at a time. */
const options = new OptionReader();
const proof = new WireBuffer(MAC_SIZE);

/**
 * Writes the payload of a question behind its header, padded to the size that it must have. The
 * proof, and then the tag, are still to be written: {@linkcode proveQuestion}, `sealDatagram`.
 *
 * @param at Where the datagram begins.
 * @returns The size of the datagram, with its tag.
 * @throws {RangeError} If it doesn't fit into its buffer or into 1232 bytes, or a field is out of
 *   range.
 */
export function encodeQuestion(question: Question, buffer: WireBuffer, at: number): number {
  const { id, flags, epoch, candidates, ack } = question;
  checkBounds(buffer, at, MIN_QUESTION_SIZE, "a question");
  checkBounds(id, 0, ID_SIZE, "a peer ID");
  checkBounds(epoch, 0, EPOCH_SIZE, "an epoch");
  checkField(flags, 16, "flags");
  checkField(ack, 32, "the counter of a push");
  copyBytes(id, 0, buffer, at + QUESTION_ID, ID_SIZE);
  writeLabel(buffer, at + QUESTION_LABEL, question);
  buffer.view.setUint16(at + QUESTION_FLAGS, flags);
  copyBytes(epoch, 0, buffer, at + QUESTION_EPOCH, EPOCH_SIZE);
  writeVersion(buffer, at + QUESTION_VERSION, question.version);

  let next = at + QUESTION_OPTIONS;
  next = writeOptional(buffer, next, OPTION.cookie, question.cookie);
  next = writeOptional(buffer, next, OPTION.key, question.key);
  if (ack !== 0) {
    next = writeOptionHead(buffer, next, OPTION.ack, 4);
    buffer.view.setUint32(next, ack);
    next += 4;
  }
  for (let i = 0; i < candidates.count; i++) {
    const candidate = candidates.slots[i]!;
    next = writeOptionHead(buffer, next, OPTION.candidate, candidateSize(candidate));
    next = writeCandidate(candidate, buffer, next);
  }
  next = writePrefixes(buffer, next, OPTION.want, question.wants);
  next = writePrefixes(buffer, next, OPTION.relay, question.relayed);
  next = writePrefixes(buffer, next, OPTION.direct, question.directs);
  next = writeVersionOption(buffer, next, OPTION.roster, question.roster);

  const tail = tailSize(flags);
  const length = Math.max(next - at + tail, MIN_QUESTION_SIZE);
  if (length > MAX_DATAGRAM_SIZE) {
    throw new RangeError(`Cannot write a question of ${length} bytes: it has 1232 at most`);
  }
  checkBounds(buffer, at, length, "a question");
  buffer.bytes.fill(OPTION.pad, next, at + length - tail);
  return length;
}

/**
 * Writes the proof of the question of `length` bytes at `at`, whose header and payload are there.
 *
 * @throws {RangeError} If it lies outside its buffer, or is no question's length.
 */
export function proveQuestion(key: MacKey, buffer: WireBuffer, at: number, length: number): void {
  checkQuestion(buffer, at, length);
  const proofAt = at + length - TAG_SIZE - PROOF_SIZE;
  key.compute(buffer, at, proofAt - at, proof, 0);
  copyBytes(proof, 0, buffer, proofAt, PROOF_SIZE);
}

/**
 * Whether the question of `length` bytes at `at`, which was opened and says that it is proved,
 * carries the right proof; in constant time.
 *
 * @throws {RangeError} If it lies outside its buffer, or is no question's length.
 */
export function verifyProof(key: MacKey, buffer: WireBuffer, at: number, length: number): boolean {
  checkQuestion(buffer, at, length);
  const proofAt = at + length - TAG_SIZE - PROOF_SIZE;
  return key.verify(buffer, at, proofAt - at, proofAt, PROOF_SIZE);
}

function checkQuestion(buffer: WireBuffer, at: number, length: number): void {
  if (length < MIN_QUESTION_SIZE || length > MAX_DATAGRAM_SIZE) {
    throw new RangeError(`Cannot prove a question of ${length} bytes: it has 160 to 1232`);
  }
  checkBounds(buffer, at, length, "a question");
}

/**
 * Reads the question of `length` bytes at `at`, which was opened, into `question`. Its proof is not
 * looked at: {@linkcode verifyProof} does that. Candidates that no question has are passed over, and
 * so are those after the eighth; a version that is too large is 0.
 *
 * @returns Whether it is a question. What `question` is where not, is unspecified.
 * @throws {RangeError} If the buffer is smaller than `length` says.
 */
export function decodeQuestion(
  buffer: WireBuffer,
  at: number,
  length: number,
  question: Question,
): boolean {
  if (length < MIN_QUESTION_SIZE || length > MAX_DATAGRAM_SIZE) return false;
  checkBounds(buffer, at, length, "a question");
  copyBytes(buffer, at + QUESTION_ID, question.id, 0, ID_SIZE);
  question.seconds = readSeconds(buffer, at + QUESTION_LABEL);
  question.nanoseconds = readNanoseconds(buffer, at + QUESTION_LABEL);
  const flags = question.flags = buffer.view.getUint16(at + QUESTION_FLAGS);
  copyBytes(buffer, at + QUESTION_EPOCH, question.epoch, 0, EPOCH_SIZE);
  question.version = readVersion(buffer, at + QUESTION_VERSION) || 0;

  const { wants, relayed, directs, candidates, cookie, key } = question;
  wants.isGiven = relayed.isGiven = directs.isGiven = false;
  wants.count =
    relayed.count =
    directs.count =
    candidates.count =
      0;
  cookie.isGiven = key.isGiven = false;
  question.ack = 0;
  question.roster = -1;
  const tail = tailSize(flags);
  options.start(buffer, at + QUESTION_OPTIONS, at + length - tail);
  while (options.next()) {
    switch (options.type) {
      case OPTION.want:
        options.takePrefixes(wants);
        break;
      case OPTION.relay:
        options.takePrefixes(relayed);
        break;
      case OPTION.direct:
        options.takePrefixes(directs);
        break;
      case OPTION.candidate:
        takeCandidate(buffer, candidates);
        break;
      case OPTION.cookie:
        options.take(cookie);
        break;
      case OPTION.key:
        options.take(key);
        break;
      case OPTION.ack:
        if (options.length >= 4) question.ack = buffer.view.getUint32(options.at);
        break;
      case OPTION.roster:
        question.roster = options.takeVersion();
    }
  }
  return !options.isDamaged;
}

function takeCandidate(buffer: WireBuffer, candidates: CandidateList): void {
  if (candidates.count === MAX_CANDIDATES) return;
  const candidate = candidates.slots[candidates.count]!;
  if (readCandidate(buffer, options.at, options.at + options.length, candidate) < 0) return;
  if (candidate.kind >= CANDIDATE.lan && candidate.kind <= CANDIDATE.declared) candidates.count++;
}

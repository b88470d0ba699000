/**
 * The payload of an answer: the time, where the question came from, and what changed.
 *
 * ```
 *  0      12      20        28     30      32      33       35
 * +------+-------+---------+------+-------+-------+--------+------+---------+---------+
 * | TIME | EPOCH | VERSION | PART | PARTS | FLAGS | LENGTH | SEEN | options | records |
 * +------+-------+---------+------+-------+-------+--------+------+---------+---------+
 * ```
 *
 * Offsets are those of the whole datagram at `at`: see `datagram.ts`. docs/protocol-2.md, "Answer".
 *
 * @module
 */

import { TAG_SIZE } from "../crypto/aead_key.ts";
import { EXCHANGE_KEY_SIZE } from "../crypto/exchange_key.ts";
import { checkBounds, checkField, copyBytes, WireBuffer } from "../bytes/wire_buffer.ts";
import {
  type Label,
  LABEL_SIZE,
  readNanoseconds,
  readSeconds,
  writeLabel,
} from "../wgsig/tai64n.ts";
import {
  CANDIDATE,
  type Candidate,
  newCandidate,
  readCandidate,
  writeCandidate,
} from "./candidate.ts";
import { EPOCH_SIZE, readVersion, VERSION_SIZE, writeVersion } from "./cursor.ts";
import { DATAGRAM_PAYLOAD, MAX_DATAGRAM_SIZE } from "./datagram.ts";
import {
  COOKIE_SIZE,
  newOptional,
  newPorts,
  OPTION,
  type OptionalBytes,
  OptionReader,
  type PortList,
  writeOptional,
  writeOptionHead,
  writePorts,
  writeVersionOption,
} from "./option.ts";
import { areWholeRecords } from "./record.ts";

const TIME = DATAGRAM_PAYLOAD;
const EPOCH = TIME + LABEL_SIZE;
const VERSION = EPOCH + EPOCH_SIZE;
const PART = VERSION + VERSION_SIZE;
const PARTS = PART + 2;
const FLAGS = PARTS + 2;
const LENGTH = FLAGS + 1;
const SEEN = LENGTH + 2;

/** FLAGS of an answer. */
export const ANSWER_FLAG = {
  /** This is all that is wanted: what is not in it is gone. */
  whole: 0x01,
  /** The question has changed or confirmed the record of its peer. */
  registered: 0x02,
  /** Changes are pushed from now on. */
  subscribed: 0x04,
  /** There is more, and no room for it here: ask again from this version. */
  cut: 0x08,
} as const;

/** What a registry offers. */
export const OFFER = { proofRequired: 1, pushes: 2, relays: 4 } as const;

/** An answer's fields. {@linkcode decodeAnswer} writes into one that the caller keeps. */
export interface Answer extends Label {
  /** Where the question came from. Its kind is `seen`. */
  readonly seen: Candidate;
  /** EPOCH, 8 bytes. */
  readonly epoch: WireBuffer;
  /** The last change that is taken into account, below 2^53. */
  version: number;
  /** Which part this is, from 0 on. */
  part: number;
  /** How many parts there are, 1 to 0xffff. */
  parts: number;
  /** {@linkcode ANSWER_FLAG}, 0 to 255. */
  flags: number;
  /** What to show with the next question, 16 bytes. */
  readonly cookie: OptionalBytes;
  /** The registry's public key, 32 bytes. */
  readonly serverKey: OptionalBytes;
  /** {@linkcode OFFER}, 0 to 255. */
  offers: number;
  /** At which other ports of the address that was asked the registry listens. */
  readonly also: PortList;
  /** The version that the roster has now; -1 where the peer knows it, or hasn't asked for it. */
  roster: number;
}

/** Where the records of an answer or a push lie in its buffer, for `readPeerNews`. */
export interface RecordSpan {
  /** Where the first one begins. */
  at: number;
  /** Where the last one ends. */
  end: number;
}

/** An empty answer to decode into. */
export function newAnswer(): Answer {
  return {
    seconds: 0,
    nanoseconds: 0,
    seen: newCandidate(),
    epoch: new WireBuffer(EPOCH_SIZE),
    version: 0,
    part: 0,
    parts: 1,
    flags: 0,
    cookie: newOptional(COOKIE_SIZE),
    serverKey: newOptional(EXCHANGE_KEY_SIZE),
    offers: 0,
    also: newPorts(),
    roster: -1,
  };
}

/** Options are read one datagram at a time. */
const options = new OptionReader();

/**
 * Writes what stands before the records of an answer, behind its header. `writePeerNews` puts records
 * behind that, which end 16 bytes before the datagram does.
 *
 * @param at Where the datagram begins.
 * @returns Where the first record goes.
 * @throws {RangeError} If the buffer is too small or a field out of range.
 */
export function encodeAnswer(answer: Answer, buffer: WireBuffer, at: number): number {
  checkBounds(buffer, at, SEEN, "an answer");
  checkBounds(answer.epoch, 0, EPOCH_SIZE, "an epoch");
  checkField(answer.offers, 8, "what a registry offers");
  writeLabel(buffer, at + TIME, answer);
  copyBytes(answer.epoch, 0, buffer, at + EPOCH, EPOCH_SIZE);
  writeVersion(buffer, at + VERSION, answer.version);
  const optionsAt = writeCandidate(answer.seen, buffer, at + SEEN);
  let next = writeOptional(buffer, optionsAt, OPTION.cookie, answer.cookie);
  next = writeOptional(buffer, next, OPTION.serverKey, answer.serverKey);
  if (answer.offers !== 0) {
    next = writeOptionHead(buffer, next, OPTION.offers, 1);
    buffer.bytes[next++] = answer.offers;
  }
  next = writePorts(buffer, next, OPTION.also, answer.also);
  next = writeVersionOption(buffer, next, OPTION.roster, answer.roster);
  buffer.view.setUint16(at + LENGTH, next - optionsAt);
  writeAnswerPart(answer, buffer, at);
  return next;
}

/**
 * Writes PART, PARTS and FLAGS of the answer at `at` once more: how many parts there are is known at
 * the end only.
 *
 * @throws {RangeError} If the buffer is too small or a field out of range.
 */
export function writeAnswerPart(
  { part, parts, flags }: Pick<Answer, "part" | "parts" | "flags">,
  buffer: WireBuffer,
  at: number,
): void {
  checkBounds(buffer, at, SEEN, "an answer");
  checkField(parts, 16, "a number of parts");
  checkField(flags, 8, "an answer's flags");
  if (!(Number.isInteger(part) && part >= 0 && part < parts)) {
    throw new RangeError(`Cannot write part ${part} of ${parts}`);
  }
  buffer.view.setUint16(at + PART, part);
  buffer.view.setUint16(at + PARTS, parts);
  buffer.bytes[at + FLAGS] = flags;
}

/**
 * Reads the answer of `length` bytes at `at`, which was opened, into `answer`, and where its records
 * lie into `records`.
 *
 * @returns Whether it is an answer, with whole records. What `answer` is where not, is unspecified.
 * @throws {RangeError} If the buffer is smaller than `length` says.
 */
export function decodeAnswer(
  buffer: WireBuffer,
  at: number,
  length: number,
  answer: Answer,
  records: RecordSpan,
): boolean {
  if (length < SEEN + TAG_SIZE || length > MAX_DATAGRAM_SIZE) return false;
  checkBounds(buffer, at, length, "an answer");
  const end = at + length - TAG_SIZE;
  const { view } = buffer;
  answer.seconds = readSeconds(buffer, at + TIME);
  answer.nanoseconds = readNanoseconds(buffer, at + TIME);
  copyBytes(buffer, at + EPOCH, answer.epoch, 0, EPOCH_SIZE);
  answer.version = readVersion(buffer, at + VERSION);
  answer.part = view.getUint16(at + PART);
  answer.parts = view.getUint16(at + PARTS);
  answer.flags = buffer.bytes[at + FLAGS]!;
  const optionsAt = readCandidate(buffer, at + SEEN, end, answer.seen);
  const recordsAt = optionsAt + view.getUint16(at + LENGTH);
  if (optionsAt < 0 || recordsAt > end) return false;

  answer.cookie.isGiven = answer.serverKey.isGiven = false;
  answer.offers = answer.also.count = 0;
  answer.roster = -1;
  options.start(buffer, optionsAt, recordsAt);
  while (options.next()) {
    if (options.type === OPTION.cookie) options.take(answer.cookie);
    else if (options.type === OPTION.serverKey) options.take(answer.serverKey);
    else if (options.type === OPTION.offers && options.length > 0) {
      answer.offers = buffer.bytes[options.at]!;
    } else if (options.type === OPTION.also) options.takePorts(answer.also);
    else if (options.type === OPTION.roster) answer.roster = options.takeVersion();
  }
  records.at = recordsAt;
  records.end = end;
  return !options.isDamaged && answer.seen.kind === CANDIDATE.seen && answer.part < answer.parts &&
    answer.version >= 0 &&
    answer.seconds >= 0 && areWholeRecords(buffer, recordsAt, end);
}

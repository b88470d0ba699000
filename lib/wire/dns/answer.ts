/**
 * Writes the answer to a DNS query: header and question as they came, then records, then the OPT.
 *
 * Names are compressed to offsets in the question (RFC 1035, section 4.1.4), whatever their case
 * there. The OPT has its place kept from the start, so that it always fits and is the last.
 *
 * It is a little longer than a file should be because records and sets are taken back in one place.
 *
 * @module
 */

import {
  DNS_HEADER_SIZE,
  type DnsQuery,
  FLAG_AUTHORITATIVE,
  FLAG_CHECKING_DISABLED,
  FLAG_RECURSION_DESIRED,
  FLAG_RESPONSE,
  FLAG_TRUNCATED,
  OPCODE_BITS,
  OPT_COMPACT_OK,
  OPT_DNSSEC_OK,
  OPT_SIZE,
  TYPE_OPT,
} from "./query.ts";
import { RECORD_FIELDS } from "./record.ts";
import { MAX_NAME_SIZE } from "./name.ts";
import { checkBounds, copyBytes, WireBuffer } from "../bytes/wire_buffer.ts";

/** The largest UDP payload that this server sends and takes (the DNS flag day 2020's). */
export const MAX_UDP_SIZE = 1232;
/** The largest UDP payload without EDNS (RFC 1035, section 2.3.4). */
export const PLAIN_UDP_SIZE = 512;
/** The largest message over TCP. */
export const MAX_TCP_SIZE = 0xffff;
/** Room that every answer without records fits in: header, question, OPT. */
export const MIN_ANSWER_ROOM: number = DNS_HEADER_SIZE + MAX_NAME_SIZE + 4 + OPT_SIZE;
/** Where the question's name starts in a message: an owner for {@linkcode AnswerWriter.open}. */
export const QUESTION_NAME: number = DNS_HEADER_SIZE;

/** RCODEs (RFC 6895, section 2.3). {@linkcode RCODE.badvers} needs an OPT. */
export const RCODE = {
  noerror: 0,
  formerr: 1,
  servfail: 2,
  nxdomain: 3,
  notimp: 4,
  refused: 5,
  notauth: 9,
  badvers: 16,
} as const;

/** Section of a record, for {@linkcode AnswerWriter.open}. */
export const ANSWER = 0;
/** Section of a record. */
export const AUTHORITY = 1;
/** Section of a record. */
export const ADDITIONAL = 2;

/** The class of the Internet (RFC 1035, section 3.2.4). */
export const CLASS_IN = 1;
/** The two bits before the offset of a compressed name (RFC 1035, section 4.1.4). */
export const POINTER = 0xc000;
const EMPTY = new WireBuffer(0);

/** Adds to a record set what belongs to it: its signatures. */
export interface SetCover {
  /** The most bytes that it adds to a set. */
  readonly size: number;
  /**
   * Writes it behind the set, with {@linkcode AnswerWriter.open} and {@linkcode AnswerWriter.close}.
   *
   * @param setAt Where the set's first record starts in {@linkcode AnswerWriter.buffer}.
   * @param standsFor As {@linkcode AnswerWriter.closeSet} got it.
   * @returns Whether all fits.
   */
  cover(writer: AnswerWriter, section: number, setAt: number, standsFor?: WireBuffer): boolean;
}

/** The largest answer over UDP to `query`: what its OPT says, from 512 to 1232 bytes. */
export function udpAnswerSize(query: DnsQuery): number {
  if (!query.hasOpt) return PLAIN_UDP_SIZE;
  return Math.min(MAX_UDP_SIZE, Math.max(PLAIN_UDP_SIZE, query.udpSize));
}

/**
 * Writes one answer after the other, each into a buffer of the caller.
 *
 * A record is opened, its data written, and closed. What does not fit is noticed by
 * {@linkcode close}, which then takes the whole record back. Records of one owner and type are a set,
 * written one after the other and ended by {@linkcode AnswerWriter.closeSet}: of a set that doesn't fit
 * with its cover, nothing stays.
 */
export class AnswerWriter {
  readonly #counts = new Uint16Array(3);
  #out = EMPTY;
  #start = 0;
  /** Where records may be written to: the place of the OPT lies behind. */
  #end = 0;
  #at = 0;
  #afterQuestion = 0;
  #recordAt = 0;
  #section = 0;
  #dataAt = 0;
  #fits = true;
  #truncated = false;
  #cover: SetCover | undefined;
  /** Whether of sets that are covered only the cover stays. */
  #isAlone = false;
  /** Where the set that is being written starts, or -1, and how many records were before it. */
  #setAt = -1;
  #countBefore = 0;

  /**
   * Starts an answer of at most `limit` bytes at `outAt`.
   *
   * @param from The buffer that `query` was parsed from.
   * @throws {RangeError} If `limit` is below {@linkcode MIN_ANSWER_ROOM}, or the buffer smaller.
   */
  begin(
    query: DnsQuery,
    from: WireBuffer,
    out: WireBuffer,
    outAt: number,
    limit: number,
  ): void {
    checkBounds(out, outAt, Math.max(limit, MIN_ANSWER_ROOM), "a DNS answer");
    if (limit < MIN_ANSWER_ROOM) throw new RangeError(`No DNS answer fits in ${limit} bytes`);
    this.#out = out;
    this.#start = outAt;
    this.#end = outAt + limit - (query.hasOpt ? OPT_SIZE : 0);
    copyBytes(from, query.nameAt, out, outAt + DNS_HEADER_SIZE, query.questionSize);
    this.#afterQuestion = outAt + DNS_HEADER_SIZE + query.questionSize;
    this.#cover = undefined;
    this.#isAlone = false;
    this.#reset();
  }

  /**
   * From now on, until the next {@linkcode begin}, `cover` adds what it has to each set.
   *
   * @param isAlone Only that stays, and only in the answer section: whoever asks for signatures wants
   *   no more.
   */
  coverWith(cover: SetCover, isAlone = false): void {
    this.#cover = cover;
    this.#isAlone = isAlone;
  }

  /** Whether something is added to sets: see {@linkcode coverWith}. */
  get isCovered(): boolean {
    return this.#cover !== undefined;
  }

  /** Bytes left for the records of `sets` sets, without what covers these. */
  roomOf(sets: number): number {
    return this.#end - this.#at - sets * (this.#cover?.size ?? 0);
  }

  /** Whether {@linkcode truncate} was called since {@linkcode begin}. */
  get isTruncated(): boolean {
    return this.#truncated;
  }

  /** Where the next byte will be in the message: the offset of a name that is written now. */
  get offset(): number {
    return this.#at - this.#start;
  }

  /**
   * Starts a record of class IN. Sections come in their order.
   *
   * @param owner The offset in the message of the name that owns it, below 0x4000.
   * @param ttl In seconds.
   */
  open(section: number, owner: number, type: number, ttl: number): void {
    this.#openSet(section);
    this.#recordAt = this.#at;
    this.#fits = true;
    this.pointer(owner);
    const at = this.take(RECORD_FIELDS);
    this.#dataAt = this.#at;
    if (at < 0) return;
    const { view } = this.#out;
    view.setUint16(at, type);
    view.setUint16(at + 2, CLASS_IN);
    view.setUint32(at + 4, ttl);
  }

  /** Ends the record, or takes it back where it did not fit. Returns whether it did. */
  close(): boolean {
    if (this.#fits) {
      this.#out.view.setUint16(this.#dataAt - 2, this.#at - this.#dataAt);
      this.#counts[this.#section] = this.#counts[this.#section]! + 1;
    } else this.#at = this.#recordAt;
    return this.#fits;
  }

  /**
   * Ends a set: the records since the last one ended.
   *
   * @param fits Whether all of its records did.
   * @param standsFor Bytes that are never the same where the data of the set's records isn't, so that
   *   a cover needn't read those. A multiple of 4.
   * @returns Whether it fits with its cover. If not, nothing of it stays.
   */
  closeSet(fits: boolean, standsFor?: WireBuffer): boolean {
    const setAt = this.#setAt;
    if (setAt < 0) return fits;
    const cover = this.#cover;
    if (fits && cover === undefined) {
      this.#setAt = -1;
      return true;
    }
    const section = this.#section;
    const end = this.#at;
    const count = this.#counts[section]!;
    const isWhole = fits && !(this.#isAlone && section !== ANSWER) &&
      cover?.cover(this, section, setAt, standsFor) === true;
    if (!isWhole) {
      this.#at = setAt;
      this.#counts[section] = this.#countBefore;
    } else if (this.#isAlone) {
      this.#out.bytes.copyWithin(setAt, end, this.#at);
      this.#at -= end - setAt;
      this.#counts[section] = this.#countBefore + this.#counts[section]! - count;
    }
    this.#setAt = -1;
    return isWhole;
  }

  #openSet(section: number): void {
    this.#section = section;
    if (this.#setAt >= 0) return;
    this.#setAt = this.#at;
    this.#countBefore = this.#counts[section]!;
  }

  /** Sets TC and takes all records back: of what doesn't fit, no part is sent. */
  truncate(): void {
    this.#reset();
    this.#truncated = true;
  }

  /** Takes all records back, and TC. */
  clear(): void {
    this.#reset();
  }

  /** Makes room for `size` bytes in {@linkcode buffer}: where they begin, or -1. */
  take(size: number): number {
    const at = this.#at;
    if (!this.#fits || at + size > this.#end) {
      this.#fits = false;
      return -1;
    }
    this.#at = at + size;
    return at;
  }

  /** The caller's buffer, for {@linkcode take}. */
  get buffer(): WireBuffer {
    return this.#out;
  }

  /** Writes a 16-bit number. */
  uint16(value: number): void {
    const at = this.take(2);
    if (at >= 0) this.#out.view.setUint16(at, value);
  }

  /** Writes a 32-bit number. */
  uint32(value: number): void {
    const at = this.take(4);
    if (at >= 0) this.#out.view.setUint32(at, value);
  }

  /** Ends a name with that at offset `offset` of the message, below 0x4000. */
  pointer(offset: number): void {
    this.uint16(POINTER | offset);
  }

  /** Writes `size` bytes of `from`: labels, an address, strings with their lengths. */
  copy(from: WireBuffer, at: number, size: number): void {
    const to = this.take(size);
    if (to >= 0) copyBytes(from, at, this.#out, to, size);
  }

  /** Writes `count` ready-made records of one size into the answer section, if all of them fit. */
  records(from: Uint8Array, size: number, count: number): boolean {
    this.#openSet(ANSWER);
    const at = this.take(count * size);
    if (at < 0) return false;
    this.#out.bytes.set(from.subarray(0, count * size), at);
    this.#counts[ANSWER] = this.#counts[ANSWER]! + count;
    return true;
  }

  /** Writes `bytes`: labels, or a string with its length. */
  bytes(bytes: Uint8Array): void {
    const at = this.take(bytes.length);
    if (at >= 0) this.#out.bytes.set(bytes, at);
  }

  /**
   * Writes a string of TXT data: `text` (its length byte first, as if it stood alone) and the
   * decimal digits of `number`, a whole one from 0 to 2^53.
   */
  numberString(text: Uint8Array, number: number): void {
    let digits = 1;
    for (let rest = number; rest >= 10; rest = Math.floor(rest / 10)) digits++;
    const at = this.take(text.length + digits);
    if (at < 0) return;
    const { bytes } = this.#out;
    bytes.set(text, at);
    bytes[at] = text.length - 1 + digits;
    for (let i = digits - 1, rest = number; i >= 0; i--, rest = Math.floor(rest / 10)) {
      bytes[at + text.length + i] = 0x30 + rest % 10;
    }
  }

  /**
   * Writes the header and the OPT: after the records, and after {@linkcode truncate} once more. RD
   * and, for queries, CD are those of the query; RA and AD are 0. CO is that of the query where the
   * answer is covered.
   *
   * @returns The size of the answer, in bytes.
   */
  finish(query: DnsQuery, rcode: number, authoritative: boolean): number {
    const { view } = this.#out;
    const start = this.#start;
    const opcode = query.flags & OPCODE_BITS;
    const kept = opcode === 0
      ? FLAG_RECURSION_DESIRED | FLAG_CHECKING_DISABLED
      : FLAG_RECURSION_DESIRED;
    const flags = FLAG_RESPONSE | opcode | (query.flags & kept) | (rcode & 15) |
      (authoritative ? FLAG_AUTHORITATIVE : 0) | (this.#truncated ? FLAG_TRUNCATED : 0);
    view.setUint16(start, query.id);
    view.setUint16(start + 2, flags);
    view.setUint16(start + 4, query.questionSize > 0 ? 1 : 0);
    view.setUint16(start + 6, this.#counts[ANSWER]!);
    view.setUint16(start + 8, this.#counts[AUTHORITY]!);
    view.setUint16(start + 10, this.#counts[ADDITIONAL]! + (query.hasOpt ? 1 : 0));
    let end = this.#at;
    if (query.hasOpt) {
      view.setUint8(end, 0);
      view.setUint16(end + 1, TYPE_OPT);
      view.setUint16(end + 3, MAX_UDP_SIZE);
      view.setUint8(end + 5, rcode >> 4);
      view.setUint8(end + 6, 0);
      const compact = query.compactOk && this.isCovered ? OPT_COMPACT_OK : 0;
      view.setUint16(end + 7, (query.dnssecOk ? OPT_DNSSEC_OK : 0) | compact);
      view.setUint16(end + 9, 0);
      end += OPT_SIZE;
    }
    return end - start;
  }

  #reset(): void {
    this.#at = this.#afterQuestion;
    this.#counts.fill(0);
    this.#setAt = -1;
    this.#fits = true;
    this.#truncated = false;
  }
}

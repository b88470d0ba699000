/**
 * A DNS query (RFC 1035, section 4) with EDNS (RFC 6891), read without making anything.
 *
 * ```
 *  0    2       4         6         8         10        12
 * +----+-------+---------+---------+---------+---------+------------------+-----------------------+
 * | ID | flags | QDCOUNT | ANCOUNT | NSCOUNT | ARCOUNT | name, type,class | records: OPT, others  |
 * +----+-------+---------+---------+---------+---------+------------------+-----------------------+
 * flags: QR(1) opcode(4) AA TC RD RA Z AD CD rcode(4)
 * ```
 *
 * Bytes after the last record are passed over, as BIND does, unless that is a TSIG. Records other than
 * OPT and TSIG are passed over if they are well formed.
 *
 * @module
 */

import { MAX_LABEL_SIZE, MAX_LABELS, MAX_NAME_SIZE } from "./name.ts";
import { RECORD_FIELDS, recordEnd, recordFields } from "./record.ts";
import { checkBounds, type WireBuffer } from "../bytes/wire_buffer.ts";

/** Size of a message's header, in bytes. */
export const DNS_HEADER_SIZE = 12;
/** Size of an OPT record without options, in bytes. */
export const OPT_SIZE = 11;
/** Type of the OPT record. */
export const TYPE_OPT = 41;
/** Type of the TSIG record. */
export const TYPE_TSIG = 250;

/** Flag: this is a response. */
export const FLAG_RESPONSE = 0x8000;
/** The bits of the opcode. */
export const OPCODE_BITS = 0x7800;
/** Flag: authoritative answer. */
export const FLAG_AUTHORITATIVE = 0x0400;
/** Flag: the answer did not fit. */
export const FLAG_TRUNCATED = 0x0200;
/** Flag: recursion desired. */
export const FLAG_RECURSION_DESIRED = 0x0100;
/** Flag: checking disabled (RFC 4035). */
export const FLAG_CHECKING_DISABLED = 0x0010;
/** The flag in the TTL of an OPT: DNSSEC records wanted (RFC 3225). */
export const OPT_DNSSEC_OK = 0x8000;
/** Another one: an answer that there is no such name may say so, and prove it compactly (RFC 9824). */
export const OPT_COMPACT_OK = 0x4000;

/** Where in a header it is said how many records the additional section has. */
export const ADDITIONAL_COUNT = 10;
/** Size of what a question has after its name. */
export const TYPE_AND_CLASS = 4;
const OPTION_HEADER = 4;

/** A query's fields. {@linkcode parseQuery} writes into one that the caller keeps. */
export interface DnsQuery {
  /** The flags as they came, opcode and all. */
  flags: number;
  /** 0 to 0xffff. */
  id: number;
  /** Size of the question, or 0 where there is none that can be read. It starts at `nameAt`. */
  questionSize: number;
  /** Where the name starts in the buffer. */
  nameAt: number;
  /** Size of the name, in bytes, its root included. */
  nameSize: number;
  /** How many labels the name has, without the root. */
  labels: number;
  /** Where label `i` starts in the name; `labels` is the root. */
  readonly labelAt: Uint8Array;
  /** QTYPE. */
  type: number;
  /** QCLASS. */
  class: number;
  /** Whether there is an OPT. What follows is 0 or false without it. */
  hasOpt: boolean;
  /** The version of EDNS. */
  version: number;
  /** The largest UDP payload that the client takes, as it says. */
  udpSize: number;
  /** DO (RFC 3225). */
  dnssecOk: boolean;
  /** Where the TSIG starts in the buffer, or -1 where there is none. It is not read here. */
  tsigAt: number;
  /** CO (RFC 9824, section 5.1), and DO with it. */
  compactOk: boolean;
}

/**
 * What a message is: a query, too short for a header, a response, or a query to be answered with
 * the RCODE of that name.
 */
export type QueryStatus = "query" | "short" | "response" | "formerr" | "notimp" | "badvers";

/** An empty query to parse into. */
export function newDnsQuery(): DnsQuery {
  return {
    flags: 0,
    id: 0,
    questionSize: 0,
    nameAt: 0,
    nameSize: 0,
    labels: 0,
    labelAt: new Uint8Array(MAX_LABELS + 1),
    type: 0,
    class: 0,
    hasOpt: false,
    version: 0,
    udpSize: 0,
    dnssecOk: false,
    tsigAt: -1,
    compactOk: false,
  };
}

/**
 * Reads the message of `length` bytes at `at` into `query`. A message with an opcode other than
 * QUERY is "notimp" before all else; "formerr" is one without exactly one question (RFC 9619), with
 * a compressed name in it, a record that is cut off, or an OPT that is not as RFC 6891, section 6.1
 * has it: at most one, in the additional section, of the root, its options whole; or a TSIG that isn't
 * the end of it all (RFC 8945, section 5.1).
 *
 * @returns What it is. The question and the OPT are in `query` where they could be read. For
 *   "short" and "response", `query` is as it was.
 * @throws {RangeError} If the buffer is smaller than `length` says.
 */
export function parseQuery(
  buffer: WireBuffer,
  at: number,
  length: number,
  query: DnsQuery,
): QueryStatus {
  if (length < DNS_HEADER_SIZE) return "short";
  checkBounds(buffer, at, length, "a DNS message");
  const { view } = buffer;
  const flags = view.getUint16(at + 2);
  if ((flags & FLAG_RESPONSE) !== 0) return "response";
  query.id = view.getUint16(at);
  query.flags = flags;
  query.questionSize =
    query.nameSize =
    query.labels =
    query.type =
    query.class =
      0;
  query.nameAt = at + DNS_HEADER_SIZE;
  query.hasOpt = query.dnssecOk = query.compactOk = false;
  query.version = query.udpSize = 0;
  query.tsigAt = -1;
  const end = at + length;
  const wellFormed = view.getUint16(at + 4) === 1 && parseQuestion(buffer, end, query) &&
    parseRecords(buffer, at, end, query);
  if (!wellFormed) query.tsigAt = -1;
  if ((flags & OPCODE_BITS) !== 0) return "notimp";
  if (!wellFormed) return "formerr";
  return query.version > 0 ? "badvers" : "query";
}

function parseQuestion(buffer: WireBuffer, end: number, query: DnsQuery): boolean {
  const { bytes, view } = buffer;
  let size = 0;
  let labels = 0;
  for (;;) {
    const at = query.nameAt + size;
    if (at >= end) return false;
    const length = bytes[at]!;
    query.labelAt[labels] = size;
    size += 1 + length;
    if (length === 0) break;
    // A pointer has nothing to point at: the question's name is the first in the message.
    if (length > MAX_LABEL_SIZE || size >= MAX_NAME_SIZE) return false;
    labels++;
  }
  const at = query.nameAt + size;
  if (at + TYPE_AND_CLASS > end) return false;
  query.nameSize = size;
  query.labels = labels;
  query.type = view.getUint16(at);
  query.class = view.getUint16(at + 2);
  query.questionSize = size + TYPE_AND_CLASS;
  return true;
}

function parseRecords(buffer: WireBuffer, start: number, end: number, query: DnsQuery): boolean {
  const { view } = buffer;
  const before = view.getUint16(start + 6) + view.getUint16(start + 8);
  const records = before + view.getUint16(start + ADDITIONAL_COUNT);
  let at = query.nameAt + query.questionSize;
  for (let i = 0; i < records; i++) {
    const fields = recordFields(buffer, at, end);
    if (fields < 0) return false;
    const next = recordEnd(buffer, fields);
    if (next > end) return false;
    const type = view.getUint16(fields);
    if (type === TYPE_TSIG) {
      if (i < before || i < records - 1 || next < end) return false;
      query.tsigAt = at;
    } else if (type === TYPE_OPT) {
      if (i < before || query.hasOpt || fields !== at + 1) return false;
      query.hasOpt = true;
      query.udpSize = view.getUint16(fields + 2);
      query.version = view.getUint8(fields + 5);
      const flags = view.getUint16(fields + 6);
      query.dnssecOk = (flags & OPT_DNSSEC_OK) !== 0;
      query.compactOk = query.dnssecOk && (flags & OPT_COMPACT_OK) !== 0;
      if (!areOptions(buffer, fields + RECORD_FIELDS, next)) return false;
    }
    at = next;
  }
  return true;
}

function areOptions(buffer: WireBuffer, at: number, end: number): boolean {
  while (at < end) {
    if (at + OPTION_HEADER > end) return false;
    at += OPTION_HEADER + buffer.view.getUint16(at + 2);
  }
  return at === end;
}

/**
 * Where a peer can be reached, and how that is known.
 *
 * ```
 *  0               1          3                 +4
 * +---------------+----------+-----------------+---------+
 * | KIND 16 FAMILY| port (2) | address (4, 16) | AGE (4) |   AGE only in records
 * +---------------+----------+-----------------+---------+
 * ```
 *
 * docs/protocol-2.md, "Candidates".
 *
 * @module
 */

import { checkBounds, checkField, copyBytes, WireBuffer } from "../bytes/wire_buffer.ts";

/** Where a candidate is from. */
export const CANDIDATE = { seen: 1, lan: 2, mapped: 3, declared: 4, relay: 5 } as const;
/** The most candidates of a record, and of a question. */
export const MAX_CANDIDATES = 8;
/** Size of an address in memory, in bytes: IPv6, or IPv4 as ::ffff:a.b.c.d. */
export const IP_SIZE = 16;
/** Size of the age of a candidate, in bytes. */
export const AGE_SIZE = 4;

const PORT = 1;
const ADDRESS = 3;
const IPV4_SIZE = 4;
/** Where the IPv4 address lies in an IPv4-mapped one. */
const MAPPED = IP_SIZE - IPV4_SIZE;
/** What stands before it, after zeros. */
const MAPPED_MARK = 0xffff;
const FAMILY_BITS = 4;
const FAMILY_MASK = 0x0f;
const IPV4 = 4;
const IPV6 = 6;
const MAX_KIND = 0x0f;

/** A candidate's fields. */
export interface Candidate {
  /** A value of {@linkcode CANDIDATE}, or one that this version doesn't know; 1 to 15. */
  kind: number;
  /** The IP address, 16 bytes: IPv4 as ::ffff:a.b.c.d. */
  readonly address: WireBuffer;
  /** UDP port, 0 to 65535. */
  port: number;
  /** Seconds since it was confirmed; 0 where it is told without an age. */
  age: number;
}

/** Candidates in slots that are made once. */
export interface CandidateList {
  /** How many of the slots are in use. */
  count: number;
  /** {@linkcode MAX_CANDIDATES} of them. */
  readonly slots: readonly Candidate[];
}

/** An empty candidate to decode into. */
export function newCandidate(): Candidate {
  return { kind: 0, address: new WireBuffer(IP_SIZE), port: 0, age: 0 };
}

/** An empty list to decode into. */
export function newCandidates(): CandidateList {
  return { count: 0, slots: Array.from({ length: MAX_CANDIDATES }, newCandidate) };
}

/** Whether an address of 16 bytes is an IPv4 one. */
export function isIpv4(address: WireBuffer): boolean {
  const { view } = address;
  return view.getUint32(8) === MAPPED_MARK && view.getUint32(0) === 0 && view.getUint32(4) === 0;
}

/** Size of a candidate without its age, in bytes. */
export function candidateSize({ address }: Candidate): number {
  return ADDRESS + (isIpv4(address) ? IPV4_SIZE : IP_SIZE);
}

/**
 * Writes a candidate without its age.
 *
 * @returns Where the next byte goes.
 * @throws {RangeError} If it doesn't fit, or a field is out of range.
 */
export function writeCandidate(candidate: Candidate, buffer: WireBuffer, at: number): number {
  const { kind, address, port } = candidate;
  checkField(port, 16, "a UDP port");
  if (!Number.isInteger(kind) || kind < 1 || kind > MAX_KIND) {
    throw new RangeError(`Cannot write a candidate: its kind is ${kind}`);
  }
  checkBounds(address, 0, IP_SIZE, "an IP address");
  const size = candidateSize(candidate);
  checkBounds(buffer, at, size, "a candidate");
  const family = size === ADDRESS + IPV4_SIZE ? IPV4 : IPV6;
  buffer.bytes[at] = (kind << FAMILY_BITS) | family;
  buffer.view.setUint16(at + PORT, port);
  const from = family === IPV4 ? MAPPED : 0;
  copyBytes(address, from, buffer, at + ADDRESS, IP_SIZE - from);
  return at + size;
}

/**
 * Reads a candidate without its age.
 *
 * @returns Where it ends; -1 where its family is not known, or it ends after `end`; `kind` is 0 where
 *   its address is none of that family, which is an IPv4 address in the form of IPv6.
 */
export function readCandidate(
  buffer: WireBuffer,
  at: number,
  end: number,
  candidate: Candidate,
): number {
  if (at + ADDRESS > end) return -1;
  const first = buffer.bytes[at]!;
  const family = first & FAMILY_MASK;
  if (family !== IPV4 && family !== IPV6) return -1;
  const from = family === IPV4 ? MAPPED : 0;
  const next = at + ADDRESS + IP_SIZE - from;
  if (next > end) return -1;
  const { address } = candidate;
  if (family === IPV4) {
    address.view.setUint32(0, 0);
    address.view.setUint32(4, 0);
    address.view.setUint32(8, MAPPED_MARK);
  }
  copyBytes(buffer, at + ADDRESS, address, from, IP_SIZE - from);
  candidate.kind = family === IPV6 && isIpv4(address) ? 0 : first >>> FAMILY_BITS;
  candidate.port = buffer.view.getUint16(at + PORT);
  candidate.age = 0;
  return next;
}

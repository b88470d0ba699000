/**
 * What answers and pushes tell of a peer.
 *
 * ```
 *  0         32      33        37     38
 * +---------+-------+---------+------+----------------+
 * | peer ID | FLAGS | AGE (4) | SIZE | candidates     |   SIZE: of the candidates, in bytes
 * +---------+-------+---------+------+----------------+   AGE: seconds since it was heard
 * ```
 *
 * docs/protocol-2.md, "Answer".
 *
 * @module
 */

import { checkBounds, checkField, copyBytes, WireBuffer } from "../bytes/wire_buffer.ts";
import { ID_SIZE } from "../wgsig/record.ts";
import {
  AGE_SIZE,
  CANDIDATE,
  type CandidateList,
  candidateSize,
  MAX_CANDIDATES,
  newCandidates,
  readCandidate,
  writeCandidate,
} from "./candidate.ts";

const FLAGS = ID_SIZE;
const AGE = FLAGS + 1;
const SIZE = AGE + AGE_SIZE;
const CANDIDATES = SIZE + 1;

/** FLAGS of a record. */
export const RECORD_FLAG = {
  /** The record was proved. */
  proved: 0x01,
  /** Forget it. */
  gone: 0x02,
  /** It comes from the same address as who asked. */
  near: 0x04,
  /** Its host answers path probes at the port that is registered. */
  probes: 0x08,
} as const;

/** A record's fields. {@linkcode readPeerNews} writes into one that the caller keeps. */
export interface PeerNews {
  /** The WireGuard public key, 32 bytes. */
  readonly id: WireBuffer;
  /** {@linkcode RECORD_FLAG}, and `flagsOfNat`; 0 to 255. */
  flags: number;
  /** Seconds since the peer was heard. */
  age: number;
  /** Where it can be reached. */
  readonly candidates: CandidateList;
}

/** An empty record to decode into. */
export function newPeerNews(): PeerNews {
  return { id: new WireBuffer(ID_SIZE), flags: 0, age: 0, candidates: newCandidates() };
}

/** Size of a record, in bytes: 38 to 222. */
export function peerNewsSize({ candidates }: PeerNews): number {
  let size = CANDIDATES;
  for (let i = 0; i < candidates.count; i++) size += candidateSize(candidates.slots[i]!) + AGE_SIZE;
  return size;
}

/**
 * Writes a record at `at`.
 *
 * @returns Where it ends.
 * @throws {RangeError} If it doesn't fit, or a field is out of range.
 */
export function writePeerNews(news: PeerNews, buffer: WireBuffer, at: number): number {
  const { id, flags, age, candidates } = news;
  const size = peerNewsSize(news);
  checkBounds(buffer, at, size, "a record");
  checkBounds(id, 0, ID_SIZE, "a peer ID");
  checkField(flags, 8, "a record's flags");
  checkField(age, 32, "an age");
  copyBytes(id, 0, buffer, at, ID_SIZE);
  buffer.bytes[at + FLAGS] = flags;
  buffer.view.setUint32(at + AGE, age);
  buffer.bytes[at + SIZE] = size - CANDIDATES;
  let next = at + CANDIDATES;
  for (let i = 0; i < candidates.count; i++) {
    const candidate = candidates.slots[i]!;
    checkField(candidate.age, 32, "an age");
    next = writeCandidate(candidate, buffer, next);
    buffer.view.setUint32(next, candidate.age);
    next += AGE_SIZE;
  }
  return next;
}

/**
 * Reads the record at `at` into `news`. Candidates of kinds that are not known are passed over, and
 * so is what follows one of a family that is not known, and those after the eighth.
 *
 * @returns Where it ends, or -1 where it ends after `end`.
 */
export function readPeerNews(buffer: WireBuffer, at: number, end: number, news: PeerNews): number {
  const next = skipPeerNews(buffer, at, end);
  if (next < 0) return -1;
  copyBytes(buffer, at, news.id, 0, ID_SIZE);
  news.flags = buffer.bytes[at + FLAGS]!;
  news.age = buffer.view.getUint32(at + AGE);
  const { candidates } = news;
  candidates.count = 0;
  for (let from = at + CANDIDATES; candidates.count < MAX_CANDIDATES;) {
    const candidate = candidates.slots[candidates.count]!;
    const ageAt = readCandidate(buffer, from, next - AGE_SIZE, candidate);
    if (ageAt < 0) break;
    candidate.age = buffer.view.getUint32(ageAt);
    from = ageAt + AGE_SIZE;
    if (candidate.kind >= CANDIDATE.seen && candidate.kind <= CANDIDATE.relay) candidates.count++;
  }
  return next;
}

/** Where the record at `at` ends, or -1 where it ends after `end`. */
export function skipPeerNews(buffer: WireBuffer, at: number, end: number): number {
  if (at + CANDIDATES > end) return -1;
  const next = at + CANDIDATES + buffer.bytes[at + SIZE]!;
  return next > end ? -1 : next;
}

/** Whether nothing but whole records lies between `at` and `end`. */
export function areWholeRecords(buffer: WireBuffer, at: number, end: number): boolean {
  while (at >= 0 && at < end) at = skipPeerNews(buffer, at, end);
  return at === end;
}

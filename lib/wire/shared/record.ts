/**
 * What registries that share a table know of a peer, as it lies in the store: up to three registers,
 * each with the label of the peer's own request that it is from, so that the later one wins.
 *
 * ```
 *  0          1               2
 * +----------+---------------+-----------+-----------+-----------+
 * | FORMAT 1 | KINDS 1, 2, 4 | register of each kind, in this order |
 * +----------+---------------+-----------+-----------+-----------+
 *
 * a register:
 *  0        12          20      21     22        22 + SIZE  38 + SIZE
 * +--------+-----------+-------+------+---------+----------+
 * | TAI64N | HEARD f64 | FLAGS | SIZE | content | MAC (16) |
 * +--------+-----------+-------+------+---------+----------+
 * ```
 *
 * | kind     | content                                                              |
 * | -------- | -------------------------------------------------------------------- |
 * | `row`    | where the peer was seen over IPv4: address (4), port (2)             |
 * | `seen`   | where it was seen over IPv6: address (16), port (2)                  |
 * | `said`   | what it says of itself: candidates as in a question of wgsig 2       |
 *
 * HEARD is in Unix seconds by the store's clock. Integers are big-endian. The ID of the peer, and its
 * group, are names in the store; the MAC covers them as well: see `store_key.ts`.
 *
 * @module
 */

import type { WireBuffer } from "../bytes/wire_buffer.ts";
import { LABEL_SIZE } from "../wgsig/tai64n.ts";

/** FORMAT. */
export const SHARED_FORMAT = 1;
/** Kinds of registers, as KINDS has them. */
export const REGISTER = { row: 1, seen: 2, said: 4 } as const;
/** All of them. */
export const ALL_REGISTERS = 7;
/** FLAGS: the peer has proved its key. Those of `said` also have `PATH_FLAGS` of wgsig 2. */
export const PROVED_REGISTER = 1;
/** Offset of the first register. */
export const FIRST_REGISTER = 2;
/** Offset of HEARD in a register; its label is before that. */
export const REGISTER_HEARD: number = LABEL_SIZE;
/** Offset of FLAGS. */
export const REGISTER_FLAGS: number = REGISTER_HEARD + 8;
/** Offset of SIZE. */
export const REGISTER_SIZE: number = REGISTER_FLAGS + 1;
/** Offset of the content. */
export const REGISTER_CONTENT: number = REGISTER_SIZE + 1;
/** Size of a register's MAC, in bytes. */
export const REGISTER_MAC_SIZE = 16;
/** Size of the content of a `row`, in bytes. */
export const ROW_SIZE = 6;
/** Size of the content of a `seen`, in bytes. */
export const SEEN_SIZE = 18;
/** The most bytes of a register's content. */
export const MAX_CONTENT = 255;
/** The most bytes of a record that can be read. */
export const MAX_SHARED_SIZE: number = FIRST_REGISTER +
  3 * (REGISTER_CONTENT + MAX_CONTENT + REGISTER_MAC_SIZE);

/** How many kinds of registers there are. A kind is 1 << its place. */
export const REGISTER_COUNT = 3;
/** Places of kinds in a record, as far as they are there. */
export const PLACE = { row: 0, seen: 1, said: 2 } as const;

/** Where the registers of a record lie. {@linkcode readShared} writes into one that the caller keeps. */
export interface SharedRecord {
  /** KINDS. */
  kinds: number;
  /** Where the register of a kind begins, by {@linkcode PLACE}; -1 for none. */
  readonly places: Int32Array;
}

/** An empty record to read into. */
export function newShared(): SharedRecord {
  return { kinds: 0, places: new Int32Array(REGISTER_COUNT).fill(-1) };
}

/**
 * Finds the registers of a record. What is in them is not looked at.
 *
 * @param end Where the record ends: no byte may be left over.
 * @returns Whether it is one.
 */
export function readShared(
  { bytes }: WireBuffer,
  at: number,
  end: number,
  record: SharedRecord,
): boolean {
  if (at < 0 || end > bytes.length || at + FIRST_REGISTER > end) return false;
  if (bytes[at] !== SHARED_FORMAT) return false;
  const kinds = bytes[at + 1]!;
  if (kinds === 0 || kinds > ALL_REGISTERS) return false;
  record.kinds = kinds;
  let next = at + FIRST_REGISTER;
  for (let i = 0; i < REGISTER_COUNT; i++) {
    record.places[i] = -1;
    if ((kinds & 1 << i) === 0) continue;
    if (next + REGISTER_CONTENT > end) return false;
    record.places[i] = next;
    next += registerSize(bytes[next + REGISTER_SIZE]!);
  }
  return next === end;
}

/** Size of a register whose content has so many bytes. */
export function registerSize(content: number): number {
  return REGISTER_CONTENT + content + REGISTER_MAC_SIZE;
}

/** Where the register at `at` ends. The caller has checked bounds. */
export function registerEnd({ bytes }: WireBuffer, at: number): number {
  return at + registerSize(bytes[at + REGISTER_SIZE]!);
}

/** Whether the register at `at` is of a peer that has proved its key. The caller has checked bounds. */
export function isProvedRegister({ bytes }: WireBuffer, at: number): boolean {
  return (bytes[at + REGISTER_FLAGS]! & PROVED_REGISTER) !== 0;
}

/** Whether two registers have the same content, whatever else they say. The caller has checked bounds. */
export function isSameContent(a: WireBuffer, aAt: number, b: WireBuffer, bAt: number): boolean {
  const size = a.bytes[aAt + REGISTER_SIZE]!;
  if (a.bytes[aAt + REGISTER_FLAGS] !== b.bytes[bAt + REGISTER_FLAGS]) return false;
  // The size is compared as well.
  for (let i = REGISTER_SIZE; i < REGISTER_CONTENT + size; i++) {
    if (a.bytes[aAt + i] !== b.bytes[bAt + i]) return false;
  }
  return true;
}

/** Whether two labels are in order, as they lie in registers: below 0 where the first is earlier. */
export function compareRegisterLabels(
  a: WireBuffer,
  aAt: number,
  b: WireBuffer,
  bAt: number,
): number {
  for (let i = 0; i < LABEL_SIZE; i += 4) {
    const order = a.view.getUint32(aAt + i) - b.view.getUint32(bAt + i);
    if (order !== 0) return order;
  }
  return 0;
}

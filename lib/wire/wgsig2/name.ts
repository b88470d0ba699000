/**
 * The names of a roster's peers, and the addresses of a tunnel, as joining and the roster tell them.
 *
 * ```
 * name                     prefix
 *  0      1                 0        1        2
 * +------+--------+        +--------+--------+-----------------+
 * | SIZE | UTF-8  |        | FAMILY | LENGTH | address (4, 16) |
 * +------+--------+        +--------+--------+-----------------+
 * ```
 *
 * docs/protocol-2.md, "Joining" and "The roster".
 *
 * @module
 */

import { checkBounds, type WireBuffer } from "../bytes/wire_buffer.ts";

/** The longest name, in bytes of UTF-8. */
export const MAX_NAME_SIZE = 63;
const PREFIX_HEAD = 2;
const IPV4 = 4;
const IPV6 = 6;
const IPV4_SIZE = 4;
const IPV6_SIZE = 16;
/** Size of the largest prefix, in bytes. */
export const MAX_WIRE_PREFIX_SIZE: number = PREFIX_HEAD + IPV6_SIZE;
const SPACE = 0x20;
const DELETE = 0x7f;
/** The first character that isn't a control character of ISO 8859-1. */
const AFTER_CONTROLS = 0xa0;

/** An address with the length of a prefix: AllowedIPs, or an own address and its network. */
export interface TunnelPrefix {
  /** 4 or 16 bytes. Bits behind the length may be set: then it is an address in its network. */
  readonly address: Uint8Array;
  /** 0 to 32, or 0 to 128. */
  readonly length: number;
}

/** They separate lines, or turn the direction of what stands around a name (UAX #9): it looks like another. */
const MISLEADING = /[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Whether it can be a name: 1 to 63 bytes of UTF-8, without control characters, such as separate lines
 * or turn the direction of text, and without spaces at its ends.
 */
export function isName(text: string): boolean {
  if (text.trim() !== text || text.length === 0 || text.length > MAX_NAME_SIZE) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < SPACE || (code >= DELETE && code < AFTER_CONTROLS)) return false;
  }
  if (MISLEADING.test(text)) return false;
  const bytes = encoder.encode(text);
  return bytes.length <= MAX_NAME_SIZE && decoder.decode(bytes) === text;
}

/** The bytes of a name. @throws {RangeError} If it is none. */
export function encodeName(name: string): Uint8Array {
  if (!isName(name)) throw new RangeError(`Cannot write a name: ${JSON.stringify(name)} is none`);
  return encoder.encode(name);
}

/** The name in `size` bytes at `at`; undefined where it is none. The caller has checked bounds. */
export function readName({ bytes }: WireBuffer, at: number, size: number): string | undefined {
  if (size < 1 || size > MAX_NAME_SIZE) return undefined;
  const given = bytes.subarray(at, at + size);
  const name = decoder.decode(given);
  if (!isName(name)) return undefined;
  const again = encoder.encode(name);
  return again.length === size && again.every((byte, i) => byte === given[i]) ? name : undefined;
}

/** Size of a prefix, in bytes. */
export function wirePrefixSize({ address }: TunnelPrefix): number {
  return PREFIX_HEAD + address.length;
}

/**
 * Writes a prefix.
 *
 * @returns Where the next byte goes.
 * @throws {RangeError} If it doesn't fit, or its address or length is none.
 */
export function writeWirePrefix(
  { address, length }: TunnelPrefix,
  buffer: WireBuffer,
  at: number,
): number {
  const size = address.length;
  if (size !== IPV4_SIZE && size !== IPV6_SIZE) {
    throw new RangeError(`Cannot write an address of ${size} bytes: it has 4 or 16`);
  }
  if (!Number.isInteger(length) || length < 0 || length > 8 * size) {
    throw new RangeError(`Cannot write a prefix: its length is ${length}`);
  }
  checkBounds(buffer, at, PREFIX_HEAD + size, "a prefix");
  buffer.bytes[at] = size === IPV4_SIZE ? IPV4 : IPV6;
  buffer.bytes[at + 1] = length;
  buffer.bytes.set(address, at + PREFIX_HEAD);
  return at + PREFIX_HEAD + size;
}

/**
 * Reads the prefix at `at`, whose address is a copy.
 *
 * @returns Undefined where its family is not known, it ends after `end`, or its length is none.
 */
export function readWirePrefix(
  { bytes }: WireBuffer,
  at: number,
  end: number,
): TunnelPrefix | undefined {
  if (at + PREFIX_HEAD > end) return undefined;
  const family = bytes[at];
  if (family !== IPV4 && family !== IPV6) return undefined;
  const size = family === IPV4 ? IPV4_SIZE : IPV6_SIZE;
  const length = bytes[at + 1]!;
  const next = at + PREFIX_HEAD + size;
  if (next > end || length > 8 * size) return undefined;
  return { address: bytes.slice(at + PREFIX_HEAD, next), length };
}

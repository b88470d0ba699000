/**
 * Names as DNS messages carry them (RFC 1035, section 3.1): labels, each with its length before it,
 * and the root's zero byte.
 *
 * @module
 */

import type { WireBuffer } from "../bytes/wire_buffer.ts";

/** The most bytes of a name, lengths and root included. */
export const MAX_NAME_SIZE = 255;
/** The most bytes of a label, without its length. */
export const MAX_LABEL_SIZE = 63;
/** The most labels of a name, without the root. */
export const MAX_LABELS = 127;

/** The most pointers of a name that is read; names that programs write have one. */
export const MAX_POINTERS = 8;

/** The bits of a length that make it a pointer (RFC 1035, section 4.1.4). */
export const POINTER_BITS = 0xc0;
/** Size of a message's header, where no name is. */
const HEADER_SIZE = 12;
const LABEL = /^[\w-]{1,63}$/;
const UPPER_A = 0x41;
const UPPER_Z = 0x5a;

/** A label with its length before it, in lower case. */
export function encodeLabel(text: string): Uint8Array {
  if (!LABEL.test(text)) throw new SyntaxError(`"${text}" is no label of a domain name`);
  return Uint8Array.of(text.length, ...new TextEncoder().encode(text.toLowerCase()));
}

/**
 * The bytes of a domain name such as `example.com`, with or without the last dot, in lower case.
 *
 * @throws {SyntaxError} Where it is none: letters, digits, `-` and `_` in labels of 1 to 63
 *   characters, 255 bytes in all.
 */
export function encodeName(text: string): Uint8Array {
  const labels = text.replace(/\.$/, "");
  const bytes = labels === "" && text === "." ? [] : labels.split(".").map(encodeLabel);
  const name = Uint8Array.from([...bytes.flatMap((label) => [...label]), 0]);
  if (name.length > MAX_NAME_SIZE) throw new SyntaxError(`"${text}" is too long a domain name`);
  return name;
}

/** The text of a name that {@linkcode encodeName} made, without the last dot. */
export function formatName(name: Uint8Array): string {
  const labels: string[] = [];
  for (let at = 0; name[at]! > 0; at += 1 + name[at]!) {
    labels.push(String.fromCharCode(...name.subarray(at + 1, at + 1 + name[at]!)));
  }
  return labels.length === 0 ? "." : labels.join(".");
}

/**
 * Whether the bytes at `at` are `name`, a whole name or a label with its length, in lower case.
 * ASCII letters match in either case (RFC 4343); a length is never one, being below 64.
 * The caller has checked that as many bytes are there.
 */
export function matchesName(buffer: WireBuffer, at: number, name: Uint8Array, from = 0): boolean {
  const { bytes } = buffer;
  for (let i = from; i < name.length; i++) {
    const byte = bytes[at + i - from]!;
    // Most are asked in lower case.
    if (byte !== name[i] && lower(byte) !== name[i]) return false;
  }
  return true;
}

/** Whether the label at `at` (its length first) is `label`, as {@linkcode encodeLabel} made it. */
export function isLabel(buffer: WireBuffer, at: number, label: Uint8Array): boolean {
  return buffer.bytes[at] === label[0] && matchesName(buffer, at, label);
}

/**
 * Where the name at `at` ends, maybe beyond `end`, or -1 where it is none. Pointers are not followed:
 * nobody reads that name.
 */
export function skipName({ bytes }: WireBuffer, at: number, end: number): number {
  const last = Math.min(end, at + MAX_NAME_SIZE);
  while (at < last) {
    const length = bytes[at]!;
    if (length === 0) return at + 1;
    if (length >= POINTER_BITS) return at + 2;
    if (length > MAX_LABEL_SIZE) return -1;
    at += 1 + length;
  }
  return -1;
}

/**
 * Copies the name at `at`, of a message from `start` to `end`, uncompressed and in lower case. Its
 * pointers lead backwards, each to before the part of the name that it ends (RFC 1035, section
 * 4.1.4), and there are {@linkcode MAX_POINTERS} at most.
 *
 * @param into Holds 255 bytes.
 * @returns The size of the name, or -1 where it is none; `into` is unspecified then.
 */
export function readName(
  { bytes }: WireBuffer,
  start: number,
  at: number,
  end: number,
  into: WireBuffer,
): number {
  let size = 0;
  let pointers = 0;
  let part = at;
  while (at < end) {
    const length = bytes[at]!;
    if (length >= POINTER_BITS) {
      if (at + 1 >= end || ++pointers > MAX_POINTERS) return -1;
      const to = start + (((length & ~POINTER_BITS) << 8) | bytes[at + 1]!);
      if (to >= part || to < start + HEADER_SIZE) return -1;
      at = part = to;
      continue;
    }
    if (length > MAX_LABEL_SIZE || at + 1 + length > end) return -1;
    if (size + 1 + length > MAX_NAME_SIZE) return -1;
    for (let i = 0; i <= length; i++) into.bytes[size + i] = lower(bytes[at + i]!);
    size += 1 + length;
    if (length === 0) return size;
    at += 1 + length;
  }
  return -1;
}

/** An ASCII letter in lower case; every other byte as it is, also a length: it is below 64. */
export function lower(byte: number): number {
  return byte >= UPPER_A && byte <= UPPER_Z ? byte | 0x20 : byte;
}

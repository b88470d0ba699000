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

/**
 * Whether the bytes at `at` are `name`, a whole name or a label with its length, in lower case.
 * ASCII letters match in either case (RFC 4343); a length is never one, being below 64.
 * The caller has checked that as many bytes are there.
 */
export function matchesName(buffer: WireBuffer, at: number, name: Uint8Array, from = 0): boolean {
  const { bytes } = buffer;
  for (let i = from; i < name.length; i++) {
    if (lower(bytes[at + i - from]!) !== name[i]) return false;
  }
  return true;
}

/** Whether the label at `at` (its length first) is `label`, as {@linkcode encodeLabel} made it. */
export function isLabel(buffer: WireBuffer, at: number, label: Uint8Array): boolean {
  return buffer.bytes[at] === label[0] && matchesName(buffer, at, label);
}

function lower(byte: number): number {
  return byte >= UPPER_A && byte <= UPPER_Z ? byte | 0x20 : byte;
}

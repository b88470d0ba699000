/**
 * IP addresses as text and as the 16 bytes of an IPv6 address (IPv4 as ::ffff:a.b.c.d).
 *
 * @module
 */

import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";

/** Size of an address, in bytes. */
export const ADDRESS_SIZE = 16;
/** Where the IPv4 address lies in an IPv4-mapped one. */
const IPV4 = 12;
const MAPPED = 0xffff;
const DOT = 0x2e;
const ZERO = 0x30;

/**
 * The IPv4 address `text` (dotted, four parts, no leading zeros) as a number, or -1 where it is none.
 * Makes nothing: it is called per datagram.
 */
export function parseIpv4(text: string, from = 0): number {
  let address = 0;
  let part = -1;
  let parts = 0;
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) {
      if (part < 0 || ++parts > 3) return -1;
      address = address * 256 + part;
      part = -1;
      continue;
    }
    const digit = code - ZERO;
    if (digit < 0 || digit > 9 || part === 0) return -1;
    part = part < 0 ? digit : part * 10 + digit;
    if (part > 255) return -1;
  }
  return parts === 3 && part >= 0 ? address * 256 + part : -1;
}

/** An IPv4 address as text. */
export function formatIpv4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/**
 * Writes the address `text` (IPv4, IPv6, IPv4-mapped IPv6; a scope is passed over) at `at`.
 *
 * @returns Whether it is an address. What was written is unspecified if not.
 */
export function parseAddress(text: string, buffer: WireBuffer, at: number): boolean {
  const { view } = buffer;
  const ipv4 = parseIpv4(text);
  if (ipv4 >= 0) {
    writeIpv4(buffer, at, ipv4);
    return true;
  }
  let end = text.indexOf("%");
  if (end < 0) end = text.length;
  let groups = 0;
  let gap = -1;
  let i = 0;
  if (text.startsWith("::")) {
    gap = 0;
    i = 2;
  }
  while (i < end) {
    if (groups === 8) return false;
    let value = 0;
    let digits = 0;
    const start = i;
    for (; i < end; i++) {
      const digit = hexDigit(text.charCodeAt(i));
      if (digit < 0) break;
      value = value * 16 + digit;
      if (++digits > 4) return false;
    }
    if (i < end && text.charCodeAt(i) === DOT) {
      const mapped = parseIpv4(text.slice(0, end), start);
      if (mapped < 0 || groups > 6) return false;
      view.setUint32(at + 2 * groups, mapped);
      groups += 2;
      i = end;
      break;
    }
    if (digits === 0) return false;
    view.setUint16(at + 2 * groups++, value);
    if (i === end) break;
    if (text[i] !== ":") return false;
    i++;
    if (text[i] === ":") {
      if (gap >= 0) return false;
      gap = groups;
      i++;
    } else if (i === end) return false;
  }
  if (gap < 0) return groups === 8;
  if (groups === 8) return false;
  const missing = 8 - groups;
  for (let group = groups - 1; group >= gap; group--) {
    view.setUint16(at + 2 * (group + missing), view.getUint16(at + 2 * group));
  }
  for (let group = gap; group < gap + missing; group++) view.setUint16(at + 2 * group, 0);
  return true;
}

/** Writes an IPv4 address as ::ffff:a.b.c.d at `at`. */
export function writeIpv4(buffer: WireBuffer, at: number, address: number): void {
  const { view } = buffer;
  view.setUint32(at, 0);
  view.setUint32(at + 4, 0);
  view.setUint32(at + 8, MAPPED);
  view.setUint32(at + IPV4, address);
}

/** Whether the address at `at` is an IPv4 one. */
export function isIpv4(buffer: WireBuffer, at: number): boolean {
  const { view } = buffer;
  return view.getUint32(at) === 0 && view.getUint32(at + 4) === 0 &&
    view.getUint32(at + 8) === MAPPED;
}

/** The IPv4 address at `at` as a number; see {@linkcode isIpv4}. */
export function readIpv4(buffer: WireBuffer, at: number): number {
  return buffer.view.getUint32(at + IPV4);
}

/** The address at `at` as text (IPv6 as RFC 5952 has it). */
export function formatAddress(buffer: WireBuffer, at: number): string {
  if (isIpv4(buffer, at)) return formatIpv4(readIpv4(buffer, at));
  const groups = Array.from({ length: 8 }, (_, i) => buffer.view.getUint16(at + 2 * i));
  let gap = -1;
  let gapLength = 1;
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length++;
    if (length > gapLength) [gap, gapLength] = [i, length];
  }
  const text = (part: number[]) => part.map((group) => group.toString(16)).join(":");
  if (gap < 0) return text(groups);
  return `${text(groups.slice(0, gap))}::${text(groups.slice(gap + gapLength))}`;
}

function hexDigit(code: number): number {
  if (code >= ZERO && code <= ZERO + 9) return code - ZERO;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** Whether the address at `at` is that of a listener that takes every one: 0.0.0.0 or ::. */
export function isWildcard(buffer: WireBuffer, at: number): boolean {
  if (isIpv4(buffer, at)) return readIpv4(buffer, at) === 0;
  const { view } = buffer;
  return view.getUint32(at) === 0 && view.getUint32(at + 4) === 0 &&
    view.getUint32(at + 8) === 0 && view.getUint32(at + 12) === 0;
}

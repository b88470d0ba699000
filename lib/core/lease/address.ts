/**
 * Addresses that are leased: a family and a number, so that ranges of them can be counted.
 *
 * @module
 */

import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import {
  ADDRESS_SIZE,
  formatAddress,
  formatIpv4,
  isIpv4,
  parseAddress,
  readIpv4,
  writeIpv4,
} from "../net/ip_address.ts";
import { normalizePrefix } from "../net/ip_prefix.ts";

/** The version of the Internet Protocol. */
export type Family = 4 | 6;

/** An address of one family. */
export interface LeaseAddress {
  /** 4 or 6. */
  readonly family: Family;
  /** Below 2^32 or 2^128; 0 is `0.0.0.0` or `::`. */
  readonly value: bigint;
}

/** Addresses from `first` to `last`, both among them. */
export interface AddressRange {
  /** The lowest. */
  readonly first: bigint;
  /** The highest. */
  readonly last: bigint;
}

/** A prefix as a range. */
export interface AddressPrefix extends AddressRange {
  /** 4 or 6. */
  readonly family: Family;
  /** Bits that are the same for all addresses of it. */
  readonly length: number;
}

/** Bits of an address. */
export const FAMILY_BITS = { 4: 32, 6: 128 } as const;

const ADDRESS = /^[0-9A-Fa-f.:]{2,45}$/;
const LENGTH = /\/\d{1,3}$/;
const LINK_LOCAL = /^([^%/]+)(?:%[\w.=+-]{1,15})?(?:\/128)?$/;
const HALF = 64n;
const LOW_HALF = (1n << HALF) - 1n;
/** fe80::/10 */
const LINK_LOCAL_SHIFT = 118n;
const LINK_LOCAL_BITS = 0xfe80n >> 6n;

// Used and read again before any function returns.
const scratch = new WireBuffer(ADDRESS_SIZE);

/** The 16 bytes at `at` as an address; IPv4 where they are an IPv4-mapped one. */
export function readLeaseAddress(buffer: WireBuffer, at: number): LeaseAddress {
  if (isIpv4(buffer, at)) return { family: 4, value: BigInt(readIpv4(buffer, at)) };
  return { family: 6, value: readValue(buffer, at) };
}

/** Writes an address as 16 bytes at `at`. */
export function writeLeaseAddress(
  { family, value }: LeaseAddress,
  buffer: WireBuffer,
  at: number,
): void {
  if (family === 4) return writeIpv4(buffer, at, Number(value));
  buffer.view.setBigUint64(at, value >> HALF);
  buffer.view.setBigUint64(at + 8, value & LOW_HALF);
}

/**
 * The address that a text is, or undefined. A colon makes it an IPv6 one, also where it is
 * IPv4-mapped. It has no scope.
 */
export function parseLeaseAddress(text: string): LeaseAddress | undefined {
  if (!ADDRESS.test(text) || !parseAddress(text, scratch, 0)) return undefined;
  if (text.includes(":")) return { family: 6, value: readValue(scratch, 0) };
  return { family: 4, value: BigInt(readIpv4(scratch, 0)) };
}

/** The same with a prefix length of at most three digits after it, or without one. It is ignored. */
export function parseLeaseIp(text: string): LeaseAddress | undefined {
  return parseLeaseAddress(text.replace(LENGTH, ""));
}

/** An address as text (IPv6 as RFC 5952 has it). */
export function formatLeaseAddress(address: LeaseAddress): string {
  if (address.family === 4) return formatIpv4(Number(address.value));
  writeLeaseAddress(address, scratch, 0);
  return formatAddress(scratch, 0);
}

/** An address as a prefix of its own, as it stands in AllowedIPs: `10.0.0.2/32`. */
export function formatLeaseCidr(address: LeaseAddress): string {
  return `${formatLeaseAddress(address)}/${FAMILY_BITS[address.family]}`;
}

/**
 * The range of a prefix such as `10.0.0.0/8`, or of an address.
 *
 * @throws {SyntaxError} Where the text is none.
 */
export function parseLeasePrefix(text: string): AddressPrefix {
  const [address = "", length = ""] = normalizePrefix(text).split("/");
  const start = parseLeaseAddress(address);
  if (start === undefined) throw new SyntaxError(`"${text}" is no IP prefix, such as 10.0.0.0/8`);
  const { family, value } = start;
  const size = 1n << BigInt(FAMILY_BITS[family] - Number(length));
  return { family, length: Number(length), first: value, last: value + size - 1n };
}

/**
 * Addresses that no host may have, or that would make a peer another: a leased link-local address
 * could be somebody's identity.
 */
export const NEVER_LEASED: Readonly<Record<Family, readonly AddressPrefix[]>> = {
  4: ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"].map(parseLeasePrefix),
  6: ["::/127", "fe80::/10", "ff00::/8"].map(parseLeasePrefix).concat({
    // IPv4-mapped addresses, which parseLeasePrefix takes for IPv4.
    family: 6,
    length: 96,
    first: 0xffff_0000_0000n,
    last: 0xffff_ffff_ffffn,
  }),
};

/** Whether no host may be leased the address. */
export function isNeverLeased(family: Family, address: bigint): boolean {
  return NEVER_LEASED[family].some(({ first, last }) => first <= address && address <= last);
}

/**
 * The normal form of a link-local address, which says who a peer is: all 128 bits of it, and nothing
 * that is not link-local. Undefined for other addresses and for shorter prefixes.
 *
 * @param text An address, perhaps with a scope (`fe80::2%wg0`), or an AllowedIP (`fe80::2/128`).
 */
export function linkLocalIdentity(text: string): string | undefined {
  const address = parseLeaseAddress(LINK_LOCAL.exec(text)?.[1] ?? "");
  if (address === undefined) return undefined;
  if (address.value >> LINK_LOCAL_SHIFT !== LINK_LOCAL_BITS) return undefined;
  return formatLeaseAddress(address);
}

function readValue({ view }: WireBuffer, at: number): bigint {
  return (view.getBigUint64(at) << HALF) | view.getBigUint64(at + 8);
}

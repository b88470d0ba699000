/**
 * IP prefixes such as `10.0.0.0/8`: in one form, and as sets that are asked per datagram.
 *
 * @module
 */

import { equalBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { ADDRESS_SIZE, formatAddress, isIpv4, parseAddress } from "./ip_address.ts";

const FORM = /^([0-9A-Fa-f.:]+)(?:\/(\d{1,3}))?$/;
const BITS = 8 * ADDRESS_SIZE;
/** Prefixes that are shorter take more than any network has. */
export const SHORTEST_NARROW = 8;
/** Bits of ::ffff:0:0/96, in which IPv4 addresses lie. */
export const IPV4_BITS = 96;

/**
 * Reads an address, with or without a length behind it, into the 16 bytes at `at`, with the bits
 * behind the length as they are.
 *
 * @returns Its length in 128 bits; NaN where the text is none.
 */
export function parsePrefix(text: string, buffer: WireBuffer, at: number): number {
  const [, address = "", written] = FORM.exec(text) ?? [];
  const before = address.includes(":") ? 0 : IPV4_BITS;
  const length = written === undefined ? BITS : before + Number(written);
  return length <= BITS && parseAddress(address, buffer, at) ? length : NaN;
}

/** Sets the bits of an address behind the first `bits` to zero. */
export function clearHostBits(address: Uint8Array, bits: number): void {
  for (let i = bits >> 3; i < address.length; i++) {
    address[i] = address[i]! & (0xff00 >> Math.max(0, bits - 8 * i));
  }
}

/** Whether two addresses have the same first `bits`. */
export function shareBits(
  a: Uint8Array,
  aAt: number,
  b: Uint8Array,
  bAt: number,
  bits: number,
): boolean {
  for (let i = 0; 8 * i < bits; i++) {
    const mask = 0xff00 >> Math.min(8, bits - 8 * i);
    if (((a[aAt + i]! ^ b[bAt + i]!) & mask & 0xff) !== 0) return false;
  }
  return true;
}

/** Reads a prefix into the 16 bytes at `at`, host bits zero, and returns its length in 128 bits. */
function readPrefix(text: string, buffer: WireBuffer, at: number): number {
  const length = parsePrefix(text, buffer, at);
  if (Number.isNaN(length)) throw new SyntaxError(`"${text}" is no IP prefix, such as 10.0.0.0/8`);
  clearHostBits(buffer.bytes.subarray(at, at + ADDRESS_SIZE), length);
  return length;
}

/**
 * A prefix as `wg` shows it: host bits zero, length written (`10.9.8.7/24` is `10.9.8.0/24`, and
 * `10.0.0.2` is `10.0.0.2/32`).
 *
 * @throws {SyntaxError} Where the text is none.
 */
export function normalizePrefix(text: string): string {
  const address = new WireBuffer(ADDRESS_SIZE);
  const length = readPrefix(text, address, 0);
  const before = isIpv4(address, 0) ? IPV4_BITS : 0;
  return `${formatAddress(address, 0)}/${length - before}`;
}

/** Whether a text is an IP address with or without a prefix length, and nothing else. */
export function isCidr(text: string): boolean {
  try {
    readPrefix(text, new WireBuffer(ADDRESS_SIZE), 0);
    return true;
  } catch {
    return false;
  }
}

/**
 * Whether the address of a prefix has bits behind its length: who writes `10.0.0.1/8` may mean
 * `10.0.0.0/8`, or that address.
 *
 * @throws {SyntaxError} Where the text is none.
 */
export function hasHostBits(text: string): boolean {
  const both = new WireBuffer(2 * ADDRESS_SIZE);
  readPrefix(text, both, 0);
  readPrefix(addressOf(text), both, ADDRESS_SIZE);
  return !equalBytes(both, 0, both, ADDRESS_SIZE, ADDRESS_SIZE);
}

/** The address of a prefix, as it is written. */
export function addressOf(text: string): string {
  return text.replace(/\/.*$/, "");
}

/**
 * Whether AllowedIPs say where something is: shorter prefixes (`0.0.0.0/0`, `128.0.0.0/1`) send
 * everything through a tunnel.
 */
export function isNarrow(prefix: string): boolean {
  const length = prefix.slice(addressOf(prefix).length + 1);
  return length === "" || Number(length) >= SHORTEST_NARROW;
}

/** An unchanging set of prefixes. Nothing is made to ask it. */
export class PrefixSet {
  readonly #addresses: WireBuffer;
  readonly #lengths: Uint8Array;

  /**
   * Makes a set.
   *
   * @throws {SyntaxError} Where one of `prefixes` is none.
   */
  constructor(prefixes: readonly string[]) {
    this.#addresses = new WireBuffer(prefixes.length * ADDRESS_SIZE);
    this.#lengths = Uint8Array.from(
      prefixes,
      (text, i) => readPrefix(text, this.#addresses, i * ADDRESS_SIZE),
    );
  }

  /** Whether the 16-byte address at `at` lies in one of them. `::/0` is IPv6 alone. */
  contains(buffer: WireBuffer, at: number): boolean {
    const ipv4 = isIpv4(buffer, at);
    for (let i = 0; i < this.#lengths.length; i++) {
      const prefixAt = i * ADDRESS_SIZE;
      if (
        ipv4 === isIpv4(this.#addresses, prefixAt) &&
        shareBits(buffer.bytes, at, this.#addresses.bytes, prefixAt, this.#lengths[i]!)
      ) return true;
    }
    return false;
  }
}

/** A prefix that is compared with others. */
export class IpPrefix {
  readonly #set: PrefixSet;
  readonly #address: WireBuffer = new WireBuffer(ADDRESS_SIZE);
  /** Of 128 bits. */
  readonly #length: number;

  /**
   * Reads one.
   *
   * @throws {SyntaxError} Where the text is none.
   */
  constructor(text: string) {
    this.#set = new PrefixSet([text]);
    this.#length = readPrefix(text, this.#address, 0);
  }

  /** Whether all addresses of the other lie in this: IPv4 in IPv4, IPv6 in IPv6. */
  covers(other: IpPrefix): boolean {
    return this.#length <= other.#length && this.#set.contains(other.#address, 0);
  }

  /** Whether there is an address that lies in both. */
  overlaps(other: IpPrefix): boolean {
    return this.covers(other) || other.covers(this);
  }
}

/**
 * Prefixes of tunnels as joining and the roster carry them: as text, and compared with each other.
 *
 * @module
 */

import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { TunnelPrefix } from "../../wire/wgsig2/name.ts";
import { ADDRESS_SIZE, formatAddress, isIpv4, writeIpv4 } from "../net/ip_address.ts";
import { clearHostBits, IPV4_BITS, parsePrefix, shareBits } from "../net/ip_prefix.ts";

/** Where an IPv4 address lies in its 16 bytes. */
const IPV4 = IPV4_BITS / 8;

/**
 * A prefix as people write it, with the bits behind its length as they are: `10.9.0.2/24` is an
 * address in its network, `10.9.0.2` has the length 32.
 *
 * @returns Undefined where the text is none.
 */
export function parseTunnelPrefix(text: string): TunnelPrefix | undefined {
  const buffer = new WireBuffer(ADDRESS_SIZE);
  const length = parsePrefix(text, buffer, 0);
  if (Number.isNaN(length)) return undefined;
  const from = isIpv4(buffer, 0) ? IPV4 : 0;
  return length < 8 * from
    ? undefined
    : { address: buffer.bytes.slice(from), length: length - 8 * from };
}

/** The text of an address of 4 or 16 bytes. */
export function formatTunnelAddress(address: Uint8Array): string {
  const buffer = new WireBuffer(ADDRESS_SIZE);
  if (address.length === ADDRESS_SIZE) buffer.bytes.set(address);
  else writeIpv4(buffer, 0, new WireBuffer(address.slice()).view.getUint32(0));
  return formatAddress(buffer, 0);
}

/** The text of a prefix, `10.9.0.2/24`. */
export function formatTunnelPrefix({ address, length }: TunnelPrefix): string {
  return `${formatTunnelAddress(address)}/${length}`;
}

/** Its one address, as a prefix. */
export function hostOf({ address }: TunnelPrefix): TunnelPrefix {
  return { address, length: 8 * address.length };
}

/** The prefix without the bits behind its length. */
export function networkOf({ address, length }: TunnelPrefix): TunnelPrefix {
  const masked = address.slice();
  clearHostBits(masked, length);
  return { address: masked, length };
}

/** Whether there is an address that lies in both. */
export function overlap(a: TunnelPrefix, b: TunnelPrefix): boolean {
  return a.address.length === b.address.length &&
    shareBits(a.address, 0, b.address, 0, Math.min(a.length, b.length));
}

/** Whether all addresses of `b` lie in `a`. */
export function covers(a: TunnelPrefix, b: TunnelPrefix): boolean {
  return a.address.length === b.address.length && a.length <= b.length &&
    shareBits(a.address, 0, b.address, 0, a.length);
}

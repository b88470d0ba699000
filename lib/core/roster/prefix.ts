/**
 * Prefixes of tunnels as joining and the roster carry them: as text, and compared with each other.
 *
 * @module
 */

import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { TunnelPrefix } from "../../wire/wgsig2/name.ts";
import { ADDRESS_SIZE, formatAddress, isIpv4, parseAddress, writeIpv4 } from "../net/ip_address.ts";

const FORM = /^([0-9A-Fa-f.:]+)(?:\/(\d{1,3}))?$/;
/** Where an IPv4 address lies in its 16 bytes. */
const IPV4 = 12;

/**
 * A prefix as people write it, with the bits behind its length as they are: `10.9.0.2/24` is an
 * address in its network, `10.9.0.2` has the length 32.
 *
 * @returns Undefined where the text is none.
 */
export function parseTunnelPrefix(text: string): TunnelPrefix | undefined {
  const [, written = "", size] = FORM.exec(text) ?? [];
  const buffer = new WireBuffer(ADDRESS_SIZE);
  if (!parseAddress(written, buffer, 0)) return undefined;
  const address = buffer.bytes.slice(isIpv4(buffer, 0) ? IPV4 : 0);
  const length = size === undefined ? 8 * address.length : Number(size);
  return length > 8 * address.length ? undefined : { address, length };
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
  const masked = address.map((byte, i) =>
    byte & (0xff00 >> Math.min(8, Math.max(0, length - 8 * i)))
  );
  return { address: masked, length };
}

/** Whether there is an address that lies in both. */
export function overlap(a: TunnelPrefix, b: TunnelPrefix): boolean {
  return a.address.length === b.address.length && isSame(a, b, Math.min(a.length, b.length));
}

/** Whether all addresses of `b` lie in `a`. */
export function covers(a: TunnelPrefix, b: TunnelPrefix): boolean {
  return a.address.length === b.address.length && a.length <= b.length && isSame(a, b, a.length);
}

function isSame(a: TunnelPrefix, b: TunnelPrefix, bits: number): boolean {
  for (let i = 0; 8 * i < bits; i++) {
    const mask = 0xff00 >> Math.min(8, bits - 8 * i);
    if (((a.address[i]! ^ b.address[i]!) & mask & 0xff) !== 0) return false;
  }
  return true;
}

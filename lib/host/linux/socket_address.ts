/**
 * Addresses as the system's socket calls take them.
 *
 * ```
 *  0        2      4           8                        24       28
 * +--------+------+-----------+- - - - - - - - - - - - +--------+
 * | family | port | address   |                          sockaddr_in: 16 bytes
 * +--------+------+-----------+- - - - - - - - - - - - +--------+
 * | family | port | flow      | address                | scope  |  sockaddr_in6
 * +--------+------+-----------+- - - - - - - - - - - - +--------+
 * ```
 * The family and the scope are in this machine's byte order. Sources: ip(7), ipv6(7).
 *
 * @module
 */

import { isIpv4, parseAddress } from "../../core/net/ip_address.ts";
import { copyBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { codedError } from "../error.ts";

/** IPv4. */
export const AF_INET = 2;
/** IPv6. */
export const AF_INET6 = 10;
/** Bytes of an address of IPv4. */
export const SOCKADDR_IN_SIZE = 16;
/** Bytes of an address of IPv6. */
export const SOCKADDR_IN6_SIZE = 28;

const ADDRESS_SIZE = 16;
const IPV4_AT = 12;
const PORT = 2;
const ADDRESS = 4;
const ADDRESS6 = 8;
const SCOPE = 24;

/**
 * The struct sockaddr of an IP address, perhaps with a scope, and a port.
 *
 * @param indexOf The number of an interface, 0 where there is none. Without it a scope is a number.
 * @throws `EINVAL` where `text` is no address, `ENODEV` where the scope is no interface.
 */
export function socketAddress(
  text: string,
  port: number,
  indexOf?: (name: string) => number,
): Uint8Array<ArrayBuffer> {
  const parsed = new WireBuffer(ADDRESS_SIZE);
  if (!parseAddress(text, parsed, 0)) throw codedError("EINVAL");
  const ipv4 = isIpv4(parsed, 0);
  const bytes = new Uint8Array(ipv4 ? SOCKADDR_IN_SIZE : SOCKADDR_IN6_SIZE);
  const address = new WireBuffer(bytes);
  bytes.set(new Uint8Array(Uint16Array.of(ipv4 ? AF_INET : AF_INET6).buffer));
  address.view.setUint16(PORT, port);
  if (ipv4) copyBytes(parsed, IPV4_AT, address, ADDRESS, 4);
  else {
    copyBytes(parsed, 0, address, ADDRESS6, ADDRESS_SIZE);
    bytes.set(new Uint8Array(Uint32Array.of(scopeOf(text, indexOf)).buffer), SCOPE);
  }
  return bytes;
}

/** The number of the interface that an address names as its scope, 0 where it names none. */
export function scopeOf(text: string, indexOf?: (name: string) => number): number {
  const at = text.indexOf("%");
  if (at < 0) return 0;
  const scope = text.slice(at + 1);
  const index = /^\d{1,9}$/.test(scope) ? Number(scope) : indexOf?.(scope) ?? 0;
  if (index === 0) throw codedError("ENODEV");
  return index;
}

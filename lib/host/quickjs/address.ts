/**
 * Addresses of sockets, between text and what C takes: 16 bytes, a scope and a port.
 *
 * @module
 */

import type { HostPort } from "../../core/net/host_port.ts";
import { ADDRESS_SIZE, formatAddress, isIpv4, parseAddress } from "../../core/net/ip_address.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { codedError } from "../error.ts";
import { checked, END_SIZE, native } from "./native.ts";

const MAX_PORT = 0xffff;

/** An address and a port, as C takes them. */
export type NativeAddress = [address: Uint8Array, scope: number, port: number];

/**
 * Reads an address. Throws an error with a POSIX `code`: `EINVAL` where it is none, or its port is
 * none; `ENODEV` where its scope is no interface.
 */
export function nativeAddress({ host, port }: HostPort): NativeAddress {
  const binary = new WireBuffer(ADDRESS_SIZE);
  const isPort = Number.isInteger(port) && port >= 0 && port <= MAX_PORT;
  if (!isPort || !parseAddress(host, binary, 0)) throw codedError("EINVAL");
  const scope = host.indexOf("%");
  return [binary.bytes, scope < 0 ? 0 : scopeOf(host.slice(scope + 1)), port];
}

function scopeOf(name: string): number {
  return /^\d+$/.test(name) ? Number(name) : checked(native.interfaceIndex(name));
}

/** Whether it is an IPv4 address. */
export function isNativeIpv4([address]: NativeAddress): boolean {
  return isIpv4(new WireBuffer(address), 0);
}

/** The own port of a socket. */
export function ownPort(fd: number): number {
  const end = new WireBuffer(END_SIZE);
  checked(native.ends(fd, end.bytes));
  return end.view.getUint16(ADDRESS_SIZE);
}

/** Both ends of a connection, or undefined where the system knows them no more. */
export function endsOf(fd: number): { local: HostPort; remote: HostPort } | undefined {
  const ends = new WireBuffer(2 * END_SIZE);
  if (native.ends(fd, ends.bytes) < 0) return undefined;
  return { local: endAt(ends, 0), remote: endAt(ends, END_SIZE) };
}

function endAt(ends: WireBuffer, at: number): HostPort {
  return { host: formatAddress(ends, at), port: ends.view.getUint16(at + ADDRESS_SIZE) };
}

/** The IP addresses of this host. */
export function localAddresses(): string[] {
  for (let room = 64;; room *= 2) {
    const addresses = new WireBuffer(room * ADDRESS_SIZE);
    const count = checked(native.localAddresses(addresses.bytes));
    if (count === room) continue;
    return Array.from({ length: count }, (_, i) => formatAddress(addresses, i * ADDRESS_SIZE));
  }
}

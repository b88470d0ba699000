/**
 * What all raw UDP sockets have in common. They speak from a port that another socket owns:
 * WireGuard's. They need CAP_NET_RAW. Sources: raw(7), udp(7), ipv6(7); RFC 768 for the header.
 *
 * ```
 *  0          2          4        6          8
 * +----------+----------+--------+----------+- - -
 * | from     | to       | length | checksum | payload     IPv4: 0 is no checksum
 * +----------+----------+--------+----------+- - -        IPv6: the kernel writes it
 * ```
 *
 * @module
 */

import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { codedError } from "../error.ts";
import { errnoName } from "./errno.ts";
import type { Libc } from "./libc.ts";
import { AF_INET, AF_INET6 } from "./socket_address.ts";
import { attachFilter, type Heard } from "./socket_filter.ts";
import { int, setMark } from "./socket_options.ts";

/** A socket of datagrams, for {@linkcode openPrepared}. */
export const SOCK_DGRAM = 2;
/** A raw one. */
export const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const IPPROTO_UDP = 17;
const IPPROTO_IPV6 = 41;
const IPV6_CHECKSUM = 7;
/** Neither sending nor receiving waits. */
export const MSG_DONTWAIT = 0x40;
const TO = 2;
const LENGTH = 4;
const CHECKSUM = 6;
/** Bytes of a UDP header. */
export const UDP_HEADER_SIZE = 8;
const MAX_IPV4_HEADER_SIZE = 60;
/** The most bytes of headers that a raw socket receives before a payload. */
export const MAX_HEADERS_SIZE: number = MAX_IPV4_HEADER_SIZE + UDP_HEADER_SIZE;
/** Milliseconds between two looks at what has come: no runtime waits for sockets that it didn't make. */
export const POLL_MS = 5;

/**
 * Opens a socket, and sees that nothing of one is left open where it can't be prepared.
 *
 * @param prepare Hands what each call to libc returns to `check`, which throws where it failed.
 * @throws Errors with a POSIX `code`.
 */
export function openPrepared(
  libc: Libc,
  ipv4: boolean,
  type: number,
  prepare: (fd: number, check: (result: number) => void) => void,
): number {
  const fd = libc.socket(ipv4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, IPPROTO_UDP);
  if (fd < 0) throw codedError(errnoName(libc.errno()));
  prepare(fd, (result) => {
    if (result >= 0) return;
    const code = errnoName(libc.errno());
    libc.close(fd);
    throw codedError(code);
  });
  return fd;
}

/** Makes a raw socket hear what it should, and the kernel write what we don't. */
export function prepareRaw(
  libc: Libc,
  fd: number,
  heard: Heard,
  check: (result: number) => void,
): void {
  check(attachFilter(libc, fd, heard));
  if (!heard.ipv4) check(libc.setsockopt(fd, IPPROTO_IPV6, IPV6_CHECKSUM, int(CHECKSUM), 4));
}

/** Set to the mark of WireGuard's own datagrams, ours take the way that theirs take. 0 is none. */
export function markAs(
  libc: Libc,
  fd: number,
  mark: number,
  check: (result: number) => void,
): void {
  if (mark !== 0) check(setMark(libc, fd, mark));
}

/** Throws away what came before the filter was in force: it may be from anybody. */
export function drain(libc: Libc, fd: number, room: WireBuffer): void {
  while (libc.recv(fd, room.bytes, room.size, MSG_DONTWAIT) >= 0);
}

/** Writes the header of a datagram whose payload has `length` bytes. */
export function writeUdpHeader(packet: WireBuffer, from: number, to: number, length: number): void {
  packet.view.setUint16(0, from);
  packet.view.setUint16(TO, to);
  packet.view.setUint16(LENGTH, UDP_HEADER_SIZE + length);
  packet.view.setUint16(CHECKSUM, 0);
}

/** Where the UDP header of what a raw socket received begins. */
export function udpHeaderAt(received: WireBuffer, ipv4: boolean): number {
  return ipv4 ? (received.bytes[0]! & 15) * 4 : 0;
}

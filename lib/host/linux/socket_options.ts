/**
 * Options of sockets that a runtime opened. Sources: socket(7), getsockopt(2).
 *
 * @module
 */

import type { BatchLibc, Libc } from "./libc.ts";

/** The level of options that all sockets have. */
export const SOL_SOCKET = 1;
/** Lets another socket have the port as well, where both say so. */
export const SO_REUSEADDR = 2;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SO_MARK = 36;

/** Room for an answer of some 10 000 datagrams until the network card has taken them. */
const SEND_BUFFER_SIZE = 4 << 20;
/** Room for some 1000 datagrams that come while something else has its turn. */
const RECEIVE_BUFFER_SIZE = 1 << 20;

/** An int of C, in this machine's byte order. */
export function int(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}

/** The value of an option that is an int, or undefined where the system doesn't know it. */
export function readOption(
  libc: BatchLibc,
  fd: number,
  level: number,
  name: number,
): number | undefined {
  const value = new Int32Array(1);
  const size = Int32Array.of(value.byteLength);
  const read = libc.getsockopt(
    fd,
    level,
    name,
    new Uint8Array(value.buffer),
    new Uint8Array(size.buffer),
  );
  return read < 0 ? undefined : value[0];
}

/** Marks what a socket sends, for policy routing. @returns Less than 0 where it could not. */
export function setMark(libc: Pick<Libc, "setsockopt">, fd: number, mark: number): number {
  const value = int(mark);
  return libc.setsockopt(fd, SOL_SOCKET, SO_MARK, value, value.length);
}

/**
 * Gives a socket larger buffers: 4 MB to send from, 1 MB to receive into. Without CAP_NET_ADMIN they
 * are at most what net.core.wmem_max and net.core.rmem_max say; one that is larger already is left.
 */
export function growBuffers(libc: BatchLibc, fd: number): void {
  grow(libc, fd, SO_SNDBUF, SO_SNDBUFFORCE, SEND_BUFFER_SIZE);
  grow(libc, fd, SO_RCVBUF, SO_RCVBUFFORCE, RECEIVE_BUFFER_SIZE);
}

/**
 * Lets sockets of other addresses have the port of this one while they are bound, or no more. Both must
 * let the other, and what is said after that changes nothing between them: so that no other process
 * comes in, it is taken back at once.
 */
export function setPortSharing(libc: Pick<BatchLibc, "setsockopt">, fd: number, on: boolean): void {
  const value = int(on ? 1 : 0);
  libc.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, value, value.length);
}

function grow(libc: BatchLibc, fd: number, name: number, force: number, size: number): void {
  // The kernel makes it twice as large as it is told, for what it adds to a datagram.
  if ((readOption(libc, fd, SOL_SOCKET, name) ?? Infinity) >= 2 * size) return;
  const value = int(size);
  if (libc.setsockopt(fd, SOL_SOCKET, force, value, value.length) >= 0) return;
  libc.setsockopt(fd, SOL_SOCKET, name, value, value.length);
}

/**
 * The calls of libc that sockets need which no runtime offers, as each runtime's FFI provides them.
 * All return a number below 0 where they fail, and {@linkcode Libc.errno} then says why.
 *
 * @module
 */

/** Names under which systems have their libc: glibc's, musl's on each processor, any. */
export const LIBRARIES: readonly string[] = [
  "libc.so.6",
  "libc.musl-x86_64.so.1",
  "libc.musl-aarch64.so.1",
  "libc.so",
];

/** libc. See socket(2), setsockopt(2), bind(2), connect(2), send(2), recv(2), close(2). */
export interface Libc {
  /** Makes a socket, and returns its file descriptor. */
  socket(domain: number, type: number, protocol: number): number;
  /** Sets an option of a socket. */
  setsockopt(fd: number, level: number, name: number, value: Uint8Array, size: number): number;
  /** Gives a socket its own address. */
  bind(fd: number, address: Uint8Array, size: number): number;
  /** Sets where a socket sends to, and receives from. */
  connect(fd: number, address: Uint8Array, size: number): number;
  /** Sends `size` bytes. */
  send(fd: number, bytes: Uint8Array, size: number, flags: number): number;
  /** Receives up to `size` bytes, and returns how many came. */
  recv(fd: number, bytes: Uint8Array, size: number, flags: number): number;
  /** Closes a file descriptor. */
  close(fd: number): number;
  /** What went wrong with the call before. */
  errno(): number;
  /** The address of bytes, for a structure that points to them; they must be kept meanwhile. */
  addressOf(bytes: Uint8Array): bigint;
}

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

/** The numbers of system calls, by processor (as `process.arch` has it). */
export interface SystemCalls {
  readonly sendmmsg: number;
  readonly recvmmsg: number;
}
/**
 * sendmmsg(2) and recvmmsg(2) are called by their numbers because musl's functions make a call per
 * message, or change the messages.
 */
export const SYSTEM_CALLS: Readonly<Record<string, SystemCalls>> = {
  x64: { sendmmsg: 307, recvmmsg: 299 },
  arm64: { sendmmsg: 269, recvmmsg: 243 },
};
/** System calls that no system has: they are `ENOSYS`. */
export const NO_CALLS: SystemCalls = { sendmmsg: 0xffff, recvmmsg: 0xffff };

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
  /** Sends `size` bytes to an address. */
  sendto(
    fd: number,
    bytes: Uint8Array,
    size: number,
    flags: number,
    address: Uint8Array,
    addressSize: number,
  ): number;
  /**
   * Receives up to `size` bytes, and where they come from. `addressSize` is an int: the room in
   * `address`, then what was written.
   */
  recvfrom(
    fd: number,
    bytes: Uint8Array,
    size: number,
    flags: number,
    address: Uint8Array,
    addressSize: Uint8Array,
  ): number;
  /** Closes a file descriptor. */
  close(fd: number): number;
  /** The number of an interface, or 0. */
  interfaceIndex(name: string): number;
  /** What went wrong with the call before. */
  errno(): number;
  /**
   * The address of bytes, for a structure that points to them; they must be kept meanwhile. It holds
   * from then on: small arrays, which engines keep elsewhere at first, are moved before.
   */
  addressOf(bytes: Uint8Array): bigint;
}

/** What locks on files need. See flock(2). */
export interface LockLibc extends Pick<Libc, "errno"> {
  /** Takes a lock on a file, or gives it back. */
  flock(fd: number, operation: number): number;
}

/** What a process says of itself. See prctl(2). */
export interface ProcessLibc {
  /** Sets what the kernel does with this process. */
  prctl(option: number, value: number): number;
}

/** What sockets need that send and receive many datagrams at once. See sendmmsg(2), recvmmsg(2). */
export interface BatchLibc extends Libc {
  /** Reads an option of a socket. `size` is an int: the room in `value`, then what was written. */
  getsockopt(fd: number, level: number, name: number, value: Uint8Array, size: Uint8Array): number;
  /**
   * Sends the first `count` of the messages (struct mmsghdr) at `messages`, and returns how many the
   * system took. Why not all, only the next call says. `ENOSYS` on other processors than x64 and
   * arm64.
   */
  sendmmsg(fd: number, messages: Uint8Array, count: number, flags: number): number;
  /**
   * Receives up to `count` messages into what `messages` point to, and returns how many. `ENOSYS` as
   * above.
   */
  recvmmsg(fd: number, messages: Uint8Array, count: number, flags: number): number;
}

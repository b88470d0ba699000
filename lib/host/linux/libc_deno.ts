/**
 * libc through Deno's FFI. It needs `--allow-ffi`.
 *
 * @module
 */

import process from "node:process";
import { type BatchLibc, LIBRARIES, NO_CALLS, type ProcessLibc, SYSTEM_CALLS } from "./libc.ts";

const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "i32"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  sendto: {
    parameters: ["i32", "buffer", "usize", "i32", "buffer", "i32"],
    result: "isize",
  },
  recvfrom: {
    parameters: ["i32", "buffer", "usize", "i32", "buffer", "buffer"],
    result: "isize",
  },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  // On a thread of its own.
  poll: { parameters: ["buffer", "usize", "i32"], result: "i32", nonblocking: true },
  syscall: {
    parameters: ["usize", "i32", "buffer", "usize", "i32", "pointer"],
    result: "isize",
  },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
  prctl: { parameters: ["i32", "usize", "usize", "usize", "usize"], result: "i32" },
  if_nametoindex: { parameters: ["buffer"], result: "u32" },
  __errno_location: { parameters: [], result: "pointer" },
} as const;

/** struct pollfd: a descriptor and what to wait for; see poll(2). */
const POLLFD_SIZE = 8;
const POLLIN = 1;
const SHUT_RD = 0;

/** What Deno needs for sockets of its own. */
export interface DenoLibc extends BatchLibc, ProcessLibc {
  /** The own address of a socket. `size` is an int: the room in `address`, then what was written. */
  getsockname(fd: number, address: Uint8Array, size: Uint8Array): number;
  /** Waits until a socket has something to receive, or was ended with {@linkcode wake}. */
  readable(fd: number): Promise<void>;
  /** Ends a socket's receiving, so that who waits for it waits no more. */
  wake(fd: number): void;
}

let opened: DenoLibc | undefined;

/** libc; throws where there is none under a name that is known. */
export function denoLibc(): DenoLibc {
  return opened ??= open();
}

function load() {
  let problem: unknown;
  for (const name of LIBRARIES) {
    try {
      return Deno.dlopen(name, SYMBOLS).symbols;
    } catch (error) {
      problem = error;
    }
  }
  throw problem;
}

function open(): DenoLibc {
  const libc = load();
  const calls = SYSTEM_CALLS[process.arch] ?? NO_CALLS;
  const sendmmsg = BigInt(calls.sendmmsg);
  const recvmmsg = BigInt(calls.recvmmsg);
  const owned = (bytes: Uint8Array) => bytes as Uint8Array<ArrayBuffer>;
  return {
    socket: (domain, type, protocol) => libc.socket(domain, type, protocol),
    setsockopt: (fd, level, name, value, size) =>
      libc.setsockopt(fd, level, name, owned(value), size),
    getsockopt: (fd, level, name, value, size) =>
      libc.getsockopt(fd, level, name, owned(value), owned(size)),
    bind: (fd, address, size) => libc.bind(fd, owned(address), size),
    connect: (fd, address, size) => libc.connect(fd, owned(address), size),
    send: (fd, bytes, size, flags) => Number(libc.send(fd, owned(bytes), BigInt(size), flags)),
    sendmmsg: (fd, messages, count, flags) =>
      Number(libc.syscall(sendmmsg, fd, owned(messages), BigInt(count), flags, null)),
    recvmmsg: (fd, messages, count, flags) =>
      Number(libc.syscall(recvmmsg, fd, owned(messages), BigInt(count), flags, null)),
    getsockname: (fd, address, size) => libc.getsockname(fd, owned(address), owned(size)),
    async readable(fd) {
      const pollfd = new Uint8Array(POLLFD_SIZE);
      pollfd.set(new Uint8Array(Int32Array.of(fd, POLLIN).buffer));
      await libc.poll(pollfd, 1n, -1);
    },
    wake: (fd) => void libc.shutdown(fd, SHUT_RD),
    interfaceIndex: (name) => libc.if_nametoindex(new TextEncoder().encode(`${name}\0`)),
    recv: (fd, bytes, size, flags) => Number(libc.recv(fd, owned(bytes), BigInt(size), flags)),
    sendto: (fd, bytes, size, flags, address, addressSize) =>
      Number(
        libc.sendto(fd, owned(bytes), BigInt(size), flags, owned(address), addressSize),
      ),
    recvfrom: (fd, bytes, size, flags, address, addressSize) =>
      Number(
        libc.recvfrom(fd, owned(bytes), BigInt(size), flags, owned(address), owned(addressSize)),
      ),
    close: (fd) => libc.close(fd),
    prctl: (option, value) => libc.prctl(option, BigInt(value), 0n, 0n, 0n),
    errno() {
      const location = libc.__errno_location();
      return location === null ? 0 : new Deno.UnsafePointerView(location).getInt32();
    },
    addressOf(bytes) {
      // V8 moves an array of up to 64 bytes when its buffer is first asked for.
      void bytes.buffer;
      return Deno.UnsafePointer.value(Deno.UnsafePointer.of(owned(bytes)));
    },
  };
}

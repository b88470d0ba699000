/**
 * TCP sockets through Deno's FFI, for what Deno has no other way: to listen on IPv6 alone, on or to
 * a link-local address, and to connect from a given port. It needs `--allow-ffi`.
 *
 * Sources: socket(7), tcp(7), ipv6(7), connect(2), if_nametoindex(3).
 *
 * @module
 */

import type { TcpConnectOptions } from "../tcp.ts";
import { codedError } from "../error.ts";
import { BACKLOG, type SocketMaker } from "../node/tcp.ts";
import { errnoName } from "../linux/errno.ts";
import { LIBRARIES } from "../linux/libc.ts";
import { AF_INET, AF_INET6, SOCKADDR_IN_SIZE, socketAddress } from "../linux/socket_address.ts";

const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  if_nametoindex: { parameters: ["buffer"], result: "u32" },
  __errno_location: { parameters: [], result: "pointer" },
} as const;

type Libc = Deno.DynamicLibrary<typeof SYMBOLS>;

const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const POLL_MS = 5;

/** TCP sockets of Linux, for Deno. The library is loaded for as long as it is needed (`ENOSYS`). */
export const linuxSockets: SocketMaker = {
  listening(address, port) {
    const libc = load();
    try {
      const at = socketAddress(address, port, indexOf(libc));
      const fd = open(libc, at);
      check(libc, fd, libc.symbols.bind(fd, at, at.length));
      check(libc, fd, libc.symbols.listen(fd, BACKLOG));
      return fd;
    } finally {
      libc.close();
    }
  },

  async connected(options) {
    const libc = load();
    try {
      return await connect(libc, options);
    } finally {
      libc.close();
    }
  },

  close(fd) {
    const libc = load();
    libc.symbols.close(fd);
    libc.close();
  },
};

async function connect(libc: Libc, { to, from, timeout }: TcpConnectOptions): Promise<number> {
  const there = socketAddress(to.host, to.port, indexOf(libc));
  const here = from === undefined ? undefined : socketAddress(from.host, from.port, indexOf(libc));
  const fd = open(libc, there);
  if (here !== undefined) check(libc, fd, libc.symbols.bind(fd, here, here.length));
  const until = performance.now() + timeout * 1000;
  // Called again, connect(2) says how far it has come.
  for (;;) {
    if (libc.symbols.connect(fd, there, there.length) === 0) return fd;
    const code = lastError(libc);
    if (code === "EISCONN") return fd;
    const under = code === "EINPROGRESS" || code === "EALREADY" || code === "EINTR";
    if (under && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      continue;
    }
    libc.symbols.close(fd);
    throw codedError(under ? "ETIMEDOUT" : code);
  }
}

function load(): Libc {
  let problem: unknown;
  for (const name of LIBRARIES) {
    try {
      return Deno.dlopen(name, SYMBOLS);
    } catch (error) {
      problem = error;
    }
  }
  throw codedError("ENOSYS", String(problem));
}

/** A socket of the family of an address. A port is free although its last connection waits. */
function open(libc: Libc, address: Uint8Array): number {
  const ipv4 = address.length === SOCKADDR_IN_SIZE;
  const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = libc.symbols.socket(ipv4 ? AF_INET : AF_INET6, type, 0);
  check(libc, fd, fd);
  const set = (level: number, name: number) =>
    check(libc, fd, libc.symbols.setsockopt(fd, level, name, ints(1), 4));
  set(SOL_SOCKET, SO_REUSEADDR);
  if (!ipv4) set(IPPROTO_IPV6, IPV6_V6ONLY);
  return fd;
}

function check(libc: Libc, fd: number, result: number): void {
  if (result >= 0) return;
  const code = lastError(libc);
  if (fd >= 0) libc.symbols.close(fd);
  throw codedError(code);
}

function lastError(libc: Libc): string {
  const location = libc.symbols.__errno_location();
  const errno = location === null ? 0 : new Deno.UnsafePointerView(location).getInt32();
  return errnoName(errno);
}

function indexOf(libc: Libc): (name: string) => number {
  return (name) => libc.symbols.if_nametoindex(new TextEncoder().encode(`${name}\0`));
}

/** An int of C. */
function ints(value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Int32Array.of(value).buffer);
}

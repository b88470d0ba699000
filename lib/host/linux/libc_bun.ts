/**
 * libc through Bun's FFI.
 *
 * @module
 */

import { dlopen, ptr, read } from "bun:ffi";
import { type Libc, LIBRARIES } from "./libc.ts";

const SYMBOLS = {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "i32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "i32"], returns: "i32" },
  connect: { args: ["i32", "ptr", "i32"], returns: "i32" },
  send: { args: ["i32", "ptr", "u64", "i32"], returns: "i64_fast" },
  recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i64_fast" },
  close: { args: ["i32"], returns: "i32" },
  __errno_location: { args: [], returns: "ptr" },
} as const;

let opened: Libc | undefined;

/** libc; throws where there is none under a name that is known. */
export function bunLibc(): Libc {
  return opened ??= open();
}

function load() {
  let problem: unknown;
  for (const name of LIBRARIES) {
    try {
      return dlopen(name, SYMBOLS).symbols;
    } catch (error) {
      problem = error;
    }
  }
  throw problem;
}

function open(): Libc {
  const libc = load();
  return {
    socket: (domain, type, protocol) => Number(libc.socket(domain, type, protocol)),
    setsockopt: (fd, level, name, value, size) =>
      Number(libc.setsockopt(fd, level, name, ptr(value), size)),
    bind: (fd, address, size) => Number(libc.bind(fd, ptr(address), size)),
    connect: (fd, address, size) => Number(libc.connect(fd, ptr(address), size)),
    send: (fd, bytes, size, flags) => Number(libc.send(fd, ptr(bytes), size, flags)),
    recv: (fd, bytes, size, flags) => Number(libc.recv(fd, ptr(bytes), size, flags)),
    close: (fd) => Number(libc.close(fd)),
    errno: () => read.i32(Number(libc.__errno_location()), 0),
    addressOf: (bytes) => BigInt(ptr(bytes)),
  };
}

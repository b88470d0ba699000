/**
 * libc through Deno's FFI. It needs `--allow-ffi`.
 *
 * @module
 */

import { type Libc, LIBRARIES } from "./libc.ts";

const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
  __errno_location: { parameters: [], result: "pointer" },
} as const;

let opened: Libc | undefined;

/** libc; throws where there is none under a name that is known. */
export function denoLibc(): Libc {
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

function open(): Libc {
  const libc = load();
  const owned = (bytes: Uint8Array) => bytes as Uint8Array<ArrayBuffer>;
  return {
    socket: (domain, type, protocol) => libc.socket(domain, type, protocol),
    setsockopt: (fd, level, name, value, size) =>
      libc.setsockopt(fd, level, name, owned(value), size),
    bind: (fd, address, size) => libc.bind(fd, owned(address), size),
    connect: (fd, address, size) => libc.connect(fd, owned(address), size),
    send: (fd, bytes, size, flags) => Number(libc.send(fd, owned(bytes), BigInt(size), flags)),
    recv: (fd, bytes, size, flags) => Number(libc.recv(fd, owned(bytes), BigInt(size), flags)),
    close: (fd) => libc.close(fd),
    errno() {
      const location = libc.__errno_location();
      return location === null ? 0 : new Deno.UnsafePointerView(location).getInt32();
    },
    addressOf(bytes) {
      return Deno.UnsafePointer.value(Deno.UnsafePointer.of(owned(bytes)));
    },
  };
}

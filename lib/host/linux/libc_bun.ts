/**
 * libc through Bun's FFI.
 *
 * @module
 */

import process from "node:process";
import { dlopen, ptr, read } from "bun:ffi";
import {
  type BatchLibc,
  LIBRARIES,
  type LockLibc,
  NO_CALLS,
  type ProcessLibc,
  SYSTEM_CALLS,
} from "./libc.ts";

/** What Bun's host needs. */
export type BunLibc = BatchLibc & LockLibc & ProcessLibc;

const SYMBOLS = {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "i32"], returns: "i32" },
  getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
  bind: { args: ["i32", "ptr", "i32"], returns: "i32" },
  connect: { args: ["i32", "ptr", "i32"], returns: "i32" },
  send: { args: ["i32", "ptr", "u64", "i32"], returns: "i64_fast" },
  syscall: { args: ["u64", "i32", "ptr", "u64", "i32", "ptr"], returns: "i64_fast" },
  recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i64_fast" },
  sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "i32"], returns: "i64_fast" },
  recvfrom: { args: ["i32", "ptr", "u64", "i32", "ptr", "ptr"], returns: "i64_fast" },
  flock: { args: ["i32", "i32"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
  if_nametoindex: { args: ["ptr"], returns: "u32" },
  __errno_location: { args: [], returns: "ptr" },
} as const;

let opened: BunLibc | undefined;

/** libc; throws where there is none under a name that is known. */
export function bunLibc(): BunLibc {
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

function open(): BunLibc {
  const libc = load();
  const { sendmmsg, recvmmsg } = SYSTEM_CALLS[process.arch] ?? NO_CALLS;
  return {
    socket: (domain, type, protocol) => Number(libc.socket(domain, type, protocol)),
    setsockopt: (fd, level, name, value, size) =>
      Number(libc.setsockopt(fd, level, name, ptr(value), size)),
    getsockopt: (fd, level, name, value, size) =>
      Number(libc.getsockopt(fd, level, name, ptr(value), ptr(size))),
    bind: (fd, address, size) => Number(libc.bind(fd, ptr(address), size)),
    connect: (fd, address, size) => Number(libc.connect(fd, ptr(address), size)),
    send: (fd, bytes, size, flags) => Number(libc.send(fd, ptr(bytes), size, flags)),
    sendmmsg: (fd, messages, count, flags) =>
      Number(libc.syscall(sendmmsg, fd, ptr(messages), count, flags, null)),
    recvmmsg: (fd, messages, count, flags) =>
      Number(libc.syscall(recvmmsg, fd, ptr(messages), count, flags, null)),
    recv: (fd, bytes, size, flags) => Number(libc.recv(fd, ptr(bytes), size, flags)),
    sendto: (fd, bytes, size, flags, address, addressSize) =>
      Number(libc.sendto(fd, ptr(bytes), size, flags, ptr(address), addressSize)),
    recvfrom: (fd, bytes, size, flags, address, addressSize) =>
      Number(libc.recvfrom(fd, ptr(bytes), size, flags, ptr(address), ptr(addressSize))),
    flock: (fd, operation) => Number(libc.flock(fd, operation)),
    close: (fd) => Number(libc.close(fd)),
    prctl: (option, value) => Number(libc.prctl(option, value, 0, 0, 0)),
    interfaceIndex: (name) =>
      Number(libc.if_nametoindex(ptr(new TextEncoder().encode(`${name}\0`)))),
    errno: () => read.i32(Number(libc.__errno_location()), 0),
    addressOf(bytes) {
      // JavaScriptCore moves an array of up to 1000 bytes when its buffer is first asked for.
      void bytes.buffer;
      return BigInt(ptr(bytes));
    },
  };
}

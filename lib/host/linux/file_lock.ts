/**
 * Locks on files through libc: no runtime but Deno has them.
 *
 * @module
 */

import { closeSync, constants as fs, openSync } from "node:fs";
import { constants } from "node:os";
import { codedError } from "../error.ts";
import type { LockLibc } from "./libc.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;
const OWNER_ONLY = 0o600;
const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = fs;
const { EAGAIN } = constants.errno;
const NAMES = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** See `FileLocks`. @param open Opens libc, or throws where there is none. */
export function lockFile(open: () => LockLibc, path: string): () => void {
  const fd = openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, OWNER_ONLY);
  const code = lock(open, fd);
  if (code === undefined) return () => closeSync(fd);
  closeSync(fd);
  throw codedError(code);
}

/** Takes the lock, or returns the name of what went wrong. */
function lock(open: () => LockLibc, fd: number): string | undefined {
  let libc: LockLibc;
  try {
    libc = open();
  } catch {
    return "ENOSYS";
  }
  if (libc.flock(fd, LOCK_EX | LOCK_NB) >= 0) return undefined;
  const errno = libc.errno();
  // It has two names.
  return errno === EAGAIN ? "EAGAIN" : NAMES.get(errno) ?? `errno ${errno}`;
}

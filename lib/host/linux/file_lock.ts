/**
 * Locks on files through libc: no runtime but Deno has them.
 *
 * @module
 */

import { closeSync, constants, openSync } from "node:fs";
import { codedError } from "../error.ts";
import { errnoName } from "./errno.ts";
import type { LockLibc } from "./libc.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;
const OWNER_ONLY = 0o600;
const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;

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
  return errnoName(libc.errno());
}

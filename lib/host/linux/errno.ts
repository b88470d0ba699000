/**
 * Names of what went wrong in a call of libc.
 *
 * @module
 */

import { constants } from "node:os";

const NAMES = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** The POSIX name of a number. */
export function errnoName(errno: number): string {
  // It has two names.
  return errno === constants.errno.EAGAIN ? "EAGAIN" : NAMES.get(errno) ?? `errno ${errno}`;
}

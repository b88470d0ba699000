/**
 * What a process says of itself to Linux.
 *
 * Source: prctl(2).
 *
 * @module
 */

import type { ProcessLibc } from "./libc.ts";

const PR_SET_DUMPABLE = 4;

/** See `System.forbidDumps`. @param open Opens libc, or throws where there is none. */
export function forbidDumps(open: () => ProcessLibc): void {
  try {
    open().prctl(PR_SET_DUMPABLE, 0);
  } catch {
    // Another system, or a libc under another name.
  }
}

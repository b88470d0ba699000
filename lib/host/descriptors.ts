/**
 * How many file descriptors connections from outside may take. The rest is for what the program
 * itself needs at any moment: files to save, programs to run, sockets to ask from. And where none
 * is left, runtimes can't even refuse a connection: Bun looks at the listener for ever, at full
 * speed, and Deno's takes no more.
 *
 * Source: getrlimit(2), proc(5).
 *
 * @module
 */

/** Where Linux says what the process may have. */
export const LIMITS_FILE = "/proc/self/limits";
/** What that file has at most, in bytes. */
export const LIMITS_SIZE = 4096;

/** So many descriptors are kept back, or a quarter where the process may have few. */
const MOST_KEPT = 64;

/**
 * How many descriptors the process may have without those that are kept back.
 *
 * @param limits What {@linkcode LIMITS_FILE} says; undefined where there is no such file.
 * @returns Infinity where there is no limit, or it isn't known.
 */
export function descriptorsForConnections(limits: string | undefined): number {
  const [, soft] = /^Max open files +(\d+) /m.exec(limits ?? "") ?? [];
  if (soft === undefined) return Infinity;
  const limit = Number(soft);
  return limit - Math.min(MOST_KEPT, Math.ceil(limit / 4));
}

/**
 * Programs on cores of their own: one for the server, another for the load.
 *
 * @module
 */

import { has } from "../../scripts/tools.ts";

/** The core of the server. */
export const SERVER_CORE = 0;
/** The core of the load. */
export const LOAD_CORE = 1;

/** The command line that runs `argv` on a core, where there is a way to say so. */
export function pinned(core: number, argv: readonly string[]): string[] {
  const cores = navigator.hardwareConcurrency;
  return has("taskset") && cores > 1 ? ["taskset", "-c", String(core), ...argv] : [...argv];
}

/**
 * The command line that runs `argv` only when its core has nothing else to do (SCHED_IDLE), so that
 * a flood doesn't hold up the load that is measured on the same core.
 */
export function yielding(argv: readonly string[]): string[] {
  return has("chrt") ? ["chrt", "--idle", "0", ...argv] : [...argv];
}

/**
 * The command line that runs `argv` before most else that wants the core, where that is allowed: so what
 * is measured is whom it lets wait, not what others do on the machine. (With SCHED_FIFO, threads of a
 * runtime that wait for each other on one core get nowhere.)
 */
export function ahead(argv: readonly string[]): string[] {
  return has("nice") && Deno.uid() === 0 ? ["nice", "-n", "-15", ...argv] : [...argv];
}

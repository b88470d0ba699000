/**
 * Brings an interface up that `join` has made: by wg-quick, or by `ip` and `wg` where there is none.
 *
 * @module
 */

import { type JoinedInterface, linkCommands } from "../../core/roster/client/joined_files.ts";
import { explain } from "../../host/error.ts";
import type { Files } from "../../host/files.ts";
import type { Processes } from "../../host/processes.ts";

const NAME_OF_LOG = ".wgsig-join.log";
const MAX_LOG = 65_536;
/** So long a program may take that brings the interface up, in seconds. */
const UP_TIMEOUT = 60;

/**
 * Brings it up.
 *
 * @param isQuick Whether there is wg-quick.
 * @param folder For a file that what those programs say goes to, and that is removed again.
 * @returns Why it isn't up, in words.
 */
export async function bringUp(
  host: Files & Processes,
  made: JoinedInterface,
  isQuick: boolean,
  folder: string,
): Promise<string | undefined> {
  const { name } = made;
  const commands = isQuick ? [["wg-quick", "up", name]] : linkCommands(made);
  const log = `${folder}/${NAME_OF_LOG}`;
  for (const [i, argv] of commands.entries()) {
    const why = await failureOf(host, argv, log);
    if (why === undefined) continue;
    if (!isQuick && i > 0) await failureOf(host, ["ip", "link", "del", "dev", name], log);
    return `${argv.join(" ")}: ${why}`;
  }
  return undefined;
}

/**
 * What it says goes to a file: a userspace WireGuard that wg-quick starts would hold a pipe for as long
 * as it runs.
 */
async function failureOf(
  host: Files & Processes,
  argv: readonly string[],
  log: string,
): Promise<string | undefined> {
  try {
    // It is made anew: nothing is written through a link that somebody has put there.
    await host.removeFile(log).catch(() => {});
    const script = 'umask 077; set -C; exec "$@" > "$0" 2>&1 < /dev/null';
    const shell = ["sh", "-c", script, log, ...argv];
    const { code } = await host.run(shell, { timeout: UP_TIMEOUT });
    if (code === 0) return undefined;
    const { bytes } = await host.readFile(log, MAX_LOG, { beginning: true });
    const last = new TextDecoder().decode(bytes).trim().split("\n").at(-1);
    return last || `exit status ${code}`;
  } catch (error) {
    return explain(error);
  } finally {
    // One that can't be removed is no worse than what is told anyway.
    await host.removeFile(log).catch(() => {});
  }
}

/**
 * Whether systemd's journal reads what is written.
 *
 * Source: systemd.exec(5), `$JOURNAL_STREAM`; sd-daemon(3) for the priorities of lines.
 *
 * @module
 */

import type { LogLevel } from "../../core/net/log_line.ts";
import type { System } from "../../host/host.ts";
import type { TextOutput } from "../../host/output.ts";

const PRIORITIES: Readonly<Record<LogLevel, string>> = {
  error: "<3>",
  warn: "<4>",
  info: "<6>",
  debug: "<7>",
};

/** Whether the journal is at the other end: not a file or a pipe that was put in its place. */
export function isJournal(host: Pick<System, "env">, output: TextOutput): boolean {
  const stream = host.env("JOURNAL_STREAM");
  return stream !== undefined && stream === output.file;
}

/** What the journal takes from the beginning of a line to know its level. */
export function priorityOf(level: LogLevel): string {
  return PRIORITIES[level];
}

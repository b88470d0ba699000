/**
 * Log lines: a time, a level, an event, and `key=value` fields; or the same as JSON.
 *
 * @module
 */

import type { LogFields, LogLevel } from "../../core/net/log_line.ts";
import { type Clock, isoTime } from "../../host/clock.ts";
import type { Outputs } from "../../host/output.ts";
import { priorityOf } from "./journal.ts";

/** Which lines are written: from warnings up, from information up, all. */
export type Verbosity = "quiet" | "normal" | "verbose";

const SHOWN: Readonly<Record<Verbosity, readonly LogLevel[]>> = {
  quiet: ["error", "warn"],
  normal: ["error", "warn", "info"],
  verbose: ["error", "warn", "info", "debug"],
};
const NEEDS_QUOTES = /[\s"\p{Cc}]/u;

/** How log lines are written. */
export interface LogOptions {
  readonly format: "text" | "json";
  readonly verbosity: Verbosity;
  /** Whether systemd's journal reads them: it has levels and times of its own. */
  readonly isJournal?: boolean | undefined;
}

/** Writes log lines to standard output, as supervisors expect of a program in the foreground. */
export class Log {
  readonly #host: Outputs & Clock;
  #options: LogOptions;
  #lost = 0;

  constructor(host: Outputs & Clock, options: LogOptions) {
    this.#host = host;
    this.#options = options;
  }

  /** Replaces the settings. */
  configure(options: LogOptions): void {
    this.#options = options;
  }

  /** Whether lines of `level` are written. */
  shows(level: LogLevel): boolean {
    return SHOWN[this.#options.verbosity].includes(level);
  }

  /** Writes a line, if lines of its level are written. */
  write(level: LogLevel, event: string, fields: LogFields = {}): void {
    if (this.shows(level)) this.always(level, event, fields);
  }

  /** Writes a line whatever the verbosity is: the answer to something that was asked for. */
  always(level: LogLevel, event: string, fields: LogFields = {}): void {
    const line = this.#line(level, event, fields);
    // A reader that stops reading must not stop the service.
    if (
      this.#lost > 0 && this.#host.out.post(this.#line("warn", "log-lost", { lines: this.#lost }))
    ) {
      this.#lost = 0;
    }
    if (!this.#host.out.post(line)) this.#lost++;
  }

  #line(level: LogLevel, event: string, fields: LogFields): string {
    const { format, isJournal = false } = this.#options;
    const time = isoTime(this.#host.now().unix);
    const priority = isJournal ? priorityOf(level) : "";
    if (format === "json") {
      return `${priority}${JSON.stringify({ time, level, event, ...fields })}\n`;
    }
    const head = isJournal ? priority : `${time} `;
    return `${head}${level} ${event}${Object.entries(fields).map(field).join("")}\n`;
  }
}

function field([key, value]: [string, string | number | boolean]): string {
  const text = String(value);
  return ` ${key}=${NEEDS_QUOTES.test(text) ? JSON.stringify(text) : text}`;
}

/** Lets `burst` lines through in each stretch of `seconds`, and counts the rest. */
export class LineLimit {
  readonly #burst: number;
  readonly #seconds: number;
  #startedAt = -Infinity;
  #written = 0;
  #suppressed = 0;

  constructor(burst: number, seconds: number) {
    this.#burst = burst;
    this.#seconds = seconds;
  }

  /**
   * Whether a line may be written now.
   *
   * @param mono A monotonic clock, in seconds.
   * @returns How many were suppressed since the last that was written, or undefined if this one is.
   */
  take(mono: number): number | undefined {
    if (mono - this.#startedAt >= this.#seconds) {
      this.#startedAt = mono;
      this.#written = 0;
    }
    if (this.#written >= this.#burst) {
      this.#suppressed++;
      return undefined;
    }
    this.#written++;
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    return suppressed;
  }
}

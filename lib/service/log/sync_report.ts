/**
 * What `sync` tells: log lines, JSON lines, and a hook that gets each change on standard input.
 *
 * @module
 */

import type { LogFields, LogLevel } from "../../core/net/log_line.ts";
import type { SyncNote } from "../../core/sync/notes.ts";
import { explain } from "../../host/error.ts";
import { type Clock, isoTime } from "../../host/clock.ts";
import type { Outputs } from "../../host/output.ts";
import { type Processes, TIMED_OUT } from "../../host/processes.ts";
import { Log, type LogOptions } from "./log.ts";

/** Where it is told. */
export interface SyncReportOptions {
  readonly log: LogOptions;
  /** A shell command. */
  readonly hook: string | undefined;
}

/** A hook is stopped after so many seconds; once the program is to end, after fewer. */
const HOOK_TIMEOUT = 10;
const HOOK_GRACE = 2;
/** Changes that wait for a hook that is slow; more are left out. */
const MAX_WAITING = 64;

/** Tells what happens. Nothing that a hook does harms the caller. */
export class SyncReport {
  readonly #host: Outputs & Clock & Processes;
  readonly #log: Log;
  #hook: string | undefined;
  readonly #said = new Map<string, string>();
  #hooks: Promise<void> = Promise.resolve();
  #waiting = 0;
  #abandoned = false;
  #stopHook: () => void = () => {};
  #stopTimer: () => void = () => {};

  constructor(host: Outputs & Clock & Processes, { log, hook }: SyncReportOptions) {
    this.#host = host;
    this.#log = new Log(host, log);
    this.#hook = hook;
  }

  /** Replaces the settings. */
  configure({ log, hook }: SyncReportOptions): void {
    this.#log.configure(log);
    this.#hook = hook;
  }

  /** Tells what a note says. */
  tell(note: Exclude<SyncNote, { readonly kind: "device" | "path-port" }>): void {
    switch (note.kind) {
      case "event":
        return this.event(note.level, note.event, note.fields);
      case "once":
        return this.once(note.level, note.event, note.fields, note.topic, note.sameAs);
      case "forget":
        return this.forget(note.topic);
      case "change":
        return this.change(note.event, note.fields);
      case "server":
        return this.server(note.server, note.status);
      case "clock":
        return this.clock(note.isWrong);
    }
  }

  /** Tells of something that happened. */
  event(level: LogLevel, event: string, fields: LogFields): void {
    this.#said.delete("waiting");
    this.#log.write(level, event, fields);
  }

  /**
   * The same, once until it changes.
   *
   * @param topic What it is compared with is told under this.
   * @param text What is compared.
   */
  once(
    level: LogLevel,
    event: string,
    fields: LogFields,
    topic: string = event,
    text: string = JSON.stringify(fields),
  ): void {
    if (this.#said.get(topic) === text) return;
    this.#said.set(topic, text);
    this.#log.write(level, event, fields);
  }

  /** What {@linkcode once} told of is over: it is told again when it comes again. */
  forget(topic: string): void {
    this.#said.delete(topic);
  }

  /** A server answers, or doesn't, other than before. */
  server(server: string, status: string): void {
    const before = this.#said.get(`server ${server}`);
    if (before === status) return;
    this.#said.set(`server ${server}`, status);
    if (before !== undefined || status !== "ok") {
      this.#log.write(status === "ok" ? "info" : "warn", "server-status", { server, status });
    }
  }

  /** The clock of this host has become wrong, or right. */
  clock(isWrong: boolean): void {
    const clock = isoTime(this.#host.now().unix);
    if (isWrong) {
      const hint = "only registries that speak wgsig 2 answer whatever the time; set the clock";
      this.event("error", "clock-wrong", { clock, hint });
    } else {
      this.event("info", "clock-set", { clock });
    }
  }

  /** Something was changed, or has changed: told to the hook as well. */
  change(event: string, fields: LogFields): void {
    this.event("info", event, fields);
    if (this.#hook === undefined) return;
    if (this.#waiting >= MAX_WAITING) {
      this.once("warn", "hook-too-slow", { left: "changes are left out" });
      return;
    }
    const input = `${JSON.stringify({ schema: 1, event, ...fields })}\n`;
    const hook = this.#hook;
    this.#waiting++;
    this.#hooks = this.#hooks.then(() => this.#runHook(hook, input));
  }

  /** Leaves out the changes that wait behind a hook, and gives that little time: the end has come. */
  abandon(): void {
    if (this.#abandoned) return;
    this.#abandoned = true;
    if (this.#waiting === 0) return;
    this.#stopTimer = this.#host.after(HOOK_GRACE, () => this.#stopHook());
  }

  /** Waits for the hooks that still run. */
  async finish(): Promise<void> {
    await this.#hooks;
    this.#stopTimer();
  }

  async #runHook(hook: string, input: string): Promise<void> {
    try {
      if (this.#abandoned) return;
      let isStopped = false;
      const stop = new Promise<void>((resolve) => {
        this.#stopHook = () => {
          isStopped = true;
          resolve();
        };
      });
      const options = { input, timeout: HOOK_TIMEOUT, stop };
      const { code, err } = await this.#host.run(["sh", "-c", hook], options);
      if (code === 0) return;
      const said = err.trim().split("\n").at(-1) ?? "";
      const late = isStopped
        ? `stopped ${HOOK_GRACE} s after the end had come`
        : `stopped after ${HOOK_TIMEOUT} s`;
      const why = said === "" && code === TIMED_OUT ? late : said;
      this.#log.write("warn", "hook-failed", { status: code, ...(why === "" ? {} : { why }) });
    } catch (error) {
      this.#log.write("warn", "hook-failed", { why: explain(error) });
    } finally {
      this.#waiting--;
      if (this.#waiting === 0) this.forget("hook-too-slow");
    }
  }
}

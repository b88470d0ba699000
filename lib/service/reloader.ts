/**
 * Reads the settings again while a program runs: the driver of a {@linkcode Reload}.
 *
 * @module
 */

import type { LogFields, LogLevel } from "../core/net/log_line.ts";
import type { Reload, ReloadOutcome } from "../core/settings/reload.ts";
import { inWords } from "./log/in_words.ts";

/** What settings `S` and their files `F` are loaded with, and put into force. */
export interface ReloaderParts<S, F> {
  readonly notifier: { reloading(): void; ready(): void };
  /** Reads settings and all files that they name, and checks them. */
  load(): Promise<{ readonly settings: S; readonly files: F }>;
  /** Puts them into force. */
  apply(settings: S, files: F): void;
  /** Tells of what came of it. */
  event(level: LogLevel, name: string, fields: LogFields): void;
  /** What is told of settings that are in force. */
  describe(): LogFields;
}

/** Reloads settings whenever it is told to. */
export class Reloader<S, F> {
  readonly #reload: Reload<S, F>;
  readonly #parts: ReloaderParts<S, F>;

  /** Does what `reload` says. */
  constructor(reload: Reload<S, F>, parts: ReloaderParts<S, F>) {
    this.#reload = reload;
    this.#parts = parts;
  }

  /** Asks for the settings to be read again; {@linkcode Reloader.run} does it. */
  ask(): void {
    this.#reload.ask();
  }

  /**
   * Reads the settings as often as it was asked for, unless that goes on already.
   *
   * @returns Whether they were read, and are in force.
   */
  async run(): Promise<boolean> {
    const { notifier } = this.#parts;
    let isReloading = false;
    let isInForce = false;
    for (let step = this.#reload.next(); step.kind !== "rest"; step = this.#reload.next()) {
      if (step.kind === "load") {
        notifier.reloading();
        isReloading = true;
        this.#tell(await this.#load());
      } else {
        const outcome = this.#apply(step.settings, step.files);
        isInForce = outcome.kind === "applied";
        this.#tell(outcome);
      }
    }
    // Who asked while that went on is served by that run.
    if (isReloading) notifier.ready();
    return isInForce;
  }

  async #load(): Promise<ReloadOutcome<S, F>> {
    try {
      return { kind: "loaded", ...await this.#parts.load() };
    } catch (error) {
      return { kind: "failed", why: inWords(error) };
    }
  }

  #apply(settings: S, files: F): ReloadOutcome<S, F> {
    try {
      this.#parts.apply(settings, files);
      return { kind: "applied" };
    } catch (error) {
      return { kind: "failed", why: inWords(error) };
    }
  }

  #tell(outcome: ReloadOutcome<S, F>): void {
    const parts = this.#parts;
    for (const { event, ...fields } of this.#reload.told(outcome)) {
      if (event === "reloaded") parts.event("info", event, parts.describe());
      else if (event === "restart-needed") parts.event("warn", event, fields);
      else parts.event("error", event, { ...fields, effect: "the settings before stay in force" });
    }
  }
}

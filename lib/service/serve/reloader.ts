/**
 * Reads the settings again while the server runs: the driver of a {@linkcode Reload}.
 *
 * @module
 */

import { Reload, type ReloadOutcome } from "../../core/serve/reload.ts";
import type { Clock } from "../../host/clock.ts";
import { inWords } from "../log/in_words.ts";
import type { Log } from "../log/log.ts";
import type { Notifier } from "../systemd/notifier.ts";
import type { ServeConfig } from "./config.ts";
import { type GroupFiles, wipeSecrets } from "./groups.ts";

/** What the settings are loaded with, and put into force. */
export interface ReloaderParts {
  readonly host: Clock;
  readonly log: Log;
  readonly notifier: Pick<Notifier, "reloading" | "ready">;
  /** Reads settings and all files that they name, and checks them. */
  load(): Promise<{ readonly settings: ServeConfig; readonly files: readonly GroupFiles[] }>;
  /** Puts them into force. @param mono The monotonic clock when {@linkcode load} was called. */
  apply(settings: ServeConfig, files: readonly GroupFiles[], mono: number): void;
  /** What the log says of them. */
  describe(): string;
}

type Outcome = ReloadOutcome<ServeConfig, readonly GroupFiles[]>;

/** Reloads settings whenever it is told to. */
export class Reloader {
  readonly #parts: ReloaderParts;
  readonly #reload: Reload<ServeConfig, readonly GroupFiles[]>;
  #begunAt = 0;

  /** @param first The settings that the server was started with. */
  constructor(first: ServeConfig, parts: ReloaderParts) {
    this.#reload = new Reload(first);
    this.#parts = parts;
  }

  /** Reads the settings again, once what was asked for before is done. */
  reload(): void {
    this.#reload.ask();
    void this.#run();
  }

  async #run(): Promise<void> {
    const { notifier } = this.#parts;
    let isReloading = false;
    for (let step = this.#reload.next(); step.kind !== "rest"; step = this.#reload.next()) {
      if (step.kind === "load") {
        notifier.reloading();
        isReloading = true;
        this.#tell(await this.#load());
      } else this.#tell(this.#apply(step.settings, step.files));
    }
    // Who asked while that went on is served by that run.
    if (isReloading) notifier.ready();
  }

  async #load(): Promise<Outcome> {
    this.#begunAt = this.#parts.host.now().mono;
    try {
      return { kind: "loaded", ...await this.#parts.load() };
    } catch (error) {
      return { kind: "failed", why: inWords(error) };
    }
  }

  #apply(settings: ServeConfig, files: readonly GroupFiles[]): Outcome {
    try {
      this.#parts.apply(settings, files, this.#begunAt);
      return { kind: "applied" };
    } catch (error) {
      return { kind: "failed", why: inWords(error) };
    } finally {
      wipeSecrets(files);
    }
  }

  #tell(outcome: Outcome): void {
    const { log, describe } = this.#parts;
    for (const { event, ...fields } of this.#reload.told(outcome)) {
      if (event === "reloaded") log.write("info", event, { groups: describe() });
      else if (event === "restart-needed") log.write("warn", event, fields);
      else log.write("error", event, { ...fields, effect: "the settings before stay in force" });
    }
  }
}

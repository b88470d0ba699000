/**
 * Says how a server is doing, to whoever asks at its socket, and to what else shows it.
 *
 * @module
 */

import type { Now } from "../../core/net/clock.ts";
import type { ServeFacts, ServeParts } from "../../core/serve/report.ts";
import { elapsed } from "../../core/status/rounded.ts";
import type { ServeReport } from "../../core/status/serve_report.ts";
import { type Clock, pause } from "../../host/clock.ts";
import { errorCode } from "../../host/error.ts";
import type { Files } from "../../host/files.ts";
import type { System } from "../../host/host.ts";
import type { LocalStreams } from "../../host/local_streams.ts";
import type { Processes } from "../../host/processes.ts";
import { makeFolder } from "../files/files.ts";
import { namespaceEnding } from "../files/own_folders.ts";
import { inWords } from "../log/in_words.ts";
import type { Log } from "../log/log.ts";
import { serveFolder, statusPlace } from "../status/places.ts";
import { type AnswerRequest, StatusSocket } from "../status/socket.ts";

/** What of a host it takes. */
export type ServeStatusHost = Clock & Files & LocalStreams & Processes & System;

/** What it tells of. */
export interface ServeStatusParts extends ServeParts {
  /** The clocks; records that are too old are gone then. */
  tick(): Now;
  /** What the server knows beside that. */
  facts(): Omit<ServeFacts, "name" | "runtime" | "uptime">;
}

/** So many times as long as a report took, none is begun: requests come first. */
const REST = 50;
/** No longer than that, in seconds. */
const LONGEST_REST = 1;
/** So many servers of one name are told apart. */
const MOST_ALIKE = 16;
/** Whether somebody answers shows within so many seconds. */
const PROBE = 1;

/** Answers for one server. */
export class ServeStatus {
  readonly #host: ServeStatusHost;
  readonly #log: Log;
  readonly #parts: ServeStatusParts;
  readonly #socket: StatusSocket;
  readonly #startedAt: number;
  #name = "";
  #readyAt = -Infinity;
  #making: Promise<ServeReport> | undefined;

  /** @param answers What else the server's socket answers, by word. */
  constructor(
    host: ServeStatusHost,
    log: Log,
    parts: ServeStatusParts,
    answers: Readonly<Record<string, AnswerRequest>> = {},
  ) {
    this.#host = host;
    this.#log = log;
    this.#parts = parts;
    this.#startedAt = host.now().mono;
    this.#socket = new StatusSocket(host, { status: () => this.report(), ...answers });
  }

  /** How it is doing. Whoever asks while that is put together gets the same. */
  report(): Promise<ServeReport> {
    return this.#making ??= this.#make().finally(() => this.#making = undefined);
  }

  /**
   * Answers at a socket from now on. Where that can't be, the server goes on without, and says so.
   *
   * @param name By which it is asked, if no other server here has it.
   */
  async open(name: string): Promise<void> {
    const host = this.#host;
    const folder = serveFolder(host);
    try {
      await makeFolder(host, folder);
      const namespace = await namespaceEnding(host);
      for (let i = 1; i <= MOST_ALIKE; i++) {
        this.#name = i === 1 ? name : `${name}-${i}`;
        const { path } = statusPlace("serve", this.#name, namespace, folder);
        if (i < MOST_ALIKE && await this.#isTaken(path)) continue;
        return await this.#socket.open(path);
      }
    } catch (error) {
      this.#log.write("warn", "status-not-served", { why: inWords(error), path: folder });
    }
  }

  /** Ends it. */
  close(): void {
    this.#socket.close();
  }

  /** Whether another process answers there. */
  async #isTaken(path: string): Promise<boolean> {
    try {
      const ignored = { onData() {}, onEnd() {}, onClose() {} };
      (await this.#host.connectLocal({ path, timeout: PROBE }, ignored)).abort();
      return true;
    } catch (error) {
      return !["ENOENT", "ECONNREFUSED"].includes(errorCode(error));
    }
  }

  async #make(): Promise<ServeReport> {
    const host = this.#host;
    const parts = this.#parts;
    const rest = this.#readyAt - host.now().mono;
    if (rest > 0) await pause(host, rest);
    // A router has no memory for it where nobody asks.
    const { serveReport } = await import("../../core/serve/report.ts");
    const now = parts.tick();
    const facts = {
      ...parts.facts(),
      name: this.#name,
      runtime: host.runtime,
      uptime: elapsed(now.mono - this.#startedAt),
    };
    const steps = serveReport(facts, parts, now);
    let busy = 0;
    for (let from = now.mono;;) {
      const { done, value } = steps.next();
      const { mono } = host.now();
      busy += mono - from;
      if (done) {
        this.#readyAt = mono + Math.min(LONGEST_REST, REST * busy);
        return value;
      }
      // Pieces are short ones, and nobody is in a hurry.
      await pause(host, 0);
      from = host.now().mono;
    }
  }
}

/**
 * Leases on the disk: what was granted is there before the client hears of it.
 *
 * @module
 */

import type { LeaseBook } from "../core/lease_book.ts";
import { encodeLeases, MAX_LEASE_STATE_SIZE, restoreLeases } from "../core/lease_state.ts";
import type { Now } from "../core/registry.ts";
import { EXIT, UserError } from "../core/user_error.ts";
import { errorCode, explain, type Host } from "../host/host.ts";
import type { Log } from "./log.ts";

const MODE = 0o600;

/** A file of leases, or none. */
export class LeaseStore {
  readonly #host: Host;
  readonly #log: Log;
  readonly #path: string | undefined;
  readonly #book: LeaseBook;
  #writing: Promise<void> | undefined;
  #failed = false;

  /** @param path Undefined keeps nothing over a restart. */
  constructor(host: Host, log: Log, path: string | undefined, book: LeaseBook) {
    this.#host = host;
    this.#log = log;
    this.#path = path;
    this.#book = book;
  }

  /** Takes over what was saved, and sees to it that it can be saved again. */
  async restore(): Promise<void> {
    const path = this.#path;
    if (path === undefined) {
      const hint = "leases are forgotten with a restart; keep them with --state FILE";
      this.#log.write("warn", "leases-not-kept", { hint });
      return;
    }
    try {
      const { bytes } = await this.#host.readFile(path, MAX_LEASE_STATE_SIZE, { regular: true });
      const counts = restoreLeases(bytes, this.#book, this.#now());
      this.#log.write("info", "leases-restored", { file: path, ...counts });
    } catch (error) {
      if (error instanceof SyntaxError) {
        const aside = `${path}.damaged`;
        await this.#host.renameFile(path, aside);
        this.#log.write("warn", "leases-damaged", { file: path, why: error.message, kept: aside });
      } else if (errorCode(error) !== "ENOENT") {
        throw new UserError(`cannot read lease file ${path}: ${explain(error)}`, EXIT.failed);
      }
    }
    try {
      await this.#write(path);
    } catch (error) {
      throw new UserError(`cannot write lease file ${path}: ${explain(error)}`, EXIT.failed);
    }
  }

  /** Saves what has changed. Who calls while a write goes on waits for the next, which has it all. */
  async save(): Promise<void> {
    const path = this.#path;
    if (path === undefined || !this.#book.changed) return await this.#writing;
    await this.#writing;
    if (!this.#book.changed) return await this.#writing;
    this.#writing = this.#tryToWrite(path).finally(() => this.#writing = undefined);
    await this.#writing;
  }

  /** The service goes on without it when that fails, says so, and tries again. */
  async #tryToWrite(path: string): Promise<void> {
    try {
      await this.#write(path);
      if (this.#failed) this.#log.write("info", "leases-saved-again", { file: path });
      this.#failed = false;
    } catch (error) {
      this.#book.changed = true;
      if (!this.#failed) {
        this.#log.write("error", "leases-not-saved", { file: path, why: explain(error) });
      }
      this.#failed = true;
    }
  }

  async #write(path: string): Promise<void> {
    this.#book.changed = false;
    await this.#host.writeFile(path, encodeLeases(this.#book, this.#now()), { mode: MODE });
  }

  #now(): Now {
    return { unix: this.#host.now() / 1000, mono: this.#host.mono() / 1000 };
  }
}

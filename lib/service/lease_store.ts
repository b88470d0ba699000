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
/** It goes with a restart of the host, as AllowedIPs do. */
const RUN_FOLDER = "/var/run/wgsig";

/** A file of leases. */
export class LeaseStore {
  readonly #host: Host;
  readonly #log: Log;
  #path: string | undefined;
  readonly #book: LeaseBook;
  #writing: Promise<void> | undefined;
  #failed = false;

  /** @param path Undefined where {@linkcode restoreRun} names one later. */
  constructor(host: Host, log: Log, path: string | undefined, book: LeaseBook) {
    this.#host = host;
    this.#log = log;
    this.#path = path;
    this.#book = book;
  }

  /** Takes over what was saved, and sees to it that it can be saved again. */
  async restore(): Promise<void> {
    const path = this.#path;
    if (path === undefined) return;
    try {
      await this.#read(path);
    } catch (error) {
      throw new UserError(`cannot read lease file ${path}: ${explain(error)}`, EXIT.failed);
    }
    try {
      await this.#write(path);
    } catch (error) {
      throw new UserError(`cannot write lease file ${path}: ${explain(error)}`, EXIT.failed);
    }
  }

  /**
   * The same where no file was named: with one that is kept until the host restarts. Without any,
   * what a killed run has left in AllowedIPs could not be told from what the admin put there.
   *
   * @param publicKey Of the interface: another one of the same name has another file.
   */
  async restoreRun(name: string, publicKey: string): Promise<void> {
    if (this.#path !== undefined) return;
    const file = `${RUN_FOLDER}/${name}-${publicKey.replace(/\W/g, "")}.leases`;
    try {
      await this.#host.makeFolder(RUN_FOLDER);
      await this.#read(file);
      await this.#write(file);
      const hint = "leases are forgotten when this host restarts; keep them with --state FILE";
      this.#log.write("info", "leases-kept", { file, hint });
      this.#path = file;
    } catch (error) {
      const hint = "leases are forgotten with a restart; keep them with --state FILE";
      this.#log.write("warn", "leases-not-kept", { why: `${file}: ${explain(error)}`, hint });
    }
  }

  /** Puts what a file says into the book; one that is damaged is put aside. */
  async #read(path: string): Promise<void> {
    try {
      const { bytes } = await this.#host.readFile(path, MAX_LEASE_STATE_SIZE, { regular: true });
      const counts = restoreLeases(bytes, this.#book, this.#now());
      this.#log.write("info", "leases-restored", { file: path, ...counts });
    } catch (error) {
      if (errorCode(error) === "ENOENT") return;
      if (!(error instanceof SyntaxError)) throw error;
      const aside = `${path}.damaged`;
      await this.#host.renameFile(path, aside);
      this.#log.write("warn", "leases-damaged", { file: path, why: error.message, kept: aside });
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

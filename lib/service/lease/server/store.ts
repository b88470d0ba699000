/**
 * Leases on the disk: what was granted is there before the client hears of it. They are kept in the
 * server's state file, in one of their own, or in one that is kept until the host restarts.
 *
 * @module
 */

import type { LeaseBook } from "../../../core/lease/server/book.ts";
import { LeaseJournal } from "../../../core/lease/server/journal.ts";
import { drawSeed } from "../../../core/net/random.ts";
import { UserError } from "../../../core/settings/user_error.ts";
import type { Clock } from "../../../host/clock.ts";
import { explain } from "../../../host/error.ts";
import type { Files } from "../../../host/files.ts";
import type { FileLocks } from "../../../host/locks.ts";
import type { Random } from "../../../host/random.ts";
import type { Log } from "../../log/log.ts";
import { Store, type StoreFile } from "../../store/store.ts";
import { makeFolder } from "../../files/files.ts";
import { RUN_FOLDER } from "../../files/own_folders.ts";

const FILE: Omit<StoreFile, "path"> = {
  name: "leases",
  what: "lease file",
  option: "state in [serve.lease]",
};

/** Where leases are kept. */
export class LeaseStore {
  /** What is kept of them. */
  readonly journal: LeaseJournal;
  readonly #host: Clock & Files & FileLocks;
  readonly #log: Log;
  readonly #book: LeaseBook;
  /** A file of their own. */
  #own: Store | undefined;
  /** The server's. */
  #shared: Store | undefined;

  /** @param path A file of their own; undefined where there is none that is known yet. */
  constructor(
    host: Clock & Files & FileLocks & Random,
    log: Log,
    path: string | undefined,
    book: LeaseBook,
  ) {
    this.#host = host;
    this.#log = log;
    this.#book = book;
    this.journal = new LeaseJournal(book, drawSeed((bytes) => host.random(bytes)));
    if (path !== undefined) this.#own = this.#storeAt(path);
  }

  /** Has them kept in the server's file, which keeps {@linkcode journal} as one of its parts. */
  shareWith(store: Store): void {
    this.#own = undefined;
    this.#shared = store;
  }

  /** Takes over what was saved in a file of their own, and sees to it that it can be saved again. */
  async restore(): Promise<void> {
    await this.#own?.open();
  }

  /**
   * The same where no file was named: with one that is kept until the host restarts. Without any,
   * what a killed run has left in AllowedIPs could not be told from what the admin put there.
   *
   * @param publicKey Of the interface: another one of the same name has another file.
   */
  async restoreRun(name: string, publicKey: string): Promise<void> {
    if (this.#store !== undefined) return;
    const file = `${RUN_FOLDER}/${name}-${publicKey.replace(/\W/g, "")}.leases`;
    try {
      await makeFolder(this.#host, RUN_FOLDER);
      const store = this.#storeAt(file);
      await store.open();
      const hint = "leases are forgotten when this host restarts; keep them with --state FILE";
      this.#log.write("info", "leases-kept", { file, hint });
      this.#own = store;
    } catch (error) {
      const hint = "leases are forgotten with a restart; keep them with --state FILE";
      const why = error instanceof UserError ? error.message : `${file}: ${explain(error)}`;
      this.#log.write("warn", "leases-not-kept", { why, hint });
    }
  }

  /**
   * Saves what has changed. Where that fails, the service goes on, says so, and it is tried again.
   */
  async save(): Promise<void> {
    const store = this.#store;
    // What is not to be kept is not to be collected either.
    if (store === undefined) return void this.#book.takeUnsaved();
    await store.save();
  }

  /** Saves what has changed, and gives a file of their own back. @returns Whether it is saved. */
  async close(): Promise<boolean> {
    return await this.#own?.close() ?? true;
  }

  get #store(): Store | undefined {
    return this.#shared ?? this.#own;
  }

  #storeAt(path: string): Store {
    return new Store(this.#host, this.#log, { ...FILE, path }, [this.journal]);
  }
}

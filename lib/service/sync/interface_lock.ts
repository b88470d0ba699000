/**
 * One `sync` for each interface: two would borrow each other's port, and lease each other's addresses.
 *
 * The lock is on a file that stays: if it was removed, two could have a lock each. Network namespaces
 * may share the folder, and each have an interface of that name.
 *
 * @module
 */

import { errorCode } from "../../host/error.ts";
import type { Files } from "../../host/files.ts";
import type { FileLocks } from "../../host/locks.ts";
import type { Processes } from "../../host/processes.ts";
import { makeFolder } from "../files/files.ts";
import { namespaceEnding, RUN_FOLDER } from "../files/own_folders.ts";

/** The lock of one interface. */
export class InterfaceLock {
  readonly #host: Files & FileLocks & Processes;
  readonly #name: string;
  #unlock: (() => void) | undefined;
  #ending = "";

  /** @param name Of the interface. */
  constructor(host: Files & FileLocks & Processes, name: string) {
    this.#host = host;
    this.#name = name;
  }

  /** Takes it; it ends with the process at the latest. @returns Whether nobody else has it. */
  async take(): Promise<boolean> {
    if (this.#unlock !== undefined) return true;
    await makeFolder(this.#host, RUN_FOLDER);
    try {
      this.#ending = await namespaceEnding(this.#host);
      this.#unlock = await this.#host.lockFile(this.#path(this.#ending));
      return true;
    } catch (error) {
      if (errorCode(error) === "EAGAIN") return false;
      throw error;
    }
  }

  /** What tells this network namespace from others in the names of files, once the lock is taken. */
  get ending(): string {
    return this.#ending;
  }

  /** Whether another process has it. Nothing is made where nobody ever had it. */
  async isTaken(): Promise<boolean> {
    const path = this.#path(await namespaceEnding(this.#host));
    try {
      await this.#host.identify(path);
    } catch {
      return false;
    }
    try {
      (await this.#host.lockFile(path))();
      return false;
    } catch (error) {
      if (errorCode(error) === "EAGAIN") return true;
      throw error;
    }
  }

  /** Gives it back. */
  release(): void {
    this.#unlock?.();
    this.#unlock = undefined;
  }

  #path(ending: string): string {
    return `${RUN_FOLDER}/${this.#name}${ending}.lock`;
  }
}

/**
 * The files that `join` writes: each for its owner alone, and none over another. What was written is
 * taken back where it comes to nothing.
 *
 * @module
 */

import { formatKey, KEY_SIZE } from "../../core/net/peer_key.ts";
import { EXIT, UserError } from "../../core/settings/user_error.ts";
import { explain } from "../../host/error.ts";
import type { Files, Input } from "../../host/files.ts";
import type { System } from "../../host/host.ts";
import type { Random } from "../../host/random.ts";
import { readPrivateKey } from "../files/files.ts";
import { isThere, said } from "./joining_looks.ts";

const OWNER_ONLY = 0o600;

/** Writes files. */
export class JoiningFiles {
  readonly #host: Files & Input & Random & System;
  /** Files that were written, in that order; the key is not among them. */
  readonly #written: string[] = [];

  /** Has written none. */
  constructor(host: Files & Input & Random & System) {
    this.#host = host;
  }

  /** Those that were written, in that order; the key is not among them. */
  get written(): readonly string[] {
    return this.#written;
  }

  /** The private key that a run before has left, or a new one. */
  async ownKey(path: string): Promise<{ readonly key: Uint8Array; readonly isNew: boolean }> {
    if (await isThere(this.#host, path)) {
      return { key: await readPrivateKey(this.#host, path), isNew: false };
    }
    const key = new Uint8Array(KEY_SIZE);
    this.#host.random(key);
    // RFC 7748, section 5, as `wg genkey` stores it.
    key[0] = key[0]! & 248;
    key[31] = (key[31]! & 127) | 64;
    try {
      await this.#put(path, `${formatKey(key)}\n`, true);
    } catch (error) {
      throw new UserError(said(error), EXIT.failed);
    }
    return { key, isNew: true };
  }

  /** Writes one that isn't there yet. @throws {UserError} Where it is, or can't be written. */
  async write(path: string, text: string): Promise<void> {
    await this.#put(path, text, true);
    this.#written.push(path);
  }

  /** Writes one in the place of what is there, at once and whole. */
  async replace(path: string, text: string): Promise<void> {
    await this.#put(path, text, false);
    if (!this.#written.includes(path)) this.#written.push(path);
  }

  /** Removes one. What can't be taken back is no worse than what is told anyway. */
  async remove(path: string): Promise<void> {
    await this.#host.removeFile(path).catch(() => {});
    const at = this.#written.indexOf(path);
    if (at >= 0) this.#written.splice(at, 1);
  }

  /** Removes all that were written, the last first. */
  async takeBack(): Promise<void> {
    for (const path of this.#written.toReversed()) await this.remove(path);
  }

  async #put(path: string, text: string, exclusive: boolean): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    try {
      await this.#host.writeFile(path, bytes, { mode: OWNER_ONLY, exclusive });
    } catch (error) {
      throw new UserError(`cannot write ${path}: ${explain(error)}`, EXIT.failed);
    } finally {
      bytes.fill(0);
    }
  }
}

/**
 * A file with metrics, for collectors that read files: node_exporter's, and that of OpenWrt.
 *
 * @module
 */

import type { Clock } from "../../host/clock.ts";
import { codedError, errorCode, explain } from "../../host/error.ts";
import type { Files } from "../../host/files.ts";

/** Between two looks at what has changed, in seconds: collectors look as often. */
const INTERVAL = 15;
/** What a file of this program begins with: another one is somebody else's, and may be a key. */
const BEGINNING = "# HELP wgsig_";
/** The collector is another user. */
const READABLE = 0o644;

/**
 * Writes it while there is something new, at once and whole, and removes it at the end. A link, a pipe, a
 * device, and a file that this program has not written are left as they are.
 */
export class MetricsFile {
  readonly #host: Clock & Files;
  readonly #make: () => Promise<string>;
  readonly #unwritten: (file: string, why: string) => void;
  #path: string | undefined;
  /** What the file has. */
  #written: string | undefined;
  /** What was said last of why it can't be written. */
  #said: string | undefined;
  #stopTimer: () => void = () => {};
  #work: Promise<void> = Promise.resolve();

  /**
   * @param make Makes the text, which begins with the metric `wgsig_…`.
   * @param unwritten Called where it can't be written: once, until it could be.
   */
  constructor(
    host: Clock & Files,
    make: () => Promise<string>,
    unwritten: (file: string, why: string) => void,
  ) {
    this.#host = host;
    this.#make = make;
    this.#unwritten = unwritten;
  }

  /** Says which file; undefined for none. One that there was before is removed. */
  configure(path: string | undefined): void {
    if (path === this.#path) return;
    const former = this.#path;
    this.#path = path;
    this.#stopTimer();
    this.#then(async () => {
      await this.#remove(former);
      this.#said = undefined;
    });
    if (path !== undefined) this.#look();
  }

  /** Ends it. */
  async close(): Promise<void> {
    this.configure(undefined);
    await this.#work;
  }

  /** One thing after the other. */
  #then(work: () => Promise<void>): void {
    this.#work = this.#work.then(work);
  }

  #look(): void {
    this.#then(() => this.#write());
    this.#stopTimer = this.#host.after(INTERVAL, () => this.#look());
  }

  async #write(): Promise<void> {
    const path = this.#path;
    if (path === undefined) return;
    try {
      const text = await this.#make();
      const isThere = await this.#isOwn(path);
      if (isThere && text === this.#written) return;
      await this.#host.writeFile(path, new TextEncoder().encode(text), { mode: READABLE });
      this.#written = text;
      this.#said = undefined;
    } catch (error) {
      const why = explain(error);
      if (why !== this.#said) this.#unwritten(path, why);
      this.#said = why;
    }
  }

  /** Whether a file of this program is there; what else is there throws. */
  async #isOwn(path: string): Promise<boolean> {
    try {
      const options = { regular: true, beginning: true };
      const { bytes } = await this.#host.readFile(path, BEGINNING.length, options);
      if (new TextDecoder().decode(bytes) === BEGINNING) return true;
    } catch (error) {
      if (errorCode(error) === "ENOENT") return false;
      throw error;
    }
    throw codedError("it has something else than metrics of wgsig");
  }

  async #remove(path: string | undefined): Promise<void> {
    if (path === undefined || this.#written === undefined) return;
    this.#written = undefined;
    try {
      if (await this.#isOwn(path)) await this.#host.removeFile(path);
    } catch {
      // Who removed it before, or put something else there, has done what is wanted.
    }
  }
}

/**
 * What a server keeps over a restart, on the disk: the driver of a {@linkcode Journal}, one for each
 * file.
 *
 * A file serves one process. What says so is a lock on a file beside it, `.lock` added to its name:
 * the system takes it back when the process ends, however that was, and it holds between containers
 * that share the folder. The file of the lock stays: if it was removed, two could have a lock each.
 *
 * @module
 */

import { MAGIC_SIZE, magicOf, STATE_MAGIC } from "../../core/net/state_magic.ts";
import { EXIT, UserError } from "../../core/settings/user_error.ts";
import { type RestoredFile, restoreFile } from "../../core/store/encoding.ts";
import { Journal, type JournalOutcome, type JournalStep } from "../../core/store/journal.ts";
import type { Journaled } from "../../core/store/journaled.ts";
import { MAX_JOURNAL_SIZE } from "../../core/store/journal_file.ts";
import type { Clock } from "../../host/clock.ts";
import { errorCode, explain } from "../../host/error.ts";
import type { Files, Replacement } from "../../host/files.ts";
import type { FileLocks } from "../../host/locks.ts";
import { joinBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { makeOwnFolder } from "../files/own_folders.ts";
import type { Log } from "../log/log.ts";
import { TimeSlicer } from "../time_slicer.ts";

const MODE = 0o600;
/** What is said where there are no locks. */
const NO_LOCKS = new Set(["ENOSYS", "ENOLCK", "EOPNOTSUPP", "ENOTSUP"]);

/** What is said where something else is in the lock's place. */
const IN_THE_WAY = new Set(["EISDIR", "ELOOP", "ENXIO"]);

/** A file, and what it is called. */
export interface StoreFile {
  readonly path: string;
  /** What events begin with. */
  readonly name: "state" | "leases";
  /** What errors call it. */
  readonly what: string;
  /** How another one is chosen. */
  readonly option: string;
  /** A file of one of its parts as it was before, which is taken over and removed. */
  readonly former?: string | undefined;
}

/** Who waits until something is on the disk. */
interface Waiting {
  readonly wanted: number;
  readonly done: () => void;
}

/** A file that parts of a server are kept in. */
export class Store {
  readonly #host: Clock & Files & FileLocks;
  readonly #log: Log;
  readonly #file: StoreFile;
  readonly #parts: readonly Journaled[];
  readonly #journal: Journal;
  #unlock: () => void = () => {};
  #isOpen = false;
  #isRunning = false;
  #work: Promise<void> = Promise.resolve();
  #waiting: Waiting[] = [];
  /** Ends a rest between two slices. */
  #wake: () => void = () => {};
  #cancel: () => void = () => {};
  /** What is written in the place of the file. */
  #replacement: Replacement | undefined;
  #written = 0;
  /** How long what has changed could wait when the timer was set. */
  #armedFor = Infinity;

  /** Nothing is touched before {@linkcode open}. */
  constructor(
    host: Clock & Files & FileLocks,
    log: Log,
    file: StoreFile,
    parts: readonly Journaled[],
  ) {
    this.#host = host;
    this.#log = log;
    this.#file = file;
    this.#parts = parts;
    this.#journal = new Journal(parts, host.now());
  }

  /**
   * Has the parts take over what was saved, and sees to it that the file can be written.
   *
   * @throws {UserError} If that can't be, if another process has the file, or if it is no such file.
   */
  async open(): Promise<void> {
    const { path, former } = this.#file;
    await makeOwnFolder(this.#host, path).catch((error) =>
      this.#fail("make the folder of", path, error)
    );
    await this.#refuseOther(path);
    if (former !== undefined) await this.#refuseOther(former);
    await this.#lock();
    try {
      await this.#read(path);
      const isFormer = former !== undefined && await this.#read(former);
      if (isFormer) this.#journal.renew();
      await this.#tryWriting(path);
      if (isFormer) {
        await this.#host.removeFile(former).catch((e) => this.#fail("remove", former, e));
      }
    } catch (error) {
      this.#unlock();
      throw error;
    }
    this.#isOpen = true;
    this.look();
  }

  /** Sees to it that what has changed comes to the disk in time. It costs nothing where nothing has. */
  look(): void {
    if (!this.#isOpen || this.#isRunning) return;
    if (this.#journal.patience < this.#armedFor) this.#start();
  }

  /**
   * Saves what has changed so far. Where that fails, the service goes on, says so, and it is tried
   * again.
   */
  save(): Promise<void> {
    if (!this.#isOpen) return Promise.resolve();
    const wanted = this.#journal.want();
    return new Promise((done) => {
      this.#waiting.push({ wanted, done });
      this.#start();
    });
  }

  /** Whether all that was to be saved is on the disk: to be asked once {@linkcode save} is done. */
  get isSaved(): boolean {
    return this.#journal.isSaved;
  }

  /** Saves all, and gives the file back. @returns Whether all is on the disk. */
  async close(): Promise<boolean> {
    if (!this.#isOpen) return true;
    this.#journal.end();
    this.#start();
    await this.#work;
    this.#isOpen = false;
    this.#unlock();
    return this.#journal.isSaved;
  }

  /** A secret that was named by mistake must stay as it is. */
  async #refuseOther(path: string): Promise<void> {
    let start: Uint8Array;
    try {
      const options = { regular: true, beginning: true };
      start = (await this.#host.readFile(path, MAGIC_SIZE, options)).bytes;
    } catch (error) {
      if (errorCode(error) === "ENOENT") return;
      this.#fail("read", path, error);
    }
    const magic = magicOf(start);
    // One without a byte holds nothing that could be lost.
    const isOurs = start.length === 0 || magic === STATE_MAGIC ||
      this.#parts.some(({ formerMagics }) => formerMagics.includes(magic ?? ""));
    if (isOurs) return;
    const { what, option } = this.#file;
    throw new UserError(`${path} is no ${what}, and stays as it is; choose another with ${option}`);
  }

  async #lock(): Promise<void> {
    const { path, name, what, option } = this.#file;
    try {
      this.#unlock = await this.#host.lockFile(`${path}.lock`);
    } catch (error) {
      const code = errorCode(error);
      if (code === "EAGAIN") {
        throw new UserError(
          `${what} ${path} is used by another process; stop it, or choose another with ${option}`,
          EXIT.failed,
        );
      }
      if (!NO_LOCKS.has(code)) {
        this.#fail("write", IN_THE_WAY.has(code) ? `${path}.lock` : path, error);
      }
      this.#log.write("warn", `${name}-not-locked`, { file: path, why: explain(error) });
    }
  }

  /** Reads a file. What is damaged is put aside. @returns Whether there was one. */
  async #read(path: string): Promise<boolean> {
    const { name } = this.#file;
    let damage: string;
    try {
      const { bytes } = await this.#host.readFile(path, MAX_JOURNAL_SIZE, { regular: true });
      if (bytes.length === 0) return false;
      const found = restoreFile(new WireBuffer(bytes), this.#parts, this.#host.now());
      if (path === this.#file.path) this.#journal.found(found, bytes.length);
      this.#tellRestored(path, found);
      if (!found.isDamaged) return true;
      damage = `its last ${found.cut} bytes mean nothing`;
    } catch (error) {
      if (errorCode(error) === "ENOENT") return false;
      if (!(error instanceof SyntaxError)) this.#fail("read", path, error);
      damage = error.message;
    }
    const kept = `${path}.damaged`;
    await this.#host.renameFile(path, kept).catch((error) =>
      this.#fail("put aside", `${path}, which is damaged, as ${kept}`, error)
    );
    this.#log.write("warn", `${name}-damaged`, { file: path, why: damage, kept });
    return false;
  }

  #tellRestored(file: string, { restored, cut, isDamaged }: RestoredFile): void {
    for (const { event, counts } of restored) this.#log.write("info", event, { file, ...counts });
    if (cut === 0 || isDamaged) return;
    this.#log.write("info", `${this.#file.name}-cut`, { file, bytes: cut });
  }

  /** Writes the file where it must be, else sees whether it can be replaced. Nobody waits yet. */
  async #tryWriting(path: string): Promise<void> {
    try {
      if (!this.#journal.isStale) return await this.#tryFolder(`${path}.probe`);
      for (;;) {
        const step = this.#journal.next(this.#host.now());
        if (step.kind === "encode") { while (this.#journal.encode(this.#host.now())); }
        if (step.kind !== "write" && step.kind !== "replace") continue;
        const size = await this.#write(step);
        this.#journal.told({ size }, this.#host.now());
        if (step.kind === "replace") return;
      }
    } catch (error) {
      await this.#replacement?.abandon();
      this.#fail("write", path, error);
    }
  }

  /** Whether a file can be made beside it: a lock makes one, and waits for no disk. */
  async #tryFolder(probe: string): Promise<void> {
    try {
      (await this.#host.lockFile(probe))();
    } catch (error) {
      if (!NO_LOCKS.has(errorCode(error))) throw error;
    }
    await this.#host.removeFile(probe);
  }

  #start(): void {
    this.#wake();
    if (this.#isRunning) return;
    this.#cancel();
    this.#isRunning = true;
    this.#work = this.#run();
  }

  /** Does what there is to do. It never fails. */
  async #run(): Promise<void> {
    for (;;) {
      const step = this.#journal.next(this.#host.now());
      this.#release();
      if (step.kind === "encode") await this.#encode();
      else if (step.kind === "add" || step.kind === "write" || step.kind === "replace") {
        await this.#put(step);
      } else {
        this.#isRunning = false;
        if (step.kind === "rest") this.#arm(step.seconds);
        return;
      }
    }
  }

  #arm(seconds: number): void {
    // What can't be written just now is tried again when its time has come, whatever changes.
    this.#armedFor = this.#journal.isStale ? 0 : this.#journal.patience;
    this.#cancel = seconds === Infinity ? () => {} : this.#host.after(seconds, () => this.#start());
  }

  async #encode(): Promise<void> {
    const slicer = new TimeSlicer(this.#host);
    while (this.#journal.encode(this.#host.now())) {
      if (slicer.isOver && this.#waiting.length === 0) return await this.#rest();
    }
  }

  /** Lets others have their turn, unless something is wanted. */
  async #rest(): Promise<void> {
    await new Promise<void>((done) => {
      const cancel = this.#host.after(0, done);
      this.#wake = () => {
        cancel();
        done();
      };
    });
    this.#wake = () => {};
  }

  async #put(step: JournalStep & { readonly kind: "add" | "write" | "replace" }): Promise<void> {
    const { path: file, name } = this.#file;
    let outcome: JournalOutcome;
    try {
      const size = step.kind === "add"
        ? await this.#host.appendFile(file, joinBytes(step.bytes))
        : await this.#write(step);
      outcome = { size };
    } catch (error) {
      if (step.kind !== "add") await this.#replacement?.abandon();
      outcome = { problem: explain(error) };
    }
    const news = this.#journal.told(outcome, this.#host.now());
    if (news?.event === "saved-again") this.#log.write("info", `${name}-saved-again`, { file });
    if (news?.event !== "not-saved") return;
    this.#log.write("error", `${name}-not-saved`, { file, why: news.why });
  }

  /** Writes a file anew, a piece at a time. @returns How much of it is written, in bytes. */
  async #write(step: JournalStep & { readonly kind: "write" | "replace" }): Promise<number> {
    if (step.kind === "write" && step.isFirst) {
      await this.#replacement?.abandon();
      this.#written = 0;
      this.#replacement = await this.#host.replaceFile(this.#file.path, { mode: MODE });
    }
    if (step.kind === "replace") await this.#replacement?.finish(step.head);
    else {
      const bytes = joinBytes(step.bytes);
      await this.#replacement?.write(bytes);
      this.#written += bytes.length;
    }
    return this.#written;
  }

  #release(): void {
    const { done } = this.#journal;
    while (this.#waiting[0] !== undefined && this.#waiting[0].wanted <= done) {
      this.#waiting.shift()!.done();
    }
  }

  #fail(verb: string, path: string, error: unknown): never {
    const why = `cannot ${verb} ${this.#file.what} ${path}: ${explain(error)}`;
    throw new UserError(why, EXIT.failed);
  }
}

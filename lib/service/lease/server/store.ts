/**
 * Leases on the disk: what was granted is there before the client hears of it.
 *
 * What changes is added to the end of a file, for all requests of a group at once. The file is
 * written anew where that has doubled it, while requests go on; and where it can't be added to.
 *
 * @module
 */

import type { LeaseBook } from "../../../core/lease/server/book.ts";
import {
  encodeLeaseNotes,
  leaseStateHead,
  MAX_GROUP_ENTRIES,
  MAX_LEASE_STATE_SIZE,
  restoreLeases,
} from "../../../core/lease/server/state.ts";
import type { Now } from "../../../core/net/clock.ts";
import { EXIT, UserError } from "../../../core/settings/user_error.ts";
import { errorCode, explain } from "../../../host/error.ts";
import type { Clock } from "../../../host/clock.ts";
import type { Files } from "../../../host/files.ts";
import { joinBytes } from "../../../wire/bytes/wire_buffer.ts";
import { TimeSlicer } from "../../time_slicer.ts";
import type { Log } from "../../log/log.ts";

const MODE = 0o600;
/** It goes with a restart of the host, as AllowedIPs do. */
const RUN_FOLDER = "/var/run/wgsig";
/** A file is not written anew for less that was added, in bytes. */
const MIN_ADDED = 65_536;
/** So long nothing is tried after a failure, in seconds. */
const RETRY = 1;
/** A wall clock that has jumped further, in seconds, makes what was written before wrong. */
const CLOCK_JUMP = 2;

/** A file of leases. */
export class LeaseStore {
  readonly #host: Clock & Files;
  readonly #log: Log;
  #path: string | undefined;
  readonly #book: LeaseBook;
  /** Writes are made one after the other. */
  #work: Promise<void> = Promise.resolve();
  /** A save that has not begun yet. */
  #next: Promise<void> | undefined;
  /** Size of the file, and of what was written whole. */
  #size = 0;
  #wholeSize = 0;
  /** The wall clock less the monotonic one, when the file was written whole. */
  #clock = 0;
  /** Whether the file is to be written whole before anything is added to it. */
  #isStale = true;
  /** What is added while the file is written anew. */
  #added: Uint8Array[] | undefined;
  #renewal: Promise<void> | undefined;
  #failed = false;
  #retryAt = -Infinity;

  /** @param path Undefined where {@linkcode restoreRun} names one later. */
  constructor(host: Clock & Files, log: Log, path: string | undefined, book: LeaseBook) {
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
      await this.#writeWhole(path);
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
      await this.#writeWhole(file);
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
    let damage: string | undefined;
    try {
      const { bytes } = await this.#host.readFile(path, MAX_LEASE_STATE_SIZE, { regular: true });
      const { cut, isDamaged, ...counts } = restoreLeases(bytes, this.#book, this.#now());
      this.#log.write("info", "leases-restored", { file: path, ...counts });
      if (isDamaged) damage = `its last ${cut} bytes`;
      else if (cut > 0) this.#log.write("info", "leases-cut", { file: path, bytes: cut });
    } catch (error) {
      if (errorCode(error) === "ENOENT") return;
      if (!(error instanceof SyntaxError)) throw error;
      damage = error.message;
    }
    if (damage === undefined) return;
    const aside = `${path}.damaged`;
    await this.#host.renameFile(path, aside);
    this.#log.write("warn", "leases-damaged", { file: path, why: damage, kept: aside });
  }

  /**
   * Saves what has changed. Who calls while a write goes on waits for the next, which has it all;
   * where that fails, the service goes on, says so, and it is tried again.
   */
  async save(): Promise<void> {
    const path = this.#path;
    // What is not to be kept is not to be collected either.
    if (path === undefined) return void this.#book.takeUnsaved();
    if (!this.#book.changed && !this.#isStale && !this.#clockHasJumped) return await this.#work;
    this.#next ??= this.#inTurn(async () => {
      this.#next = undefined;
      await this.#saveNow(path);
    });
    await this.#next;
  }

  /** Waits for a file that is being written anew, and saves what has changed. */
  async close(): Promise<void> {
    await this.#renewal;
    await this.save();
  }

  get #clockHasJumped(): boolean {
    const { unix, mono } = this.#now();
    return Math.abs(unix - mono - this.#clock) > CLOCK_JUMP;
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#work.then(work);
    this.#work = turn.catch(() => {});
    return turn;
  }

  async #saveNow(path: string): Promise<void> {
    try {
      if (this.#clockHasJumped) this.#isStale = true;
      if (!this.#isStale) await this.#add(path);
      if (this.#isStale) {
        // It will have all that there is.
        this.#book.takeUnsaved();
        if (this.#now().mono < this.#retryAt) return;
        await this.#writeWhole(path);
      }
      if (this.#failed) this.#log.write("info", "leases-saved-again", { file: path });
      this.#failed = false;
    } catch (error) {
      this.#isStale = true;
      this.#retryAt = this.#now().mono + RETRY;
      this.#tellFailure(path, error);
    }
    const isLong = this.#size - this.#wholeSize > Math.max(MIN_ADDED, this.#wholeSize);
    if (isLong && !this.#isStale) this.#renewal ??= this.#renew(path);
  }

  /** Adds what has changed to the file. Where that can't be done, it is to be written whole. */
  async #add(path: string): Promise<void> {
    const bytes = encodeLeaseNotes(this.#book.takeUnsaved(), this.#now());
    if (bytes.length === 0) return;
    this.#added?.push(bytes);
    const expected = this.#size + bytes.length;
    this.#isStale = true;
    if (expected > MAX_LEASE_STATE_SIZE) return;
    try {
      this.#size = await this.#host.appendFile(path, bytes);
      // Else somebody has changed it.
      this.#isStale = this.#size !== expected;
    } catch {
      // A part of it may be there: nothing that is added after that could be read.
    }
  }

  /** Writes the file anew while requests go on: they wait only while it goes to the disk. */
  async #renew(path: string): Promise<void> {
    const added: Uint8Array[] = [];
    this.#added = added;
    const parts = await this.#encode();
    await this.#inTurn(async () => {
      // It was written whole meanwhile, or is to be.
      if (this.#added !== added || this.#isStale) return;
      const last = encodeLeaseNotes(this.#book.takeUnsaved(), this.#now());
      try {
        await this.#write(path, [...parts, ...added, last]);
      } catch (error) {
        this.#isStale = true;
        this.#retryAt = this.#now().mono + RETRY;
        this.#tellFailure(path, error);
      }
    });
    this.#renewal = undefined;
    if (this.#added === added) this.#added = undefined;
  }

  async #writeWhole(path: string): Promise<void> {
    this.#added = undefined;
    this.#book.takeUnsaved();
    const parts = await this.#encode();
    const last = encodeLeaseNotes(this.#book.takeUnsaved(), this.#now());
    await this.#write(path, [...parts, last]);
  }

  /** All that there is, but for what changes while it is encoded. */
  async #encode(): Promise<Uint8Array[]> {
    const parts = [leaseStateHead()];
    const slicer = new TimeSlicer(this.#host);
    let notes = [];
    for (const note of this.#book.notes()) {
      notes.push(note);
      if (notes.length < MAX_GROUP_ENTRIES) continue;
      parts.push(encodeLeaseNotes(notes, this.#now()));
      notes = [];
      if (slicer.isOver) await slicer.rest();
    }
    parts.push(encodeLeaseNotes(notes, this.#now()));
    return parts;
  }

  async #write(path: string, parts: readonly Uint8Array[]): Promise<void> {
    const { unix, mono } = this.#now();
    const bytes = joinBytes(parts);
    await this.#host.writeFile(path, bytes, { mode: MODE });
    this.#clock = unix - mono;
    this.#size = bytes.length;
    this.#wholeSize = bytes.length;
    this.#isStale = false;
  }

  #tellFailure(file: string, error: unknown): void {
    if (!this.#failed) this.#log.write("error", "leases-not-saved", { file, why: explain(error) });
    this.#failed = true;
  }

  #now(): Now {
    return this.#host.now();
  }
}

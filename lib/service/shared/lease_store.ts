/**
 * The store in which leases are decided: two connections of its own, one that claims, and one that is
 * told when other servers have.
 *
 * @module
 */

import type { ClaimLog, ClaimScan } from "../../core/lease/server/claims.ts";
import { SharedLeases } from "../../core/lease/server/shared_leases.ts";
import type { LeaseBook } from "../../core/lease/server/book.ts";
import type { LeaseSharing } from "../../core/lease/server/sharing.ts";
import { UserError } from "../../core/settings/user_error.ts";
import { StoreRefusal } from "../../host/shared_stores.ts";
import type { ServiceContext } from "../context.ts";
import type { ClaimStep, ClaimStore } from "../lease/server/claim_store.ts";
import type { SharedStoreConfig } from "./config.ts";
import { LeaseCalls } from "./lease_calls.ts";
import { closeLink, openLink, storeFault, type StoreLink } from "./store_link.ts";

/** So many seconds from one attempt to connect to the next: what a lost table lacks is put back soon. */
const RETRY = 2;
/** So many seconds the first look waits for a connection, before it goes on without the store. */
const FIRST = 2;
const READER_SIZE = 8;
const TABLE_SIZE = 16;
/** Before every entry of the log; from now on. */
const NOW = "$";

/** One store. */
export class SharedLeaseStore implements ClaimStore {
  readonly #context: ServiceContext;
  readonly #config: SharedStoreConfig;
  readonly #calls: LeaseCalls;
  #link: StoreLink | undefined;
  #why = "it was not connected yet";
  #isClosed = false;
  #stop: () => void = () => {};
  readonly #stopped: Promise<void>;
  /** Done with the first attempt to connect. */
  #first: Promise<void> = Promise.resolve();
  #work: Promise<void> = Promise.resolve();

  constructor(context: ServiceContext, config: SharedStoreConfig) {
    const random = (size: number) => {
      const bytes = new Uint8Array(size);
      context.host.random(bytes);
      return bytes;
    };
    this.#context = context;
    this.#config = config;
    this.#calls = new LeaseCalls(
      random(READER_SIZE),
      () => Array.from(random(TABLE_SIZE), (byte) => byte.toString(16).padStart(2, "0")).join(""),
    );
    this.#stopped = new Promise((done) => this.#stop = done);
  }

  sharing(book: LeaseBook): LeaseSharing {
    return new SharedLeases(book);
  }

  open(changed: () => void): void {
    this.#first = new Promise((connected) => this.#work = this.#run(changed, connected));
  }

  async do(step: ClaimStep): Promise<ClaimLog | ClaimScan> {
    if (this.#link === undefined) await this.#pause(FIRST, this.#first);
    const link = this.#link;
    if (link === undefined) throw new UserError(this.#why);
    try {
      return await this.#calls.do(link.writer, step);
    } catch (error) {
      const { scope, why } = storeFault(error);
      // What comes late is an answer to something else.
      if (scope !== "writing" || !(error instanceof StoreRefusal)) this.#lose(link, why);
      throw new UserError(why);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    try {
      if (this.#link !== undefined) await this.#calls.leave(this.#link.writer);
    } catch {
      // The others wait for it until its leases have ended.
    }
    this.#stop();
    this.#lose(this.#link, "it is not used any more");
    await this.#work;
  }

  /** Connects until it is closed, and says when others have changed something. It never fails. */
  async #run(changed: () => void, connected: () => void): Promise<void> {
    while (!this.#isClosed) {
      try {
        const link = await openLink(
          this.#context.host,
          this.#config,
          ({ why }) => this.#lose(link, why),
          this.#stopped,
        );
        this.#link = link;
        connected();
        changed();
        await this.#listen(link, changed);
      } catch (error) {
        this.#lose(this.#link, storeFault(error).why);
      }
      connected();
      if (!this.#isClosed) await this.#pause(RETRY, this.#stopped);
    }
    connected();
  }

  async #listen(link: StoreLink, changed: () => void): Promise<void> {
    let after: string | undefined;
    while (this.#link === link && !this.#isClosed) {
      // Where nothing came for long, the log may be another one, that begins anew.
      after = await this.#calls.wait(link.reader, after ?? NOW);
      if (after !== undefined) changed();
    }
  }

  #lose(link: StoreLink | undefined, why: string): void {
    if (link !== this.#link) return;
    this.#why = why;
    this.#link = undefined;
    closeLink(link);
  }

  /** Waits for something, and so many seconds at most. */
  async #pause(seconds: number, what: Promise<void>): Promise<void> {
    let cancel = () => {};
    const late = new Promise<void>((done) => cancel = this.#context.host.after(seconds, done));
    await Promise.race([late, what]);
    cancel();
  }
}

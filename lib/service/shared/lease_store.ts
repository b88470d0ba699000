/**
 * The store in which leases are decided: two connections of its own, one that claims, and one that is
 * told when other servers have.
 *
 * @module
 */

import { encodeHex } from "@std/encoding/hex";
import type { ClaimLog, ClaimScan } from "../../core/lease/server/claims.ts";
import { SharedLeases } from "../../core/lease/server/shared_leases.ts";
import type { LeaseBook } from "../../core/lease/server/book.ts";
import type { LeaseSharing } from "../../core/lease/server/sharing.ts";
import { UserError } from "../../core/settings/user_error.ts";
import type { Clock } from "../../host/clock.ts";
import type { Random } from "../../host/random.ts";
import { StoreRefusal } from "../../host/shared_stores.ts";
import type { ClaimStep, ClaimStore } from "../lease/server/claim_store.ts";
import type { SharedStoreConfig } from "./config.ts";
import { LeaseCalls } from "./lease_calls.ts";
import { closeLink, openLink, storeFault, type StoreHost, type StoreLink } from "./store_link.ts";

/** So many seconds from one attempt to connect to the next: what a lost table lacks is put back soon. */
const RETRY = 2;
/** So many seconds the first look waits for a connection, before it goes on without the store. */
const FIRST = 2;
const READER_SIZE = 8;
const TABLE_SIZE = 16;
/** Before every entry of the log; from now on. */
const NOW = "$";

/** What of a host it takes. */
type LeaseStoreHost = StoreHost & Clock & Random;

/** One store. */
export class SharedLeaseStore implements ClaimStore {
  readonly #host: LeaseStoreHost;
  readonly #config: SharedStoreConfig;
  readonly #calls: LeaseCalls;
  #link: StoreLink | undefined;
  #why = "it was not connected yet";
  #isClosed = false;
  /** Ends what goes on at the moment. */
  #stop: () => void = () => {};
  /** Done with the first attempt to connect. */
  #first: Promise<void> = Promise.resolve();
  #work: Promise<void> = Promise.resolve();

  /** It is not connected before it is opened. */
  constructor({ host }: { readonly host: LeaseStoreHost }, config: SharedStoreConfig) {
    const random = (size: number) => {
      const bytes = new Uint8Array(size);
      host.random(bytes);
      return bytes;
    };
    this.#host = host;
    this.#config = config;
    this.#calls = new LeaseCalls(
      random(READER_SIZE),
      () => encodeHex(random(TABLE_SIZE)),
    );
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
      // Another one each time: a promise that lasts keeps all that have waited for it.
      const stopped = new Promise<void>((done) => this.#stop = done);
      try {
        const link = await this.#connect(stopped);
        connected();
        changed();
        await this.#listen(link, changed);
      } catch (error) {
        this.#lose(this.#link, storeFault(error).why);
      }
      connected();
      if (!this.#isClosed) await this.#pause(RETRY, stopped);
    }
    connected();
  }

  /** @throws Also where one connection has ended before the other one was there. */
  async #connect(stopped: Promise<void>): Promise<StoreLink> {
    let link: StoreLink | undefined;
    let isOver = false;
    const ended = (why: string) => {
      isOver = true;
      this.#lose(link, why);
    };
    const both = await openLink(this.#host, this.#config, ({ why }) => ended(why), stopped);
    if (isOver || this.#isClosed) {
      closeLink(both);
      throw new UserError(this.#why);
    }
    return this.#link = link = both;
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
    const late = new Promise<void>((done) => cancel = this.#host.after(seconds, done));
    await Promise.race([late, what]);
    cancel();
  }
}

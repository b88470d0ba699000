/**
 * Keeps what is leased, what is on the disk and what is on the device in line.
 *
 * @module
 */

import type { LeaseBook, LeaseChange } from "../../../core/lease/server/book.ts";
import type { LeaseBookOptions } from "../../../core/lease/server/options.ts";
import { parseLeaseAddress } from "../../../core/lease/address.ts";
import { type StaticChange, StaticPrefixes } from "../../../core/lease/server/static.ts";
import type { Host } from "../../../host/host.ts";
import type { Clock } from "../../../host/clock.ts";
import type { LocalAddresses } from "../../../host/names.ts";
import { inWords } from "../../log/in_words.ts";
import type { LeaseApplied, LeaseDevice } from "./device.ts";
import { TimeSlicer } from "../time_slicer.ts";
import type { LeaseStore } from "./store.ts";
import type { Log } from "../../log/log.ts";

/** So many peers are changed at once; then others have their turn. */
const MOST_AT_ONCE = 512;
/** Who has this host's own addresses. */
const OWN = "";

/** What a reconciler works with. */
export interface LeaseReconcilerParts {
  readonly host: Host;
  readonly log: Log;
  readonly book: LeaseBook;
  readonly store: LeaseStore;
  readonly device: LeaseDevice;
}

/** All leases and where they are. Nothing here is called while it is at work. */
export class LeaseReconciler {
  readonly #host: Clock & LocalAddresses;
  readonly #log: Log;
  readonly #book: LeaseBook;
  readonly #store: LeaseStore;
  readonly #device: LeaseDevice;
  /** What is not to be leased; undefined where there are new settings. */
  #statics: StaticPrefixes | undefined;
  #ownAddresses = "";
  /** Peers that may not have what they should. */
  #unsettled = new Set<string>();
  /** Those of them that are looked at next. */
  #todo: string[] = [];
  /** Peers of which it was said that they can't be changed. */
  readonly #failing = new Set<string>();

  constructor({ host, log, book, store, device }: LeaseReconcilerParts) {
    this.#host = host;
    this.#log = log;
    this.#book = book;
    this.#store = store;
    this.#device = device;
  }

  /** Says that the settings are others. */
  configured(): void {
    this.#statics = undefined;
  }

  /**
   * Sees to it that nothing is leased that the admin gave to a peer, or that is this host's own. It
   * costs what has changed since the last time.
   *
   * @param options The settings, with these prefixes as well.
   */
  async reserve(
    pools: readonly string[],
    options: (ranges: readonly string[]) => LeaseBookOptions,
  ): Promise<void> {
    const index = this.#device.peers;
    let rangesChanged = false;
    let statics = this.#statics;
    let taken = 0;
    if (statics === undefined) {
      statics = new StaticPrefixes(pools);
      rangesChanged = true;
      this.#ownAddresses = "";
      index.changeAll();
      this.#book.unblockAll();
    }
    // Where this fails, all is looked at again.
    this.#statics = undefined;
    const block = (change: StaticChange) => {
      for (const address of change.taken) taken += this.#book.block(address);
      for (const address of change.freed) this.#book.unblock(address);
      rangesChanged ||= change.rangesChanged;
    };
    const own = this.#host.localAddresses().filter((each) => parseLeaseAddress(each) !== undefined);
    if (own.join() !== this.#ownAddresses) block(statics.set(OWN, own));
    this.#ownAddresses = own.join();
    const slicer = new TimeSlicer(this.#host);
    for (const publicKey of index.takeChanged()) {
      const brought = [...this.#book.addressesOf(publicKey), ...this.#book.owedBy(publicKey)];
      const allowedIps = index.peer(publicKey)?.allowedIps ?? [];
      block(statics.set(publicKey, allowedIps.filter((each) => !brought.includes(each))));
      this.#unsettled.add(publicKey);
      if (slicer.isOver) await slicer.rest();
    }
    if (rangesChanged) taken += this.#book.configure(options(statics.ranges));
    this.#statics = statics;
    if (taken > 0) this.#log.write("warn", "leases-taken-back", { addresses: taken });
  }

  /** Whether a peer has on the device what it holds, and nothing that it held. */
  isApplied(publicKey: string): boolean {
    return this.#device.peers.has(publicKey, this.#book.addressesOf(publicKey)) &&
      this.#book.owedBy(publicKey).length === 0;
  }

  /**
   * Brings the device in line with the book. What is granted is on the disk first; what is taken
   * back is off the device first.
   */
  async settle(): Promise<void> {
    const changes = this.#book.takeChanges();
    if (changes.some(({ addresses }) => addresses.length > 0)) await this.#store.save();
    for (let i = 0; i < changes.length; i += MOST_AT_ONCE) {
      await this.#apply(changes.slice(i, i + MOST_AT_ONCE));
    }
    if (changes.length > 0) await this.#store.save();
  }

  /** Does again what could not be done for some peers. */
  async settleAgain(publicKeys: readonly string[]): Promise<void> {
    await this.#apply(publicKeys.map((publicKey) => this.#book.changeOf(publicKey)));
    await this.#store.save();
  }

  /** Begins to look at all peers that may not have what they should. */
  beginToMend(): void {
    this.#todo = [...this.#unsettled];
    this.#unsettled = new Set();
  }

  /**
   * Takes back what has ended, and does again what could not be done: a device that was made anew has
   * lost what leases had brought, and what has ended may still be there.
   *
   * @returns Whether there is more to do.
   */
  async tidy(mono: number): Promise<boolean> {
    this.#book.expire(mono, MOST_AT_ONCE);
    await this.settle();
    const unapplied: string[] = [];
    const slicer = new TimeSlicer(this.#host);
    while (this.#todo.length > 0 && unapplied.length < MOST_AT_ONCE) {
      const publicKey = this.#todo.pop()!;
      // Who is gone has nothing any more.
      if (this.#device.peers.peer(publicKey) === undefined) {
        this.#book.settled(publicKey, this.#book.owedBy(publicKey));
        this.#failing.delete(publicKey);
      } else if (!this.isApplied(publicKey)) unapplied.push(publicKey);
      if (slicer.isOver) await slicer.rest();
    }
    await this.settleAgain(unapplied);
    return this.#todo.length > 0 || this.#book.nothingBefore <= mono;
  }

  /** Gives peers what they hold, and takes off the rest. */
  async #apply(changes: readonly LeaseChange[]): Promise<void> {
    // Until the end, nothing of it is sure.
    for (const { publicKey } of changes) this.#unsettled.add(publicKey);
    try {
      const results = await this.#device.apply(changes);
      for (const change of changes) this.#applied(change, results.get(change.publicKey));
    } catch (error) {
      const why = inWords(error);
      for (const { publicKey: key } of changes) {
        if (this.#failing.has(key)) continue;
        this.#failing.add(key);
        this.#log.write("error", "lease-not-applied", { key, why });
      }
    }
  }

  #applied({ publicKey, addresses, gone }: LeaseChange, result: LeaseApplied | undefined): void {
    const key = publicKey;
    // It is made up for when the device comes back.
    if (result === undefined || result === "no-device") return;
    this.#unsettled.delete(key);
    this.#failing.delete(key);
    if (result === "no-peer") {
      // The admin has removed the peer: it is not to come back through us.
      this.#book.forget(key);
      this.#log.write("info", "lease-forgotten", { key, why: "the peer is gone" });
      return;
    }
    this.#book.settled(key, gone);
    if (result === "same") return;
    const fields = { key, addresses: addresses.join(","), gone: gone.join(",") };
    this.#log.write("info", "lease-changed", fields);
  }
}

/**
 * Keeps what is leased, what is on the disk and what is on the device in line.
 *
 * @module
 */

import { parseLeaseAddress, parseLeasePrefix } from "../address.ts";
import type { LeaseBook, LeaseChange } from "./book.ts";
import type { LeaseApplied, LeaseDevice } from "./device.ts";
import type { LeaseBookOptions } from "./options.ts";
import { type StaticChange, StaticPrefixes } from "./static.ts";
import { bring, GO_ON, SAVE, type StepClock, type Steps, tell, wordsOf } from "./steps.ts";

/** So many peers are changed at once; then others have their turn. */
const MOST_AT_ONCE = 512;
/** Who has this host's own addresses. */
const OWN = "";
/** Before any time. */
const NEVER = 0;

/** All leases and where they are. Nothing here is called while it is at work. */
export class LeaseReconciler {
  readonly #book: LeaseBook;
  readonly #device: LeaseDevice;
  readonly #clock: StepClock;
  readonly #isShared: boolean;
  /** What is not to be leased; undefined where there are new settings. */
  #statics: StaticPrefixes | undefined;
  #ownAddresses = "";
  /** Peers whose grants may not be on the disk. */
  readonly #unsaved = new Set<string>();
  /** Peers that may not have what they should. */
  #unsettled = new Set<string>();
  /** Those of them that are looked at next. */
  #todo: string[] = [];
  /** Peers of which it was said that they can't be changed, and when each was tried alone. */
  readonly #failing = new Map<string, number>();

  /** @param isShared Whether leases are also of peers that other servers have. */
  constructor(book: LeaseBook, device: LeaseDevice, clock: StepClock, isShared = false) {
    this.#isShared = isShared;
    this.#book = book;
    this.#device = device;
    this.#clock = clock;
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
  *reserve(
    pools: readonly string[],
    options: (ranges: readonly string[]) => LeaseBookOptions,
  ): Steps {
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
    const { addresses } = yield* bring({ kind: "read-own-addresses" }, "addresses");
    const own = addresses.filter((each) => parseLeaseAddress(each) !== undefined);
    if (own.join() !== this.#ownAddresses) block(statics.set(OWN, own));
    this.#ownAddresses = own.join();
    for (const publicKey of index.takeChanged()) {
      const brought = [...this.#book.addressesOf(publicKey), ...this.#book.owedBy(publicKey)];
      const given = (index.peer(publicKey)?.allowedIps ?? []).filter((each) =>
        !brought.includes(each)
      );
      try {
        block(statics.set(publicKey, given));
      } catch {
        // What is no prefix keeps nothing else from being reserved, nor anybody from being served.
        block(statics.set(publicKey, given.filter(isPrefix)));
      }
      this.#unsettled.add(publicKey);
      yield GO_ON;
    }
    if (rangesChanged) taken += this.#book.configure(options(statics.ranges));
    this.#statics = statics;
    if (taken > 0) yield tell("warn", "leases-taken-back", { addresses: taken });
  }

  /** Whether a peer has on the disk and on the device what it holds, and nothing that it held. */
  isApplied(publicKey: string): boolean {
    return !this.#unsaved.has(publicKey) &&
      this.#device.peers.has(publicKey, this.#book.addressesOf(publicKey)) &&
      this.#book.owedBy(publicKey).length === 0;
  }

  /**
   * Brings the device in line with the book. What is granted is on the disk first; what is taken
   * back is off the device first.
   */
  *settle(): Steps {
    let changes = this.#book.takeChanges();
    if (changes.length === 0) return;
    if (this.#isShared) changes = this.#here(changes);
    // Until the end, nothing of it is sure.
    for (const { publicKey, addresses } of changes) {
      this.#unsettled.add(publicKey);
      if (addresses.length > 0) this.#unsaved.add(publicKey);
    }
    if (this.#unsaved.size > 0 && !(yield* this.#save())) return;
    for (let i = 0; i < changes.length; i += MOST_AT_ONCE) {
      yield* this.#apply(changes.slice(i, i + MOST_AT_ONCE), false);
    }
    yield* this.#save();
  }

  /** Those of peers that are on this device, as far as is known: the others have nothing on it. */
  #here(changes: readonly LeaseChange[]): LeaseChange[] {
    return changes.filter(({ publicKey, gone }) => {
      if (this.#device.peers.peer(publicKey) !== undefined) return true;
      this.#book.settled(publicKey, gone);
      return false;
    });
  }

  /** Does again what could not be done for some peers. One that can't be changed keeps no other. */
  *settleAgain(publicKeys: readonly string[]): Steps {
    for (const publicKey of publicKeys) this.#unsettled.add(publicKey);
    if (this.#unsaved.size > 0 && !(yield* this.#save())) return;
    yield* this.#apply(publicKeys.map((publicKey) => this.#book.changeOf(publicKey)), true);
    yield* this.#save();
  }

  /** Begins to look at all peers that may not have what they should, those that are left as well. */
  beginToMend(): void {
    this.#todo = [...new Set([...this.#unsettled, ...this.#todo])];
    this.#unsettled = new Set();
  }

  /**
   * Takes back what has ended, and does again what could not be done: a device that was made anew has
   * lost what leases had brought, and what has ended may still be there.
   *
   * @returns Whether there is more to do.
   */
  *tidy(mono: number): Steps<boolean> {
    this.#book.expire(mono, MOST_AT_ONCE);
    yield* this.settle();
    const unapplied: string[] = [];
    while (this.#todo.length > 0 && unapplied.length < MOST_AT_ONCE) {
      const publicKey = this.#todo.pop()!;
      // Who is gone has nothing any more.
      if (this.#device.peers.peer(publicKey) === undefined) {
        this.#book.settled(publicKey, this.#book.owedBy(publicKey));
        this.#failing.delete(publicKey);
      } else if (!this.isApplied(publicKey)) unapplied.push(publicKey);
      yield GO_ON;
    }
    yield* this.settleAgain(unapplied);
    return this.#todo.length > 0 || this.#book.nothingBefore <= mono;
  }

  /** Saves; returns whether that was done. Where it was not, nothing is put on the device. */
  *#save(): Steps<boolean> {
    try {
      yield SAVE;
    } catch {
      // The next look tells, whose own save fails as well.
      return false;
    }
    this.#unsaved.clear();
    return true;
  }

  /** Gives peers what they hold, and takes off the rest. */
  *#apply(changes: readonly LeaseChange[], splits: boolean): Steps {
    let results: ReadonlyMap<string, LeaseApplied>;
    try {
      results = yield* this.#device.apply(changes, { failing: this.#failing, splits });
    } catch (error) {
      const failure = { why: wordsOf(error), isAlone: false };
      results = new Map(changes.map(({ publicKey }) => [publicKey, failure]));
    }
    for (const change of changes) yield* this.#applied(change, results.get(change.publicKey));
  }

  *#applied(change: LeaseChange, result: LeaseApplied | undefined): Steps {
    const { publicKey: key, addresses, gone } = change;
    // It is made up for when the device comes back, or with the next look.
    if (result === undefined || result === "no-device" || result === "again") return;
    if (typeof result === "object") {
      const { why, isAlone } = result;
      if (!this.#failing.has(key)) yield tell("error", "lease-not-applied", { key, why });
      if (isAlone) this.#failing.set(key, this.#clock.now.mono);
      else if (!this.#failing.has(key)) this.#failing.set(key, NEVER);
      return;
    }
    this.#unsettled.delete(key);
    this.#failing.delete(key);
    if (result === "no-peer" && !this.#isShared) {
      // The admin has removed the peer: it is not to come back through us.
      this.#book.forget(key);
      yield tell("info", "lease-forgotten", { key, why: "the peer is gone" });
      return;
    }
    this.#book.settled(key, gone);
    if (result !== "changed") return;
    const fields = { key, addresses: addresses.join(","), gone: gone.join(",") };
    yield tell("info", "lease-changed", fields);
  }
}

function isPrefix(text: string): boolean {
  try {
    parseLeasePrefix(text);
    return true;
  } catch {
    return false;
  }
}

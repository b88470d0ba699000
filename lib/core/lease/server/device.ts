/**
 * The WireGuard device through which addresses are leased: when it is looked at, and what of it is
 * changed.
 *
 * @module
 */

import type { LeaseChange } from "./book.ts";
import { PeerIndex } from "./peer_index.ts";
import { bring, GO_ON, type StepClock, type Steps, wordsOf } from "./steps.ts";

/** Seconds for which it is taken for sure who has no peer, and who has one. */
const FRESH = 1;
const KNOWN_FRESH = 3;
/** After so many failures in a row, nothing else is tried: it is not about one peer. */
const MOST_FAILURES = 12;
/** Nor is a failure that takes so long, in seconds. */
const SLOW = 1;

/** A change that could not be made. */
export interface NotApplied {
  readonly why: string;
  /** Whether it was tried without any other. */
  readonly isAlone: boolean;
}

/**
 * What became of a change: it was made, there was nothing to do, who was to be changed is not there,
 * or it failed with others, and is to be tried again apart from them.
 */
export type LeaseApplied = "changed" | "same" | "no-peer" | "no-device" | "again" | NotApplied;

/** How changes are made. */
export interface ApplyOptions {
  /** Peers whose changes have failed, and when that was: they are set apart, the oldest first. */
  readonly failing: ReadonlyMap<string, number>;
  /** Whether changes that fail together are tried apart. */
  readonly splits: boolean;
}

/** What a peer is to have, and has. */
interface Wanted {
  readonly publicKey: string;
  readonly allowedIps: readonly string[];
  readonly before: readonly string[];
}

/** One device. */
export class LeaseDevice {
  /** Its peers, as far as is known. */
  readonly peers: PeerIndex = new PeerIndex();
  readonly #clock: StepClock;
  #readAt = -Infinity;

  constructor(clock: StepClock) {
    this.#clock = clock;
  }

  /** Reads it; returns whether it is there. */
  *read(): Steps<boolean> {
    this.#readAt = -Infinity;
    const { text } = yield* bring({ kind: "read-device" }, "dump");
    if (text === undefined) this.peers.clear();
    else for (const _ of this.peers.update(text)) yield GO_ON;
    this.#readAt = this.#mono;
    return text !== undefined;
  }

  /** Sees to it that it is known who is at these addresses. It reads once a second at most. */
  *meet(addresses: readonly string[]): Steps {
    const age = this.#mono - this.#readAt;
    const areKnown = addresses.every((address) => this.peers.at(address) !== undefined);
    if (age > (areKnown ? KNOWN_FRESH : FRESH)) yield* this.read();
  }

  /**
   * Brings peers' AllowedIPs in line with what they hold, and leaves what else they have.
   *
   * @returns By public key, what became of it.
   * @throws {StepFailure} Where the device can't be read.
   */
  *apply(
    changes: readonly LeaseChange[],
    { failing, splits }: ApplyOptions,
  ): Steps<Map<string, LeaseApplied>> {
    const results = new Map<string, LeaseApplied>();
    if (changes.length === 0) return results;
    // Between this and the change, only the admin's own hand could come.
    const publicKeys = new Set(changes.map(({ publicKey }) => publicKey));
    const { peers } = yield* bring({ kind: "read-allowed-ips", publicKeys }, "allowed-ips");
    if (peers === undefined) this.peers.clear();
    const wanted: Wanted[] = [];
    // Who loses something comes first.
    for (const change of changes.toSorted((a, b) => b.gone.length - a.gone.length)) {
      const { publicKey, addresses, gone } = change;
      const before = peers?.get(publicKey);
      if (before === undefined) {
        if (peers !== undefined) this.peers.remove(publicKey);
        results.set(publicKey, peers === undefined ? "no-device" : "no-peer");
        continue;
      }
      this.peers.setAllowedIps(publicKey, before);
      const kept = before.filter((prefix) => !gone.includes(prefix));
      const allowedIps = [...new Set([...kept, ...addresses])];
      const same = allowedIps.length === before.length &&
        allowedIps.every((prefix) => before.includes(prefix));
      results.set(publicKey, same ? "same" : "changed");
      if (!same) wanted.push({ publicKey, allowedIps, before });
    }
    const apart = wanted.filter(({ publicKey }) => failing.has(publicKey))
      .toSorted((a, b) => failing.get(a.publicKey)! - failing.get(b.publicKey)!);
    const others = wanted.filter(({ publicKey }) => !failing.has(publicKey));
    // Not in the head of the loop: QuickJS's compiler fails there ("stack underflow").
    const failed = yield* this.#setAll([others, apart], splits);
    for (const [publicKey, failure] of failed) {
      results.set(publicKey, failure);
    }
    return results;
  }

  /**
   * Sets each part at once; where that fails, its halves, so that one peer that can't be set takes no
   * other with it.
   *
   * @returns By public key, what could not be set.
   */
  *#setAll(
    parts: readonly (readonly Wanted[])[],
    splits: boolean,
  ): Steps<Map<string, "again" | NotApplied>> {
    const failed = new Map<string, "again" | NotApplied>();
    const todo = parts.filter(({ length }) => length > 0).reverse();
    let triesLeft = MOST_FAILURES;
    let why = "";
    for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
      if (triesLeft > 0) {
        const startedAt = this.#mono;
        const failure = yield* this.#set(part);
        if (failure === undefined) {
          triesLeft = MOST_FAILURES;
          continue;
        }
        why = failure;
        triesLeft = this.#mono - startedAt > SLOW ? 0 : triesLeft - 1;
        if (splits && triesLeft > 0 && part.length > 1) {
          const middle = Math.ceil(part.length / 2);
          todo.push(part.slice(middle), part.slice(0, middle));
          continue;
        }
        if (part.length === 1) {
          failed.set(part[0]!.publicKey, { why, isAlone: true });
          continue;
        }
      }
      for (const { publicKey } of part) {
        failed.set(publicKey, splits ? { why, isAlone: false } : "again");
      }
    }
    return failed;
  }

  /** Returns why it could not be done, or undefined. */
  *#set(part: readonly Wanted[]): Steps<string | undefined> {
    const peers = new Map(part.map(({ publicKey, allowedIps }) => [publicKey, allowedIps]));
    let why: string | undefined;
    try {
      yield { kind: "set-allowed-ips", peers };
    } catch (error) {
      why = wordsOf(error);
    }
    for (const { publicKey, allowedIps } of part) this.peers.setAllowedIps(publicKey, allowedIps);
    if (why === undefined) return undefined;
    // A part of it may be done: nobody has for sure what comes to one or goes from another.
    for (const { publicKey, allowedIps, before } of part) {
      this.peers.setAllowedIps(publicKey, before.filter((each) => allowedIps.includes(each)));
    }
    return why;
  }

  get #mono(): number {
    return this.#clock.now.mono;
  }
}

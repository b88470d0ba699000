/**
 * What registries that share a table have in common: what of this one's peers is to go to the store,
 * and what of the store becomes of this one's peers.
 *
 * @module
 */

import type { StoreKey } from "../../wire/shared/store_key.ts";
import type { Now } from "../net/clock.ts";
import type { RandomSource } from "../net/random.ts";
import type { Registry } from "../registry/registry.ts";

/** The store's clock, by the monotonic one of this process. */
export interface StoreClock {
  /** What the store's clock shows at a moment of the monotonic one; both in seconds. */
  toStore(mono: number): number;
  /** The other way round. */
  toMono(heard: number): number;
}

/** What is known of a peer. */
export interface SharedPeer {
  /** Its ID, 32 bytes. */
  readonly id: Uint8Array;
  /** Its record, or those registers of it that have changed: see `wire/shared/record`. */
  readonly record: Uint8Array;
}

/** What is to be written to the store. The arrays are the caller's. */
export interface SharedWrite {
  /** GROUP. */
  readonly group: number;
  readonly records: readonly SharedPeer[];
}

/** Who is gone here. */
export interface SharedGone {
  /** GROUP. */
  readonly group: number;
  /** The store may forget them if it hasn't heard them since, by its clock. */
  readonly notHeardSince: number;
  /** 32 bytes each. */
  readonly ids: readonly Uint8Array[];
}

/** The most records of a {@linkcode SharedWrite}, and IDs of a {@linkcode SharedGone}. */
export const MOST_TAKEN = 256;
/** The most bytes of the records of a {@linkcode SharedWrite}. */
export const MOST_BYTES = 65_536;

/** The peers of all groups of a registry, as they are shared. */
export class SharedPeers {
  /** Called when something is to be written, and nothing was before. */
  onDirty: (() => void) | undefined;

  /**
   * Opens the directories of all groups, and hooks itself into these and into later ones.
   *
   * @param key What records are authenticated with.
   * @param random Draws what new directories need.
   * @param mono The monotonic clock, in seconds.
   */
  constructor(registry: Registry, key: StoreKey, random: RandomSource, mono: number) {
    void [registry, key, random, mono];
  }

  /** Hooks itself out: nothing is noted any more. */
  close(): void {
  }

  /** Whether something is to be written: {@linkcode take} has something, or will have. */
  get isDirty(): boolean {
    return false;
  }

  /** How many peers are to be written, as far as it is known. */
  get behind(): number {
    return 0;
  }

  /** Whether somebody is gone: {@linkcode takeGone} has something. */
  get hasGone(): boolean {
    return false;
  }

  /** How often what was applied has changed what peers are told: more than before is worth a push. */
  get changed(): number {
    return 0;
  }

  /**
   * Takes what is to be written: of one group, at most 256 records, 64 kB. It is under way until
   * {@linkcode written} or {@linkcode lost}, and nothing else may be taken before. It can be undefined
   * though {@linkcode isDirty} holds, after a scan: there is more to look through.
   */
  take(clock: StoreClock, now: Now): SharedWrite | undefined {
    void [clock, now];
    return undefined;
  }

  /** The store has what was taken last. */
  written(): void {
  }

  /** The store may not have what was taken last: it is to be written again. */
  lost(): void {
  }

  /** Takes who is gone, at most 256 of a group. What becomes of it need not be told. */
  takeGone(clock: StoreClock, now: Now): SharedGone | undefined {
    void [clock, now];
    return undefined;
  }

  /**
   * Takes over what the store, or its stream, says of a peer. What can't be read, or wasn't made by a
   * registry with the same key, is counted.
   *
   * @param id 32 bytes; of another size it is no peer's.
   * @param isScan Whether this is all that the store has of it, and not only what has changed.
   */
  apply(
    group: number,
    id: Uint8Array,
    record: Uint8Array,
    clock: StoreClock,
    now: Now,
    isScan = false,
  ): void {
    void [group, id, record, clock, now, isScan];
  }

  /** Everything that the store has comes now, by {@linkcode apply}. */
  beginScan(): void {
  }

  /** That was everything: what it hasn't is to be written. */
  endScan(): void {
  }
}

/**
 * What registries that share a table have in common: what of this one's peers is to go to the store,
 * and what of the store becomes of this one's peers.
 *
 * Who asks for what is to be written and tells what the store says is `sharing.ts`. Neither the order
 * in which registries hear of each other nor how often matters: see `record_taker.ts`.
 *
 * @module
 */

import type { StoreKey } from "../../wire/shared/store_key.ts";
import { REGISTER_COUNT } from "../../wire/shared/record.ts";
import type { Now } from "../net/clock.ts";
import { NONE } from "../net/none.ts";
import type { RandomSource } from "../net/random.ts";
import type { RegistryGroup } from "../registry/group.ts";
import type { GroupSharing } from "../registry/group_sharing.ts";
import type { Registry } from "../registry/registry.ts";
import { RecordTaker } from "./record_taker.ts";
import { SharedGroup } from "./shared_group.ts";
import type { SharedGone, SharedPeer, SharedWrite, StoreClock } from "./store.ts";

/** The most records of a {@linkcode SharedWrite}, and IDs of a {@linkcode SharedGone}. */
export const MOST_TAKEN = 256;
/** The most bytes of the records of a {@linkcode SharedWrite}, and their IDs. */
export const MOST_BYTES = 65_536;

/** The peers of all groups of a registry, as they are shared. */
export class SharedPeers implements GroupSharing {
  /** Called when something of a group is to be written, and nothing of it was before. */
  onDirty: (() => void) | undefined;
  readonly #registry: Registry;
  readonly #key: StoreKey;
  readonly #random: RandomSource;
  readonly #mono: number;
  readonly #taker: RecordTaker;
  /** By number of the group. Whose turn it is comes first. */
  readonly #groups = new Map<number, SharedGroup>();
  /** Whose peers are under way, which, and when their registers were heard. */
  #writing: SharedGroup | undefined;
  readonly #peers = new Int32Array(MOST_TAKEN);
  readonly #wrong: (Uint8Array | undefined)[] = [];
  readonly #heard = new Float64Array(REGISTER_COUNT * MOST_TAKEN);
  #count = 0;

  /**
   * Opens the directories of all groups, and hooks itself into these and into later ones. Whoever was
   * restored from a state file is there already.
   *
   * @param key What records are authenticated with.
   * @param random Draws what new directories need.
   * @param mono The monotonic clock, in seconds.
   */
  constructor(registry: Registry, key: StoreKey, random: RandomSource, mono: number) {
    this.#registry = registry;
    this.#key = key;
    this.#random = random;
    this.#mono = mono;
    this.#taker = new RecordTaker(key, registry.counters);
    registry.shareGroups(this);
  }

  /** Hooks itself out: nothing is noted any more. */
  close(): void {
    this.#registry.shareGroups(undefined);
    for (const shared of [...this.#groups.values()]) this.removed(shared.group);
  }

  /** See {@linkcode GroupSharing}. */
  added(group: RegistryGroup): void {
    const directory = group.openDirectory(this.#random, this.#mono);
    const shared = new SharedGroup(group, directory, this.#key, () => this.onDirty?.());
    group.members.sharing = shared;
    this.#groups.set(group.id, shared);
  }

  /** See {@linkcode GroupSharing}. */
  removed(group: RegistryGroup): void {
    group.members.sharing = undefined;
    this.#groups.delete(group.id);
  }

  /** Whether something is to be written: {@linkcode take} has something, or will have. */
  get isDirty(): boolean {
    for (const shared of this.#groups.values()) if (shared.isDirty) return true;
    return false;
  }

  /** How many peers are to be written or under way, as far as it is known. */
  get behind(): number {
    let behind = this.#count;
    for (const { marks } of this.#groups.values()) behind += marks.dirtyCount;
    return behind;
  }

  /** For how long a peer is kept that is silent, in seconds: the longest of all groups. */
  get maxAge(): number {
    let longest = 0;
    for (const { members } of this.#groups.values()) longest = Math.max(longest, members.maxAge);
    return longest;
  }

  /** Whether somebody is gone: {@linkcode takeGone} has something. */
  get hasGone(): boolean {
    for (const shared of this.#groups.values()) if (shared.hasGone) return true;
    return false;
  }

  /** How often what was applied has changed what peers are told: more than before is worth a push. */
  get changed(): number {
    return this.#taker.changed;
  }

  /**
   * Takes what is to be written: of one group, at most 256 records, 64 kB. It is under way until
   * {@linkcode written} or {@linkcode lost}, and nothing else may be taken before. It can be undefined
   * though {@linkcode isDirty} holds, after a scan: there is more to look through.
   */
  take(clock: StoreClock, { mono }: Now): SharedWrite | undefined {
    for (const [id, shared] of this.#groups) {
      if (!shared.isDirty) continue;
      // The others' turn is next.
      this.#groups.delete(id);
      this.#groups.set(id, shared);
      shared.lookThrough();
      const records = this.#takeOf(shared, clock, mono);
      return records.length > 0 ? { group: id, records } : undefined;
    }
    return undefined;
  }

  #takeOf(shared: SharedGroup, clock: StoreClock, mono: number): SharedPeer[] {
    const records: SharedPeer[] = [];
    let bytes = 0;
    this.#writing = shared;
    this.#count = 0;
    while (records.length < MOST_TAKEN && bytes < MOST_BYTES - MOST_OF_ONE) {
      const peer = shared.marks.take();
      if (peer === NONE) break;
      const at = REGISTER_COUNT * this.#count;
      const written = shared.write(peer, clock, mono, this.#heard, at);
      if (written === undefined) {
        shared.marks.settle(peer);
        continue;
      }
      this.#wrong[this.#count] = written.wrong;
      this.#peers[this.#count++] = peer;
      records.push(written);
      bytes += written.id.length + written.record.length;
    }
    return records;
  }

  /**
   * The store has what was taken last.
   *
   * @param kept Of whom it keeps something else.
   * @returns The number of the group, where that is still there.
   */
  written(kept: readonly SharedPeer[] = []): number | undefined {
    const shared = this.#writing;
    const marks = shared?.marks;
    for (let i = 0; i < this.#count && marks !== undefined; i++) {
      const peer = this.#peers[i]!;
      shared?.wrong.replaced(peer, this.#wrong[i]);
      const registers = marks.underWay(peer);
      for (let place = 0; place < REGISTER_COUNT; place++) {
        if ((registers & 1 << place) === 0) continue;
        marks.stored(peer, place, this.#heard[REGISTER_COUNT * i + place]!);
      }
      marks.settle(peer);
    }
    this.#count = 0;
    if (shared === undefined || this.#groups.get(shared.group.id) !== shared) return undefined;
    for (const peer of kept) this.#taker.check(shared, peer);
    return shared.group.id;
  }

  /** The store may not have what was taken last: it is to be written again. */
  lost(): void {
    const shared = this.#writing;
    for (let i = 0; i < this.#count && shared !== undefined; i++) {
      const peer = this.#peers[i]!;
      const registers = shared.marks.underWay(peer);
      shared.marks.settle(peer);
      if (registers !== 0) shared.note(peer, registers);
    }
    this.#count = 0;
  }

  /** Takes who is gone, at most 256 of a group. What becomes of it need not be told. */
  takeGone(clock: StoreClock, { mono }: Now): SharedGone | undefined {
    for (const [group, shared] of this.#groups) {
      if (!shared.hasGone) continue;
      const notHeardSince = clock.toStore(mono - shared.members.maxAge);
      return { group, notHeardSince, ids: shared.takeGone(MOST_TAKEN) };
    }
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
    const shared = this.#groups.get(group);
    if (shared !== undefined) this.#taker.apply(shared, { id, record }, clock, now, isScan);
  }

  /** Makes room for so many peers of a group at once, as far as it may have them. */
  reserve(group: number, peers: number): void {
    for (const shared of this.#those(group)) shared.reserve(peers);
  }

  /**
   * Everything that the store has comes now, by {@linkcode apply}: of a group, or of all that there are.
   * To begin again is to begin anew.
   */
  beginScan(group?: number): void {
    for (const shared of this.#those(group)) shared.beginScan();
  }

  /** That was everything: what it hasn't is to be written. Of a group that came meanwhile, it wasn't. */
  endScan(group?: number): void {
    for (const shared of this.#those(group)) shared.endScan();
  }

  #those(group: number | undefined): readonly SharedGroup[] {
    if (group === undefined) return [...this.#groups.values()];
    const shared = this.#groups.get(group);
    return shared === undefined ? [] : [shared];
  }
}

/** More than a record can have. */
const MOST_OF_ONE = 512;

/**
 * Who is in a group: who comes in, who has to make room, who is gone.
 *
 * The first protocol knows the rows of the {@linkcode PeerTable}, the second the peers of the
 * {@linkcode PeerDirectory}. Each row has a peer; a peer that was not seen over IPv4 has no row.
 *
 * @module
 */

import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { Primitives } from "../../wire/crypto/primitives.ts";
import { readAddress, RECORD_PORT } from "../../wire/wgsig/record.ts";
import type { Counters } from "../net/counters.ts";
import { NONE } from "../net/none.ts";
import type { RandomSource } from "../net/random.ts";
import { type DiskNeeds, PeerChanges } from "./peer_changes.ts";
import { PeerDirectory } from "./peer_directory.ts";
import type { PeerSharing } from "./peer_sharing.ts";
import { PeerTable, type PeerTableOptions } from "./peer_table.ts";
import { UsedLabels } from "./used_labels.ts";

/** What is kept over a restart: rows, what the directory knows beyond them, or who has subscribed. */
export type Kept = "rows" | "members" | "subscriptions";

/** Whether somebody may stay: the ID is at `at`. */
export type MayStay = (ids: WireBuffer, at: number, isProved: boolean) => boolean;

/** The peers of a group. */
export class Members {
  /** Those that were seen over IPv4. */
  readonly table: PeerTable;
  /** The labels that they have used in the first protocol. */
  readonly labels: UsedLabels;
  /** What of the rows is to go to the disk; undefined where nothing is kept over a restart. */
  changes: PeerChanges | undefined;
  /** The same of the directory, beyond the rows. */
  memberChanges: PeerChanges | undefined;
  /** The same of its peers' subscriptions. */
  subscriptionChanges: PeerChanges | undefined;
  /** What shares them with other registries, if anything does: the directory is there then. */
  sharing: PeerSharing | undefined;
  /** A peer that was not heard for longer, in seconds, is gone. */
  maxAge: number;
  /** Told of peers of the directory of whom nothing holds that was said: gone, or just proved. */
  onForgotten: ((peer: number) => void) | undefined;
  #directory: PeerDirectory | undefined;
  #window: number;

  /** There is nobody. @param window How far a label may be from the server's clock, in seconds. */
  constructor(limits: PeerTableOptions, maxAge: number, window: number) {
    this.table = new PeerTable(limits);
    this.labels = new UsedLabels(this.table, limits.seed, window);
    this.maxAge = maxAge;
    this.#window = window;
  }

  /** All of them as wgsig 2 tells of them; there only where somebody has asked in it. */
  get directory(): PeerDirectory | undefined {
    return this.#directory;
  }

  /** How many there are. */
  get count(): number {
    return this.#directory?.count ?? this.table.count;
  }

  /** Notes from now on what is to go to the disk. */
  keepChanges(of: Kept, needs: DiskNeeds): void {
    const most = this.table.maxPeers;
    if (of === "rows") this.changes = new PeerChanges(this.table, most, this.maxAge, needs);
    else {
      const heard = { seenAt: (peer: number) => this.#directory?.heardAt(peer) ?? -Infinity };
      const changes = new PeerChanges(heard, most, this.maxAge, needs);
      if (of === "members") this.memberChanges = changes;
      else this.subscriptionChanges = changes;
    }
    this.#keepSubscriptions();
  }

  /** Has the directory's subscriptions note what changes. */
  #keepSubscriptions(): void {
    const { subscriptionChanges: changes } = this;
    const directory = this.#directory;
    if (directory === undefined || changes === undefined) return;
    directory.pushes.subscriptions.keeper = {
      changed: (peer) => changes.changed(peer),
      ended: (peer) => {
        if (changes.isKnown(peer)) changes.removed(directory.ids, directory.idAt(peer), peer);
      },
    };
  }

  /** Takes over another maximal age and window. */
  configure(maxAge: number, window: number): void {
    this.maxAge = maxAge;
    this.#window = window;
    this.changes?.configure(maxAge);
    this.memberChanges?.configure(maxAge);
    this.labels.setWindow(window);
    this.#directory?.setWindow(window);
  }

  /** The directory; where nobody has asked in wgsig 2 before, it is made of the rows. */
  openDirectory(random: RandomSource, primitives: Primitives, mono: number): PeerDirectory {
    if (this.#directory !== undefined) return this.#directory;
    const { table } = this;
    const directory = new PeerDirectory(table.maxPeers, this.#window, random, primitives);
    directory.reserve(table.count);
    for (let row = table.oldest; row !== NONE;) {
      const next = table.newerThan(row);
      const at = table.recordAt(row);
      // Keys that are so much alike were made up.
      if (directory.isCrowded(table.pages, at)) this.dropRow(row, mono);
      else directory.attach(directory.add(table.pages, at, table.seenAt(row)), row);
      row = next;
    }
    this.#directory = directory;
    this.#keepSubscriptions();
    return directory;
  }

  /** Whether the peer of a row, or where it is NONE the ID at `at`, has proved its key. */
  isProved(row: number, buffer: WireBuffer, at: number): boolean {
    const directory = this.#directory;
    if (directory === undefined) return false;
    const peer = row === NONE ? directory.find(buffer, at) : directory.peerOf(row);
    return peer !== NONE && directory.isProved(peer);
  }

  /**
   * Adds a row for the ID at `at`, which has none.
   *
   * @returns The row, or NONE: a stranger does not push a fresh record out.
   */
  admitRow(buffer: WireBuffer, at: number, mono: number, counters: Counters): number {
    const { table } = this;
    const directory = this.#directory;
    if (directory === undefined) {
      return this.#makeRoom(false, mono, counters) ? table.add(buffer, at, mono) : NONE;
    }
    let peer = directory.find(buffer, at);
    if (peer === NONE) peer = this.admit(buffer, at, false, mono, counters);
    else {
      directory.heard(peer, mono);
      directory.log.changed(peer);
    }
    return peer === NONE ? NONE : this.addRow(directory, peer, mono);
  }

  /** Adds a row for a peer that has none. */
  addRow(directory: PeerDirectory, peer: number, mono: number): number {
    const row = this.table.add(directory.ids, directory.idAt(peer), mono);
    if (row !== NONE) directory.attach(peer, row);
    return row;
  }

  /**
   * Adds the peer whose ID is at `at` to the directory. Where there is no room, one whose record is
   * stale makes it, and for who has proved its key the oldest one that has not.
   *
   * @returns The peer, or NONE.
   */
  admit(
    buffer: WireBuffer,
    at: number,
    isProved: boolean,
    mono: number,
    counters: Counters,
  ): number {
    const directory = this.#directory;
    if (directory === undefined || (!isProved && directory.isCrowded(buffer, at))) return NONE;
    return this.#makeRoom(isProved, mono, counters) ? directory.add(buffer, at, mono) : NONE;
  }

  /**
   * Adds a row of a saved state, as the one seen longest ago. Its peer stands at the end of the
   * directory, which is sorted once all are there.
   *
   * @param known Its peer, where the directory has it; else NONE.
   * @returns The row, or NONE where there is no room.
   */
  restoreRow(buffer: WireBuffer, at: number, seenAt: number, known: number): number {
    const { table } = this;
    const directory = this.#directory;
    if (directory === undefined) return table.addOldest(buffer, at, seenAt);
    if (known === NONE && this.count >= table.maxPeers) return NONE;
    const row = table.addOldest(buffer, at, seenAt);
    if (row === NONE) return NONE;
    if (known === NONE) directory.attach(directory.add(buffer, at, seenAt), row);
    else {
      directory.heard(known, seenAt);
      directory.attach(known, row);
    }
    return row;
  }

  /** The peer of a row was heard. */
  heard(row: number, mono: number): void {
    this.table.touch(row, mono);
    const directory = this.#directory;
    if (directory !== undefined) directory.heard(directory.peerOf(row), mono);
  }

  /** Writes the endpoint of a row, and returns whether it is another than before. */
  setEndpoint(row: number, address: number, port: number): boolean {
    const { table } = this;
    const at = table.recordAt(row);
    if (
      readAddress(table.pages, at) === address &&
      table.pages.view.getUint16(at + RECORD_PORT) === port
    ) return false;
    table.setEndpoint(row, address, port);
    return true;
  }

  /** The peer of a row is where it was not before. */
  moved(row: number): void {
    const directory = this.#directory;
    if (directory !== undefined) directory.log.changed(directory.peerOf(row));
  }

  /** Removes all that may not stay. */
  keep(mayStay: MayStay, mono: number): void {
    const { table } = this;
    const directory = this.#directory;
    if (directory === undefined) {
      for (let row = table.oldest; row !== NONE;) {
        const next = table.newerThan(row);
        if (!mayStay(table.pages, table.recordAt(row), false)) this.dropRow(row, mono);
        row = next;
      }
      return;
    }
    for (let peer = 0; peer < directory.end; peer++) {
      if (!directory.isThere(peer)) continue;
      if (!mayStay(directory.ids, directory.idAt(peer), directory.isProved(peer))) {
        this.#remove(directory, peer, mono);
      }
    }
  }

  /** Removes those who have these public keys, as far as they are there. */
  removeKeys(keys: readonly Uint8Array[], mono: number): void {
    const directory = this.#directory;
    for (const key of keys) {
      const found = (directory ?? this.table).find(new WireBuffer(key), 0);
      if (found === NONE) continue;
      if (directory === undefined) this.dropRow(found, mono);
      else this.#remove(directory, found, mono);
    }
  }

  /** In how many seconds the next of them is gone, or not seen over IPv4 any more, if it stays silent. */
  expiresIn(mono: number): number {
    const { table } = this;
    const oldest = this.#directory?.oldest ?? NONE;
    const heardAt = oldest === NONE ? Infinity : this.#directory!.heardAt(oldest);
    const seenAt = table.oldest === NONE ? Infinity : table.seenAt(table.oldest);
    return Math.max(0, Math.min(heardAt, seenAt) + this.maxAge - mono);
  }

  /** In how many seconds subscribers may have to be told; Infinity where there are none. */
  pushDueIn(mono: number, untilGone: number): number {
    const directory = this.#directory;
    if (directory === undefined || directory.pushes.subscriptions.count === 0) return Infinity;
    return Math.min(untilGone, directory.pushes.dueIn(directory.log.version, mono));
  }

  /**
   * Removes those that were not heard in time: peers and rows, of each so many at most.
   *
   * @returns How many peers there were.
   */
  expire(mono: number, most: number): number {
    this.labels.expire(mono);
    const { table } = this;
    const directory = this.#directory;
    let removed = 0;
    for (
      ;
      directory !== undefined && removed < most &&
      this.#isSilent(directory, directory.oldest, mono);
      removed++
    ) {
      this.sharing?.expired(directory.oldest);
      this.#remove(directory, directory.oldest, mono);
    }
    for (let left = most; left > 0 && this.#isRowOld(table.oldest, mono); left--) {
      const row = table.oldest;
      // Its peer is heard over IPv6.
      if (directory === undefined) removed++;
      else directory.log.changed(directory.peerOf(row));
      this.dropRow(row, mono);
    }
    // Who is in no order comes once those are gone who are.
    const left = most - removed;
    return left > 0 ? removed + (this.sharing?.sweep(mono, left) ?? 0) : removed;
  }

  /**
   * Removes a peer of the directory where it was not heard in time, or else its row, in whatever order
   * they were added. Returns whether the peer is gone.
   */
  expireOne(directory: PeerDirectory, peer: number, mono: number): boolean {
    if (this.#isSilent(directory, peer, mono)) {
      this.sharing?.expired(peer);
      this.#remove(directory, peer, mono);
      return true;
    }
    const row = directory.rowOf(peer);
    if (row !== NONE && mono - this.table.seenAt(row) > this.maxAge) {
      directory.log.changed(peer);
      this.dropRow(row, mono);
    }
    return false;
  }

  /** Removes a row. Its last label stays known, so that its requests can't be replayed. */
  dropRow(row: number, mono: number): void {
    const { table, labels, changes } = this;
    const at = table.recordAt(row);
    labels.note(table.pages, at, table.labelSeconds(row), table.labelNanoseconds(row), mono);
    changes?.removed(table.pages, at, row);
    const directory = this.#directory;
    if (directory !== undefined) directory.detach(directory.peerOf(row));
    table.remove(row);
  }

  #remove(directory: PeerDirectory, peer: number, mono: number): void {
    this.sharing?.left(peer);
    const row = directory.rowOf(peer);
    if (row !== NONE) this.dropRow(row, mono);
    if (this.memberChanges?.isKnown(peer) === true) {
      this.memberChanges.removed(directory.ids, directory.idAt(peer), peer);
    }
    directory.remove(peer, mono);
    this.onForgotten?.(peer);
  }

  #makeRoom(isProved: boolean, mono: number, counters: Counters): boolean {
    const { table } = this;
    if (this.count < table.maxPeers) return true;
    const directory = this.#directory;
    if (directory === undefined) {
      if (!this.#isRowOld(table.oldest, mono)) return false;
      this.dropRow(table.oldest, mono);
    } else {
      const { oldest } = directory;
      const isSilent = this.#isSilent(directory, oldest, mono);
      const peer = isSilent ? oldest : isProved ? directory.oldestUnproved : NONE;
      if (peer === NONE) return false;
      this.#remove(directory, peer, mono);
    }
    counters.add("pushed-out");
    return true;
  }

  #isRowOld(row: number, mono: number): boolean {
    return row !== NONE && mono - this.table.seenAt(row) > this.maxAge;
  }

  #isSilent(directory: PeerDirectory, peer: number, mono: number): boolean {
    return peer !== NONE && mono - directory.heardAt(peer) > this.maxAge;
  }
}

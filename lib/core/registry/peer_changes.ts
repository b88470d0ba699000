/**
 * What of a group's peers is to go to the disk, and how soon. It costs what changes, not what is asked:
 * a peer that polls and stays where it is costs next to nothing.
 *
 * | what happens                    | when it is written                                            |
 * | ------------------------------- | ------------------------------------------------------------- |
 * | a peer is added, moves, is gone | within seconds: it would be missed after a crash              |
 * | its label goes on               | with the next of these; at the end of the process, all are    |
 * | its clock is found to be ahead  | within seconds, but only where it is ahead by more than before |
 * | it is seen, and stays           | each eighth of the maximal age, a minute later at most        |
 *
 * **Labels.** After a crash, a label that was used is perhaps not on the disk. A request that was heard
 * before has a label from before the start, unless its sender's clock is ahead; so what has such a label
 * changes no endpoint ({@linkcode RegistryGroup.distrustBefore}), and how far ahead a peer's clock was
 * ever seen, in whole seconds, is kept with it and added for it. That is written once for a peer, since
 * a clock that is ahead stays so. Whose clock is right, or stays as wrong as it was, notices nothing.
 * After an end in order the labels are all there, and a request that was heard is heard no more.
 *
 * **Of whom there is no record** (peers that only ask, that found no room, that were removed) nothing
 * is kept: a request that registers nobody changes nothing when it is played back, and one that would
 * has a label from before the start. It may be answered once more.
 *
 * **Ages.** After a crash, a record can look older than it is by an eighth of the maximal age: who was
 * alive is still there. It looks its age after an end in order.
 *
 * @module
 */

import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { ID_SIZE } from "../../wire/wgsig/record.ts";
import { NANOSECONDS_PER_SECOND } from "../../wire/wgsig/tai64n.ts";
import type { Now } from "../net/clock.ts";
import { grown, roomFor } from "../net/grown.ts";
import { CLOCK_GRAIN } from "./used_labels.ts";

/** So long may what would be missed after a crash wait for the disk, in seconds. */
const SOON = 2;
/** The same for when a peer was seen. */
const LATE = 60;
/** When a peer was seen is written anew after this part of the maximal age, */
const AGE_PARTS = 8;
/** but no sooner than after so many seconds. */
const LEAST_REFRESH = 60;
const MAX_AHEAD = 0xffff_ffff;
const FIRST_CAPACITY = 64;

/** What all groups of a registry want of the disk. */
export interface DiskNeeds {
  /** How long what has changed may wait, in seconds; Infinity where nothing has. */
  patience: number;
  /** Whether labels went on, or peers were seen that stay. */
  wentOn: boolean;
  /** Groups that are gone. */
  gone: number[];
}

/** What has changed. */
export interface TakenChanges {
  /** Peers by their number. */
  readonly peers: readonly number[];
  /** The IDs of those that are gone, 32 bytes each. */
  readonly removed: readonly Uint8Array[];
}

/** Where peers are, by number. */
interface PeerPlace {
  /** When one was seen, on the monotonic clock, in seconds. */
  seenAt(peer: number): number;
}

/** Notes what changes in the table of a group, or in its directory. */
export class PeerChanges {
  readonly #table: PeerPlace;
  readonly #needs: DiskNeeds;
  readonly #most: number;
  #refresh = 0;
  // By peer.
  #isNoted = new Uint8Array(FIRST_CAPACITY);
  /** When it was seen, as the disk has it; 0 where it hasn't. */
  #savedAt = new Float64Array(FIRST_CAPACITY);
  /** How far ahead its clock was at most, in seconds. */
  #ahead = new Uint32Array(FIRST_CAPACITY);
  #noted: number[] = [];
  #removed: Uint8Array[] = [];

  /** Notes nothing of what there is already. @param most The most peers that there will be. */
  constructor(table: PeerPlace, most: number, maxAge: number, needs: DiskNeeds) {
    this.#table = table;
    this.#most = most;
    this.#needs = needs;
    this.configure(maxAge);
  }

  /** Takes over another maximal age, in seconds. */
  configure(maxAge: number): void {
    this.#refresh = Math.max(LEAST_REFRESH, maxAge / AGE_PARTS);
  }

  /** How far ahead of the server's clock that of `peer` was seen at most, in whole seconds. */
  aheadOf(peer: number): number {
    return this.#ahead[peer] ?? 0;
  }

  /** A peer is new, or where it was not. */
  changed(peer: number): void {
    this.#note(peer, SOON);
  }

  /** A peer has used a label. */
  used(peer: number, seconds: number, nanoseconds: number, now: Now): void {
    const ahead = seconds + nanoseconds / NANOSECONDS_PER_SECOND - now.unix;
    // A clock that is right would else be taken for one that is a whole second ahead.
    if (ahead > CLOCK_GRAIN && ahead > this.aheadOf(peer)) {
      this.#note(peer, SOON);
      this.#ahead[peer] = Math.min(MAX_AHEAD, Math.ceil(ahead));
    } else this.#needs.wentOn = true;
  }

  /** A peer was seen, and is where it was. */
  seen(peer: number, mono: number): void {
    if (!this.#isSaved(peer) || mono - this.#savedAt[peer]! > this.#refresh) {
      this.#note(peer, LATE);
    } else this.#needs.wentOn = true;
  }

  /** Whether the disk has something of `peer`, or will soon. */
  isKnown(peer: number): boolean {
    return (this.#isNoted[peer] ?? 0) !== 0 || this.#isSaved(peer);
  }

  /** The peer whose ID is at `at` is about to be removed, or not taken over from the disk. */
  removed(buffer: WireBuffer, at: number, peer?: number): void {
    this.#removed.push(buffer.bytes.slice(at, at + ID_SIZE));
    this.#needs.patience = Math.min(this.#needs.patience, SOON);
    // Its number may be another's soon.
    if (peer === undefined || peer >= this.#isNoted.length) return;
    this.#isNoted[peer] = 0;
    this.#savedAt[peer] = 0;
    this.#ahead[peer] = 0;
  }

  /** Makes room for so many peers. */
  reserve(peers: number): void {
    if (peers <= this.#isNoted.length) return;
    const size = roomFor(peers, this.#isNoted.length, Math.max(peers, this.#most));
    this.#isNoted = grown(this.#isNoted, new Uint8Array(size));
    this.#savedAt = grown(this.#savedAt, new Float64Array(size));
    this.#ahead = grown(this.#ahead, new Uint32Array(size));
  }

  /** The disk has `peer` as it is. */
  saved(peer: number, ahead: number): void {
    this.reserve(peer + 1);
    this.#savedAt[peer] = this.#table.seenAt(peer) || Number.MIN_VALUE;
    this.#ahead[peer] = ahead;
  }

  /** What has changed since this was last called. */
  take(): TakenChanges {
    const removed = this.#removed;
    // A number that is another's meanwhile is there twice.
    const peers = this.#noted.filter((peer) => {
      const isNoted = this.#isNoted[peer] !== 0;
      this.#isNoted[peer] = 0;
      return isNoted;
    });
    this.#noted = [];
    this.#removed = [];
    return { peers, removed };
  }

  #isSaved(peer: number): boolean {
    return (this.#savedAt[peer] ?? 0) !== 0;
  }

  #note(peer: number, patience: number): void {
    this.#needs.patience = Math.min(this.#needs.patience, patience);
    this.reserve(peer + 1);
    if (this.#isNoted[peer] !== 0) return;
    this.#isNoted[peer] = 1;
    this.#noted.push(peer);
  }
}

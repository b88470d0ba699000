/**
 * Which peers of a group changed since when: each change has a number, and who knows the number of the
 * last one is told what came after it.
 *
 * ```
 * entries, by VERSION:  12 peer 3 | 13 peer 7 | 14 gone 0 | 15 peer 3 | …     12 means nothing any more
 * ```
 *
 * An answer that has no room for all names the last change that it tells of, and that must not be from
 * before who is remembered: so the oldest changes are made anew, a few whenever somebody is gone.
 *
 * Entries of peers that changed again are passed over. Once there are more of them than of others, they
 * are thrown away, a few with each change; meanwhile there is a gap, and what stands in it means nothing:
 *
 * ```
 * 0 … tidied | gap … untidied | … length
 * ```
 *
 * So there are no more than three times as many entries as peers. docs/protocol-2.md, "What changes".
 *
 * @module
 */

import { copyBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { ID_SIZE } from "../../wire/wgsig/record.ts";
import { NONE } from "../net/none.ts";
import { grown, larger, roomFor } from "../net/grown.ts";

/** Peers that are gone and remembered, */
export const MOST_GONE = 4096;
/** or a part of those that there can be, once there are many: else each that is gone renews hundreds. */
const GONE_PART = 8;
const FIRST_CAPACITY = 256;
/** So many entries are looked at with each change while they are tidied, */
const TIDIED_AT_ONCE = 4;
/** which begins where there are so many times as many as mean something, and so many more. */
const UNTIDY = 2;
const FEW_ENTRIES = 64;

/** The changes of a group. */
export class ChangeLog {
  readonly #mostPeers: number;
  #version = 0;
  #floor = 0;
  /** How many entries mean something. */
  #live = 0;
  /** Where the gap begins and ends; both are 0 where there is none. */
  #tidied = 0;
  #untidied = 0;
  // By entry, in the order of versions.
  #versions = new Float64Array(FIRST_CAPACITY);
  /** A peer, or below NONE the place of who is gone. */
  #subjects = new Int32Array(FIRST_CAPACITY);
  #length = 0;
  /** By peer: its last change, 0 for none. */
  #lastOf = new Float64Array(FIRST_CAPACITY);
  #goneIds = new WireBuffer(MOST_GONE * ID_SIZE);
  #goneAt = new Float64Array(MOST_GONE);
  #gone = 0;
  /** No peer that is there has its last change before this entry. */
  #oldest = 0;

  /** Nothing has changed yet. @param mostPeers The most peers that there will be. */
  constructor(mostPeers: number) {
    this.#mostPeers = mostPeers;
  }

  /** The IDs of who is gone, in a ring. Another buffer after something has changed. */
  get goneIds(): WireBuffer {
    return this.#goneIds;
  }

  /** The number of the last change; 0 for none. */
  get version(): number {
    return this.#version;
  }

  /** Whoever knows less than this is not told who is gone, and has to be told everything. */
  get floor(): number {
    return this.#floor;
  }

  /** All entries are below this. */
  get length(): number {
    return this.#length;
  }

  /** The entry after one. All of this holds until something changes. */
  after(entry: number): number {
    return entry + 1 === this.#tidied ? this.#untidied : entry + 1;
  }

  /** At most so many entries are from one on. */
  countFrom(entry: number): number {
    return this.#length - entry - (entry < this.#tidied ? this.#untidied - this.#tidied : 0);
  }

  /** Where the first entry is of a peer that is there; {@linkcode length} where there is none. */
  first(): number {
    const isInGap = this.#oldest >= this.#tidied && this.#oldest < this.#untidied;
    if (isInGap) this.#oldest = this.#untidied;
    while (this.#oldest < this.#length && this.peerAt(this.#oldest) === NONE) {
      this.#oldest = this.after(this.#oldest);
    }
    return this.#oldest;
  }

  /** The last change of a peer. */
  lastOf(peer: number): number {
    return this.#lastOf[peer] ?? 0;
  }

  /** A peer is new, or another than before. */
  changed(peer: number): void {
    this.#version++;
    const { length } = this.#lastOf;
    if (peer >= length) {
      const size = roomFor(peer + 1, length, Math.max(peer + 1, this.#mostPeers));
      this.#lastOf = grown(this.#lastOf, new Float64Array(size));
      if (size === this.#mostPeers) this.#rememberMore();
    }
    if (this.#lastOf[peer] === 0) this.#live++;
    this.#lastOf[peer] = this.#version;
    this.#append(peer);
  }

  /** Something else than a peer has changed: who follows that is told. */
  advance(): void {
    this.#version++;
  }

  /** A peer is gone; its ID is at `at`. Its number may be another's soon. */
  gone(peer: number, ids: WireBuffer, at: number): void {
    this.#version++;
    if (this.lastOf(peer) > 0) this.#live--;
    this.#lastOf[peer] = 0;
    const most = this.#goneAt.length;
    if (this.#gone < most) this.#live++;
    const place = this.#gone++ % most;
    this.#floor = Math.max(this.#floor, this.#goneAt[place]!);
    this.#goneAt[place] = this.#version;
    copyBytes(ids, at, this.#goneIds, place * ID_SIZE, ID_SIZE);
    this.#append(NONE - 1 - place);
    // Who has not changed since half of them are gone is taken for changed.
    this.#renew(this.#goneAt[(place + most / 2) % most]!);
  }

  /** The first entry after a version; {@linkcode length} where there is none. */
  firstAfter(version: number): number {
    const isTidied = this.#tidied > 0 && this.#versions[this.#tidied - 1]! > version;
    let low = isTidied ? 0 : this.#untidied;
    let high = isTidied ? this.#tidied - 1 : this.#length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#versions[middle]! > version) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The version of an entry. */
  versionAt(entry: number): number {
    return this.#versions[entry]!;
  }

  /** The peer of an entry; NONE where it changed again since, or somebody is gone. */
  peerAt(entry: number): number {
    const subject = this.#subjects[entry]!;
    return subject >= 0 && this.#lastOf[subject] === this.#versions[entry] ? subject : NONE;
  }

  /** Where in {@linkcode goneIds} the ID of who is gone lies; NONE where the entry is another's. */
  goneAt(entry: number): number {
    const place = NONE - 1 - this.#subjects[entry]!;
    if (place < 0 || this.#goneAt[place] !== this.#versions[entry]) return NONE;
    return place * ID_SIZE;
  }

  /**
   * Makes some of the changes anew that are not after a version: so many that they are all done before
   * that is forgotten.
   */
  #renew(version: number): void {
    let left = Math.ceil(2 * this.#live / this.#goneAt.length);
    for (; left > 0 && this.first() < this.#length; left--) {
      if (this.#versions[this.#oldest]! > version) return;
      this.changed(this.peerAt(this.#oldest));
    }
  }

  /** Has more of those remembered that are gone, where there may be many. */
  #rememberMore(): void {
    const most = 2 * Math.floor(this.#mostPeers / GONE_PART / 2);
    if (most <= this.#goneAt.length) return;
    this.#gone = Math.min(this.#gone, this.#goneAt.length);
    this.#goneIds = larger(this.#goneIds, most * ID_SIZE);
    this.#goneAt = grown(this.#goneAt, new Float64Array(most));
  }

  #append(subject: number): void {
    this.#tidy();
    const { length } = this.#subjects;
    if (this.#length === length) {
      const most = 3 * (this.#mostPeers + this.#goneAt.length + FEW_ENTRIES);
      const size = roomFor(length + 1, length, Math.max(length + 1, most));
      this.#versions = grown(this.#versions, new Float64Array(size));
      this.#subjects = grown(this.#subjects, new Int32Array(size));
    }
    this.#versions[this.#length] = this.#version;
    this.#subjects[this.#length++] = subject;
  }

  /** Throws some of what means nothing any more away, where there is much of it. */
  #tidy(): void {
    if (this.#untidied === 0 && this.#length <= UNTIDY * this.#live + FEW_ENTRIES) return;
    for (let i = 0; i < TIDIED_AT_ONCE && this.#untidied < this.#length; i++) {
      const entry = this.#untidied++;
      const isPeer = this.peerAt(entry) !== NONE;
      if (!isPeer && this.goneAt(entry) === NONE) continue;
      this.#versions[this.#tidied] = this.#versions[entry]!;
      this.#subjects[this.#tidied] = this.#subjects[entry]!;
      // For who is gone, all that was passed over would be passed over again.
      if (isPeer) this.#oldest = Math.min(this.#oldest, this.#tidied);
      this.#tidied++;
    }
    if (this.#untidied < this.#length) return;
    this.#length = this.#tidied;
    this.#oldest = Math.min(this.#oldest, this.#length);
    this.#tidied = this.#untidied = 0;
  }
}

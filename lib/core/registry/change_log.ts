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
 * Entries of peers that changed again are passed over, and thrown away when there is no room: a walk
 * takes no more steps than twice the peers. docs/protocol-2.md, "What changes".
 *
 * @module
 */

import { copyBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { ID_SIZE } from "../../wire/wgsig/record.ts";
import { NONE } from "../net/none.ts";

/** Peers that are gone and remembered. */
export const MOST_GONE = 4096;
/** Who has not changed since so many others are gone is taken for changed. */
const RENEWED_AFTER = MOST_GONE / 2;
const FIRST_CAPACITY = 256;

/** The changes of a group. */
export class ChangeLog {
  #version = 0;
  #floor = 0;
  // By entry, in the order of versions.
  #versions = new Float64Array(FIRST_CAPACITY);
  /** A peer, or below NONE the place of who is gone. */
  #subjects = new Int32Array(FIRST_CAPACITY);
  #length = 0;
  /** By peer: its last change, 0 for none. */
  #lastOf = new Float64Array(FIRST_CAPACITY);
  /** The IDs of who is gone, in a ring. */
  readonly goneIds: WireBuffer = new WireBuffer(MOST_GONE * ID_SIZE);
  readonly #goneAt = new Float64Array(MOST_GONE);
  #gone = 0;
  /** No peer that is there has its last change before this entry. */
  #oldest = 0;

  /** The number of the last change; 0 for none. */
  get version(): number {
    return this.#version;
  }

  /** Whoever knows less than this is not told who is gone, and has to be told everything. */
  get floor(): number {
    return this.#floor;
  }

  /** How many entries there are. */
  get length(): number {
    return this.#length;
  }

  /** The last change of a peer. */
  lastOf(peer: number): number {
    return this.#lastOf[peer] ?? 0;
  }

  /** A peer is new, or another than before. */
  changed(peer: number): void {
    this.#version++;
    if (peer >= this.#lastOf.length) {
      const lastOf = new Float64Array(Math.max(peer + 1, 2 * this.#lastOf.length));
      lastOf.set(this.#lastOf);
      this.#lastOf = lastOf;
    }
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
    this.#lastOf[peer] = 0;
    const place = this.#gone++ % MOST_GONE;
    this.#floor = Math.max(this.#floor, this.#goneAt[place]!);
    this.#goneAt[place] = this.#version;
    copyBytes(ids, at, this.goneIds, place * ID_SIZE, ID_SIZE);
    this.#append(NONE - 1 - place);
    this.#renew(this.#goneAt[(place + RENEWED_AFTER) % MOST_GONE]!);
  }

  /** The first entry after a version; {@linkcode length} where there is none. */
  firstAfter(version: number): number {
    let low = 0;
    let high = this.#length;
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
    let left = Math.ceil(this.#length / RENEWED_AFTER);
    while (left > 0 && this.#oldest < this.#length) {
      if (this.#versions[this.#oldest]! > version) return;
      const peer = this.peerAt(this.#oldest++);
      if (peer === NONE) continue;
      this.changed(peer);
      left--;
    }
  }

  #append(subject: number): void {
    if (this.#length === this.#subjects.length) this.#makeRoom();
    this.#versions[this.#length] = this.#version;
    this.#subjects[this.#length++] = subject;
  }

  /** Throws away what means nothing any more; where that is less than a half, it grows. */
  #makeRoom(): void {
    let kept = 0;
    for (let entry = 0; entry < this.#length; entry++) {
      if (this.peerAt(entry) === NONE && this.goneAt(entry) === NONE) continue;
      this.#versions[kept] = this.#versions[entry]!;
      this.#subjects[kept++] = this.#subjects[entry]!;
    }
    this.#length = kept;
    this.#oldest = 0;
    if (2 * kept <= this.#subjects.length) return;
    const versions = new Float64Array(2 * this.#subjects.length);
    const subjects = new Int32Array(versions.length);
    versions.set(this.#versions);
    subjects.set(this.#subjects);
    this.#versions = versions;
    this.#subjects = subjects;
  }
}

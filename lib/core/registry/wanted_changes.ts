/**
 * Which peers a question is to be told of: those that it wants, as far as they changed since what it
 * knows, the oldest change first.
 *
 * What this takes doesn't grow with the group: where much has changed and few peers are wanted, each of
 * these is looked up; where everybody is wanted, no more than so many changes are looked at.
 *
 * @module
 */

import { equalBytes, type WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { EPOCH_SIZE } from "../../wire/wgsig2/cursor.ts";
import { PREFIX_SIZE, type PrefixList } from "../../wire/wgsig2/option.ts";
import { MAX_PREFIXES } from "../../wire/wgsig2/question.ts";
import { NONE } from "../net/none.ts";
import type { PeerDirectory } from "./peer_directory.ts";

/** Up to so many changes are compared with each peer that is wanted. */
const FEW_CHANGES = 16;
/** So many changes are looked at for a question: of peers that changed again since, there may be more. */
const MOST_LOOKED = 16_384;
/** Peers whose IDs begin as those that one question wants: a few each. */
const MOST_FOUND = 8 * MAX_PREFIXES;

/** Goes from change to change, and makes nothing where nothing has changed. */
export class WantedChanges {
  /** Of the change that was read last: its peer, or NONE where somebody is gone; */
  peer: number = NONE;
  /** whose ID is there in the log's `goneIds` then; */
  goneAt: number = NONE;
  /** its version. */
  version: number = 0;
  /** Whether all of them are all that is wanted. */
  isWhole: boolean = false;
  /** Whether it ended before the last change: those up to {@linkcode version} were looked at. */
  isCut: boolean = false;
  #left = 0;
  #directory: PeerDirectory | undefined;
  #wants: PrefixList | undefined;
  #entry = 0;
  /** How many were looked up; NONE where the log is walked through. */
  #count = NONE;
  readonly #found = new Int32Array(MOST_FOUND);

  /**
   * Starts.
   *
   * @param epoch EPOCH that is known, and `version` of it.
   */
  start(
    directory: PeerDirectory,
    wants: PrefixList,
    epoch: WireBuffer,
    version: number,
  ): void {
    const { log } = directory;
    const isKnown = version > 0 && version <= log.version && version >= log.floor &&
      equalBytes(epoch, 0, directory.epoch, 0, EPOCH_SIZE);
    this.#directory = directory;
    this.#wants = wants.isGiven ? wants : undefined;
    this.isWhole = !isKnown;
    this.isCut = false;
    this.#left = MOST_LOOKED;
    this.#entry = version === log.version && isKnown
      ? log.length
      : isKnown
      ? log.firstAfter(version)
      : log.first();
    this.#count = NONE;
    if (this.#wants === undefined || log.countFrom(this.#entry) <= FEW_CHANGES) return;
    if (isKnown && this.#findAll(directory, wants, version)) return;
    // Of who is not there, it isn't looked up since when.
    this.#findAll(directory, wants, 0);
    this.isWhole = true;
  }

  /** Goes to the next change. Returns whether there is one. */
  next(): boolean {
    const directory = this.#directory;
    if (directory === undefined) return false;
    return this.#count === NONE ? this.#nextEntry(directory) : this.#nextFound(directory);
  }

  #nextFound({ log }: PeerDirectory): boolean {
    if (this.#entry === this.#count) return false;
    this.peer = this.#found[this.#entry++]!;
    this.goneAt = NONE;
    this.version = log.lastOf(this.peer);
    return true;
  }

  #nextEntry(directory: PeerDirectory): boolean {
    const { log } = directory;
    while (this.#entry < log.length) {
      if (this.#left-- === 0) {
        this.isCut = true;
        return false;
      }
      const entry = this.#entry;
      this.#entry = log.after(entry);
      this.version = log.versionAt(entry);
      this.peer = log.peerAt(entry);
      if (this.peer !== NONE) {
        this.goneAt = NONE;
        if (this.#isWanted(directory.ids, directory.idAt(this.peer))) return true;
        continue;
      }
      this.goneAt = log.goneAt(entry);
      if (this.goneAt === NONE || this.isWhole || !this.#isWanted(log.goneIds, this.goneAt)) {
        continue;
      }
      // Who is back is told as it is now.
      if (directory.find(log.goneIds, this.goneAt) === NONE) return true;
    }
    return false;
  }

  #isWanted({ view }: WireBuffer, at: number): boolean {
    if (this.#wants === undefined) return true;
    const { bytes, count } = this.#wants;
    const high = view.getInt32(at);
    const low = view.getInt32(at + 4);
    for (let i = 0; i < count * PREFIX_SIZE; i += PREFIX_SIZE) {
      if (bytes.view.getInt32(i) === high && bytes.view.getInt32(i + 4) === low) return true;
    }
    return false;
  }

  /** Looks up who is wanted and changed after a version. Returns whether all who are wanted are there. */
  #findAll(directory: PeerDirectory, { bytes, count }: PrefixList, version: number): boolean {
    const { log } = directory;
    let isEach = true;
    let found = 0;
    for (let i = 0; i < count; i++) {
      let peer = directory.firstAlike(bytes, i * PREFIX_SIZE);
      if (peer === NONE) isEach = false;
      for (; peer !== NONE && found < MOST_FOUND; peer = directory.nextAlike(peer)) {
        if (log.lastOf(peer) > version) this.#found[found++] = peer;
      }
    }
    const sorted = this.#found.subarray(0, found).sort((a, b) => log.lastOf(a) - log.lastOf(b));
    this.#count = 0;
    // Who is asked for twice is told once.
    for (const peer of sorted) {
      if (this.#count === 0 || this.#found[this.#count - 1] !== peer) {
        this.#found[this.#count++] = peer;
      }
    }
    this.#entry = 0;
    return isEach;
  }
}

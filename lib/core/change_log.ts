/**
 * What changed in a registry, in order, for threads that each have a replica of it: a ring in
 * memory that they share. Who writes an entry has read all before it, and no entry is written over
 * that one of them has not read yet.
 *
 * ```
 * header, 64 bytes of words (i32):
 *   0 lock | 1 entries written so far | 2 … 9 entries that each member has read | 10, 11 flags
 * entries, 80 bytes each (big-endian, as the datagrams):
 *   0 kind (u16) | 2 port (u16) | 4 IPv4 address (u32) | 8 monotonic time (f64)
 *   16 ID (32), label (12), flags (2), group (4): a request without its MAC | 66 …
 *   68 Unix time (f64)
 * ```
 *
 * The numbers of entries count on past 2^32 by beginning again at 0: only their differences mean
 * something.
 *
 * All but {@linkcode ChangeLog.pending} and the flags is used only by who holds the lock.
 *
 * @module
 */

import { ID_SIZE } from "../wire/record.ts";
import { REQUEST_GROUP, REQUEST_ID, REQUEST_LABEL, REQUEST_MAC } from "../wire/request.ts";
import { type Label, writeLabel } from "../wire/tai64n.ts";
import { copyBytes, WireBuffer } from "../wire/wire_buffer.ts";

/** The most threads that can have a replica. */
export const MAX_MEMBERS = 8;

const LOCK = 0;
const WRITTEN = 1;
const READ = 2;
const FLAGS = READ + MAX_MEMBERS;
const HEADER_SIZE = 64;

const PORT = 2;
const ADDRESS = 4;
const MONO = 8;
const REQUEST = 16;
const UNIX = 68;
const ENTRY_SIZE = 80;

/** What an entry tells of. */
export const CHANGE = {
  /** A request was let in. */
  request: 1,
  /** A tunnel's peer was seen. */
  observed: 2,
  /** Records that are too old were discarded. */
  expired: 3,
  /** Settings came into force: the group's field has their number. */
  configured: 4,
} as const;

/** The member's flags that others set for it; see {@linkcode ChangeLog.raise}. */
export const FLAG = {
  /** The first member was told that something changed. */
  changed: 0,
  /** The first member was told that somebody is far behind. */
  behind: 1,
} as const;
/** A flag. */
export type Flag = typeof FLAG[keyof typeof FLAG];

/** Entries of a log, a power of two: a third of a second of the fastest that two threads can. */
export const USUAL_CAPACITY = 32_768;

/** Bytes of memory for a log. @param capacity Entries, a power of two. */
export function changeLogSize(capacity: number = USUAL_CAPACITY): number {
  return HEADER_SIZE + capacity * ENTRY_SIZE;
}

/** One member's view of the log. */
export class ChangeLog {
  /** The words of the header. */
  readonly words: Int32Array;
  /** The word of the header that is a lock. */
  readonly lockAt: number = LOCK;
  /** Holds the entries; see {@linkcode at}. */
  readonly entries: WireBuffer;
  /** How many entries it holds. */
  readonly capacity: number;
  readonly #member: number;
  readonly #members: number;
  /** The number of the next entry, and how many can be written: between `begin` and `commit`. */
  #next = 0;
  #left = 0;

  /**
   * @param memory {@linkcode changeLogSize} bytes, zero at first.
   * @param member Which one this is, from 0.
   * @param members How many there are, at most {@linkcode MAX_MEMBERS}.
   */
  constructor(memory: ArrayBufferLike, member: number, members: number) {
    const capacity = (memory.byteLength - HEADER_SIZE) / ENTRY_SIZE;
    if (!Number.isInteger(Math.log2(capacity))) {
      throw new RangeError(`Cannot keep a log of ${capacity} entries: it is no power of two`);
    }
    if (!(member >= 0 && member < members && members <= MAX_MEMBERS)) {
      throw new RangeError(`Cannot be member ${member} of ${members}`);
    }
    this.capacity = capacity;
    this.words = new Int32Array(memory, 0, HEADER_SIZE / Int32Array.BYTES_PER_ELEMENT);
    this.entries = new WireBuffer(new Uint8Array(memory, HEADER_SIZE));
    this.#member = member;
    this.#members = members;
  }

  /** How many entries this member has not read. Without the lock, as of just now. */
  get pending(): number {
    return this.behind(this.#member);
  }

  /** How many entries `member` has not read. */
  behind(member: number): number {
    return (Atomics.load(this.words, WRITTEN) - Atomics.load(this.words, READ + member)) | 0;
  }

  /** How many entries can be written until the slowest member has to read some. */
  get room(): number {
    let most = 0;
    for (let member = 0; member < this.#members; member++) {
      most = Math.max(most, this.behind(member));
    }
    return this.capacity - most;
  }

  /** Whether a member has so much to read that it should be told to. */
  get isLagging(): boolean {
    return this.room < this.capacity / 2;
  }

  /**
   * Begins to write. All entries before must have been read.
   *
   * @returns How many can be written.
   */
  begin(): number {
    if (this.pending !== 0) throw new RangeError("Cannot write changes: others come before them");
    this.#next = Atomics.load(this.words, WRITTEN);
    this.#left = this.room;
    return this.#left;
  }

  /**
   * Has the others see what was written since `begin`; who wrote it has read it.
   *
   * @returns How many entries these are.
   */
  commit(): number {
    const count = (this.#next - Atomics.load(this.words, WRITTEN)) | 0;
    this.#left = 0;
    if (count === 0) return 0;
    Atomics.store(this.words, READ + this.#member, this.#next);
    Atomics.store(this.words, WRITTEN, this.#next);
    return count;
  }

  /** Where the first entry lies in {@linkcode entries} that this member has not read. */
  get at(): number {
    return this.#placeOf(Atomics.load(this.words, READ + this.#member));
  }

  /** What the entry at `at` tells of, one of {@linkcode CHANGE}. */
  kindAt(at: number): number {
    return this.entries.view.getUint16(at);
  }

  /** Its time on the monotonic clock, in seconds. */
  monoAt(at: number): number {
    return this.entries.view.getFloat64(at + MONO);
  }

  /** Its Unix time, of what was observed. */
  unixAt(at: number): number {
    return this.entries.view.getFloat64(at + UNIX);
  }

  /** Its IPv4 address, as a number. */
  addressAt(at: number): number {
    return this.entries.view.getUint32(at + ADDRESS);
  }

  /** Its port. */
  portAt(at: number): number {
    return this.entries.view.getUint16(at + PORT);
  }

  /** Its group, or the number of its settings. */
  groupAt(at: number): number {
    return this.entries.view.getUint32(at + REQUEST + REQUEST_GROUP);
  }

  /** Where its request begins, which has no MAC. */
  requestAt(at: number): number {
    return at + REQUEST;
  }

  /** Goes on to the next entry: the one at {@linkcode at} has been read. */
  skip(): void {
    Atomics.add(this.words, READ + this.#member, 1);
  }

  /** Writes that the request at `at` was let in. See {@linkcode RegistryJournal}. */
  writeRequest(
    request: WireBuffer,
    at: number,
    address: number,
    port: number,
    mono: number,
  ): void {
    const to = this.#add(CHANGE.request, mono);
    const { view } = this.entries;
    view.setUint16(to + PORT, port);
    view.setUint32(to + ADDRESS, address);
    copyBytes(request, at, this.entries, to + REQUEST, REQUEST_MAC);
  }

  /** Writes that a tunnel's peer was seen. See `RegistryGroup.observe`. */
  writeObserved(
    group: number,
    id: WireBuffer,
    address: number,
    port: number,
    seen: Label,
    unix: number,
    mono: number,
  ): void {
    const to = this.#add(CHANGE.observed, mono);
    const { view } = this.entries;
    view.setUint16(to + PORT, port);
    view.setUint32(to + ADDRESS, address);
    view.setFloat64(to + UNIX, unix);
    copyBytes(id, 0, this.entries, to + REQUEST + REQUEST_ID, ID_SIZE);
    writeLabel(this.entries, to + REQUEST + REQUEST_LABEL, seen);
    view.setUint32(to + REQUEST + REQUEST_GROUP, group);
  }

  /** Writes that records which are too old were discarded. */
  writeExpired(mono: number): void {
    this.#add(CHANGE.expired, mono);
  }

  /** Writes that settings came into force. @param number Which. */
  writeConfigured(number: number, mono: number): void {
    const to = this.#add(CHANGE.configured, mono);
    this.entries.view.setUint32(to + REQUEST + REQUEST_GROUP, number);
  }

  /** Raises a flag. @returns Whether it was down: whoever raised it tells what it is about. */
  raise(flag: Flag): boolean {
    const at = FLAGS + flag;
    return Atomics.load(this.words, at) === 0 && Atomics.exchange(this.words, at, 1) === 0;
  }

  /** Lowers a flag. */
  lower(flag: Flag): void {
    Atomics.store(this.words, FLAGS + flag, 0);
  }

  #placeOf(number: number): number {
    return (number & (this.capacity - 1)) * ENTRY_SIZE;
  }

  #add(kind: number, mono: number): number {
    if (this.#left === 0) throw new RangeError("Cannot write a change: there is no room for it");
    const at = this.#placeOf(this.#next);
    this.#left--;
    this.#next = (this.#next + 1) | 0;
    this.entries.view.setUint16(at, kind);
    this.entries.view.setFloat64(at + MONO, mono);
    return at;
  }
}

/**
 * All keys of a zone, newest first and by their first base32 characters.
 *
 * It is a copy, made anew when it is asked and old: walking over 100 000 peers for every question
 * would be too much. How old it may be grows with the number of peers, from 10 ms to a second, and
 * with the number of lists that a zone has.
 *
 * @module
 */

import { MAX_TCP_SIZE } from "../../../wire/dns/answer.ts";
import { ID_SIZE } from "../../../wire/wgsig/record.ts";
import { copyBytes, WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import { NONE } from "../../net/none.ts";
import type { KeySink, ZonePeers } from "./peers.ts";
import { PTR_SIZE, writePtrRecord } from "./records.ts";

/** The longest prefix of keys that can be asked for, in base32 characters. */
export const MAX_PREFIX = 3;
const CHARACTER_BITS = 5;
const PREFIX_BITS = MAX_PREFIX * CHARACTER_BITS;
/** Of which it is sorted by the lower ones first. */
const LOW_BITS = 8;
const LOW_MASK = 2 ** LOW_BITS - 1;
const FIRST_CAPACITY = 16;
/** No message has more. */
const MOST_RECORDS = Math.floor(MAX_TCP_SIZE / PTR_SIZE);
/** Seconds that a list of one peer more may be older. */
const AGE_PER_PEER = 1e-5;
/** Seconds for the work that does not depend on the number. */
const LEAST_AGE = 1e-2;
/** Size of what stands for a list: a multiple of 4. */
export const LIST_IDENTITY_SIZE: number = 24 + ID_SIZE;

/** Of all lists together, so that no two have the same. */
let versions = 0;
/** How many times older the lists of a zone with many views may be: all of them may be asked. */
const MOST_TIMES = 10;

/** The keys of one zone. */
export class KeyList implements KeySink {
  readonly #sources: readonly ZonePeers[];
  readonly #times: number;
  /** Oldest first. */
  #keys = new WireBuffer(FIRST_CAPACITY * ID_SIZE);
  #count = 0;
  /** The keys' places by prefix, and newest first among those with the same. */
  #sorted = new Int32Array(FIRST_CAPACITY);
  /** Prefixes of three characters, as sorted. */
  #prefixes = new Uint16Array(FIRST_CAPACITY);
  /** For sorting. */
  #half = new Int32Array(FIRST_CAPACITY);
  #unsorted = new Uint16Array(FIRST_CAPACITY);
  readonly #lowEnds = new Int32Array(2 ** LOW_BITS);
  readonly #highEnds = new Int32Array(2 ** (PREFIX_BITS - LOW_BITS));
  /** Ready-made records of the newest; made when they are first asked for. */
  #records = new WireBuffer(0);
  #recordCount = -1;
  /** The prefix whose keys are being walked over, and where in sorted order these start. */
  #walked = NONE;
  #start = 0;
  #madeAt = -Infinity;
  /** Another one wherever the keys or their order are others. */
  #version = 0;
  #isSame = true;
  /** The source that is being listed. */
  #listed = 0;

  /**
   * Lists the peers of `sources`; a peer of several is listed once.
   *
   * @param lists How many lists the zone has.
   */
  constructor(sources: readonly ZonePeers[], lists = 1) {
    this.#sources = sources;
    this.#times = Math.min(lists, MOST_TIMES);
  }

  /** Makes the list anew if it is too old. `mono` is a clock that never jumps, in seconds. */
  refresh(mono: number): void {
    if (mono - this.#madeAt < this.#times * (LEAST_AGE + AGE_PER_PEER * this.#count)) return;
    this.#madeAt = mono;
    const version = this.#version;
    const before = this.#count;
    this.#version = 0;
    this.#count = 0;
    this.#isSame = true;
    for (this.#listed = this.#sources.length - 1; this.#listed >= 0; this.#listed--) {
      this.#sources[this.#listed]!.list(this);
    }
    if (this.#isSame && this.#count === before && version > 0) {
      this.#version = version;
      return;
    }
    this.#recordCount = -1;
    this.#walked = NONE;
    this.#sort();
    this.#version = ++versions;
  }

  /** Takes a key from a source that lists itself. */
  add(keys: WireBuffer, at: number): void {
    for (let i = 0; i < this.#listed; i++) {
      if (this.#sources[i]!.find(keys, at) !== NONE) return;
    }
    if ((this.#count + 1) * ID_SIZE > this.#keys.size) {
      const grown = new Uint8Array(2 * this.#keys.size);
      grown.set(this.#keys.bytes);
      this.#keys = new WireBuffer(grown);
    }
    const to = this.#count++ * ID_SIZE;
    if (this.#isSame) this.#isSame = isSameKey(keys, at, this.#keys, to);
    copyBytes(keys, at, this.#keys, to, ID_SIZE);
  }

  /**
   * Writes what stands for a list with its prefix and its `most` newest keys: it is never the same
   * where the keys aren't.
   *
   * @param own A key that comes before them.
   * @param to {@linkcode LIST_IDENTITY_SIZE} bytes.
   */
  identify(
    prefix: number,
    length: number,
    most: number,
    own: WireBuffer | undefined,
    to: WireBuffer,
  ): void {
    const { view } = to;
    view.setFloat64(0, this.#version);
    view.setInt32(8, prefix);
    view.setInt32(12, length);
    view.setInt32(16, most);
    view.setInt32(20, own === undefined ? 0 : 1);
    if (own !== undefined) copyBytes(own, 0, to, 24, ID_SIZE);
    else to.bytes.fill(0, 24);
  }

  /** Holds the keys, for {@linkcode keyAt}. Another buffer after {@linkcode refresh}. */
  get keys(): WireBuffer {
    return this.#keys;
  }

  /**
   * How many keys begin with a prefix.
   *
   * @param prefix The bits of its characters.
   * @param length How many characters it has, 0 to 3.
   */
  countOf(prefix: number, length: number): number {
    const beyond = PREFIX_BITS - length * CHARACTER_BITS;
    return this.#startOf((prefix + 1) << beyond) - this.#startOf(prefix << beyond);
  }

  /** Where the `i`th key that begins with a prefix lies in {@linkcode keys}. */
  keyAt(prefix: number, length: number, i: number): number {
    if (length === 0) return (this.#count - 1 - i) * ID_SIZE;
    const beyond = PREFIX_BITS - length * CHARACTER_BITS;
    const from = prefix << beyond;
    if (from !== this.#walked) {
      this.#walked = from;
      this.#start = this.#startOf(from);
    }
    return this.#sorted[this.#start + i]! * ID_SIZE;
  }

  /**
   * The PTR records of all keys, or of as many of the newest as a message may have, {@linkcode PTR_SIZE}
   * bytes each, the newest first, for an answer to a question for the name of the service.
   *
   * @param ttl The same each time.
   */
  records(ttl: number): Uint8Array {
    const count = Math.min(this.#count, MOST_RECORDS);
    if (this.#recordCount < count) {
      const size = count * PTR_SIZE;
      if (this.#records.size < size) {
        this.#records = new WireBuffer(Math.min(2 * size, MOST_RECORDS * PTR_SIZE));
      }
      for (let i = 0; i < count; i++) {
        writePtrRecord(this.#records, i * PTR_SIZE, ttl, this.#keys, this.keyAt(0, 0, i));
      }
      this.#recordCount = count;
    }
    return this.#records.bytes;
  }

  /** Whether the key at `at` is listed. */
  has(key: WireBuffer, at: number): boolean {
    const prefix = prefixOf(key, at, MAX_PREFIX);
    const count = this.countOf(prefix, MAX_PREFIX);
    for (let i = 0; i < count; i++) {
      if (isSameKey(this.#keys, this.keyAt(prefix, MAX_PREFIX, i), key, at)) return true;
    }
    return false;
  }

  /** The first place in sorted order whose prefix of three characters is not below `prefix`. */
  #startOf(prefix: number): number {
    let from = 0;
    let to = this.#count;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.#prefixes[middle]! < prefix) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  /**
   * Sorts by prefix: by its lower bits, and then, keeping their order, by the others. What it costs is
   * known beforehand, whatever the keys are.
   */
  #sort(): void {
    const count = this.#count;
    if (this.#sorted.length < count) {
      const capacity = this.#keys.size / ID_SIZE;
      this.#sorted = new Int32Array(capacity);
      this.#half = new Int32Array(capacity);
      this.#unsorted = new Uint16Array(capacity);
      this.#prefixes = new Uint16Array(capacity);
    }
    const low = this.#lowEnds.fill(0);
    const high = this.#highEnds.fill(0);
    const unsorted = this.#unsorted;
    for (let key = 0; key < count; key++) {
      const prefix = prefixOf(this.#keys, key * ID_SIZE, MAX_PREFIX);
      unsorted[key] = prefix;
      low[prefix & LOW_MASK] = low[prefix & LOW_MASK]! + 1;
      high[prefix >> LOW_BITS] = high[prefix >> LOW_BITS]! + 1;
    }
    toEnds(low);
    toEnds(high);
    // Each goes to the last free place of its bits: the oldest first, so that they come last.
    for (let key = 0; key < count; key++) {
      const bits = unsorted[key]! & LOW_MASK;
      const place = low[bits]! - 1;
      low[bits] = place;
      this.#half[place] = key;
    }
    for (let i = count - 1; i >= 0; i--) {
      const key = this.#half[i]!;
      const prefix = unsorted[key]!;
      const place = high[prefix >> LOW_BITS]! - 1;
      high[prefix >> LOW_BITS] = place;
      this.#sorted[place] = key;
      this.#prefixes[place] = prefix;
    }
  }
}

/** Makes places of numbers: where those before each, and it, end. */
function toEnds(counts: Int32Array): void {
  for (let i = 1; i < counts.length; i++) counts[i] = counts[i]! + counts[i - 1]!;
}

/** The bits of the first `length` base32 characters, 0 to 3, of the key at `at`. */
export function prefixOf(key: WireBuffer, at: number, length: number): number {
  return key.view.getUint16(at) >> (16 - length * CHARACTER_BITS);
}

/** Whether two keys are the same. */
export function isSameKey(a: WireBuffer, aAt: number, b: WireBuffer, bAt: number): boolean {
  for (let i = 0; i < ID_SIZE; i += 4) {
    if (a.view.getInt32(aAt + i) !== b.view.getInt32(bAt + i)) return false;
  }
  return true;
}

/**
 * The registry's memory of one group: who was last seen where.
 *
 * Records lie in *slots*, laid out as the response datagrams that carry them, so that an answer is
 * sent from here as it is. The slots fall into *tiers*: the first ten hold the ten peers seen last
 * (a client that reads a single datagram gets the ones most likely alive), those up to the answer
 * limit the next newest, the rest is never sent. A peer that is seen moves to the first tier, and
 * the oldest of each tier in between moves down by one: few datagrams change, so few need a new MAC.
 *
 * ```
 * slot   0 … 9 | 10 …            limit-1 | limit …
 *        tier 0  tier 1                    tier 2       order list: newest → … → oldest, over all
 * ```
 *
 * Everything is in typed arrays that grow as `grown.ts` has it; nothing is allocated for a datagram.
 *
 * @module
 */

import { NONE } from "../net/none.ts";
import { ID_SIZE, RECORD_LABEL, RECORD_SIZE, writeEndpoint } from "../../wire/wgsig/record.ts";
import { RECORDS_PER_RESPONSE, RESPONSE_SIZE } from "../../wire/wgsig/response.ts";
import { type Label, LABEL_SIZE } from "../../wire/wgsig/tai64n.ts";
import { copyBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { hashId } from "../net/id_hash.ts";
import { orderOf } from "../net/number_order.ts";
import { FreeNumbers } from "../net/free_numbers.ts";
import { grown, larger, roomFor } from "../net/grown.ts";
import { HashChains } from "./hash_chains.ts";
import { RecencyList } from "./recency_list.ts";

const FIRST_CAPACITY = 16 * RECORDS_PER_RESPONSE;

/** Limits of a table. */
export interface PeerTableOptions {
  /** The most peers it holds, 1 or more. */
  readonly maxPeers: number;
  /** The most peers in an answer; rounded up to whole datagrams, 10 or more. */
  readonly maxAnswer: number;
  /** Random, so that nobody can choose IDs that collide in the index. */
  readonly seed: number;
}

/** Peers of one group. A peer is known by a number that stays the same until it is removed. */
export class PeerTable {
  /** The most peers that it holds. */
  readonly maxPeers: number;
  readonly #seed: number;
  /** Where each tier but the last ends: the number of slots in it and all before. */
  readonly #tierEnds: readonly number[];
  /** The oldest peer of each full tier but the last, else NONE. */
  readonly #tierOldest: number[];

  #count = 0;
  #pages = new WireBuffer(pagesFor(FIRST_CAPACITY) * RESPONSE_SIZE);
  #dirty = new Uint8Array(pagesFor(FIRST_CAPACITY)).fill(1);
  // By slot.
  #peerOf = new Int32Array(FIRST_CAPACITY);
  // By peer.
  #slotOf = new Int32Array(FIRST_CAPACITY);
  readonly #order = new RecencyList(FIRST_CAPACITY);
  #seenAt = new Float64Array(FIRST_CAPACITY);
  #labelSeconds = new Float64Array(FIRST_CAPACITY);
  #labelNanoseconds = new Uint32Array(FIRST_CAPACITY);
  readonly #numbers = new FreeNumbers(FIRST_CAPACITY);
  readonly #index = new HashChains(FIRST_CAPACITY);

  /** Makes an empty table; it takes memory as it fills. */
  constructor(options: PeerTableOptions) {
    this.maxPeers = options.maxPeers;
    this.#seed = options.seed;
    const limit = Math.ceil(options.maxAnswer / RECORDS_PER_RESPONSE) * RECORDS_PER_RESPONSE;
    this.#tierEnds = limit > RECORDS_PER_RESPONSE
      ? [RECORDS_PER_RESPONSE, limit]
      : [RECORDS_PER_RESPONSE];
    this.#tierOldest = this.#tierEnds.map(() => NONE);
  }

  /** How many peers there are. */
  get count(): number {
    return this.#count;
  }

  /** Datagrams in an answer, 1 or more. */
  get pageCount(): number {
    const sent = Math.min(this.#count, this.#tierEnds[this.#tierEnds.length - 1]!);
    return Math.max(1, pagesFor(sent));
  }

  /** The datagrams, 540 bytes each, from offset 0. Another buffer after the table has grown. */
  get pages(): WireBuffer {
    return this.#pages;
  }

  /** Per datagram: not 0 where records changed since the caller set it to 0. */
  get dirty(): Uint8Array {
    return this.#dirty;
  }

  /** All peers are below this number. */
  get end(): number {
    return this.#numbers.end;
  }

  /** Whether there is a peer of this number, which is below {@linkcode end}. */
  isThere(peer: number): boolean {
    const slot = this.#slotOf[peer]!;
    return slot < this.#count && this.#peerOf[slot] === peer;
  }

  /** The peer that was seen longest ago, or NONE. */
  get oldest(): number {
    return this.#order.oldest;
  }

  /** The peers that were seen last, the last one first: `most` at most. */
  newest(most: number): number[] {
    return this.#order.newestOnes(most);
  }

  /** The peer that was seen next after `peer`, or NONE: from {@linkcode oldest} to the newest. */
  newerThan(peer: number): number {
    return this.#order.newerThan(peer);
  }

  /** Where the record of `peer` lies in {@linkcode pages}. */
  recordAt(peer: number): number {
    return recordOffset(this.#slotOf[peer]!);
  }

  /** When `peer` was seen, on the caller's monotonic clock, in seconds. */
  seenAt(peer: number): number {
    return this.#seenAt[peer]!;
  }

  /** Seconds of the highest label that `peer` has used, also where its record shows an older one. */
  labelSeconds(peer: number): number {
    return this.#labelSeconds[peer]!;
  }

  /** Nanoseconds of that label. */
  labelNanoseconds(peer: number): number {
    return this.#labelNanoseconds[peer]!;
  }

  /** Whether a label is later than every one that `peer` has used. */
  isLater(peer: number, label: Label): boolean {
    const highest = this.#labelSeconds[peer]!;
    return label.seconds > highest ||
      (label.seconds === highest && label.nanoseconds > this.#labelNanoseconds[peer]!);
  }

  /** The peer whose ID stands at `at`, or NONE. */
  find(buffer: WireBuffer, at: number): number {
    let peer = this.#index.first(hashId(buffer, at, this.#seed));
    while (peer !== NONE && !this.#hasId(peer, buffer, at)) peer = this.#index.next(peer);
    return peer;
  }

  /** Makes room for so many peers at once, as far as the table may have them. */
  reserve(count: number): void {
    const wanted = Math.min(count, this.maxPeers);
    if (wanted > this.#peerOf.length) this.#grow(wanted);
    this.#index.expect(wanted);
  }

  /**
   * Adds the peer whose ID stands at `at`, which must not be there yet, as the newest.
   *
   * @returns The peer, or NONE if the table is full.
   */
  add(buffer: WireBuffer, at: number, seenAt: number): number {
    const peer = this.addOldest(buffer, at, seenAt);
    if (peer !== NONE) this.touch(peer, seenAt);
    return peer;
  }

  /** The same as the oldest: it was seen no later than any other. */
  addOldest(buffer: WireBuffer, at: number, seenAt: number): number {
    if (this.#count >= this.maxPeers) return NONE;
    if (this.#count === this.#peerOf.length) this.#grow(this.#count + 1);
    const slot = this.#count++;
    const peer = this.#numbers.take();
    this.#slotOf[peer] = slot;
    this.#peerOf[slot] = peer;
    copyBytes(buffer, at, this.#pages, recordOffset(slot), ID_SIZE);
    this.#dirty[pageOf(slot)] = 1;
    this.#seenAt[peer] = seenAt;
    this.#labelSeconds[peer] = -1;
    this.#labelNanoseconds[peer] = 0;
    this.#index.add(peer, hashId(buffer, at, this.#seed));
    this.#order.addOldest(peer);
    const full = this.#tierEnds.indexOf(this.#count);
    if (full >= 0) this.#tierOldest[full] = peer;
    return peer;
  }

  /** Has those that were seen last first, in whatever order they were added. */
  sort(): void {
    const silences = new Float64Array(this.#count);
    for (let slot = 0; slot < this.#count; slot++) {
      silences[slot] = -this.#seenAt[this.#peerOf[slot]!]!;
    }
    // Slots, and then their peers.
    const order = orderOf(silences);
    for (let i = 0; i < this.#count; i++) order[i] = this.#peerOf[order[i]!]!;
    this.#order.clear();
    for (let i = 0; i < this.#count; i++) this.#order.addOldest(order[i]!);
    const last = this.#tierEnds[this.#tierEnds.length - 1]!;
    for (let slot = 0; slot < Math.min(last, this.#count); slot++) {
      const there = this.#peerOf[slot]!;
      if (there !== order[slot]) this.#swap(there, order[slot]!);
    }
    this.#tierEnds.forEach((end, tier) => {
      this.#tierOldest[tier] = end <= this.#count ? order[end - 1]! : NONE;
    });
  }

  /** Makes `peer` the newest. */
  touch(peer: number, seenAt: number): void {
    this.#seenAt[peer] = seenAt;
    if (peer === this.#order.newest) return;
    const tier = this.#tierOf(peer);
    if (peer === this.#tierOldest[tier]) this.#tierOldest[tier] = this.#order.newerThan(peer);
    for (let above = tier - 1; above >= 0; above--) {
      const demoted = this.#tierOldest[above]!;
      this.#tierOldest[above] = this.#order.newerThan(demoted);
      this.#swap(peer, demoted);
    }
    this.#order.remove(peer);
    this.#order.addNewest(peer);
  }

  /** Writes where `peer` is: IPv4 address as a number, and UDP port. */
  setEndpoint(peer: number, address: number, port: number): void {
    const slot = this.#slotOf[peer]!;
    writeEndpoint(this.#pages, recordOffset(slot), address, port);
    this.#dirty[pageOf(slot)] = 1;
  }

  /** Copies the 12-byte label at `at` into the record of `peer`. */
  setLabel(peer: number, buffer: WireBuffer, at: number): void {
    const slot = this.#slotOf[peer]!;
    copyBytes(buffer, at, this.#pages, recordOffset(slot) + RECORD_LABEL, LABEL_SIZE);
    this.#dirty[pageOf(slot)] = 1;
  }

  /** Notes the highest label that `peer` has used, which its record need not show. */
  setHighestLabel(peer: number, seconds: number, nanoseconds: number): void {
    this.#labelSeconds[peer] = seconds;
    this.#labelNanoseconds[peer] = nanoseconds;
  }

  /** Removes `peer`. Its number may come back for another. */
  remove(peer: number): void {
    this.#index.remove(peer);
    const first = this.#tierOf(peer);
    for (let tier = first; tier < this.#tierEnds.length; tier++) {
      const last = this.#tierOldest[tier]!;
      if (last === NONE) break;
      const promoted = this.#order.olderThan(last);
      this.#tierOldest[tier] = promoted;
      if (promoted !== NONE) this.#swap(peer, promoted);
    }
    const lastSlot = this.#count - 1;
    const lastPeer = this.#peerOf[lastSlot]!;
    if (lastPeer !== peer) this.#swap(peer, lastPeer);
    const at = recordOffset(lastSlot);
    this.#pages.bytes.fill(0, at, at + RECORD_SIZE);
    this.#dirty[pageOf(lastSlot)] = 1;
    this.#order.remove(peer);
    this.#count--;
    this.#numbers.giveBack(peer);
  }

  /** The tier that the slot of `peer` belongs to. */
  #tierOf(peer: number): number {
    const slot = this.#slotOf[peer]!;
    let tier = 0;
    while (tier < this.#tierEnds.length && slot >= this.#tierEnds[tier]!) tier++;
    return tier;
  }

  /** Exchanges the slots of two peers. */
  #swap(a: number, b: number): void {
    const slotA = this.#slotOf[a]!;
    const slotB = this.#slotOf[b]!;
    const { view } = this.#pages;
    const atA = recordOffset(slotA);
    const atB = recordOffset(slotB);
    for (let i = 0; i < RECORD_SIZE - 2; i += 4) {
      const kept = view.getInt32(atA + i);
      view.setInt32(atA + i, view.getInt32(atB + i));
      view.setInt32(atB + i, kept);
    }
    const kept = view.getUint16(atA + RECORD_SIZE - 2);
    view.setUint16(atA + RECORD_SIZE - 2, view.getUint16(atB + RECORD_SIZE - 2));
    view.setUint16(atB + RECORD_SIZE - 2, kept);
    this.#slotOf[a] = slotB;
    this.#slotOf[b] = slotA;
    this.#peerOf[slotA] = b;
    this.#peerOf[slotB] = a;
    this.#dirty[pageOf(slotA)] = 1;
    this.#dirty[pageOf(slotB)] = 1;
  }

  #hasId(peer: number, buffer: WireBuffer, at: number): boolean {
    const recordAt = recordOffset(this.#slotOf[peer]!);
    const { view } = this.#pages;
    for (let i = 0; i < ID_SIZE; i += 4) {
      if (view.getInt32(recordAt + i) !== buffer.view.getInt32(at + i)) return false;
    }
    return true;
  }

  #grow(wanted: number): void {
    const most = Math.max(this.maxPeers, FIRST_CAPACITY);
    const capacity = roomFor(wanted, this.#peerOf.length, most);
    this.#pages = larger(this.#pages, pagesFor(capacity) * RESPONSE_SIZE);
    this.#dirty = grown(this.#dirty, new Uint8Array(pagesFor(capacity)).fill(1));
    this.#peerOf = grown(this.#peerOf, new Int32Array(capacity));
    this.#slotOf = grown(this.#slotOf, new Int32Array(capacity));
    this.#order.grow(capacity);
    this.#seenAt = grown(this.#seenAt, new Float64Array(capacity));
    this.#labelSeconds = grown(this.#labelSeconds, new Float64Array(capacity));
    this.#labelNanoseconds = grown(this.#labelNanoseconds, new Uint32Array(capacity));
    this.#numbers.grow(capacity);
    this.#index.grow(capacity);
  }
}

function pageOf(slot: number): number {
  return (slot / RECORDS_PER_RESPONSE) | 0;
}

function recordOffset(slot: number): number {
  const page = pageOf(slot);
  return page * RESPONSE_SIZE + (slot - page * RECORDS_PER_RESPONSE) * RECORD_SIZE;
}

function pagesFor(slots: number): number {
  return Math.ceil(slots / RECORDS_PER_RESPONSE);
}

/**
 * All peers of a group as wgsig 2 tells of them, whatever protocol they speak: who has proved its key,
 * who was heard when, and what changed.
 *
 * A peer with an IPv4 endpoint has a row in the {@linkcode PeerTable} as well, that is answered to
 * peers that speak the first protocol; what that row says is not written twice.
 *
 * Peers are found by the first 8 bytes of their IDs, since that is how they are asked for. Who holds
 * a private key can't choose these; who makes IDs up can, so only so many of them may be alike.
 *
 * Everything is in typed arrays that grow as `grown.ts` has it; nothing is allocated for a datagram. It
 * is a little longer than a file should be because the lists and the index change together.
 *
 * @module
 */

import { copyBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { Primitives } from "../../wire/crypto/primitives.ts";
import { ID_SIZE } from "../../wire/wgsig/record.ts";
import { EPOCH_SIZE } from "../../wire/wgsig2/cursor.ts";
import { PREFIX_SIZE } from "../../wire/wgsig2/option.ts";
import { hashId } from "../net/id_hash.ts";
import { NONE } from "../net/none.ts";
import { orderOf } from "../net/number_order.ts";
import type { RandomSource } from "../net/random.ts";
import { ChangeLog } from "./change_log.ts";
import { Cookies } from "./cookies.ts";
import { FreeNumbers } from "../net/free_numbers.ts";
import { grown, larger, roomFor } from "../net/grown.ts";
import { HashChains } from "./hash_chains.ts";
import { PeerPlaces } from "./peer_places.ts";
import { PeerProofs } from "./peer_proofs.ts";
import { PushQueue } from "./push_queue.ts";
import { QuestionLabels } from "./question_labels.ts";
import { RecencyList } from "./recency_list.ts";

const FIRST_CAPACITY = 64;
/** Peers that have proved nothing, and have the same first 8 bytes. */
const MOST_ALIKE = 4;

/** Peers of one group. A peer is known by a number that stays the same until it is removed. */
export class PeerDirectory {
  /** EPOCH: whoever has another one knows nothing of these changes. */
  readonly epoch: WireBuffer = new WireBuffer(EPOCH_SIZE);
  /** What changed. */
  readonly log: ChangeLog;
  /** Where peers can be reached, beyond their rows. */
  readonly places: PeerPlaces = new PeerPlaces();
  /** Who is told at once of what changes. */
  readonly pushes: PushQueue;
  /** What peers prove their keys with. */
  readonly proofs: PeerProofs;
  /** What their addresses are shown with: what one of these before has given means nothing. */
  readonly cookies: Cookies;
  /** The labels of proved questions, */
  readonly provedLabels: QuestionLabels;
  /** and of others. */
  readonly otherLabels: QuestionLabels;
  readonly #seed: number;
  readonly #maxPeers: number;
  #count = 0;
  #provedCount = 0;

  // By peer.
  #isThere = new Uint8Array(FIRST_CAPACITY);
  #ids = new WireBuffer(FIRST_CAPACITY * ID_SIZE);
  #isProved = new Uint8Array(FIRST_CAPACITY);
  #heardAt = new Float64Array(FIRST_CAPACITY);
  #rows = new Int32Array(FIRST_CAPACITY);
  readonly #proved = new RecencyList(FIRST_CAPACITY);
  readonly #unproved = new RecencyList(FIRST_CAPACITY);

  readonly #numbers = new FreeNumbers(FIRST_CAPACITY);
  /** By the beginnings of IDs. */
  readonly #index = new HashChains(FIRST_CAPACITY);
  /** By row. */
  #peersOfRows = new Int32Array(FIRST_CAPACITY);
  // Filled up to the size that the hash takes.
  readonly #prefix = new WireBuffer(ID_SIZE);

  /**
   * Makes an empty directory; it takes memory as it fills.
   *
   * @param maxPeers The most that there will be.
   * @param window How far a label may be from the server's clock, in seconds.
   * @param random Draws the epoch, the key of cookies, and what hashes are made with.
   * @param primitives What keys are made with.
   */
  constructor(maxPeers: number, window: number, random: RandomSource, primitives: Primitives) {
    this.#maxPeers = maxPeers;
    this.log = new ChangeLog(maxPeers);
    this.pushes = new PushQueue(maxPeers);
    random(this.epoch.bytes);
    // All zeros mean that a client knows none.
    this.epoch.bytes[0]! |= 1;
    const seed = new WireBuffer(4);
    random(seed.bytes);
    this.#seed = seed.view.getUint32(0);
    this.proofs = new PeerProofs(primitives);
    this.cookies = new Cookies(random, primitives);
    this.provedLabels = new QuestionLabels(this.#seed, window);
    this.otherLabels = new QuestionLabels(this.#seed, window);
  }

  /** Replaces the window. */
  setWindow(window: number): void {
    this.provedLabels.setWindow(window);
    this.otherLabels.setWindow(window);
  }

  /** How many peers there are. */
  get count(): number {
    return this.#count;
  }

  /** How many of them have proved their keys. */
  get provedCount(): number {
    return this.#provedCount;
  }

  /** The IDs, 32 bytes each; see {@linkcode idAt}. Another buffer after the directory has grown. */
  get ids(): WireBuffer {
    return this.#ids;
  }

  /** Where the ID of `peer` lies. */
  idAt(peer: number): number {
    return peer * ID_SIZE;
  }

  /** Whether `peer` has proved its key. */
  isProved(peer: number): boolean {
    return this.#isProved[peer] !== 0;
  }

  /** Whether there is more to know of `peer` than its row says. */
  isMember(peer: number): boolean {
    return this.isProved(peer) || this.places.isAnywhere(peer);
  }

  /** When `peer` was heard, on the monotonic clock, in seconds. */
  heardAt(peer: number): number {
    return this.#heardAt[peer]!;
  }

  /** The row of `peer`, or NONE. */
  rowOf(peer: number): number {
    return this.#rows[peer]!;
  }

  /** The peer of a row. */
  peerOf(row: number): number {
    return this.#peersOfRows[row]!;
  }

  /** The peer that has proved nothing and was heard longest ago, or NONE. */
  get oldestUnproved(): number {
    return this.#unproved.oldest;
  }

  /** The peer that was heard longest ago, or NONE. */
  get oldest(): number {
    const proved = this.#proved.oldest;
    const unproved = this.#unproved.oldest;
    if (proved === NONE || unproved === NONE) return proved === NONE ? unproved : proved;
    return this.heardAt(proved) < this.heardAt(unproved) ? proved : unproved;
  }

  /** All peers are below this number. */
  get end(): number {
    return this.#numbers.end;
  }

  /** Whether there is a peer of this number, which is below {@linkcode end}. */
  isThere(peer: number): boolean {
    return this.#isThere[peer] !== 0;
  }

  /** Calls `visit` with each peer, the one heard longest ago first. */
  visit(visit: (peer: number) => void): void {
    let unproved = this.#unproved.oldest;
    let proved = this.#proved.oldest;
    while (unproved !== NONE || proved !== NONE) {
      const isProved = unproved === NONE ||
        (proved !== NONE && this.heardAt(proved) < this.heardAt(unproved));
      visit(isProved ? proved : unproved);
      if (isProved) proved = this.#proved.newerThan(proved);
      else unproved = this.#unproved.newerThan(unproved);
    }
  }

  /** Those that were heard last, the last one first: `most` at most. */
  newest(most: number): number[] {
    const peers = [...this.#proved.newestOnes(most), ...this.#unproved.newestOnes(most)];
    return peers.sort((a, b) => this.heardAt(b) - this.heardAt(a)).slice(0, most);
  }

  /** The peer whose ID stands at `at`, or NONE. */
  find(buffer: WireBuffer, at: number): number {
    let peer = this.firstAlike(buffer, at);
    while (peer !== NONE && !this.#hasId(peer, buffer, at)) peer = this.nextAlike(peer);
    return peer;
  }

  /** The same for somebody who may well be the peer of a number: that one is looked at first. */
  findGuessed(buffer: WireBuffer, at: number, guess: number): number {
    const isRight = guess < this.end && this.isThere(guess) && this.#hasId(guess, buffer, at);
    return isRight ? guess : this.find(buffer, at);
  }

  /** A peer whose ID begins with the 8 bytes at `at`, or NONE. */
  firstAlike(buffer: WireBuffer, at: number): number {
    return this.#firstOf(this.#index.first(this.#hashOf(buffer, at)), buffer, at);
  }

  /** The next one whose ID begins as that of `peer`, or NONE. */
  nextAlike(peer: number): number {
    return this.#firstOf(this.#index.next(peer), this.#ids, this.idAt(peer));
  }

  /** Whether nobody can be added who begins as the ID at `at`, and has proved nothing. */
  isCrowded(buffer: WireBuffer, at: number): boolean {
    let alike = 0;
    let peer = this.firstAlike(buffer, at);
    for (; peer !== NONE; peer = this.nextAlike(peer)) alike += this.isProved(peer) ? 0 : 1;
    return alike >= MOST_ALIKE;
  }

  /**
   * Adds the peer whose ID stands at `at`, which is not there yet.
   *
   * @param isProved Whether it has proved its key before.
   */
  add(buffer: WireBuffer, at: number, mono: number, isProved = false): number {
    if (this.#count === this.#rows.length) this.#grow(this.#count + 1);
    this.#count++;
    const peer = this.#numbers.take();
    this.#isThere[peer] = 1;
    copyBytes(buffer, at, this.#ids, this.idAt(peer), ID_SIZE);
    this.#isProved[peer] = Number(isProved);
    if (isProved) this.#provedCount++;
    this.#heardAt[peer] = mono;
    this.#rows[peer] = NONE;
    this.places.begin(peer);
    this.#index.add(peer, this.#hashOf(buffer, at));
    (isProved ? this.#proved : this.#unproved).addNewest(peer);
    this.log.changed(peer);
    return peer;
  }

  /** `peer` was heard. */
  heard(peer: number, mono: number): void {
    this.#heardAt[peer] = Math.max(this.#heardAt[peer]!, mono);
    const list = this.isProved(peer) ? this.#proved : this.#unproved;
    if (peer === list.newest) return;
    list.remove(peer);
    list.addNewest(peer);
  }

  /** Has those that were heard last at the end, in whatever order they came. */
  sort(): void {
    const peers = new Int32Array(this.#count);
    const times = new Float64Array(this.#count);
    let count = 0;
    for (let peer = 0; peer < this.end; peer++) {
      if (!this.isThere(peer)) continue;
      peers[count] = peer;
      times[count++] = this.heardAt(peer);
    }
    const order = orderOf(times);
    this.#proved.clear();
    this.#unproved.clear();
    for (let k = 0; k < count; k++) {
      const peer = peers[order[k]!]!;
      (this.isProved(peer) ? this.#proved : this.#unproved).addNewest(peer);
    }
  }

  /** `peer` has proved its key: nothing that was said before is known of it any more. */
  prove(peer: number): void {
    this.#unproved.remove(peer);
    this.#proved.addNewest(peer);
    this.#isProved[peer] = 1;
    this.#provedCount++;
    this.places.forget(peer);
    this.pushes.subscriptions.finish(peer);
    this.log.changed(peer);
  }

  /** `peer` has a row from now on. */
  attach(peer: number, row: number): void {
    if (row >= this.#peersOfRows.length) {
      const size = roomFor(row + 1, this.#peersOfRows.length, Math.max(row + 1, this.#maxPeers));
      this.#peersOfRows = grown(this.#peersOfRows, new Int32Array(size));
    }
    this.#peersOfRows[row] = peer;
    this.#rows[peer] = row;
  }

  /** `peer` has no row any more. */
  detach(peer: number): void {
    this.#rows[peer] = NONE;
  }

  /** Removes `peer`. Its number may come back for another. */
  remove(peer: number, mono: number): void {
    const at = this.idAt(peer);
    this.provedLabels.leave(peer, this.#ids, at, mono);
    this.otherLabels.leave(peer, this.#ids, at, mono);
    this.log.gone(peer, this.#ids, at);
    this.places.forget(peer);
    this.proofs.forget(peer);
    this.pushes.subscriptions.finish(peer);
    (this.isProved(peer) ? this.#proved : this.#unproved).remove(peer);
    if (this.isProved(peer)) this.#provedCount--;
    this.#index.remove(peer);
    this.#isThere[peer] = 0;
    this.#numbers.giveBack(peer);
    this.#count--;
  }

  /** Makes room for so many peers at once. */
  reserve(count: number): void {
    if (count > this.#rows.length) this.#grow(count);
    this.#index.expect(count);
  }

  #hashOf(buffer: WireBuffer, at: number): number {
    copyBytes(buffer, at, this.#prefix, 0, PREFIX_SIZE);
    return hashId(this.#prefix, 0, this.#seed);
  }

  /** The first of a chain, from a peer on, whose ID begins with the 8 bytes at `at`, or NONE. */
  #firstOf(peer: number, buffer: WireBuffer, at: number): number {
    while (peer !== NONE && !this.#begins(peer, buffer, at)) peer = this.#index.next(peer);
    return peer;
  }

  #begins(peer: number, { view }: WireBuffer, at: number): boolean {
    const own = this.#ids.view;
    const idAt = this.idAt(peer);
    return own.getInt32(idAt) === view.getInt32(at) &&
      own.getInt32(idAt + 4) === view.getInt32(at + 4);
  }

  #hasId(peer: number, { view }: WireBuffer, at: number): boolean {
    const own = this.#ids.view;
    const idAt = this.idAt(peer);
    for (let i = 0; i < ID_SIZE; i += 4) {
      if (own.getInt32(idAt + i) !== view.getInt32(at + i)) return false;
    }
    return true;
  }

  #grow(wanted: number): void {
    // There are no more than the group may have.
    const capacity = Math.max(
      this.#count + 1,
      roomFor(Math.min(wanted, this.#maxPeers), this.#rows.length, this.#maxPeers),
    );
    this.#ids = larger(this.#ids, capacity * ID_SIZE);
    this.#isThere = grown(this.#isThere, new Uint8Array(capacity));
    this.#isProved = grown(this.#isProved, new Uint8Array(capacity));
    this.#heardAt = grown(this.#heardAt, new Float64Array(capacity));
    this.#rows = grown(this.#rows, new Int32Array(capacity));
    this.#proved.grow(capacity);
    this.#unproved.grow(capacity);
    this.#numbers.grow(capacity);
    this.#index.grow(capacity);
    this.places.reserve(capacity);
    this.proofs.reserve(capacity);
    this.provedLabels.reserve(capacity);
    this.otherLabels.reserve(capacity);
  }
}

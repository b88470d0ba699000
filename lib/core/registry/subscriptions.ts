/**
 * Who is told at once of what changes: per peer of a directory one subscription at most, and where
 * that goes.
 *
 * Everything is in typed arrays that grow by doubling; a question that renews a subscription makes
 * nothing.
 *
 * @module
 */

import { copyBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { LONG_NONCE_SIZE } from "../../wire/crypto/aead_key.ts";
import { newPrefixes, PREFIX_SIZE, type PrefixList } from "../../wire/wgsig2/option.ts";
import { MAX_PREFIXES } from "../../wire/wgsig2/question.ts";
import { ADDRESS_SIZE } from "../net/ip_address.ts";
import { NONE } from "../net/none.ts";
import type { AskedQuestion } from "./asked_question.ts";
import { BlockPool } from "./block_pool.ts";
import type { QuestionKeys } from "./question_keys.ts";
import { RecencyList } from "./recency_list.ts";

/** A subscription ends so long after its last question, in seconds, at most, */
export const LONGEST_LIFE = 600;
/** and at least. */
export const SHORTEST_LIFE = 180;
/** Or after so many times what lay between its last two questions. */
const INTERVALS = 3;
/** Bytes of what all of a group's subscribers want. */
const MOST_WANTED = 2 ** 23;
/** What stands for everybody where prefixes are counted. */
const ALL = -1;
const MAX_COUNTER = 0xffff_ffff;
const FIRST_CAPACITY = 16;
const SOURCE_SIZE = ADDRESS_SIZE + 2;

/** Subscriptions by their number. */
export class Subscriptions {
  /** Those that there are, by when they were asked for last. */
  readonly #asked = new RecencyList(FIRST_CAPACITY);
  /** By peer: its subscription + 1, or 0. */
  #byPeer = new Int32Array(FIRST_CAPACITY);
  #free = Int32Array.from({ length: FIRST_CAPACITY }, (_, i) => i);
  #count = 0;
  /** Numbers below this may be in use. */
  #end = 0;

  // By subscription.
  /** NONE where it isn't one. */
  #peers = new Int32Array(FIRST_CAPACITY).fill(NONE);
  #sockets = new Int32Array(FIRST_CAPACITY);
  #sources = new WireBuffer(FIRST_CAPACITY * SOURCE_SIZE);
  #nonces = new WireBuffer(FIRST_CAPACITY * LONG_NONCE_SIZE);
  #isProved = new Uint8Array(FIRST_CAPACITY);
  #askedAt = new Float64Array(FIRST_CAPACITY);
  #lives = new Float64Array(FIRST_CAPACITY);
  #counters = new Uint32Array(FIRST_CAPACITY);
  #wantCounts = new Int32Array(FIRST_CAPACITY);
  #wantBlocks = new Int32Array(FIRST_CAPACITY);
  readonly #keys: (QuestionKeys | undefined)[] = [];
  /** What the client knows, as far as it has said so; */
  known: Float64Array = new Float64Array(FIRST_CAPACITY);
  /** what it knows if the last push came; */
  told: Float64Array = new Float64Array(FIRST_CAPACITY);
  /** and up to where it was looked whether it wants what changed. */
  looked: Float64Array = new Float64Array(FIRST_CAPACITY);
  /** How often the last push was sent; 0 where the client knows all that it wants. */
  sent: Uint8Array = new Uint8Array(FIRST_CAPACITY);
  /** How many pushes were sent since its client was heard. */
  unheard: Uint8Array = new Uint8Array(FIRST_CAPACITY);

  #pool = newPool();
  readonly #wants = newPrefixes(MAX_PREFIXES);

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /** All are below this number. */
  get end(): number {
    return this.#end;
  }

  /** The one that was asked for longest ago, or NONE. */
  get oldest(): number {
    return this.#asked.oldest;
  }

  /** The peer of a subscription; NONE where it isn't one. */
  peerOf(subscription: number): number {
    return this.#peers[subscription]!;
  }

  /** The socket that it was asked through. */
  socketOf(subscription: number): number {
    return this.#sockets[subscription]!;
  }

  /** Holds where pushes go: a 16-byte address at {@linkcode sourceAt}, and a port after it. */
  get sources(): WireBuffer {
    return this.#sources;
  }

  /** Where that of a subscription is. */
  sourceAt(subscription: number): number {
    return subscription * SOURCE_SIZE;
  }

  /** The port that pushes go to. */
  portOf(subscription: number): number {
    return this.#sources.view.getUint16(this.sourceAt(subscription) + ADDRESS_SIZE);
  }

  /** Holds the nonces of the questions that have subscribed, at {@linkcode nonceAt}. */
  get nonces(): WireBuffer {
    return this.#nonces;
  }

  /** Where that of a subscription is. */
  nonceAt(subscription: number): number {
    return subscription * LONG_NONCE_SIZE;
  }

  /** Whether its question was proved. */
  isProved(subscription: number): boolean {
    return this.#isProved[subscription] !== 0;
  }

  /** The keys that its question was sealed with. */
  keysOf(subscription: number): QuestionKeys | undefined {
    return this.#keys[subscription];
  }

  /** Whether it was not renewed in time. */
  isOver(subscription: number, mono: number): boolean {
    return mono - this.#askedAt[subscription]! > this.#lives[subscription]!;
  }

  /** The COUNTER of the next push; after the largest, it begins anew. */
  nextCounter(subscription: number): number {
    const next = this.#counters[subscription]! % MAX_COUNTER + 1;
    this.#counters[subscription] = next;
    return next;
  }

  /** Whom it wants. The list is filled anew by the next call. */
  wantsOf(subscription: number): PrefixList {
    const wants = this.#wants;
    const count = this.#wantCounts[subscription]!;
    wants.isGiven = count !== ALL;
    wants.count = Math.max(0, count);
    if (count > 0) {
      const at = this.#pool.offsetOf(this.#wantBlocks[subscription]!);
      copyBytes(this.#pool.buffer, at, wants.bytes, 0, count * PREFIX_SIZE);
    }
    return wants;
  }

  /** The subscription of a peer, or NONE. */
  of(peer: number): number {
    return (this.#byPeer[peer] ?? 0) - 1;
  }

  /** Whether a question came from where a subscription goes. */
  isFrom(subscription: number, { sources, sourceAt }: AskedQuestion): boolean {
    const at = this.sourceAt(subscription);
    for (let i = 0; i < SOURCE_SIZE; i++) {
      if (sources.bytes[sourceAt + i] !== this.#sources.bytes[at + i]) return false;
    }
    return true;
  }

  /**
   * Begins or renews the subscription of the peer that asks.
   *
   * @param socket The number of the socket that it asks through.
   * @returns It; NONE where there is no room for what it wants.
   */
  renew(asked: AskedQuestion, keys: QuestionKeys, socket: number, mono: number): number {
    const { peer, question } = asked;
    const known = this.of(peer);
    while (known === NONE && this.oldest !== NONE && this.isOver(this.oldest, mono)) {
      this.finish(this.peerOf(this.oldest));
    }
    const subscription = known === NONE ? this.#add(peer) : known;
    if (!this.#want(subscription, question.wants)) {
      this.finish(peer);
      return NONE;
    }
    const gap = known === NONE ? LONGEST_LIFE : mono - this.#askedAt[subscription]!;
    this.#lives[subscription] = Math.min(LONGEST_LIFE, Math.max(SHORTEST_LIFE, INTERVALS * gap));
    this.#askedAt[subscription] = mono;
    this.#asked.remove(subscription);
    this.#asked.addNewest(subscription);
    this.#sockets[subscription] = socket;
    this.#isProved[subscription] = Number(asked.isProved);
    this.#keys[subscription] = keys;
    // A registry that was started anew goes on where its client is.
    this.#counters[subscription] = Math.max(this.#counters[subscription]!, question.ack);
    copyBytes(
      asked.sources,
      asked.sourceAt,
      this.#sources,
      this.sourceAt(subscription),
      SOURCE_SIZE,
    );
    const nonceAt = this.nonceAt(subscription);
    copyBytes(asked.buffer, asked.nonceAt, this.#nonces, nonceAt, LONG_NONCE_SIZE);
    return subscription;
  }

  /** Notes what the client of a subscription was answered: what it knows then. */
  answered(subscription: number, version: number): void {
    this.known[subscription] = this.told[subscription] = this.looked[subscription] = version;
    this.sent[subscription] = this.unheard[subscription] = 0;
  }

  /** Ends that of a peer, if it has one. */
  finish(peer: number): void {
    const subscription = this.of(peer);
    if (subscription === NONE) return;
    this.#byPeer[peer] = 0;
    this.#dropWants(subscription);
    this.#peers[subscription] = NONE;
    this.#keys[subscription] = undefined;
    this.sent[subscription] = 0;
    this.#asked.remove(subscription);
    this.#free[--this.#count] = subscription;
    if (this.#count === 0) this.#end = 0;
  }

  #add(peer: number): number {
    if (this.#count === this.#peers.length) this.#grow();
    if (peer >= this.#byPeer.length) {
      this.#byPeer = grown(
        this.#byPeer,
        new Int32Array(Math.max(peer + 1, 2 * this.#byPeer.length)),
      );
    }
    const subscription = this.#free[this.#count++]!;
    this.#end = Math.max(this.#end, subscription + 1);
    this.#byPeer[peer] = subscription + 1;
    this.#peers[subscription] = peer;
    this.#counters[subscription] = 0;
    this.#wantCounts[subscription] = ALL;
    this.sent[subscription] = 0;
    this.#asked.addNewest(subscription);
    return subscription;
  }

  /** Keeps whom a subscription wants. Returns whether there is room. */
  #want(subscription: number, wants: PrefixList): boolean {
    const count = wants.isGiven ? wants.count : ALL;
    const size = Math.max(0, count) * PREFIX_SIZE;
    const before = Math.max(0, this.#wantCounts[subscription]!) * PREFIX_SIZE;
    if (!this.#pool.fits(before, size)) {
      this.#dropWants(subscription);
      if (size > 0) {
        let block = this.#pool.take(size);
        if (block === NONE && this.#tidy()) block = this.#pool.take(size);
        if (block === NONE) return false;
        this.#wantBlocks[subscription] = block;
      }
    }
    this.#wantCounts[subscription] = count;
    if (size > 0) {
      const at = this.#pool.offsetOf(this.#wantBlocks[subscription]!);
      copyBytes(wants.bytes, 0, this.#pool.buffer, at, size);
    }
    return true;
  }

  #dropWants(subscription: number): void {
    const size = Math.max(0, this.#wantCounts[subscription]!) * PREFIX_SIZE;
    if (size > 0) this.#pool.giveBack(this.#wantBlocks[subscription]!, size);
    this.#wantCounts[subscription] = ALL;
  }

  /**
   * Puts what all want together, so that what is free serves for lists of any length. Returns whether it
   * did: half of the room has to be free, else it would soon be done again.
   */
  #tidy(): boolean {
    if (this.#pool.inUse > MOST_WANTED / 2) return false;
    const before = this.#pool;
    this.#pool = newPool();
    for (let subscription = 0; subscription < this.#end; subscription++) {
      const size = Math.max(0, this.#wantCounts[subscription]!) * PREFIX_SIZE;
      if (this.#peers[subscription] === NONE || size === 0) continue;
      const from = before.offsetOf(this.#wantBlocks[subscription]!);
      const block = this.#wantBlocks[subscription] = this.#pool.take(size);
      copyBytes(before.buffer, from, this.#pool.buffer, this.#pool.offsetOf(block), size);
    }
    return true;
  }

  #grow(): void {
    const from = this.#peers.length;
    const size = 2 * from;
    this.#free = grown(this.#free, Int32Array.from({ length: size }, (_, i) => i));
    this.#peers = grown(this.#peers, new Int32Array(size).fill(NONE));
    this.#sockets = grown(this.#sockets, new Int32Array(size));
    this.#isProved = grown(this.#isProved, new Uint8Array(size));
    this.#askedAt = grown(this.#askedAt, new Float64Array(size));
    this.#lives = grown(this.#lives, new Float64Array(size));
    this.#counters = grown(this.#counters, new Uint32Array(size));
    this.#wantCounts = grown(this.#wantCounts, new Int32Array(size));
    this.#wantBlocks = grown(this.#wantBlocks, new Int32Array(size));
    this.known = grown(this.known, new Float64Array(size));
    this.told = grown(this.told, new Float64Array(size));
    this.looked = grown(this.looked, new Float64Array(size));
    this.sent = grown(this.sent, new Uint8Array(size));
    this.unheard = grown(this.unheard, new Uint8Array(size));
    this.#asked.grow(size);
    const sources = new WireBuffer(size * SOURCE_SIZE);
    sources.bytes.set(this.#sources.bytes);
    this.#sources = sources;
    const nonces = new WireBuffer(size * LONG_NONCE_SIZE);
    nonces.bytes.set(this.#nonces.bytes);
    this.#nonces = nonces;
  }
}

function newPool(): BlockPool {
  return new BlockPool(MAX_PREFIXES * PREFIX_SIZE, MOST_WANTED);
}

function grown<T extends Uint8Array | Uint32Array | Int32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

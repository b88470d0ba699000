/**
 * Who is told at once of what changes: per peer of a directory one subscription at most. Everything is
 * in typed arrays that grow together, as `grown.ts` has it (for that, it is a little longer than a file
 * should be); a question that renews a subscription makes nothing.
 *
 * @module
 */

import { copyBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { LONG_NONCE_SIZE } from "../../wire/crypto/aead_key.ts";
import type { PrefixList } from "../../wire/wgsig2/option.ts";
import { ADDRESS_SIZE } from "../net/ip_address.ts";
import { NONE } from "../net/none.ts";
import type { AskedQuestion } from "./asked_question.ts";
import { FreeNumbers } from "../net/free_numbers.ts";
import { grown, larger, roomFor } from "../net/grown.ts";
import type { KeptSubscription, SubscriptionKeeper } from "./kept_subscription.ts";
import type { QuestionKeys } from "./question_keys.ts";
import { RecencyList } from "./recency_list.ts";
import { WantedLists } from "./wanted_lists.ts";

/** A subscription ends so long after its last question, in seconds, at most, */
export const LONGEST_LIFE = 600;
/** and at least. */
export const SHORTEST_LIFE = 180;
/** Or after so many times what lay between its last two questions. */
const INTERVALS = 3;
/** So many COUNTERs are kept ahead of those that are used, */
const RESERVED = 1024;
/** and they are kept anew once fewer than so many are left: they last until that is on the disk. */
const FEW_RESERVED = RESERVED / 2;
/** Pushes of a subscription that was restored, until its client is heard: nobody knows if it is there. */
const RESTORED_PUSHES = 4;
/** Pushes that nobody answers: more are not sent until the subscriber asks. */
export const MOST_UNHEARD = 16;
const MAX_COUNTER = 0xffff_ffff;
const FIRST_CAPACITY = 16;
const SOURCE_SIZE = ADDRESS_SIZE + 2;

/** Subscriptions by their number. */
export class Subscriptions {
  /** Told of what a restart is to leave, if anything is kept. */
  keeper: SubscriptionKeeper | undefined;
  /** Those that there are, by when they were asked for last. */
  readonly #asked = new RecencyList(FIRST_CAPACITY);
  /** By peer: its subscription + 1, or 0. */
  #byPeer = new Int32Array(FIRST_CAPACITY);
  readonly #mostPeers: number;
  readonly #numbers = new FreeNumbers(FIRST_CAPACITY);
  #count = 0;

  // By subscription.
  /** Its peer + 1; 0 where it isn't one. */
  #peers = new Int32Array(FIRST_CAPACITY);
  #sockets = new Int32Array(FIRST_CAPACITY);
  #sources = new WireBuffer(FIRST_CAPACITY * SOURCE_SIZE);
  #nonces = new WireBuffer(FIRST_CAPACITY * LONG_NONCE_SIZE);
  /** Those of the questions that have begun it: pushes after a restart belong to these. */
  #begun = new WireBuffer(FIRST_CAPACITY * LONG_NONCE_SIZE);
  #isRestored = new Uint8Array(FIRST_CAPACITY);
  #isProved = new Uint8Array(FIRST_CAPACITY);
  #askedAt = new Float64Array(FIRST_CAPACITY);
  #lives = new Float64Array(FIRST_CAPACITY);
  #counters = new Uint32Array(FIRST_CAPACITY);
  /** No COUNTER above this is used before it is kept anew. */
  #reserved = new Uint32Array(FIRST_CAPACITY);
  readonly #keys: (QuestionKeys | undefined)[] = [];
  /** What the client knows, as far as it has said so; */
  known: Float64Array = new Float64Array(FIRST_CAPACITY);
  /** what it knows if the last push came; */
  told: Float64Array = new Float64Array(FIRST_CAPACITY);
  /** and up to where it was looked whether it wants what changed. */
  looked: Float64Array = new Float64Array(FIRST_CAPACITY);
  /** The version of the roster that it was told; Infinity where it doesn't follow it. */
  roster: Float64Array = new Float64Array(FIRST_CAPACITY);
  /** How often the last push was sent; 0 where the client knows all that it wants. */
  sent: Uint8Array = new Uint8Array(FIRST_CAPACITY);
  /** How many pushes were sent since its client was heard. */
  unheard: Uint8Array = new Uint8Array(FIRST_CAPACITY);

  readonly #wants = new WantedLists(FIRST_CAPACITY);

  /** There are none. @param mostPeers The most peers that there will be. */
  constructor(mostPeers: number) {
    this.#mostPeers = mostPeers;
  }

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /** All are below this number. */
  get end(): number {
    return this.#numbers.end;
  }

  /** For so many there is room. */
  get room(): number {
    return this.#peers.length;
  }

  /** The one that was asked for longest ago, or NONE. */
  get oldest(): number {
    return this.#asked.oldest;
  }

  /** The peer of a subscription; NONE where it isn't one. */
  peerOf(subscription: number): number {
    return this.#peers[subscription]! - 1;
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

  /** Holds the nonces of the questions that have begun subscriptions, at {@linkcode nonceAt}. */
  get begun(): WireBuffer {
    return this.#begun;
  }

  /** Whether its client was not heard since the start. */
  isRestored(subscription: number): boolean {
    return this.#isRestored[subscription] !== 0;
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
    if (next + FEW_RESERVED > this.#reserved[subscription]!) {
      this.keeper?.changed(this.peerOf(subscription));
    }
    return next;
  }

  /** Reserves the next COUNTERs. @returns The last of them, which is to be kept over a restart. */
  reserveCounters(subscription: number): number {
    const last = Math.min(MAX_COUNTER, this.#counters[subscription]! + RESERVED);
    return this.#reserved[subscription] = last;
  }

  /** Whom it wants. The list is filled anew by the next call. */
  wantsOf(subscription: number): PrefixList {
    return this.#wants.of(subscription);
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
    const begins = known === NONE || this.#beginsAnew(subscription, asked, keys, mono);
    const isChanged = begins || socket !== this.#sockets[subscription];
    if (!this.#wants.set(subscription, question.wants)) {
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
    const sourceAt = this.sourceAt(subscription);
    copyBytes(asked.sources, asked.sourceAt, this.#sources, sourceAt, SOURCE_SIZE);
    const nonceAt = this.nonceAt(subscription);
    copyBytes(asked.buffer, asked.nonceAt, this.#nonces, nonceAt, LONG_NONCE_SIZE);
    if (begins) copyBytes(asked.buffer, asked.nonceAt, this.#begun, nonceAt, LONG_NONCE_SIZE);
    this.#isRestored[subscription] = 0;
    if (isChanged) this.keeper?.changed(peer);
    return subscription;
  }

  /**
   * Begins the subscription of a peer, which has none, as it was kept.
   *
   * @param version What its client is taken to know. It counts otherwise, and so asks once it is pushed to.
   * @returns Whether there is room for what it wants.
   */
  restore(peer: number, kept: KeptSubscription, version: number, mono: number): boolean {
    const { buffer, addressAt, port, nonceAt, counter } = kept;
    const subscription = this.#add(peer);
    const sourceAt = this.sourceAt(subscription);
    const at = this.nonceAt(subscription);
    copyBytes(buffer, addressAt, this.#sources, sourceAt, ADDRESS_SIZE);
    this.#sources.view.setUint16(sourceAt + ADDRESS_SIZE, port);
    copyBytes(buffer, nonceAt, this.#nonces, at, LONG_NONCE_SIZE);
    copyBytes(buffer, nonceAt, this.#begun, at, LONG_NONCE_SIZE);
    this.#sockets[subscription] = kept.socket;
    this.#isProved[subscription] = Number(kept.isProved);
    this.#keys[subscription] = kept.keys;
    this.#counters[subscription] = this.#reserved[subscription] = counter;
    this.#askedAt[subscription] = mono;
    this.#lives[subscription] = LONGEST_LIFE;
    this.#isRestored[subscription] = 1;
    this.answered(subscription, version, kept.roster);
    this.unheard[subscription] = MOST_UNHEARD - RESTORED_PUSHES;
    if (this.#wants.set(subscription, kept.wants)) return true;
    this.finish(peer);
    return false;
  }

  /**
   * Notes what the client of a subscription was answered: what it knows then.
   *
   * @param roster The version of the roster; Infinity where it doesn't follow that.
   */
  answered(subscription: number, version: number, roster: number): void {
    if ((roster === Infinity) !== (this.roster[subscription] === Infinity)) {
      this.keeper?.changed(this.peerOf(subscription));
    }
    this.roster[subscription] = roster;
    this.known[subscription] = this.told[subscription] = this.looked[subscription] = version;
    this.sent[subscription] = this.unheard[subscription] = 0;
  }

  /** Ends that of a peer, if it has one. */
  finish(peer: number): void {
    const subscription = this.of(peer);
    if (subscription === NONE) return;
    this.keeper?.ended(peer);
    this.#byPeer[peer] = 0;
    this.#wants.drop(subscription);
    this.#peers[subscription] = 0;
    this.#keys[subscription] = undefined;
    this.sent[subscription] = 0;
    this.#asked.remove(subscription);
    this.#numbers.giveBack(subscription);
    this.#count--;
  }

  #add(peer: number): number {
    if (this.#count === this.#peers.length) this.#grow();
    if (peer >= this.#byPeer.length) {
      const most = Math.max(peer + 1, this.#mostPeers);
      const size = roomFor(peer + 1, this.#byPeer.length, most);
      this.#byPeer = grown(this.#byPeer, new Int32Array(size));
    }
    const subscription = this.#numbers.take();
    this.#count++;
    this.#byPeer[peer] = subscription + 1;
    this.#peers[subscription] = peer + 1;
    this.#counters[subscription] = this.#reserved[subscription] = 0;
    this.#isRestored[subscription] = 0;
    this.sent[subscription] = 0;
    this.roster[subscription] = Infinity;
    this.#asked.addNewest(subscription);
    return subscription;
  }

  /**
   * Whether a question begins a subscription although there is one. Its client knows that, too: so both
   * know to which question pushes belong after a restart. docs/protocol-2.md, "Push".
   */
  #beginsAnew(
    subscription: number,
    asked: AskedQuestion,
    keys: QuestionKeys,
    mono: number,
  ): boolean {
    return this.isRestored(subscription) || !this.isFrom(subscription, asked) ||
      !this.#wants.isSame(subscription, asked.question.wants) ||
      asked.isProved !== this.isProved(subscription) || keys !== this.keysOf(subscription) ||
      mono - this.#askedAt[subscription]! > SHORTEST_LIFE;
  }

  #grow(): void {
    const { length } = this.#peers;
    const size = roomFor(length + 1, length, Math.max(length + 1, this.#mostPeers));
    this.#numbers.grow(size);
    this.#peers = grown(this.#peers, new Int32Array(size));
    this.#sockets = grown(this.#sockets, new Int32Array(size));
    this.#isRestored = grown(this.#isRestored, new Uint8Array(size));
    this.#isProved = grown(this.#isProved, new Uint8Array(size));
    this.#askedAt = grown(this.#askedAt, new Float64Array(size));
    this.#lives = grown(this.#lives, new Float64Array(size));
    this.#counters = grown(this.#counters, new Uint32Array(size));
    this.#reserved = grown(this.#reserved, new Uint32Array(size));
    this.#wants.grow(size);
    this.known = grown(this.known, new Float64Array(size));
    this.told = grown(this.told, new Float64Array(size));
    this.looked = grown(this.looked, new Float64Array(size));
    this.roster = grown(this.roster, new Float64Array(size));
    this.sent = grown(this.sent, new Uint8Array(size));
    this.unheard = grown(this.unheard, new Uint8Array(size));
    this.#asked.grow(size);
    this.#sources = larger(this.#sources, size * SOURCE_SIZE);
    this.#nonces = larger(this.#nonces, size * LONG_NONCE_SIZE);
    this.#begun = larger(this.#begun, size * LONG_NONCE_SIZE);
  }
}

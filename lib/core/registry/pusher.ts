/**
 * Writes pushes: what changed of the peers that subscribers want, one datagram at a time. Whoever
 * sends them asks for the next one until there is none, and asks again when it is time.
 *
 * A turn is short whatever has changed: it looks at so many subscribers at most. docs/protocol-2.md,
 * "Push".
 *
 * @module
 */

import { copyBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { type AeadKey, TAG_SIZE } from "../../wire/crypto/aead_key.ts";
import { EPOCH_SIZE } from "../../wire/wgsig2/cursor.ts";
import {
  DATAGRAM,
  MAX_DATAGRAM_SIZE,
  sealDatagram,
  writeDatagramHeader,
} from "../../wire/wgsig2/datagram.ts";
import { encodePush, newPush } from "../../wire/wgsig2/push.ts";
import { peerNewsSize, writePeerNews } from "../../wire/wgsig2/record.ts";
import type { AnswerBudget } from "../net/answer_budget.ts";
import type { Counters } from "../net/counters.ts";
import { isIpv4 } from "../net/ip_address.ts";
import { NONE } from "../net/none.ts";
import type { NonceSource } from "../net/random.ts";
import type { RegistryGroup } from "./group.ts";
import type { PeerDirectory } from "./peer_directory.ts";
import { NewsReader } from "./peer_news.ts";
import { MOST_UNHEARD } from "./subscriptions.ts";
import { Vantage } from "./vantage.ts";
import { WantedChanges } from "./wanted_changes.ts";

/** Subscribers that are looked at in a turn; one that is told counts for more. */
const TURN = 1024;
const PUSH_COST = 16;
/** The same of one whose keys are computed first. */
const EXCHANGE_COST = 256;

/** A push that was written, and where it goes. */
export interface WrittenPush {
  /** Its bytes; the registry's, until the next one is written. */
  bytes: Uint8Array;
  /** The number of the socket that its subscriber asked through. */
  socket: number;
  /** Holds the 16-byte address of the subscriber. */
  sources: WireBuffer;
  /** Where that is. */
  sourceAt: number;
  /** The UDP port of the subscriber. */
  port: number;
}

/** Writes one push at a time. */
export class Pusher {
  /** What limits what is pushed to a network; nothing does while there is none. */
  budget: AnswerBudget | undefined;
  readonly #nonces: NonceSource;
  readonly #counters: Counters;
  readonly #buffer = new WireBuffer(MAX_DATAGRAM_SIZE);
  readonly #written: WrittenPush = {
    bytes: this.#buffer.bytes,
    socket: 0,
    sources: this.#buffer,
    sourceAt: 0,
    port: 0,
  };
  readonly #push = newPush();
  readonly #wanted = new WantedChanges();
  readonly #reader = new NewsReader();
  readonly #vantage = new Vantage();
  #left = TURN;
  /** Turns so far. */
  #turn = 0;
  /** Whether the push that was written last is a repeated one. */
  #isRepeated = false;

  /** @param nonces Of 24 bytes. */
  constructor(nonces: NonceSource, counters: Counters) {
    this.#nonces = nonces;
    this.#counters = counters;
  }

  /** Begins a turn. */
  begin(): void {
    this.#turn++;
    this.#left = TURN;
  }

  /**
   * The next push to subscribers of some groups; undefined where there is none in this turn. Another
   * group comes first in each: one that has much to tell leaves turns to the others.
   */
  nextOf(groups: ReadonlyMap<number, RegistryGroup>, mono: number): WrittenPush | undefined {
    let skipped = this.#turn % Math.max(1, groups.size);
    for (let round = 0; round < 2; round++) {
      for (const group of groups.values()) {
        if (skipped-- > 0) continue;
        const push = this.#next(group, mono);
        if (push === undefined) continue;
        this.#counters.add("pushed");
        if (this.#isRepeated) this.#counters.add("push-repeated");
        return push;
      }
    }
    return undefined;
  }

  /** The next push to subscribers of a group; undefined where there is none in this turn. */
  #next(group: RegistryGroup, mono: number): WrittenPush | undefined {
    const { directory } = group.members;
    if (directory === undefined || directory.pushes.subscriptions.count === 0) return undefined;
    const { pushes, log } = directory;
    while (this.#left > 0) {
      let subscription = pushes.takeNext(log.version, mono);
      this.#isRepeated = subscription === NONE;
      if (this.#isRepeated) subscription = pushes.takeRepeat(mono);
      if (subscription === NONE) return undefined;
      this.#left--;
      if (!this.#isTold(directory, subscription, mono)) continue;
      if (!this.#write(group, directory, subscription, mono)) continue;
      this.#left -= PUSH_COST;
      return this.#written;
    }
    return undefined;
  }

  /** Whether somebody is a subscriber still, and has not been told everything. */
  #isTold({ pushes, log }: PeerDirectory, subscription: number, mono: number): boolean {
    const { subscriptions } = pushes;
    const peer = subscriptions.peerOf(subscription);
    if (peer === NONE) return false;
    if (subscriptions.isOver(subscription, mono)) {
      subscriptions.finish(peer);
      return false;
    }
    if (subscriptions.unheard[subscription]! >= MOST_UNHEARD) return false;
    return this.#isRepeated || subscriptions.looked[subscription]! < log.version;
  }

  /**
   * Writes the push of a subscription. One to a network that has had enough counts as one that was
   * lost: it is repeated later.
   *
   * @returns Whether there is something to send.
   */
  #write(
    group: RegistryGroup,
    directory: PeerDirectory,
    subscription: number,
    mono: number,
  ): boolean {
    const { pushes, log } = directory;
    const { subscriptions } = pushes;
    const push = this.#push;
    push.previous = this.#isRepeated
      ? subscriptions.known[subscription]!
      : subscriptions.told[subscription]!;
    push.version = log.version;
    const end = this.#writeRecords(group, directory, subscription, mono);
    subscriptions.looked[subscription] = log.version;
    if (end === NONE && !this.#isRepeated) return false;
    const key = this.#keyOf(group, directory, subscription);
    if (key === undefined) {
      subscriptions.finish(subscriptions.peerOf(subscription));
      return false;
    }
    push.counter = subscriptions.nextCounter(subscription);
    copyBytes(directory.epoch, 0, push.epoch, 0, EPOCH_SIZE);
    const size = Math.max(end, encodePush(push, this.#buffer, 0)) + TAG_SIZE;
    const sourceAt = subscriptions.sourceAt(subscription);
    const isSent = this.budget?.spend(subscriptions.sources, sourceAt, size, mono) !== false;
    if (isSent) this.#seal(group, directory, subscription, key, size);
    else this.#counters.add("push-withheld");
    subscriptions.told[subscription] = log.version;
    subscriptions.unheard[subscription]!++;
    if (!this.#isRepeated) subscriptions.sent[subscription] = 0;
    pushes.wasSent(subscription, mono);
    return isSent;
  }

  /**
   * Writes what is new to a subscriber, behind where the rest of the push goes. Where it doesn't fit,
   * the push tells it to ask.
   *
   * @returns Where the records end; NONE where nothing is new.
   */
  #writeRecords(
    { members, roster }: RegistryGroup,
    directory: PeerDirectory,
    subscription: number,
    mono: number,
  ): number {
    const { subscriptions } = directory.pushes;
    const push = this.#push;
    const wanted = this.#wanted;
    const own = subscriptions.peerOf(subscription);
    // Between what it was told and what was looked at is nothing that it wants.
    const since = this.#isRepeated ? push.previous : subscriptions.looked[subscription]!;
    this.#look(members, directory, subscription, mono);
    wanted.start(directory, subscriptions.wantsOf(subscription), directory.epoch, since);
    const start = encodePush(push, this.#buffer, 0);
    let next = start;
    // Who follows the roster asks for that.
    const isBehind = roster !== undefined && subscriptions.roster[subscription]! < roster.version;
    let isAsking = wanted.isWhole || isBehind;
    while (!isAsking && wanted.next()) {
      if (wanted.peer === own) continue;
      this.#reader.read(members, directory, wanted, this.#vantage, mono);
      if (next + peerNewsSize(this.#reader.news) + TAG_SIZE > MAX_DATAGRAM_SIZE) isAsking = true;
      else next = writePeerNews(this.#reader.news, this.#buffer, next);
    }
    isAsking ||= wanted.isCut;
    if (!isAsking) return next > start ? next : NONE;
    push.previous = push.version;
    return start;
  }

  /** Looks from where the subscriber is. */
  #look(
    { table }: RegistryGroup["members"],
    directory: PeerDirectory,
    subscription: number,
    mono: number,
  ): void {
    const { subscriptions } = directory.pushes;
    const { sources } = subscriptions;
    const at = subscriptions.sourceAt(subscription);
    this.#vantage.start(sources, at, isIpv4(sources, at));
    if (!subscriptions.isProved(subscription)) return;
    this.#vantage.add(subscriptions.peerOf(subscription), directory, table, mono);
  }

  /** What a subscriber's pushes are sealed with; undefined where it has no such key any more. */
  #keyOf(
    { questionKeys }: RegistryGroup,
    directory: PeerDirectory,
    subscription: number,
  ): AeadKey | undefined {
    const { pushes: { subscriptions }, proofs } = directory;
    const keys = subscriptions.keysOf(subscription);
    if (keys === undefined || !questionKeys.includes(keys)) return undefined;
    if (!subscriptions.isProved(subscription)) return keys.shared.answer;
    const peer = subscriptions.peerOf(subscription);
    if (!proofs.select(peer, keys)) {
      // Keys are not kept over a restart.
      if (!subscriptions.isRestored(subscription)) return undefined;
      this.#left -= EXCHANGE_COST;
      this.#counters.add("exchanges");
      if (!proofs.compute(directory.ids, directory.idAt(peer), keys)) return undefined;
      proofs.keep(peer, keys);
    }
    return proofs.keys.answer;
  }

  #seal(
    { id }: RegistryGroup,
    { pushes }: PeerDirectory,
    subscription: number,
    key: AeadKey,
    size: number,
  ): void {
    const { subscriptions } = pushes;
    const buffer = this.#buffer;
    const nonces = this.#nonces;
    writeDatagramHeader(DATAGRAM.push, id, nonces.buffer, nonces.next(), buffer, 0);
    sealDatagram(key, buffer, 0, size, subscriptions.nonces, subscriptions.nonceAt(subscription));
    const written = this.#written;
    written.bytes = buffer.bytes.subarray(0, size);
    written.socket = subscriptions.socketOf(subscription);
    written.sources = subscriptions.sources;
    written.sourceAt = subscriptions.sourceAt(subscription);
    written.port = subscriptions.portOf(subscription);
  }
}

/**
 * The relay: passes on what WireGuard says between two peers of a group that can't reach each other,
 * unread.
 *
 * A datagram is its sender's, if it comes from where that is registered. Whom it is for, a handshake
 * says by *mac1*, and what follows by the indices that were told in that. Both have to be registered in
 * the same group, and one has to have asked for the other. It goes to where the receiver is registered,
 * through the socket that this has registered through, since its NAT expects that. Nothing is allocated
 * for a datagram, or copied. docs/protocol-2.md, "Relay".
 *
 * @module
 */

import {
  MESSAGE,
  readMessageType,
  readReceiverIndex,
  readSenderIndex,
} from "../../wire/wireguard/message.ts";
import type { CounterName, Counters } from "../net/counters.ts";
import { type DatagramBatch, ReplyBatch, SLOT_SIZE } from "../net/datagram_batch.ts";
import { isIpv4 } from "../net/ip_address.ts";
import { NONE } from "../net/none.ts";
import type { RelayGroup } from "./relay_group.ts";
import { type Destination, MOST_PEERS, RelayedPeers } from "./relayed_peers.ts";
import { RelayLimits, type RelayRates } from "./relay_limits.ts";
import { RelayedPairs } from "./relayed_pairs.ts";
import { Sessions } from "./sessions.ts";
import { WantedPairs } from "./wanted_pairs.ts";

/** Peers with the same endpoint that are looked at. */
const MOST_ALIKE = 4;
/** Peers for whom an initiation may be, that are looked at. */
const MOST_TRIED = 256;
/** Peers for whom data may be whose index isn't known, that get it. */
const MOST_GUESSED = 4;
/** A pair is stopped for so long, in seconds. */
const STOP = 1;
/** What {@linkcode Relay} finds where it has no time to look. */
const BUSY = -2;
/** Seconds between two looks at which pairs are over. */
const LOOK = 10;

/** Settings of a relay. */
export interface RelayOptions extends RelayRates {
  /** A pair that has carried nothing for so long, in seconds, makes room for others. */
  readonly idle: number;
}

/** What is known of a pair. */
export interface RelayedPair {
  /** Whose it is. */
  readonly group: RelayGroup;
  /** A member of it, */
  readonly a: number;
  /** and another. */
  readonly b: number;
  /** When something was relayed last, on the monotonic clock; undefined where nothing was. */
  readonly usedAt: number | undefined;
  /** When one of them began to ask for the other. */
  readonly addedAt: number;
}

/** Sends what is in a batch through a socket. */
export type SendBatch = (socket: number, replies: ReplyBatch) => void;

/** Passes datagrams on. */
export class Relay {
  readonly #counters: Counters;
  readonly #peers: RelayedPeers;
  readonly #pairs = new RelayedPairs();
  readonly #sessions: Sessions;
  readonly #limits: RelayLimits;
  readonly #wanted: WantedPairs;
  #lookedAt = -Infinity;
  readonly #sockets: ReadonlyMap<number, boolean>;

  // The batch that is worked on.
  #number = 0;
  #socket = 0;
  #replies = new ReplyBatch();
  /** What leaves through other sockets. */
  readonly #others = new Map<number, ReplyBatch>();
  // By peer: in which batch it was a receiver last, and how it was reached then.
  readonly #batches = new Float64Array(MOST_PEERS);
  readonly #places = new Int32Array(MOST_PEERS);
  readonly #outlets: ReplyBatch[] = [];

  /**
   * Relays nothing yet.
   *
   * @param sockets The numbers of the sockets that there are at any time: whether they are of IPv4.
   * @param seed Random, so that nobody can choose what collides.
   */
  constructor(
    options: RelayOptions,
    sockets: ReadonlyMap<number, boolean>,
    seed: number,
    counters: Counters,
  ) {
    this.#counters = counters;
    this.#sockets = sockets;
    this.#peers = new RelayedPeers(seed);
    this.#sessions = new Sessions(seed);
    this.#limits = new RelayLimits(options);
    this.#wanted = new WantedPairs(this.#peers, this.#pairs, this.#sessions, counters);
    this.#wanted.idle = options.idle;
  }

  /** Replaces the settings. */
  configure(options: RelayOptions): void {
    this.#limits.configure(options);
    this.#wanted.idle = options.idle;
  }

  /** How many pairs are relayed now. */
  get pairCount(): number {
    return this.#pairs.count;
  }

  /** The pairs that were used last, the last one first: `most` at most. */
  lastUsed(most: number): RelayedPair[] {
    const pairs = this.#pairs;
    const peers = this.#peers;
    return pairs.lastUsed(most).flatMap((pair) => {
      const [a, b] = [pairs.peerOf(2 * pair), pairs.peerOf(2 * pair + 1)];
      const group = peers.groupOf(a);
      if (group === undefined) return [];
      const [usedAt, addedAt] = [pairs.usedAt(pair), pairs.addedAt(pair)];
      const isUsed = usedAt > addedAt;
      const members = { a: peers.memberOf(a), b: peers.memberOf(b) };
      return [{ group, ...members, usedAt: isUsed ? usedAt : undefined, addedAt }];
    });
  }

  /**
   * A member wants these others through the relay, and no others: `count` numbers of members.
   *
   * @param isProved Whether it has proved its key.
   */
  ask(
    group: RelayGroup,
    member: number,
    wanted: Int32Array,
    count: number,
    isProved: boolean,
    mono: number,
  ): void {
    this.#wanted.ask(group, member, wanted, count, isProved, mono);
  }

  /** A member has direct paths to these others: nothing is relayed between them for a second. */
  stop(
    group: RelayGroup,
    member: number,
    others: Int32Array,
    count: number,
    mono: number,
  ): void {
    const peer = this.#peers.find(group, member);
    for (let i = 0; i < count && peer !== NONE; i++) {
      const other = this.#peers.find(group, others[i]!);
      const side = other === NONE ? NONE : this.#pairs.find(peer, other);
      if (side === NONE) continue;
      this.#pairs.stop(side >>> 1, mono + STOP);
      this.#counters.add("relay-stops");
    }
  }

  /** A member has registered, perhaps elsewhere than before. */
  registered(group: RelayGroup, member: number, isIpv4: boolean, mono: number): void {
    const peer = this.#peers.find(group, member);
    if (peer !== NONE) this.#peers.registered(peer, isIpv4, mono);
  }

  /** A member is gone: its number may come back for another. */
  forget(group: RelayGroup, member: number): void {
    const peer = this.#peers.find(group, member);
    if (peer !== NONE) this.#wanted.forget(peer);
  }

  /** A group is gone. */
  forgetGroup(group: RelayGroup): void {
    for (const peer of this.#peers.of(group)) this.#wanted.forget(peer);
  }

  /** Forgets the pairs for which nobody asks any more. */
  expire(mono: number): void {
    if (mono - this.#lookedAt < LOOK) return;
    this.#lookedAt = mono;
    this.#wanted.expire(mono);
  }

  /**
   * Begins with a batch.
   *
   * @param socket The number of the socket that it came through.
   * @param replies What is sent through that.
   */
  begin(socket: number, replies: ReplyBatch): void {
    this.#number++;
    this.#socket = socket;
    this.#replies = replies;
    for (const others of this.#others.values()) others.clear();
  }

  /** Hands out what leaves through other sockets than the batch came through. It is the batch's bytes. */
  sendOthers(send: SendBatch): void {
    for (const [socket, replies] of this.#others) {
      if (replies.count > 0) send(socket, replies);
      replies.clear();
      if (!this.#sockets.has(socket)) this.#others.delete(socket);
    }
  }

  /**
   * Passes datagram `i` of the batch on, if it is WireGuard's.
   *
   * @returns "done" where it was; "other" where it is none of WireGuard's; else why not.
   */
  take(batch: DatagramBatch, i: number, mono: number): CounterName | "other" | "done" {
    const length = batch.lengths[i]!;
    const type = readMessageType(batch.payloads, i * SLOT_SIZE, length);
    if (type === MESSAGE.none) return "other";
    const { sources } = batch;
    const at = batch.sourceAt(i);
    let peer = this.#peers.first(sources, at);
    if (peer === NONE) return "relay-drop-stranger";
    if (length > SLOT_SIZE) return "drop-too-long";
    const ofIpv4 = isIpv4(sources, at);
    let outcome: CounterName | "done" = "relay-drop-index";
    const first = peer;
    for (let n = 0; n < MOST_ALIKE && peer !== NONE; n++) {
      outcome = this.#pass(peer, batch, i, type, mono);
      if (outcome === "done") this.#peers.heard(peer, ofIpv4, mono);
      if (outcome !== "relay-drop-index" && outcome !== "relay-drop-nobody") return outcome;
      peer = this.#peers.next(peer, sources, at, ofIpv4);
    }
    if (type !== MESSAGE.data) return outcome;
    peer = first;
    for (let n = 0; n < MOST_ALIKE && peer !== NONE; n++) {
      if (this.#guess(peer, batch, i, mono)) {
        this.#peers.heard(peer, ofIpv4, mono);
        return "done";
      }
      peer = this.#peers.next(peer, sources, at, ofIpv4);
    }
    return outcome;
  }

  /** Passes a datagram of `peer` on, or says why not. */
  #pass(
    peer: number,
    batch: DatagramBatch,
    i: number,
    type: number,
    mono: number,
  ): CounterName | "done" {
    const { payloads } = batch;
    const at = i * SLOT_SIZE;
    const length = batch.lengths[i]!;
    const isFirst = type === MESSAGE.initiation;
    let slot = NONE;
    let side: number;
    if (isFirst) side = this.#seek(peer, batch, at, mono);
    else {
      slot = this.#sessions.find(peer, readReceiverIndex(payloads, at, type), mono);
      side = slot === NONE ? NONE : this.#sessions.sideOf(slot);
    }
    if (side === BUSY) return "relay-drop-busy";
    if (side === NONE) return isFirst ? "relay-drop-nobody" : "relay-drop-index";
    const pair = side >>> 1;
    const other = this.#pairs.peerOf(side ^ 1);
    if (!this.#pairs.isOpen(pair, mono)) return "relay-drop-not-asked";
    if (this.#pairs.isStopped(pair, mono)) return "relay-drop-stopped";
    if (!this.#limits.allow(pair, peer, length, mono)) return "relay-drop-limited";
    const to = this.#placeOf(other);
    if (to === NONE) return "relay-drop-nowhere";
    if (type === MESSAGE.initiation || type === MESSAGE.response) {
      const problem = this.#greet(side, other, slot, batch, at, type, mono);
      if (problem !== undefined) return problem;
    } else this.#sessions.use(slot, mono);
    this.#send(peer, side, to, batch, i, mono);
    return "done";
  }

  /**
   * Passes on what belongs to a session of before: two peers that had a direct way have it still when
   * they come to the relay, which hears its indices only at their next handshake. Whom it is for can
   * only be guessed; the others throw it away.
   */
  #guess(peer: number, batch: DatagramBatch, i: number, mono: number): boolean {
    const pairs = this.#pairs;
    const length = batch.lengths[i]!;
    let sent = 0;
    let tried = 0;
    for (let side = pairs.firstOf(peer); side !== NONE; side = pairs.nextOf(side)) {
      if (sent === MOST_GUESSED || tried++ === MOST_TRIED) break;
      const pair = side >>> 1;
      if (!pairs.isOpen(pair, mono) || pairs.isStopped(pair, mono)) continue;
      if (!this.#limits.allow(pair, peer, length, mono)) continue;
      const to = this.#placeOf(pairs.peerOf(side ^ 1));
      if (to === NONE || !pairs.guess(side, mono)) continue;
      this.#send(peer, side, to, batch, i, mono);
      this.#counters.add("relay-guessed");
      sent++;
    }
    return sent > 0;
  }

  #send(
    peer: number,
    side: number,
    to: number,
    { payloads, lengths }: DatagramBatch,
    i: number,
    mono: number,
  ): void {
    const pair = side >>> 1;
    const length = lengths[i]!;
    this.#limits.spend(pair, peer, length);
    this.#pairs.use(pair, mono);
    const outlet = this.#outlets[this.#pairs.peerOf(side ^ 1)]!;
    outlet.add(to, payloads.bytes, i * SLOT_SIZE, length, 1);
    this.#counters.add("relayed");
    this.#counters.add("relayed-bytes", length);
  }

  /** The side of `peer` in its pair with whom an initiation is for; NONE, or BUSY. */
  #seek(peer: number, { payloads }: DatagramBatch, at: number, mono: number): number {
    const pairs = this.#pairs;
    let tried = 0;
    for (let side = pairs.firstOf(peer); side !== NONE; side = pairs.nextOf(side)) {
      if (tried++ === MOST_TRIED) break;
      if (!pairs.isOpen(side >>> 1, mono)) continue;
      if (!this.#limits.takeMac(peer, mono)) return BUSY;
      const mac = this.#peers.macOf(pairs.peerOf(side ^ 1));
      if (mac.isFor(payloads, at, MESSAGE.initiation)) return side;
    }
    return NONE;
  }

  /** Takes down what indices a handshake message tells, or says why it is not passed on. */
  #greet(
    side: number,
    other: number,
    slot: number,
    { payloads }: DatagramBatch,
    at: number,
    type: number,
    mono: number,
  ): CounterName | undefined {
    const sessions = this.#sessions;
    const index = readSenderIndex(payloads, at);
    if (type === MESSAGE.initiation) {
      if (!this.#limits.takeGreeting(other, mono)) return "relay-drop-limited";
      if (!sessions.offer(side ^ 1, other, index, mono)) return "relay-drop-taken";
      this.#counters.add("relay-greetings");
      return undefined;
    }
    if (!this.#limits.takeMac(this.#pairs.peerOf(side), mono)) return "relay-drop-busy";
    if (!this.#peers.macOf(other).isFor(payloads, at, type)) return "relay-drop-nobody";
    if (!sessions.settle(side ^ 1, other, index, mono)) return "relay-drop-taken";
    sessions.confirm(slot, mono);
    this.#pairs.greeted(side >>> 1);
    return undefined;
  }

  /** What stands for a receiver in its outlet's batch; NONE where it can't be reached. */
  #placeOf(peer: number): number {
    if (this.#batches[peer] === this.#number) return this.#places[peer]!;
    this.#batches[peer] = this.#number;
    const destination = this.#peers.destination(peer);
    const outlet = destination && this.#outletOf(destination);
    if (destination === undefined || outlet === undefined) return this.#places[peer] = NONE;
    this.#outlets[peer] = outlet;
    return this.#places[peer] = outlet.addDestination(destination.endpoint, 0);
  }

  /** Where something leaves through the socket that its receiver has registered through. */
  #outletOf({ socket, isIpv4 }: Destination): ReplyBatch | undefined {
    const through = this.#sockets.get(socket) === isIpv4 ? socket : this.#anyOf(isIpv4);
    if (through === undefined) return undefined;
    if (through === this.#socket) return this.#replies;
    let others = this.#others.get(through);
    if (others === undefined) this.#others.set(through, others = new ReplyBatch());
    return others;
  }

  /** A socket of a family: after a restart it isn't known which one it was. */
  #anyOf(isIpv4: boolean): number | undefined {
    if (this.#sockets.get(this.#socket) === isIpv4) return this.#socket;
    for (const [socket, ofIpv4] of this.#sockets) if (ofIpv4 === isIpv4) return socket;
    return undefined;
  }
}

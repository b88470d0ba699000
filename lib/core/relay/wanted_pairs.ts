/**
 * Which pairs there are: who asks for whom, and for how long that holds.
 *
 * @module
 */

import type { Counters } from "../net/counters.ts";
import { NONE } from "../net/none.ts";
import type { RelayGroup } from "./relay_group.ts";
import { MOST_PEERS, type RelayedPeers } from "./relayed_peers.ts";
import type { RelayedPairs } from "./relayed_pairs.ts";
import type { Sessions } from "./sessions.ts";

/** What a peer asks for ends so long after, in seconds, at most, */
const LONGEST_LIFE = 600;
/** and at least. */
const SHORTEST_LIFE = 180;
/** Or after so many times what lay between its last two questions. */
const INTERVALS = 3;

/** Opens and closes pairs. */
export class WantedPairs {
  /** A pair that has carried nothing for so long, in seconds, makes room for others. */
  idle = Infinity;
  readonly #peers: RelayedPeers;
  readonly #pairs: RelayedPairs;
  readonly #sessions: Sessions;
  readonly #counters: Counters;
  /** By peer: when it asked last. */
  readonly #askedAt = new Float64Array(MOST_PEERS);
  /** Questions so far. */
  #question = 0;

  /** All of these are changed by it. */
  constructor(
    peers: RelayedPeers,
    pairs: RelayedPairs,
    sessions: Sessions,
    counters: Counters,
  ) {
    this.#peers = peers;
    this.#pairs = pairs;
    this.#sessions = sessions;
    this.#counters = counters;
  }

  /** See `Relay.ask`. */
  ask(
    group: RelayGroup,
    member: number,
    wanted: Int32Array,
    count: number,
    isProved: boolean,
    mono: number,
  ): void {
    const question = ++this.#question;
    let peer = this.#peers.find(group, member);
    const gap = peer === NONE ? LONGEST_LIFE : mono - this.#askedAt[peer]!;
    const life = Math.min(LONGEST_LIFE, Math.max(SHORTEST_LIFE, INTERVALS * gap));
    for (let i = 0; i < count; i++) {
      const other = wanted[i]!;
      if (other === member) continue;
      const side = this.#sideOf(group, member, other, mono);
      if (side !== NONE) this.#pairs.ask(side, mono + life, isProved, question);
      else if (!this.#makeRoom(isProved, mono)) {
        this.#counters.add("relay-no-room", count - i);
        break;
      } else i--;
    }
    peer = this.#peers.find(group, member);
    if (peer === NONE) return;
    this.#askedAt[peer] = mono;
    this.#endOthers(peer, question, mono);
  }

  /** A peer is gone, with all its pairs. */
  forget(peer: number): void {
    for (let side = this.#pairs.firstOf(peer); side !== NONE;) {
      const next = this.#pairs.nextOf(side);
      this.#remove(side >>> 1);
      side = next;
    }
  }

  /** Forgets the pairs for which nobody asks any more. */
  expire(mono: number): void {
    const pairs = this.#pairs;
    for (let pair = 0; pair < pairs.end; pair++) {
      if (pairs.isThere(pair) && !pairs.isOpen(pair, mono)) this.#remove(pair);
    }
  }

  /** The side of a member in its pair with another one; NONE where there is no room for that. */
  #sideOf(group: RelayGroup, member: number, other: number, mono: number): number {
    const peers = this.#peers;
    const isFull = this.#pairs.isFull;
    let peer = peers.find(group, member);
    let receiver = peers.find(group, other);
    const known = peer === NONE || receiver === NONE ? NONE : this.#pairs.find(peer, receiver);
    if (known !== NONE || isFull) return known;
    // There are twice as many places for peers as for pairs.
    if (peer === NONE) peer = peers.add(group, member);
    if (receiver === NONE) receiver = peers.add(group, other);
    this.#counters.add("relay-opened");
    return this.#pairs.add(peer, receiver, mono);
  }

  /** What a peer has asked for before, and not with this question, it doesn't want any more. */
  #endOthers(peer: number, question: number, mono: number): void {
    const pairs = this.#pairs;
    for (let side = pairs.firstOf(peer); side !== NONE;) {
      const next = pairs.nextOf(side);
      if (pairs.endAsking(side, question, mono)) this.#remove(side >>> 1);
      side = next;
    }
  }

  /**
   * Has a pair make room: one for which nobody asks, or that carries nothing; and for who has proved
   * its key, one for which nobody asks who has.
   */
  #makeRoom(isProved: boolean, mono: number): boolean {
    const pairs = this.#pairs;
    let worst = NONE;
    for (let pair = 0; pair < pairs.end; pair++) {
      if (!pairs.isThere(pair)) continue;
      if (!pairs.isOpen(pair, mono) || mono - pairs.usedAt(pair) > this.idle) {
        this.#remove(pair);
        return true;
      }
      if (isProved && !pairs.isProved(pair)) worst = pair;
    }
    if (worst !== NONE) this.#remove(worst);
    return worst !== NONE;
  }

  #remove(pair: number): void {
    const both = [this.#pairs.peerOf(2 * pair), this.#pairs.peerOf(2 * pair + 1)];
    this.#sessions.forget(pair);
    this.#pairs.remove(pair);
    for (const peer of both) if (this.#pairs.firstOf(peer) === NONE) this.#peers.remove(peer);
  }
}

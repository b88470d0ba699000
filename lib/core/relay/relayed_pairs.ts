/**
 * Who is relayed to whom: pairs of peers of which one has asked for the other. Each peer has a list of
 * its pairs, the one whose last handshake is oldest first: that one has its next handshake soonest.
 *
 * @module
 */

import { NONE } from "../net/none.ts";
import { FreeNumbers } from "../net/free_numbers.ts";
import { MOST_PEERS } from "./relayed_peers.ts";

/** The most pairs. */
export const MOST_PAIRS: number = MOST_PEERS / 2;
const SIDES: number = 2 * MOST_PAIRS;

/** WireGuard gives a session up after this time, in seconds. */
const SESSION = 180;
/** Guesses per second and pair while the other side is silent. */
const MOST_GUESSES = 40;
/** It is silent after so long, in seconds. */
const ANSWERED = 5;

/** Pairs by their number. The sides of a pair are twice that, and one more. */
export class RelayedPairs {
  readonly #pool = new FreeNumbers(MOST_PAIRS);
  // By peer: the first and the last side in its list + 1, or 0.
  readonly #first = new Int32Array(MOST_PEERS);
  readonly #last = new Int32Array(MOST_PEERS);

  // By side.
  /** Whose it is + 1; 0 where there is no pair. */
  readonly #peers = new Int32Array(SIDES);
  /** The neighbours in the list of that peer + 1, or 0. */
  readonly #next = new Int32Array(SIDES);
  readonly #previous = new Int32Array(SIDES);
  /** Up to when it has asked for the other one, on the monotonic clock. */
  readonly #askedUntil = new Float64Array(SIDES);
  /** Whether it had proved its key then. */
  readonly #isProved = new Uint8Array(SIDES);
  /** Of what question that is from. */
  readonly #question = new Float64Array(SIDES);

  // By pair.
  readonly #stoppedUntil = new Float64Array(MOST_PAIRS);
  readonly #usedAt = new Float64Array(MOST_PAIRS);
  readonly #addedAt = new Float64Array(MOST_PAIRS);
  /** Whether a handshake was relayed. */
  readonly #isGreeted = new Uint8Array(MOST_PAIRS);
  /** Guesses of the last second, and when that began. */
  readonly #guesses = new Uint16Array(MOST_PAIRS);
  readonly #guessesFrom = new Float64Array(MOST_PAIRS);
  /** By side: when its peer last sent what was guessed to be for the other one. */
  readonly #guessedAt = new Float64Array(SIDES);

  /** How many there are. */
  get count(): number {
    return this.#pool.count;
  }

  /** Whether there is no room for another one. */
  get isFull(): boolean {
    return this.count === MOST_PAIRS;
  }

  /** All are below this number. */
  get end(): number {
    return this.#pool.end;
  }

  /** Whether there is a pair with this number. */
  isThere(pair: number): boolean {
    return this.#peers[2 * pair] !== 0;
  }

  /** The peer of a side; the other side is `side ^ 1`, the pair `side >>> 1`. */
  peerOf(side: number): number {
    return this.#peers[side]! + NONE;
  }

  /** The first side in the list of a peer, or NONE. */
  firstOf(peer: number): number {
    return this.#first[peer]! + NONE;
  }

  /** The side after another one in its peer's list, or NONE. */
  nextOf(side: number): number {
    return this.#next[side]! + NONE;
  }

  /** The side of `peer` in its pair with `other`, or NONE. */
  find(peer: number, other: number): number {
    let side = this.firstOf(peer);
    while (side !== NONE && this.peerOf(side ^ 1) !== other) side = this.nextOf(side);
    return side;
  }

  /** Adds a pair that is not there; there is room. The side of `peer`. */
  add(peer: number, other: number, mono: number): number {
    const side = 2 * this.#pool.take();
    const pair = side >>> 1;
    this.#peers[side] = peer + 1;
    this.#peers[side + 1] = other + 1;
    for (const each of [side, side + 1]) {
      this.#askedUntil[each] = -Infinity;
      this.#isProved[each] = 0;
      this.#question[each] = 0;
      this.#guessedAt[each] = -Infinity;
      this.#linkFirst(each);
    }
    this.#stoppedUntil[pair] = -Infinity;
    this.#usedAt[pair] = mono;
    this.#addedAt[pair] = mono;
    this.#isGreeted[pair] = 0;
    this.#guesses[pair] = 0;
    this.#guessesFrom[pair] = mono;
    return side;
  }

  /** Removes a pair. */
  remove(pair: number): void {
    for (const side of [2 * pair, 2 * pair + 1]) {
      this.#unlink(side);
      this.#peers[side] = 0;
    }
    this.#pool.giveBack(pair);
  }

  /** The peer of a side asks for the other one, up to `until`. @param question The number of it. */
  ask(side: number, until: number, isProved: boolean, question: number): void {
    this.#askedUntil[side] = until;
    this.#isProved[side] = Number(isProved);
    this.#question[side] = question;
  }

  /** The peer of a side doesn't ask any more, unless that question said so. Whether nobody does. */
  endAsking(side: number, question: number, mono: number): boolean {
    if (this.#question[side] !== question) this.#askedUntil[side] = -Infinity;
    return !this.isOpen(side >>> 1, mono);
  }

  /** Whether one of a pair asks for the other. */
  isOpen(pair: number, mono: number): boolean {
    return this.#askedUntil[2 * pair]! > mono || this.#askedUntil[2 * pair + 1]! > mono;
  }

  /** Whether one of a pair asks for the other, and has proved its key. */
  isProved(pair: number): boolean {
    return this.#isProved[2 * pair] !== 0 || this.#isProved[2 * pair + 1] !== 0;
  }

  /** Nothing is relayed until then. */
  stop(pair: number, until: number): void {
    this.#stoppedUntil[pair] = until;
  }

  /** Whether that is so. */
  isStopped(pair: number, mono: number): boolean {
    return this.#stoppedUntil[pair]! > mono;
  }

  /** Something was relayed. */
  use(pair: number, mono: number): void {
    this.#usedAt[pair] = mono;
  }

  /** Since when nothing was. */
  usedAt(pair: number): number {
    return this.#usedAt[pair]!;
  }

  /** Since when it is a pair. */
  addedAt(pair: number): number {
    return this.#addedAt[pair]!;
  }

  /** Those that were used last, the last one first: `most` at most. */
  lastUsed(most: number): number[] {
    const pairs: number[] = [];
    for (let pair = 0; pair < this.end; pair++) if (this.isThere(pair)) pairs.push(pair);
    return pairs.sort((a, b) => this.usedAt(b) - this.usedAt(a)).slice(0, most);
  }

  /** A handshake is done: the next one of this pair is a while ahead. */
  greeted(pair: number): void {
    this.#isGreeted[pair] = 1;
    for (const side of [2 * pair, 2 * pair + 1]) {
      this.#unlink(side);
      this.#linkLast(side);
    }
  }

  /**
   * Whether what the peer of a side sends may be guessed to be for the other one: while no handshake of
   * the pair was relayed, and as long as a session from before may last. Few at first; as many as there
   * are once the other one sends as well. It counts as guessed.
   */
  guess(side: number, mono: number): boolean {
    const pair = side >>> 1;
    if (this.#isGreeted[pair] !== 0 || mono - this.#addedAt[pair]! > SESSION) return false;
    if (mono - this.#guessedAt[side ^ 1]! > ANSWERED) {
      if (mono - this.#guessesFrom[pair]! > 1) {
        this.#guessesFrom[pair] = mono;
        this.#guesses[pair] = 0;
      }
      if (this.#guesses[pair] === MOST_GUESSES) return false;
      this.#guesses[pair]!++;
    }
    this.#guessedAt[side] = mono;
    return true;
  }

  #linkFirst(side: number): void {
    const peer = this.peerOf(side);
    const next = this.#first[peer]!;
    this.#previous[side] = 0;
    this.#next[side] = next;
    if (next !== 0) this.#previous[next - 1] = side + 1;
    else this.#last[peer] = side + 1;
    this.#first[peer] = side + 1;
  }

  #linkLast(side: number): void {
    const peer = this.peerOf(side);
    const previous = this.#last[peer]!;
    this.#next[side] = 0;
    this.#previous[side] = previous;
    if (previous !== 0) this.#next[previous - 1] = side + 1;
    else this.#first[peer] = side + 1;
    this.#last[peer] = side + 1;
  }

  #unlink(side: number): void {
    const peer = this.peerOf(side);
    const next = this.#next[side]!;
    const previous = this.#previous[side]!;
    if (previous !== 0) this.#next[previous - 1] = next;
    else this.#first[peer] = next;
    if (next !== 0) this.#previous[next - 1] = previous;
    else this.#last[peer] = previous;
  }
}

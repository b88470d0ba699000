/**
 * Which index that a WireGuard has chosen stands for which pair. What a peer sends to an index goes to
 * who has told it that index in a handshake, and to nobody else.
 *
 * Whoever can forge a source address can make up handshakes. So an index of an initiation is only a
 * *pending* one until the other side has answered it, and pending ones push out none but each other;
 * and an index that is in use stays with its pair.
 *
 * @module
 */

import { NONE } from "../net/none.ts";
import { HashChains } from "./hash_chains.ts";
import { MOST_PAIRS } from "./relayed_pairs.ts";

/** Indices that a side may use: so many pending, */
const PENDING = 4;
/** and so many in all. */
const SLOTS = 8;
const CAPACITY = 2 * MOST_PAIRS * SLOTS;
/** An initiation that was not answered for so long, in seconds, never will be. */
const PENDING_LIFE = 30;
/** WireGuard itself gives a session up after 180 s. */
const SESSION_LIFE = 240;
/** What is under way when the next session begins still arrives. */
const FORMER_LIFE = 60;

/** Indices by slot; a side of a pair has 8 slots for those that its peer may send to. */
export class Sessions {
  readonly #seed: number;
  readonly #chains = new HashChains(CAPACITY);
  readonly #indices = new Uint32Array(CAPACITY);
  /** The peer that may send to it. */
  readonly #users = new Int32Array(CAPACITY);
  /** Until when it means something; 0 in a slot that is free. */
  readonly #until = new Float64Array(CAPACITY);
  readonly #usedAt = new Float64Array(CAPACITY);

  /** @param seed Random, so that nobody can choose indices that collide. */
  constructor(seed: number) {
    this.#seed = seed;
  }

  /** The slot of an index that `user` may send to, or NONE. */
  find(user: number, index: number, mono: number): number {
    let slot = this.#chains.first(this.#hash(user, index));
    for (; slot !== NONE; slot = this.#chains.next(slot)) {
      if (this.#indices[slot] !== index || this.#users[slot] !== user) continue;
      if (this.#until[slot]! > mono) return slot;
    }
    return NONE;
  }

  /** The side whose peer may send to a slot. */
  sideOf(slot: number): number {
    return Math.floor(slot / SLOTS);
  }

  /** It was used. */
  use(slot: number, mono: number): void {
    this.#usedAt[slot] = mono;
  }

  /**
   * The other side's initiation has told `user`, the peer of `side`, an index.
   *
   * @returns Whether it may: not where the index stands for another pair.
   */
  offer(side: number, user: number, index: number, mono: number): boolean {
    return this.#add(side, user, index, 0, PENDING, mono + PENDING_LIFE, mono);
  }

  /** The same of a response, which has used an index itself. */
  settle(side: number, user: number, index: number, mono: number): boolean {
    return this.#add(side, user, index, PENDING, SLOTS, mono + SESSION_LIFE, mono);
  }

  /** A response was sent to an index: it is that of a session from now on. */
  confirm(slot: number, mono: number): void {
    if (slot % SLOTS >= PENDING) return;
    const index = this.#indices[slot]!;
    const user = this.#users[slot]!;
    this.#clear(slot);
    this.settle(this.sideOf(slot), user, index, mono);
  }

  /** Forgets what a pair has. */
  forget(pair: number): void {
    const first = 2 * SLOTS * pair;
    for (let slot = first; slot < first + 2 * SLOTS; slot++) this.#clear(slot);
  }

  #add(
    side: number,
    user: number,
    index: number,
    from: number,
    to: number,
    until: number,
    mono: number,
  ): boolean {
    const known = this.find(user, index, mono);
    if (known !== NONE) return this.sideOf(known) === side;
    const first = side * SLOTS;
    let chosen = first + from;
    for (let slot = first + from; slot < first + to; slot++) {
      if (this.#until[slot]! <= mono) this.#clear(slot);
      if (this.#ageOf(slot) < this.#ageOf(chosen)) chosen = slot;
    }
    this.#clear(chosen);
    for (let slot = first + PENDING; from === PENDING && slot < first + to; slot++) {
      this.#until[slot] = Math.min(this.#until[slot]!, mono + FORMER_LIFE);
    }
    this.#indices[chosen] = index;
    this.#users[chosen] = user;
    this.#until[chosen] = until;
    this.#usedAt[chosen] = mono;
    this.#chains.add(this.#hash(user, index), chosen);
    return true;
  }

  /** When a slot was used; of one that is free, before all. */
  #ageOf(slot: number): number {
    return this.#until[slot] === 0 ? -Infinity : this.#usedAt[slot]!;
  }

  #clear(slot: number): void {
    if (this.#until[slot] === 0) return;
    this.#chains.remove(this.#hash(this.#users[slot]!, this.#indices[slot]!), slot);
    this.#until[slot] = 0;
  }

  #hash(user: number, index: number): number {
    let hash = Math.imul(index ^ this.#seed, 0x9e37_79b1);
    hash = Math.imul(hash ^ (hash >>> 15) ^ user, 0x85eb_ca77);
    hash = Math.imul(hash ^ (hash >>> 13) ^ (this.#seed / 2 ** 32), 0xc2b2_ae3d);
    return hash ^ (hash >>> 16);
  }
}

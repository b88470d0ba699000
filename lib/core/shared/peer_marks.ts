/**
 * What is noted of each peer of a group that is shared: what of it is to be written, and what of it the
 * store has.
 *
 * Everything is in typed arrays that grow by doubling; nothing is allocated for a datagram.
 *
 * @module
 */

import type { Label } from "../../wire/wgsig/tai64n.ts";
import { grown } from "../net/grown.ts";
import { NONE } from "../net/none.ts";

const FIRST_CAPACITY = 64;
/** Kinds of registers, */
const KINDS = 3;
/** and those of them whose labels are kept here; that of a row is in the table. */
const LABELS = 2;

/** What else is known of a peer. */
export const MARK = {
  /** It is in the directory. */
  known: 1,
  /** It waits to be written, or did. */
  queued: 2,
  /** Its row is as a tunnel of this host saw it: that is not written. */
  observed: 4,
  /** Its row is as this registry itself heard it, */
  own: 8,
  /** or as another one did, while this one heard it at another port of the same address. */
  foreign: 16,
} as const;

/** Notes by peer: registers are bits of `REGISTER`, or their places in `REGISTER_KINDS`. */
export class PeerMarks {
  #capacity = FIRST_CAPACITY;
  #marks = new Uint8Array(FIRST_CAPACITY);
  #dirty = new Uint8Array(FIRST_CAPACITY);
  #underWay = new Uint8Array(FIRST_CAPACITY);
  #found = new Uint8Array(FIRST_CAPACITY);
  /** The port at which this registry heard the peer itself. */
  #ports = new Uint16Array(FIRST_CAPACITY);
  // By peer and place of a register.
  /** When the peer was heard, as the store has it, to a few seconds; -Infinity where it hasn't. */
  #storedAt = new Float32Array(KINDS * FIRST_CAPACITY).fill(-Infinity);
  /** The label that it is from; -1 for none. */
  #seconds = new Float64Array(LABELS * FIRST_CAPACITY).fill(-1);
  #nanoseconds = new Uint32Array(LABELS * FIRST_CAPACITY);
  /** Peers that wait, in a ring. */
  #queue = new Int32Array(FIRST_CAPACITY);
  #first = 0;
  #queued = 0;
  #dirtyCount = 0;

  /** How many peers are to be written. */
  get dirtyCount(): number {
    return this.#dirtyCount;
  }

  /** Peers have lower numbers than this. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Makes room for the peers below `count`. */
  reserve(count: number): void {
    if (count > this.#capacity) this.#grow(count);
  }

  /** Whether a peer has a mark. */
  has(peer: number, mark: number): boolean {
    return ((this.#marks[peer] ?? 0) & mark) !== 0;
  }

  /** Sets marks, and removes others. */
  mark(peer: number, set: number, removed = 0): void {
    if (peer >= this.#capacity) this.#grow(Math.max(peer + 1, 2 * this.#capacity));
    this.#marks[peer] = this.#marks[peer]! & ~removed | set;
  }

  /** Registers of a peer are to be written. */
  note(peer: number, registers: number): void {
    if (registers === 0) return;
    this.mark(peer, MARK.known);
    if (this.#dirty[peer] === 0) this.#dirtyCount++;
    this.#dirty[peer] = this.#dirty[peer]! | registers;
    if (this.has(peer, MARK.queued)) return;
    this.mark(peer, MARK.queued);
    this.#push(peer);
  }

  /** Registers of a peer need not be written any more: the store has later ones. */
  drop(peer: number, registers: number): void {
    const before = this.#dirty[peer] ?? 0;
    if (before === 0) return;
    this.#dirty[peer] = before & ~registers;
    if (this.#dirty[peer] === 0) this.#dirtyCount--;
  }

  /** The next peer that is to be written, or NONE: `underWay` has its registers then. */
  take(): number {
    while (this.#queued > 0) {
      const peer = this.#queue[this.#first]!;
      this.#first = (this.#first + 1) % this.#queue.length;
      this.#queued--;
      this.mark(peer, 0, MARK.queued);
      const registers = this.#dirty[peer]!;
      if (registers === 0) continue;
      this.#dirty[peer] = 0;
      this.#dirtyCount--;
      this.#underWay[peer] = registers;
      return peer;
    }
    return NONE;
  }

  /** The registers of a peer that are under way. */
  underWay(peer: number): number {
    return this.#underWay[peer] ?? 0;
  }

  /** Registers of a peer have arrived, or not. */
  settle(peer: number): void {
    if (peer < this.#capacity) this.#underWay[peer] = 0;
  }

  /** The registers of a peer that a scan has found in the store. */
  found(peer: number): number {
    return this.#found[peer] ?? 0;
  }

  /** A scan begins: it has found nothing. */
  beginScan(): void {
    this.#found.fill(0);
  }

  /** The store has a register as it is here, or a later one. @param heard On the monotonic clock. */
  stored(peer: number, place: number, heard: number): void {
    this.mark(peer, MARK.known);
    this.#found[peer] = this.#found[peer]! | 1 << place;
    const i = KINDS * peer + place;
    this.#storedAt[i] = Math.max(this.#storedAt[i]!, heard);
  }

  /** When a register was heard, as the store has it; -Infinity where it hasn't. */
  storedAt(peer: number, place: number): number {
    return this.#storedAt[KINDS * peer + place] ?? -Infinity;
  }

  /** Notes the label that a register is from, which is no row. */
  setLabel(peer: number, place: number, { seconds, nanoseconds }: Label): void {
    this.mark(peer, MARK.known);
    const i = labelAt(peer, place);
    this.#seconds[i] = seconds;
    this.#nanoseconds[i] = nanoseconds;
  }

  /** Reads that label; returns whether there is one. */
  readLabel(peer: number, place: number, into: Label): boolean {
    const i = labelAt(peer, place);
    const seconds = this.#seconds[i] ?? -1;
    if (seconds < 0) return false;
    into.seconds = seconds;
    into.nanoseconds = this.#nanoseconds[i]!;
    return true;
  }

  /** The port at which this registry has heard the peer, while its row shows another one. */
  portOf(peer: number): number {
    return this.#ports[peer] ?? 0;
  }

  /** Notes that port. */
  setPort(peer: number, port: number): void {
    this.mark(peer, MARK.known);
    this.#ports[peer] = port;
  }

  /** Nothing is known of a register any more. */
  forgetRegister(peer: number, place: number): void {
    if (peer >= this.#capacity) return;
    this.drop(peer, 1 << place);
    this.#storedAt[KINDS * peer + place] = -Infinity;
    if (place > 0) this.#seconds[labelAt(peer, place)] = -1;
    this.#found[peer] = this.#found[peer]! & ~(1 << place);
  }

  /** A peer is there no more; its number may be another's. */
  forget(peer: number): void {
    if (peer >= this.#capacity) return;
    for (let place = 0; place < KINDS; place++) this.forgetRegister(peer, place);
    this.#underWay[peer] = 0;
    this.#ports[peer] = 0;
    // It may be in the queue.
    this.#marks[peer] = this.#marks[peer]! & MARK.queued;
  }

  #push(peer: number): void {
    const { length } = this.#queue;
    if (this.#queued === length) {
      const queue = new Int32Array(2 * length);
      for (let i = 0; i < length; i++) queue[i] = this.#queue[(this.#first + i) % length]!;
      this.#queue = queue;
      this.#first = 0;
    }
    this.#queue[(this.#first + this.#queued++) % this.#queue.length] = peer;
  }

  #grow(capacity: number): void {
    this.#capacity = capacity;
    this.#marks = grown(this.#marks, new Uint8Array(capacity));
    this.#dirty = grown(this.#dirty, new Uint8Array(capacity));
    this.#underWay = grown(this.#underWay, new Uint8Array(capacity));
    this.#found = grown(this.#found, new Uint8Array(capacity));
    this.#ports = grown(this.#ports, new Uint16Array(capacity));
    const registers = KINDS * capacity;
    this.#storedAt = grown(this.#storedAt, new Float32Array(registers).fill(-Infinity));
    const labels = LABELS * capacity;
    this.#seconds = grown(this.#seconds, new Float64Array(labels).fill(-1));
    this.#nanoseconds = grown(this.#nanoseconds, new Uint32Array(labels));
  }
}

function labelAt(peer: number, place: number): number {
  return LABELS * peer + place - 1;
}

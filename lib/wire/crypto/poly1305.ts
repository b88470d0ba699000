/**
 * Poly1305 (RFC 8439, section 2.5) of whole blocks, as XChaCha20-Poly1305 wants it: what is shorter is
 * filled up with zeros. On kept arrays: nothing is made for a message.
 *
 * Numbers below 2^130 have six limbs of 22 bits, in doubles: a product of two limbs has 44 bits, and
 * what is added up of them stays below 2^53, where doubles are exact. 2^132 is 20 modulo 2^130 - 5, so
 * that is what the upper limbs come back with. The time depends on the length alone.
 *
 * @module
 */

import type { WireBuffer } from "../bytes/wire_buffer.ts";

const BLOCK = 16;
const LIMB = 2 ** 22;
const PER_LIMB = 2 ** -22;
const MASK = LIMB - 1;
/** 2^128, which is added to each block, in its last limb. */
const TOP = 2 ** 18;
/** What 2^132 is modulo 2^130 - 5. */
const FOLD = 20;
/** 2^130, in its last limb. */
const END = 2 ** 20;
const WORD = 2 ** 32;

/** One message at a time. */
export class Poly1305 {
  /** The multiplier. */
  readonly #r = new Float64Array(6);
  /** The sum so far. */
  readonly #h = new Float64Array(6);
  /** What is added at the end. */
  readonly #s = new Uint32Array(4);
  readonly #words = new Uint32Array(4);
  readonly #last = new DataView(new ArrayBuffer(BLOCK));

  /** Begins a message with a key of its own: 8 words, as ChaCha20 makes them. Not kept. */
  start(key: Int32Array): void {
    // Some bits of a multiplier are always 0.
    const t0 = key[0]! & 0x0fff_ffff;
    const t1 = key[1]! & 0x0fff_fffc;
    const t2 = key[2]! & 0x0fff_fffc;
    const t3 = key[3]! & 0x0fff_fffc;
    const r = this.#r;
    r[0] = t0 & MASK;
    r[1] = (t0 >>> 22 | t1 << 10) & MASK;
    r[2] = (t1 >>> 12 | t2 << 20) & MASK;
    r[3] = t2 >>> 2 & MASK;
    r[4] = (t2 >>> 24 | t3 << 8) & MASK;
    r[5] = t3 >>> 14;
    this.#h.fill(0);
    for (let i = 0; i < 4; i++) this.#s[i] = key[4 + i]!;
  }

  /** Takes `length` bytes at `at`, and zeros up to the end of a block. */
  update({ bytes, view }: WireBuffer, at: number, length: number): void {
    const whole = length - length % BLOCK;
    this.#addBlocks(view, at, whole);
    if (whole === length) return;
    const last = this.#last;
    for (let i = 0; i < BLOCK; i++) {
      last.setUint8(i, whole + i < length ? bytes[at + whole + i]! : 0);
    }
    this.#addBlocks(last, 0, BLOCK);
  }

  /** Writes the tag, 16 bytes, and forgets the message's key. */
  finish(tag: WireBuffer): void {
    const h = this.#h;
    // Each limb below 2^22, and all of them together below 2^130.
    for (let n = 0; n < 2; n++) {
      carryAll(h);
      const over = Math.floor(h[5]! / END);
      h[5]! -= over * END;
      h[0]! += 5 * over;
    }
    carryAll(h);
    // Where it is 2^130 - 5 or more, that is taken off: five more have 2^130 in them then.
    let more = 5;
    for (let i = 0; i < 5; i++) more = Math.floor((h[i]! + more) * PER_LIMB);
    h[0]! += 5 * Math.floor((h[5]! + more) / END);
    carryAll(h);
    const words = this.#words;
    words[0] = h[0]! | h[1]! << 22;
    words[1] = h[1]! >>> 10 | h[2]! << 12;
    words[2] = h[2]! >>> 20 | h[3]! << 2 | h[4]! << 24;
    words[3] = h[4]! >>> 8 | h[5]! << 14;
    let over = 0;
    for (let i = 0; i < 4; i++) {
      const sum = words[i]! + this.#s[i]! + over;
      over = sum >= WORD ? 1 : 0;
      tag.view.setUint32(4 * i, sum - over * WORD, true);
    }
    h.fill(0);
    words.fill(0);
    this.#r.fill(0);
    this.#s.fill(0);
  }

  /** Adds whole blocks, and multiplies after each. */
  #addBlocks(view: DataView, at: number, length: number): void {
    const r = this.#r;
    const h = this.#h;
    const r0 = r[0]!, r1 = r[1]!, r2 = r[2]!, r3 = r[3]!, r4 = r[4]!, r5 = r[5]!;
    const f1 = FOLD * r1, f2 = FOLD * r2, f3 = FOLD * r3, f4 = FOLD * r4, f5 = FOLD * r5;
    let h0 = h[0]!, h1 = h[1]!, h2 = h[2]!, h3 = h[3]!, h4 = h[4]!, h5 = h[5]!;
    for (const end = at + length; at < end; at += BLOCK) {
      const t0 = view.getUint32(at, true);
      const t1 = view.getUint32(at + 4, true);
      const t2 = view.getUint32(at + 8, true);
      const t3 = view.getUint32(at + 12, true);
      h0 += t0 & MASK;
      h1 += (t0 >>> 22 | t1 << 10) & MASK;
      h2 += (t1 >>> 12 | t2 << 20) & MASK;
      h3 += t2 >>> 2 & MASK;
      h4 += (t2 >>> 24 | t3 << 8) & MASK;
      h5 += (t3 >>> 14) + TOP;
      const d0 = h0 * r0 + h1 * f5 + h2 * f4 + h3 * f3 + h4 * f2 + h5 * f1;
      let d1 = h0 * r1 + h1 * r0 + h2 * f5 + h3 * f4 + h4 * f3 + h5 * f2;
      let d2 = h0 * r2 + h1 * r1 + h2 * r0 + h3 * f5 + h4 * f4 + h5 * f3;
      let d3 = h0 * r3 + h1 * r2 + h2 * r1 + h3 * r0 + h4 * f5 + h5 * f4;
      let d4 = h0 * r4 + h1 * r3 + h2 * r2 + h3 * r1 + h4 * r0 + h5 * f5;
      let d5 = h0 * r5 + h1 * r4 + h2 * r3 + h3 * r2 + h4 * r1 + h5 * r0;
      let over = Math.floor(d0 * PER_LIMB);
      h0 = d0 - over * LIMB;
      d1 += over;
      over = Math.floor(d1 * PER_LIMB);
      h1 = d1 - over * LIMB;
      d2 += over;
      over = Math.floor(d2 * PER_LIMB);
      h2 = d2 - over * LIMB;
      d3 += over;
      over = Math.floor(d3 * PER_LIMB);
      h3 = d3 - over * LIMB;
      d4 += over;
      over = Math.floor(d4 * PER_LIMB);
      h4 = d4 - over * LIMB;
      d5 += over;
      over = Math.floor(d5 * PER_LIMB);
      h5 = d5 - over * LIMB;
      h0 += FOLD * over;
      over = Math.floor(h0 * PER_LIMB);
      h0 -= over * LIMB;
      h1 += over;
    }
    h[0] = h0;
    h[1] = h1;
    h[2] = h2;
    h[3] = h3;
    h[4] = h4;
    h[5] = h5;
  }
}

/** Carries what is above 22 bits of each limb but the last into the next. */
function carryAll(h: Float64Array): void {
  for (let i = 0; i < 5; i++) {
    const over = Math.floor(h[i]! * PER_LIMB);
    h[i]! -= over * LIMB;
    h[i + 1]! += over;
  }
}

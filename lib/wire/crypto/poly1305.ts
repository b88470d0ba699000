/**
 * Poly1305 (RFC 8439, section 2.5) over whole blocks, which is all that an AEAD needs of it.
 *
 * Numbers of 130 bits are six limbs of 22 bits. What is added up of their products stays below 2^52,
 * so it is exact in the numbers of JavaScript, with 36 multiplications per block. It makes nothing
 * per message. Nothing branches on a secret, and nothing is looked up by one.
 *
 * @module
 */

import type { WireBuffer } from "../bytes/wire_buffer.ts";

/** Size of a block, and of a tag, in bytes. */
export const POLY1305_BLOCK = 16;
const LIMB = 2 ** 22;
const MASK = LIMB - 1;
const PER_LIMB = 1 / LIMB;
/** 2^132, which the limbs count up to, is 20 modulo 2^130 - 5. */
const WRAP = 20;
/** The bit that follows each block: 2^128 in the sixth limb. */
const END_OF_BLOCK = 2 ** 18;
/** The sixth limb of what is below 2^130. */
const TOP_BITS = 20;
const TOP_MASK = 2 ** TOP_BITS - 1;

/** The state of one MAC. */
export class Poly1305 {
  readonly #r = new Float64Array(6);
  readonly #h = new Float64Array(6);
  /** The second half of the key. */
  readonly #pad = new Int32Array(4);

  /** Begins a MAC with a one-time key: eight words, as they stand in it in little-endian order. */
  start(key: Int32Array): void {
    const r = this.#r;
    const a = key[0]! & 0x0fff_ffff;
    const b = key[1]! & 0x0fff_fffc;
    const c = key[2]! & 0x0fff_fffc;
    const d = key[3]! & 0x0fff_fffc;
    r[0] = a & MASK;
    r[1] = (a >>> 22 | b << 10) & MASK;
    r[2] = (b >>> 12 | c << 20) & MASK;
    r[3] = c >>> 2 & MASK;
    r[4] = (c >>> 24 | d << 8) & MASK;
    r[5] = d >>> 14;
    this.#h.fill(0);
    for (let i = 0; i < 4; i++) this.#pad[i] = key[4 + i]!;
  }

  /** Takes `length` bytes at `at`, a multiple of 16. The caller has checked bounds. */
  update({ view }: WireBuffer, at: number, length: number): void {
    const r = this.#r;
    const h = this.#h;
    const r0 = r[0]!, r1 = r[1]!, r2 = r[2]!, r3 = r[3]!, r4 = r[4]!, r5 = r[5]!;
    const s1 = WRAP * r1, s2 = WRAP * r2, s3 = WRAP * r3, s4 = WRAP * r4, s5 = WRAP * r5;
    let h0 = h[0]!, h1 = h[1]!, h2 = h[2]!, h3 = h[3]!, h4 = h[4]!, h5 = h[5]!;
    for (const end = at + length; at < end; at += POLY1305_BLOCK) {
      const a = view.getInt32(at, true);
      const b = view.getInt32(at + 4, true);
      const c = view.getInt32(at + 8, true);
      const d = view.getInt32(at + 12, true);
      h0 += a & MASK;
      h1 += (a >>> 22 | b << 10) & MASK;
      h2 += (b >>> 12 | c << 20) & MASK;
      h3 += c >>> 2 & MASK;
      h4 += (c >>> 24 | d << 8) & MASK;
      h5 += (d >>> 14) + END_OF_BLOCK;

      const d0 = h0 * r0 + h1 * s5 + h2 * s4 + h3 * s3 + h4 * s2 + h5 * s1;
      let d1 = h0 * r1 + h1 * r0 + h2 * s5 + h3 * s4 + h4 * s3 + h5 * s2;
      let d2 = h0 * r2 + h1 * r1 + h2 * r0 + h3 * s5 + h4 * s4 + h5 * s3;
      let d3 = h0 * r3 + h1 * r2 + h2 * r1 + h3 * r0 + h4 * s5 + h5 * s4;
      let d4 = h0 * r4 + h1 * r3 + h2 * r2 + h3 * r1 + h4 * r0 + h5 * s5;
      let d5 = h0 * r5 + h1 * r4 + h2 * r3 + h3 * r2 + h4 * r1 + h5 * r0;

      let carry = Math.floor(d0 * PER_LIMB);
      h0 = d0 - carry * LIMB;
      d1 += carry;
      carry = Math.floor(d1 * PER_LIMB);
      h1 = d1 - carry * LIMB;
      d2 += carry;
      carry = Math.floor(d2 * PER_LIMB);
      h2 = d2 - carry * LIMB;
      d3 += carry;
      carry = Math.floor(d3 * PER_LIMB);
      h3 = d3 - carry * LIMB;
      d4 += carry;
      carry = Math.floor(d4 * PER_LIMB);
      h4 = d4 - carry * LIMB;
      d5 += carry;
      carry = Math.floor(d5 * PER_LIMB);
      h5 = d5 - carry * LIMB;
      h0 += WRAP * carry;
      // That is up to 2^35; what goes over is below 2^13, which the next limb holds.
      carry = Math.floor(h0 * PER_LIMB);
      h0 -= carry * LIMB;
      h1 += carry;
    }
    h[0] = h0;
    h[1] = h1;
    h[2] = h2;
    h[3] = h3;
    h[4] = h4;
    h[5] = h5;
  }

  /** Writes the tag to the four words of `tag`, in little-endian order, and forgets the key. */
  finish(tag: Int32Array): void {
    const h = this.#h;
    let h0 = h[0]! | 0, h1 = h[1]! | 0, h2 = h[2]! | 0;
    let h3 = h[3]! | 0, h4 = h[4]! | 0, h5 = h[5]! | 0;
    // Twice: what is above 2^130 comes back at the bottom, and may carry up to the top once more.
    for (let i = 0; i < 2; i++) {
      h1 += h0 >>> 22, h0 &= MASK;
      h2 += h1 >>> 22, h1 &= MASK;
      h3 += h2 >>> 22, h2 &= MASK;
      h4 += h3 >>> 22, h3 &= MASK;
      h5 += h4 >>> 22, h4 &= MASK;
      h0 += 5 * (h5 >>> TOP_BITS), h5 &= TOP_MASK;
    }
    // Less the prime where it is not below that: where 5 more goes over 2^130.
    let g0 = h0 + 5;
    let g1 = h1 + (g0 >>> 22);
    let g2 = h2 + (g1 >>> 22);
    let g3 = h3 + (g2 >>> 22);
    let g4 = h4 + (g3 >>> 22);
    let g5 = h5 + (g4 >>> 22);
    const over = -(g5 >>> TOP_BITS);
    g0 = h0 & ~over | g0 & MASK & over;
    g1 = h1 & ~over | g1 & MASK & over;
    g2 = h2 & ~over | g2 & MASK & over;
    g3 = h3 & ~over | g3 & MASK & over;
    g4 = h4 & ~over | g4 & MASK & over;
    g5 = h5 & ~over | g5 & TOP_MASK & over;

    const pad = this.#pad;
    let sum = ((g0 | g1 << 22) >>> 0) + (pad[0]! >>> 0);
    tag[0] = sum;
    sum = ((g1 >>> 10 | g2 << 12) >>> 0) + (pad[1]! >>> 0) + over32(sum);
    tag[1] = sum;
    sum = ((g2 >>> 20 | g3 << 2 | g4 << 24) >>> 0) + (pad[2]! >>> 0) + over32(sum);
    tag[2] = sum;
    sum = ((g4 >>> 8 | g5 << 14) >>> 0) + (pad[3]! >>> 0) + over32(sum);
    tag[3] = sum;
    this.#r.fill(0);
    h.fill(0);
    pad.fill(0);
  }
}

/** What is above 32 bits. */
function over32(sum: number): number {
  return Math.floor(sum / 2 ** 32);
}

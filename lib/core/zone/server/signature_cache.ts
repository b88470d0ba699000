/**
 * Signatures that are used again, found by what they sign: all words of a record set in canonical
 * form are compared, and who signs.
 *
 * They lie in a ring of pieces of 128 KiB, one behind the other. A piece is made when it is needed; once
 * there are as many as there may be, the oldest is written over, whatever is in it (first in, first
 * out). An entry lies in one piece:
 *
 * ```
 * 0        1          2    3      4      5         6        7            7+size
 * +--------+----------+----+------+------+---------+--------+------------+-----------------------+
 * | before: its piece, | hash | size | signer | inception | expiry | the set's | signatures, 16 words |
 * |         its place  |      |      |        |           |        | words     | (64 bytes) each      |
 * +--------------------+------+------+--------+-----------+--------+-----------+----------------------+
 * ```
 *
 * "Before" is the entry that came before it in the same bucket: a chain from the newest to the oldest,
 * which ends where a piece was written over. So nothing is ever taken out.
 *
 * @module
 */

import { SIGNATURE_SIZE } from "../../../wire/crypto/signing.ts";
import { copyBytes, WireBuffer } from "../../../wire/bytes/wire_buffer.ts";

/** Size of a piece, in words of 4 bytes. */
const PIECE_WORDS = 32_768;
/** Size of a piece, in bytes. */
export const PIECE_SIZE: number = 4 * PIECE_WORDS;
const HEAD_WORDS = 7;
const SIGNATURE_WORDS = SIGNATURE_SIZE / 4;
/** There is a bucket for so many bytes: for about an entry. */
const BUCKET_SIZE = 256;
/** So many entries of a bucket are looked at: somebody may look for names that share one. */
const MAX_STEPS = 8;

/** What is signed: as CanonicalSet has it. */
export interface SignedWords {
  /** The words. */
  readonly words: Int32Array;
  /** How many of them there are. */
  readonly size: number;
}

/** Signatures by what they sign. Nothing is made by {@linkcode SignatureCache.find}. */
export class SignatureCache {
  readonly #seed: number;
  /** The ring: piece `n` is at `n & #mask`. The first one's number is how many there may be. */
  readonly #pieces: Int32Array[] = [];
  readonly #buffers: WireBuffer[] = [];
  readonly #mask: number;
  /** The newest entry of each bucket: its piece, or 0, and its place there. */
  readonly #heads: Int32Array;
  readonly #bucketMask: number;
  /** The piece that is being filled, and up to where it is. */
  #piece: number;
  #end = PIECE_WORDS;
  // The entry that was found or added last:
  #found: Int32Array = new Int32Array(HEAD_WORDS);
  #buffer = new WireBuffer(0);
  #at = 0;

  /**
   * Makes an empty one.
   *
   * @param pieces How many pieces of 128 KiB it may have: a power of two.
   * @param seed Random.
   */
  constructor(pieces: number, seed: number) {
    this.#seed = seed | 0;
    this.#mask = this.#piece = pieces - 1;
    const buckets = pieces * (PIECE_SIZE / BUCKET_SIZE);
    this.#heads = new Int32Array(2 * buckets);
    this.#bucketMask = buckets - 1;
  }

  /**
   * Looks for the newest signatures of a set.
   *
   * @param signer Who signs: the same number, the same name and keys.
   * @returns Whether there are some; {@linkcode inception} and the others say which.
   */
  find(set: SignedWords, signer: number): boolean {
    const { words, size } = set;
    const hash = this.#hash(words, size, signer);
    const head = 2 * (hash & this.#bucketMask);
    let piece = this.#heads[head]!;
    let at = this.#heads[head + 1]!;
    const oldest = Math.max(this.#mask + 1, this.#piece - this.#mask);
    for (let step = 0; step < MAX_STEPS && piece >= oldest; step++) {
      const entry = this.#pieces[piece & this.#mask]!;
      const isIt = entry[at + 2] === hash && entry[at + 3] === size && entry[at + 4] === signer;
      if (isIt && areSame(words, entry, at + HEAD_WORDS, size)) {
        this.#found = entry;
        this.#buffer = this.#buffers[piece & this.#mask]!;
        this.#at = at;
        return true;
      }
      piece = entry[at]!;
      at = entry[at + 1]!;
    }
    return false;
  }

  /**
   * Keeps the signatures of a set, 64 bytes each. What was added is what was found last.
   *
   * @returns False where a piece is too small for that.
   */
  add(
    set: SignedWords,
    signer: number,
    signatures: Uint8Array,
    inception: number,
    expiry: number,
  ): boolean {
    const { words, size } = set;
    const whole = HEAD_WORDS + size + signatures.length / 4;
    if (whole > PIECE_WORDS) return false;
    if (this.#end + whole > PIECE_WORDS) this.#nextPiece();
    const entry = this.#pieces[this.#piece & this.#mask]!;
    const at = this.#end;
    const hash = this.#hash(words, size, signer);
    const head = 2 * (hash & this.#bucketMask);
    entry[at] = this.#heads[head]!;
    entry[at + 1] = this.#heads[head + 1]!;
    entry[at + 2] = hash;
    entry[at + 3] = size;
    entry[at + 4] = signer;
    entry[at + 5] = inception;
    entry[at + 6] = expiry;
    for (let i = 0; i < size; i++) entry[at + HEAD_WORDS + i] = words[i]!;
    this.#heads[head] = this.#piece;
    this.#heads[head + 1] = at;
    this.#end = at + whole;
    this.#found = entry;
    this.#buffer = this.#buffers[this.#piece & this.#mask]!;
    this.#at = at;
    this.#buffer.bytes.set(signatures, this.#placeOf(0));
    return true;
  }

  /** From when on what was found holds: Unix seconds modulo 2^32, as an int32. */
  get inception(): number {
    return this.#found[this.#at + 5]!;
  }

  /** Until when what was found holds, likewise. */
  get expiry(): number {
    return this.#found[this.#at + 6]!;
  }

  /** Copies the `i`th signature of what was found. */
  copy(i: number, to: WireBuffer, at: number): void {
    copyBytes(this.#buffer, this.#placeOf(i), to, at, SIGNATURE_SIZE);
  }

  /** How many bytes the pieces have that were made. */
  get bytes(): number {
    return this.#pieces.length * PIECE_SIZE;
  }

  #placeOf(signature: number): number {
    const size = this.#found[this.#at + 3]!;
    return 4 * (this.#at + HEAD_WORDS + size + signature * SIGNATURE_WORDS);
  }

  #nextPiece(): void {
    this.#piece++;
    this.#end = 0;
    const i = this.#piece & this.#mask;
    if (this.#pieces[i] !== undefined) return;
    const buffer = new WireBuffer(PIECE_SIZE);
    this.#buffers[i] = buffer;
    this.#pieces[i] = new Int32Array(buffer.bytes.buffer);
  }

  /** Two rows, so that words needn't wait for one another. */
  #hash(words: Int32Array, size: number, signer: number): number {
    let a = this.#seed ^ signer;
    let b = ~this.#seed ^ size;
    const pairs = size & ~1;
    for (let i = 0; i < pairs; i += 2) {
      a = Math.imul(a ^ words[i]!, 0x9e37_79b1);
      b = Math.imul(b ^ words[i + 1]!, 0x85eb_ca6b);
      a ^= a >>> 15;
      b ^= b >>> 13;
    }
    if (pairs < size) a = Math.imul(a ^ words[pairs]!, 0x9e37_79b1);
    const mixed = Math.imul(a ^ (a >>> 16) ^ (b << 7 | b >>> 25), 0xc2b2_ae35);
    return mixed ^ (mixed >>> 16);
  }
}

function areSame(words: Int32Array, entry: Int32Array, at: number, size: number): boolean {
  for (let i = 0; i < size; i++) if (words[i] !== entry[at + i]) return false;
  return true;
}

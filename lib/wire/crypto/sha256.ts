/**
 * SHA-256's compression function over kept arrays (FIPS 180-4, section 6.2.2).
 *
 * A library's hash makes objects for every message. Here nothing is made: the state is the
 * caller's, the schedule is kept. `test/wire/crypto/mac_test.ts` compares it with `@noble/hashes`.
 *
 * @module
 */

/** Size of a block, in bytes. */
export const BLOCK_SIZE = 64;
/** Size of a digest, in bytes. */
export const DIGEST_SIZE = 32;
/** Words of the state. */
export const STATE_WORDS = 8;

/** The fractional parts of the square (cube) roots of the first primes, 32 bits (FIPS 180-4, 4.2.2 and 5.3.3). */
function rootFractions(count: number, root: (n: number) => number): Int32Array {
  const words = new Int32Array(count);
  let found = 0;
  for (let n = 2; found < count; n++) {
    let prime = true;
    for (let d = 2; d * d <= n; d++) if (n % d === 0) prime = false;
    if (!prime) continue;
    const value = root(n);
    words[found++] = Math.floor((value - Math.floor(value)) * 2 ** 32) | 0;
  }
  return words;
}

/** The state before the first block. */
export const INITIAL_STATE: Int32Array = rootFractions(STATE_WORDS, Math.sqrt);
const ROUND_CONSTANTS = rootFractions(BLOCK_SIZE, Math.cbrt);
const schedule = new Int32Array(64);

/**
 * Takes one block of 64 bytes into `state`, which is changed in place. The caller has checked that
 * the bytes are there.
 */
export function compress(state: Int32Array, view: DataView, at: number): void {
  const w = schedule;
  const k = ROUND_CONSTANTS;
  for (let i = 0; i < 16; i++) w[i] = view.getInt32(at + 4 * i);
  for (let i = 16; i < 64; i++) {
    const a = w[i - 15]!;
    const b = w[i - 2]!;
    const s0 = ((a >>> 7) | (a << 25)) ^ ((a >>> 18) | (a << 14)) ^ (a >>> 3);
    const s1 = ((b >>> 17) | (b << 15)) ^ ((b >>> 19) | (b << 13)) ^ (b >>> 10);
    w[i] = (w[i - 16]! + s0 + w[i - 7]! + s1) | 0;
  }
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  let e = state[4]!;
  let f = state[5]!;
  let g = state[6]!;
  let h = state[7]!;
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + k[i]! + w[i]!) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  state[0] = (state[0]! + a) | 0;
  state[1] = (state[1]! + b) | 0;
  state[2] = (state[2]! + c) | 0;
  state[3] = (state[3]! + d) | 0;
  state[4] = (state[4]! + e) | 0;
  state[5] = (state[5]! + f) | 0;
  state[6] = (state[6]! + g) | 0;
  state[7] = (state[7]! + h) | 0;
}

/**
 * Cookies: by one, an address shows that it receives what is sent to it, and nothing is kept for it.
 *
 * ```
 *  0      4                                  16
 * +------+----------------------------------+
 * | time | HMAC-SHA256(own key, IP time)    |   its first 12 bytes; time: seconds of our clock
 * +------+----------------------------------+
 * ```
 *
 * The key is drawn when a group is made: so what was heard by a process before this one, or by a group
 * before this one, changes nothing when it is played back. docs/protocol-2.md, "Retry".
 *
 * @module
 */

import { copyBytes, equalBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { MAC_SIZE, MacKey, SECRET_SIZE } from "../../wire/crypto/mac.ts";
import type { Primitives } from "../../wire/crypto/primitives.ts";
import { COOKIE_SIZE } from "../../wire/wgsig2/option.ts";
import { ADDRESS_SIZE } from "../net/ip_address.ts";
import type { RandomSource } from "../net/random.ts";

const TIME_SIZE = 4;
/** Seconds for which a cookie holds. */
export const COOKIE_LIFE = 7200;

/** Makes and checks cookies. One at a time is worked on. */
export class Cookies {
  readonly #key: MacKey;
  readonly #message = new WireBuffer(ADDRESS_SIZE + TIME_SIZE);
  readonly #mac = new WireBuffer(MAC_SIZE);

  /** Draws a key. */
  constructor(random: RandomSource, primitives: Primitives) {
    const key = new Uint8Array(SECRET_SIZE);
    random(key);
    this.#key = new MacKey(key, primitives);
    key.fill(0);
  }

  /**
   * How old a cookie is, in seconds, where it was given to the 16-byte address at `at`.
   *
   * @returns NaN where it wasn't, or doesn't hold any more.
   */
  ageOf(cookie: WireBuffer, sources: WireBuffer, at: number, mono: number): number {
    const age = Math.floor(mono) - cookie.view.getUint32(0);
    if (!(age >= 0 && age <= COOKIE_LIFE)) return NaN;
    this.#compute(sources, at, cookie.view.getUint32(0));
    const isOurs = equalBytes(this.#mac, 0, cookie, TIME_SIZE, COOKIE_SIZE - TIME_SIZE);
    return isOurs ? age : NaN;
  }

  /** Writes a cookie for the 16-byte address at `at`. */
  write(sources: WireBuffer, at: number, mono: number, cookie: WireBuffer): void {
    const time = Math.floor(mono) >>> 0;
    this.#compute(sources, at, time);
    cookie.view.setUint32(0, time);
    copyBytes(this.#mac, 0, cookie, TIME_SIZE, COOKIE_SIZE - TIME_SIZE);
  }

  #compute(sources: WireBuffer, at: number, time: number): void {
    copyBytes(sources, at, this.#message, 0, ADDRESS_SIZE);
    this.#message.view.setUint32(ADDRESS_SIZE, time);
    this.#key.compute(this.#message, 0, this.#message.size, this.#mac, 0);
  }
}

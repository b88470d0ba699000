/**
 * When the peers' last handshakes were, on the clock that never jumps: WireGuard tells them by the wall
 * clock, which may be set at any time.
 *
 * ```
 * a handshake that was not there at the last look    since then; the wall clock says when exactly
 * the first look                                     the wall clock is believed
 * the wall clock has gone back                       nothing has happened
 * it has gone ahead, or the host has slept           who is silent for another 30 s is not alive
 * data where the handshake is too old for any        the wall clock was wrong: it was not
 * a time just after 1970                             boringtun's: seconds since the handshake
 * ```
 *
 * @module
 */

import type { Now } from "../net/clock.ts";
import type { Device, DevicePeer } from "../net/device.ts";

/** A session ends so many seconds after its handshake: what comes then belongs to another. */
const SESSION = 180;
/** Size of a handshake initiation: one may come from a peer that gets no answer. */
const INITIATION_SIZE = 148;
/** Keepalives come every 25 s. */
const GRACE = 30;

/** A time that is further back is none, but an age. */
const LONG_AGO = 1e9;

/** What is known of a peer. */
interface Known {
  /** As WireGuard tells it: Unix seconds, or an age. */
  readonly handshake: number;
  /** Bytes. */
  readonly received: number;
  /** When the handshake was, on the monotonic clock. */
  readonly at: number;
  /** Since when only data say that it holds. */
  readonly doubtedAt: number | undefined;
  /** Whether something came of it since it was first looked at. */
  readonly isHeard: boolean;
}

/** Remembers them from one look to the next. All times are seconds of the monotonic clock. */
export class Handshakes {
  readonly #alive: number;
  #known = new Map<string, Known>();
  #lookedAt: Now | undefined;

  /** @param alive For how long a handshake says that the path works, in seconds. */
  constructor(alive: number) {
    this.#alive = alive;
  }

  /** The interface is another one. */
  forget(): void {
    this.#known.clear();
  }

  /** When the last handshake with a peer was, as far as that counts; undefined where there was none. */
  at(publicKey: string): number | undefined {
    const known = this.#known.get(publicKey);
    if (known?.doubtedAt === undefined) return known?.at;
    return Math.min(known.at, known.doubtedAt + GRACE - this.#alive);
  }

  /** Whether a peer was heard since the first look: what was before may not hold any more. */
  isHeard(publicKey: string): boolean {
    return this.#known.get(publicKey)?.isHeard === true;
  }

  /** Looks at the interface. */
  look({ peers }: Device, now: Now): void {
    const before = this.#lookedAt;
    const passed = before === undefined ? Infinity : now.mono - before.mono;
    const hasJumped = before !== undefined && now.unix - before.unix - passed > GRACE;
    const known = new Map<string, Known>();
    for (const peer of peers) {
      if (peer.latestHandshake === 0) continue;
      const { publicKey } = peer;
      known.set(publicKey, this.#see(peer, this.#known.get(publicKey), passed, hasJumped, now));
    }
    this.#known = known;
    this.#lookedAt = now;
  }

  #see(
    { latestHandshake: handshake, received }: DevicePeer,
    before: Known | undefined,
    passed: number,
    hasJumped: boolean,
    { unix, mono }: Now,
  ): Known {
    const isAge = unix - handshake > LONG_AGO;
    const age = isAge ? handshake : unix - handshake;
    let at: number;
    let doubtedAt = before?.doubtedAt;
    if (handshake === before?.handshake) {
      at = before.at;
      const more = received - before.received;
      if (more > 0 && more % INITIATION_SIZE !== 0) {
        doubtedAt = undefined;
        if (mono - at >= SESSION) at = mono;
      }
    } else {
      const isBounded = before !== undefined && !isAge;
      at = mono - Math.min(Math.max(0, age), isBounded ? passed : Infinity);
      doubtedAt = before === undefined && age < 0 ? mono : undefined;
    }
    if (hasJumped && age >= this.#alive) doubtedAt = mono;
    const isHeard = before === undefined
      ? passed < Infinity
      : before.isHeard || received > before.received ||
        (isAge ? handshake < before.handshake : handshake !== before.handshake);
    return { handshake, received, at, doubtedAt, isHeard };
  }
}

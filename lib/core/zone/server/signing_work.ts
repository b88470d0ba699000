/**
 * How much may be signed: anyone can ask for names that nobody has asked for before, and signing
 * takes the server more than asking takes them.
 *
 * @module
 */

/** What may be signed anew, of all sources together. */
export interface SigningRate {
  /** Signatures a second. */
  readonly perSecond: number;
  /** At once, after a while without any. */
  readonly burst: number;
}

/** The part of a processor that signing may take, over UDP and over TCP each. */
const SHARE = 0.25;
const MOST_PER_SECOND = 5000;
const LEAST_PER_SECOND = 50;
const BURST_SECONDS = 2;

/** What may be signed where a signature takes so many seconds. */
export function signingRate(secondsPerSignature: number): SigningRate {
  const fast = Math.floor(SHARE / Math.max(secondsPerSignature, SHARE / MOST_PER_SECOND));
  const perSecond = Math.max(LEAST_PER_SECOND, fast);
  return { perSecond, burst: BURST_SECONDS * perSecond };
}

/** What is kept of the burst for what peers have: what there isn't has no end. */
const KEPT = 0.5;

/** A token bucket for each transport: what is used up over UDP is still to be had over TCP. */
export class SigningWork {
  #rate: SigningRate;
  /** Signatures left, over UDP and over TCP, as of the times behind. */
  readonly #state: Float64Array;

  /** Makes one with nothing used up. */
  constructor(rate: SigningRate) {
    this.#rate = rate;
    this.#state = Float64Array.of(rate.burst, rate.burst, -Infinity, -Infinity);
  }

  /** From now on, this is the rate. */
  configure(rate: SigningRate): void {
    this.#rate = rate;
  }

  /**
   * Takes `signatures` out of what may be signed.
   *
   * @param isKept Whether they are of what peers or the zone have. The rest comes second.
   * @param mono A clock that never jumps, in seconds.
   * @returns Whether there was enough. If not, nothing is taken.
   */
  take(transport: "udp" | "tcp", signatures: number, isKept: boolean, mono: number): boolean {
    const { perSecond, burst } = this.#rate;
    const state = this.#state;
    const i = transport === "udp" ? 0 : 1;
    const left = Math.min(burst, state[i]! + Math.max(0, mono - state[2 + i]!) * perSecond);
    const isEnough = left - signatures >= (isKept ? 0 : KEPT * burst);
    state[i] = isEnough ? left - signatures : left;
    state[2 + i] = Math.max(mono, state[2 + i]!);
    return isEnough;
  }
}

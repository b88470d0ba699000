/**
 * Notices that the way in use doesn't work any more, long before WireGuard does.
 *
 * ```
 * a probe every 2 s ── echo ── …      on the side that acts first; the other one hears the probes
 *    │ no echo: again after 0.4 s
 *    ▼
 * WireGuard's own counters, twice, 1.1 s apart
 *    │ it has received something: the way works, it is the other side's program that is silent
 *    │ it has sent nothing: nobody needs it now
 *    ▼ it sends, and receives nothing
 * the way is dead
 * ```
 *
 * @module
 */

/** What WireGuard has received and sent, in bytes. */
export interface Traffic {
  readonly received: number;
  readonly sent: number;
}

/** What to do. */
export type WatchStep = "probe" | "read" | "wait";
/** What was found. */
export type WatchVerdict = "dead" | "unused" | undefined;

/** After a probe without an echo, in seconds, and in round trips: whichever is more. */
const [AGAIN, ROUND_TRIPS] = [0.4, 2];
/** Between two looks at the counters. */
const LOOK = 1.1;
/** What the clock may lack of that. */
const SLACK = 0.1;
/** So long a silent other side is left alone. */
const SILENT = 30;
/** So long nobody may need the way. */
const UNUSED = 5;
/** So much later than the other side's probe is due, its absence is noticed. */
const LATE = 0.6;

/** Watches one way. All times are seconds of the monotonic clock. */
export class PathWatch {
  readonly #isFirst: boolean;
  #interval = 2;
  #again = AGAIN;
  #nextAt = Infinity;
  /** Probes since the last echo. */
  #out = 0;
  #traffic: Traffic | undefined;
  #trafficAt = -Infinity;

  /** @param isFirst Whether this side sends the probes. */
  constructor(isFirst: boolean) {
    this.#isFirst = isFirst;
  }

  /** When something is due; Infinity where nothing is watched. */
  get nextAt(): number {
    return this.#nextAt;
  }

  /** Between two probes, in seconds: more where there are many peers. */
  setInterval(seconds: number): void {
    this.#interval = seconds;
  }

  /** Begins with another way. @param roundTrip From a probe to its echo; Infinity where it isn't known. */
  start(mono: number, roundTrip: number): void {
    this.#again = roundTrip < Infinity ? Math.max(AGAIN, ROUND_TRIPS * roundTrip) : AGAIN;
    this.#reset(mono + this.#interval + (this.#isFirst ? 0 : LATE));
  }

  /** Nothing is watched. */
  stop(): void {
    this.#reset(Infinity);
  }

  /** The way was heard to work, by an echo or a probe. */
  heard(mono: number, roundTrip: number): void {
    if (this.#nextAt !== Infinity) this.start(mono, roundTrip);
  }

  /** What is due, if something is; it counts as done. */
  take(mono: number): WatchStep {
    if (mono < this.#nextAt) return "wait";
    if (this.#out++ < 2) {
      this.#nextAt = mono + (this.#out === 1 ? this.#again : 0);
      return "probe";
    }
    this.#nextAt = mono + LOOK;
    return "read";
  }

  /** Takes in WireGuard's counters. */
  see({ received, sent }: Traffic, mono: number): WatchVerdict {
    if (this.#out < 3) return undefined;
    const before = this.#traffic;
    if (before === undefined) {
      this.#traffic = { received, sent };
      this.#trafficAt = mono;
      this.#nextAt = mono + LOOK;
      return undefined;
    }
    if (received > before.received) this.#reset(mono + SILENT);
    else if (mono - this.#trafficAt < LOOK - SLACK) return undefined;
    else if (sent === before.sent) {
      this.#reset(mono + UNUSED);
      return "unused";
    } else {
      this.stop();
      return "dead";
    }
    return undefined;
  }

  #reset(nextAt: number): void {
    this.#nextAt = nextAt;
    this.#out = 0;
    this.#traffic = undefined;
  }
}

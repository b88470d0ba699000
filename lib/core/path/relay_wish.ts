/**
 * When a peer is wanted through a registry's relay, and when WireGuard is given that as its endpoint.
 *
 * ```
 * nothing works ── 0.5 s ──► registries are told ── 3 s ──► it is used, if nothing is proved by then
 * ```
 *
 * While it is used, registries are told again and again: that keeps it open.
 *
 * @module
 */

import { formatHostPort, type HostPort } from "../net/host_port.ts";

/** Whether the relay is used: where nothing else works, never, or whatever else works. */
export type RelayMode = "auto" | "never" | "always";

/** What a wish depends on. */
export interface RelayNeed {
  /** Whether the peer is reached, or is about to be. */
  readonly works: boolean;
  /** Whether WireGuard has the relay as its endpoint. */
  readonly isRelayed: boolean;
}

/** What is due: to tell registries, or to use a relay. */
export type RelayStep = { readonly kind: "tell" } | {
  readonly kind: "use";
  readonly endpoint: HostPort;
};

/** Seconds after the beginning of a search. */
const TELL = 0.5;
const USE = 3;
/** The same where the way in use has died. */
const HURRIED = 0.1;
/** So much later on the side with the larger key, where there is no session yet. */
const SECOND = 0.3;
/** Between two words to registries while it is used, in seconds. */
const AGAIN = 5;
/** The same where none has answered, twice as long each time. */
const [UNHEARD, LONGEST_UNHEARD] = [1, 15];
/** So long a relay that was used in vain isn't used again, twice as long each time. */
const [FAILED, LONGEST_FAILED] = [20, 300];
/** Relays that are remembered. */
const MOST_KNOWN = 16;
/**
 * Between two attempts to have a peer that is reached directly come to the relay, in seconds; twice as
 * long after each: what is under way directly may pull both sides back for ever.
 */
const [FIRST_PULL, LONGEST_PULL] = [5, 300];
/** The wish stays for so long after the relay isn't used any more. */
const LINGER = 10;

const TELL_STEP: RelayStep = { kind: "tell" };

/** Decides for one peer. All times are seconds of the monotonic clock. */
export class RelayWish {
  readonly #isFirst: boolean;
  #mode: RelayMode;
  #relays: readonly HostPort[] = [];
  /** All that there were so far, as text. */
  readonly #known = new Set<string>();
  #isWanted = false;
  /** Whether registries know. */
  #isTold = false;
  #isHurried = false;
  #unheard = UNHEARD;
  /** Until when it isn't used, for it was in vain, and for how long next time. */
  #failedUntil = -Infinity;
  #failGap = FAILED;
  #nextAt = Infinity;
  #tellAt = Infinity;
  /** When a peer that is reached directly may be given the relay, and how long it is left then. */
  #pullAt = -Infinity;
  #pullGap = FIRST_PULL;
  /** Since when it is needed; Infinity where it isn't. */
  #neededFrom = Infinity;

  /** @param isFirst Whether the own key is the smaller one. */
  constructor(isFirst: boolean, mode: RelayMode) {
    this.#isFirst = isFirst;
    this.#mode = mode;
  }

  /** Whether it is used. */
  get mode(): RelayMode {
    return this.#mode;
  }

  /** Replaces that. */
  setMode(mode: RelayMode): void {
    this.#mode = mode;
    this.#pullAt = -Infinity;
    this.#pullGap = FIRST_PULL;
  }

  /** Whether registries are to relay. */
  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** When something is due, as far as the last {@linkcode take} could tell. */
  get nextAt(): number {
    return this.#nextAt;
  }

  /** Where registries relay now. */
  offer(relays: readonly HostPort[]): void {
    this.#relays = relays;
    for (const relay of relays) {
      const [oldest] = this.#known;
      if (this.#known.size >= MOST_KNOWN) this.#known.delete(oldest!);
      this.#known.add(formatHostPort(relay));
    }
  }

  /** Whether a registry relays there, or did so before. */
  isRelay(endpoint: HostPort): boolean {
    return this.#known.has(formatHostPort(endpoint));
  }

  /** Whether there is one that may be used. */
  get isUsable(): boolean {
    return this.#mode !== "never" && this.#relays.length > 0;
  }

  /** Whether a registry relays there. */
  isOffered(endpoint: HostPort): boolean {
    const text = formatHostPort(endpoint);
    return this.#relays.some((each) => formatHostPort(each) === text);
  }

  /** The way in use has died: there is no time to lose. */
  hurry(): void {
    this.#isHurried = true;
  }

  /** No handshake has come up through it: others may try by other means for a while. */
  failed(mono: number): void {
    this.#isHurried = false;
    this.#failedUntil = mono + this.#failGap;
    this.#failGap = Math.min(2 * this.#failGap, LONGEST_FAILED);
  }

  /** Registries have been told, or could not be. */
  told(isDone: boolean, mono: number): void {
    if (!this.#isWanted) return;
    this.#isTold = isDone;
    this.#tellAt = mono + (isDone ? AGAIN : this.#unheard);
    this.#unheard = isDone ? UNHEARD : Math.min(2 * this.#unheard, LONGEST_UNHEARD);
  }

  /** What is due, if something is; it counts as done. */
  take(need: RelayNeed, mono: number): RelayStep | undefined {
    const { works, isRelayed } = need;
    const isAlways = this.#mode === "always";
    this.#nextAt = Infinity;
    if (this.#mode === "never" || this.#relays.length === 0) {
      this.#isWanted = false;
      this.#isTold = false;
      return undefined;
    }
    if (!isAlways && !isRelayed && works) return this.#rest(mono);
    const isUrgent = isAlways || this.#isHurried;
    // Who is told of another place of the peer again and again needs it all the same.
    const from = isRelayed ? mono : Math.min(this.#neededFrom, mono);
    this.#neededFrom = from;
    if (!this.#isWanted) {
      const tellAt = isUrgent || isRelayed ? mono : from + TELL;
      if (mono < tellAt) return this.#wait(tellAt);
      this.#isWanted = true;
      return this.#tell(mono);
    }
    if (mono >= this.#tellAt) return this.#tell(mono);
    this.#wait(this.#tellAt);
    if (isRelayed || !this.#isTold) return undefined;
    const second = this.#isFirst || this.#isHurried ? 0 : SECOND;
    const useAt = Math.max(from + (isUrgent ? HURRIED : USE) + second, this.#failedUntil);
    if (mono < useAt) return this.#wait(Math.min(useAt, this.#tellAt));
    if (works) {
      if (mono < this.#pullAt) return this.#wait(Math.min(this.#pullAt, this.#tellAt));
      this.#pullAt = mono + this.#pullGap;
      this.#pullGap = Math.min(2 * this.#pullGap, LONGEST_PULL);
    }
    return { kind: "use", endpoint: this.#relays[0]! };
  }

  /** It isn't needed. */
  #rest(mono: number): RelayStep | undefined {
    this.#isHurried = false;
    this.#neededFrom = Infinity;
    this.#failGap = FAILED;
    if (!this.#isWanted) return undefined;
    // From its last use on.
    if (this.#isTold) {
      this.#isTold = false;
      this.#tellAt = mono + LINGER;
    }
    if (mono < this.#tellAt) return this.#wait(this.#tellAt);
    this.#isWanted = false;
    return TELL_STEP;
  }

  #tell(mono: number): RelayStep {
    this.#tellAt = mono + AGAIN;
    this.#wait(this.#tellAt);
    return TELL_STEP;
  }

  #wait(until: number): undefined {
    this.#nextAt = until;
  }
}

/**
 * How the own NAT maps WireGuard's port, or another one, as one registry sees it: it is asked at other
 * ports of its address through that, once for each endpoint, and now and again.
 *
 * ```
 *   WireGuard's port ──► registry:1223   registers, and is told of 443 and 53     198.51.100.7:40000
 *                    ──► registry:443    asks for nobody                          198.51.100.7:40001
 *                    ──► registry:53     the same                                 198.51.100.7:40002
 * ```
 *
 * @module
 */

import type { Conversation } from "./conversation.ts";
import { Inquiry } from "./inquiry.ts";
import type { Now } from "../net/clock.ts";
import { formatHostPort, type HostPort } from "../net/host_port.ts";
import { type AskedInquiry, isFinished } from "./asked_inquiry.ts";

/** What was seen holds so long, in seconds: routers are changed, and start anew. */
const HOLDS = 600;

/** How far is looked. */
export interface LookLimits {
  /** At so many other ports it is asked. */
  readonly ports: number;
  /** So long the answers are awaited, in seconds: each is asked once. */
  readonly wait: number;
}

/** Within a round of `sync`. */
const IN_A_ROUND: LookLimits = { ports: 2, wait: 0.4 };

/** What one registry sees. */
export class OwnMapping {
  readonly #limits: LookLimits;
  #seen: readonly HostPort[] = [];
  /** When it was asked for that. */
  #lookedAt = -Infinity;
  #lookedFor = "";
  #until = -Infinity;
  /** Of this round: where it was registered, and the questions. */
  #first: HostPort | undefined;
  #asked: readonly AskedInquiry[] = [];

  /** Nothing is known yet. */
  constructor(limits: LookLimits = IN_A_ROUND) {
    this.#limits = limits;
  }

  /**
   * Where the registry has seen WireGuard's port over IPv4, at each of its ports that has answered, in
   * the order in which they were asked. One alone says nothing of the NAT.
   */
  get seen(): readonly HostPort[] {
    return this.#seen;
  }

  /** The questions of this round. */
  get asked(): readonly AskedInquiry[] {
    return this.#asked;
  }

  /** A round begins. */
  begin(): void {
    this.#asked = [];
    this.#first = undefined;
  }

  /** Begins to look, where that is due. @param registered What has registered the port over IPv4. */
  follow(conversation: Conversation, registered: Inquiry, now: Now): void {
    const { seen, also } = registered;
    if (this.#first !== undefined || seen === undefined) return;
    this.#first = seen;
    const endpoint = formatHostPort(seen);
    const isKnown = endpoint === this.#lookedFor && now.mono < this.#lookedAt + HOLDS;
    if (isKnown) return;
    this.#lookedFor = endpoint;
    this.#lookedAt = now.mono;
    this.#until = now.mono + this.#limits.wait;
    this.#seen = [seen];
    this.#asked = also.slice(0, this.#limits.ports).map((port) => ({
      inquiry: new Inquiry(conversation, { family: 4, registers: false, asks: false }, now),
      family: 4,
      isOwn: true,
      port,
      attempts: 0,
    }));
  }

  /** Whether nothing is awaited, or not any more. */
  isOver({ mono }: Pick<Now, "mono">): boolean {
    return mono >= this.#until || this.#asked.every(isFinished);
  }

  /** Until when it is awaited: the monotonic clock. */
  get until(): number {
    return this.#until;
  }

  /** Takes in what came, at the end of a round. */
  finish(): void {
    const more = this.#asked.flatMap(({ inquiry: { seen, isAnswered } }) =>
      isAnswered && seen !== undefined ? [seen] : []
    );
    if (this.#first !== undefined && more.length > 0) this.#seen = [this.#first, ...more];
    this.#asked = [];
  }
}

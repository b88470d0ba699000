/**
 * What a try to get through a NAT sends, and how fast.
 *
 * @module
 */

import type { HostPort } from "../net/host_port.ts";

/** A datagram to send. */
export interface PunchDatagram {
  readonly to: HostPort;
  /** The local port that it leaves from, where that isn't WireGuard's. */
  readonly from?: number;
}

/** What to do next. Times are seconds of the monotonic clock. */
export type PunchStep =
  | { readonly kind: "send"; readonly datagrams: readonly PunchDatagram[] }
  | { readonly kind: "wait"; readonly until: number }
  | { readonly kind: "done" };

/** Datagrams are sent in pieces of so many seconds. */
const PIECE = 0.02;

/** Spreads datagrams over time. Who comes late to send them doesn't send more at once. */
export class Pace {
  readonly #rate: number;
  readonly #piece: number;
  #left: number;
  #at = -Infinity;

  /** For `count` datagrams, `rate` a second. */
  constructor(count: number, rate: number) {
    this.#left = count;
    this.#rate = rate;
    this.#piece = Math.max(1, Math.round(rate * PIECE));
  }

  /** Whether all have been taken. */
  get isOver(): boolean {
    return this.#left === 0;
  }

  /** When the next ones may be taken; before the first, at any time. */
  get at(): number {
    return this.#at;
  }

  /** Takes as many as may be sent now. */
  take(mono: number): number {
    if (mono < this.#at) return 0;
    const count = Math.min(this.#piece, this.#left);
    this.#left -= count;
    this.#at = mono + count / this.#rate;
    return count;
  }
}

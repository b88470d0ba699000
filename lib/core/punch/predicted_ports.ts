/**
 * Finds the mapping of a peer whose NAT counts its ports up: it is one of those above the last one
 * that a registry has seen.
 *
 * Where the own NAT counts too, each destination gets a mapping of its own, and both sides must guess
 * the same pair of them. In random order, a pair fits in 63 of 100 rounds. So both begin with the
 * lowest port, and one side tries each, the other every second one. Its n-th datagram goes to
 * B + 2n - 1, and leaves by A + n + f, f being the foreign flows that its NAT has had. The other side
 * comes to that port with its datagram n + f, which leaves by B + n + f + g. The two fit where
 * n - 1 = f + g. As n - 1 begins with 0 and goes up one by one, it doesn't get past that, whenever
 * foreign flows come: it always fits, up to 10 of them on each side.
 *
 * NATs that count by two don't fit into that: every second round is in random order.
 *
 * @module
 */

import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { HostPort } from "../net/host_port.ts";
import type { RandomSource } from "../net/random.ts";
import type { PunchDatagram, PunchStep } from "./punch_step.ts";

/** Ports that are tried in a round. */
export const PREDICTED = 32;
/** Rounds that are tried. */
const ROUNDS = 5;
/** The least time between two rounds, in seconds. */
const BETWEEN = 0.25;
/** A mapping is waited for so long, in seconds. */
const WAITING = 5;
const MAX_PORT = 0xffff;
/** NATs go on from here after the last port. */
const FIRST_PORT = 1024;

/**
 * Which ports a side tries: `each` where one of the two NATs keeps its mapping for all destinations;
 * else one side tries `each`, and the other one `second`.
 */
export type PredictedStride = "each" | "second";

/** Rounds of predictions, one for each mapping that a registry has seen newly. */
export class PredictedPorts {
  readonly #stride: PredictedStride;
  readonly #random: RandomSource;
  /** The last mapping that was seen, until a round begins above it. */
  #seen: HostPort | undefined;
  #rounds = 0;
  #nextAt = -Infinity;
  #until: number | undefined;

  /** Prepares. The first round begins once a mapping was {@linkcode seen}. */
  constructor(stride: PredictedStride, random: RandomSource) {
    this.#stride = stride;
    this.#random = random;
  }

  /** Takes in the mapping that a registry has seen last: where it has just come to be. */
  seen(mapping: HostPort): void {
    this.#seen = mapping;
  }

  /** What to do now. The datagrams are probes, and leave from WireGuard's port in this order. */
  next(mono: number): PunchStep {
    this.#until ??= mono + WAITING;
    if (this.#rounds === ROUNDS && mono >= this.#nextAt) return { kind: "done" };
    if (this.#rounds === ROUNDS) return { kind: "wait", until: this.#nextAt };
    if (this.#seen === undefined) {
      return mono < this.#until ? { kind: "wait", until: this.#until } : { kind: "done" };
    }
    if (mono < this.#nextAt) return { kind: "wait", until: this.#nextAt };
    const datagrams = this.#round(this.#seen);
    this.#seen = undefined;
    this.#rounds++;
    this.#nextAt = mono + BETWEEN;
    this.#until = mono + WAITING;
    return { kind: "send", datagrams };
  }

  #round({ host, port }: HostPort): readonly PunchDatagram[] {
    const isOrdered = this.#rounds % 2 === 0;
    const stride = isOrdered && this.#stride === "second" ? 2 : 1;
    const datagrams = Array.from({ length: PREDICTED }, (_, i): PunchDatagram => {
      const above = port + 1 + stride * i;
      const at = above > MAX_PORT ? above - MAX_PORT - 1 + FIRST_PORT : above;
      return { to: { host, port: at } };
    });
    return isOrdered ? datagrams : this.#shuffled(datagrams);
  }

  #shuffled(datagrams: readonly PunchDatagram[]): readonly PunchDatagram[] {
    const { bytes, view } = new WireBuffer(4 * datagrams.length);
    this.#random(bytes);
    return datagrams
      .map((each, i) => ({ each, order: view.getUint32(4 * i) }))
      .sort((a, b) => a.order - b.order)
      .map(({ each }) => each);
  }
}

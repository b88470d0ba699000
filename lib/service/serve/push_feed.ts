/**
 * Sends what the registry pushes: soon after something changed, and when it is time although nothing
 * comes in.
 *
 * @module
 */

import type { Now } from "../../core/net/clock.ts";
import type { HostPort } from "../../core/net/host_port.ts";
import { formatAddress } from "../../core/net/ip_address.ts";
import type { Registry } from "../../core/registry/registry.ts";
import type { Clock } from "../../host/clock.ts";

/** Requests have their turn between two of pushes, in seconds. */
const TURN = 0.005;

/** Sends bytes through one of several sockets. */
export type SendThrough = (socket: number, bytes: Uint8Array, to: HostPort) => void;

/** Drives the pushes of a registry. */
export class PushFeed {
  readonly #host: Clock;
  readonly #registry: Registry;
  readonly #tick: () => Now;
  readonly #send: SendThrough;
  /** When the timer rings, on the monotonic clock; Infinity where there is none. */
  #ringsAt = Infinity;
  #cancel: () => void = () => {};
  #isClosed = false;

  /** @param tick The clocks; records that are too old are gone then. */
  constructor(host: Clock, registry: Registry, tick: () => Now, send: SendThrough) {
    this.#host = host;
    this.#registry = registry;
    this.#tick = tick;
    this.#send = send;
  }

  /** Something may have changed, or somebody subscribed. */
  look(now: Now): void {
    const due = this.#registry.pushDueIn(now);
    if (due === Infinity || this.#isClosed) return;
    const at = now.mono + Math.max(TURN, due);
    if (at >= this.#ringsAt) return;
    this.#cancel();
    this.#ringsAt = at;
    this.#cancel = this.#host.after(at - now.mono, () => this.#run());
  }

  /** Ends it. */
  close(): void {
    this.#isClosed = true;
    this.#cancel();
  }

  #run(): void {
    this.#ringsAt = Infinity;
    const now = this.#tick();
    const registry = this.#registry;
    registry.beginPushes();
    for (let push = registry.nextPush(now); push; push = registry.nextPush(now)) {
      const { socket, bytes, sources, sourceAt, port } = push;
      this.#send(socket, bytes, { host: formatAddress(sources, sourceAt), port });
    }
    this.look(now);
  }
}

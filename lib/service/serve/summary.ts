/**
 * What a server says of itself as a whole.
 *
 * @module
 */

import type { Registry } from "../../core/registry/registry.ts";
import { serveStatus } from "../../core/serve/status.ts";
import type { Log } from "../log/log.ts";

/** Says how a server is. */
export class Summary {
  readonly #log: Log;
  readonly #registry: Registry;
  readonly #zones: readonly string[];
  readonly #punch: () => Readonly<Record<string, number>>;

  /**
   * @param zones Their names.
   * @param punch The counters of hole punching, if it is served.
   */
  constructor(
    log: Log,
    registry: Registry,
    zones: readonly string[],
    punch: () => Readonly<Record<string, number>>,
  ) {
    this.#log = log;
    this.#registry = registry;
    this.#zones = zones;
    this.#punch = punch;
  }

  /** Logs that it serves. @param serverKey The registry's public key, where it has one. */
  logReady(runtime: string, serverKey: string | undefined): void {
    const ids = [...this.#registry.groups.keys()].join(",");
    const zones = this.#zones.join(",");
    this.#log.write("info", "ready", {
      runtime,
      ...(ids === "" ? {} : { "group-ids": ids }),
      ...(zones === "" ? {} : { zones }),
      ...(this.#registry.relay === undefined ? {} : { relay: true }),
      ...(serverKey === undefined ? {} : { "server-key": serverKey }),
    });
  }

  /** Logs the counters, whatever else is logged. */
  logCounters(): void {
    const { counters, relay, peerCount: peers } = this.#registry;
    const relayed = relay && { "relay-pairs": relay.pairCount };
    const counted = { ...relayed, ...counters.snapshot(), ...this.#punch() };
    this.#log.always("info", "counters", { peers, ...counted });
  }

  /** A line for the system's service manager. */
  get status(): string {
    const { groups, counters, peerCount: peers } = this.#registry;
    const { answered = 0, "dns-answered": named = 0 } = counters.snapshot();
    const zones = this.#zones.length;
    return serveStatus({ groups: groups.size, zones, peers, answered: answered + named });
  }
}

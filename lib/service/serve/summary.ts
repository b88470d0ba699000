/**
 * What a server says of itself as a whole.
 *
 * @module
 */

import type { Registry } from "../../core/registry/registry.ts";
import { serveStatus } from "../../core/serve/status.ts";
import type { Log } from "../log/log.ts";

/** What others know. */
export interface SummaryOthers {
  /** The counters of hole punching, if it is served. */
  counters(): Readonly<Record<string, number>>;
  /** What is wrong with the store that peers are shared in, if anything is. */
  trouble(): string | undefined;
}

/** Says how a server is. */
export class Summary {
  readonly #log: Log;
  readonly #registry: Registry;
  readonly #zones: readonly string[];
  readonly #others: SummaryOthers;

  /**
   * @param zones Their names.
   * @param others What others know.
   */
  constructor(
    log: Log,
    registry: Registry,
    zones: readonly string[],
    others: SummaryOthers,
  ) {
    this.#log = log;
    this.#registry = registry;
    this.#zones = zones;
    this.#others = others;
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
    const counted = { ...relayed, ...counters.snapshot(), ...this.#others.counters() };
    this.#log.always("info", "counters", { peers, ...counted });
  }

  /** A line for the system's service manager. */
  get status(): string {
    const { groups, counters, peerCount: peers } = this.#registry;
    const { answered = 0, "dns-answered": named = 0 } = counters.snapshot();
    const zones = this.#zones.length;
    const trouble = this.#others.trouble();
    return serveStatus({ groups: groups.size, zones, peers, answered: answered + named, trouble });
  }
}

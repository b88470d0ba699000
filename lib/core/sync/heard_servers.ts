/**
 * When which server has answered last, and how that was.
 *
 * @module
 */

import { formatServerName, type ServerName } from "../ask/server_name.ts";
import type { QueryResult, ServerOutcome } from "../query/query_result.ts";
import { elapsed, measured } from "../status/rounded.ts";
import type { ServerReport } from "../status/report.ts";

/** Remembers it from one question to the next. */
export class HeardServers {
  #servers: readonly ServerOutcome[] = [];
  /** By name, on the monotonic clock. */
  readonly #answeredAt = new Map<string, number>();
  /** Those that relay. */
  #relays: ReadonlySet<string> = new Set();

  /** Whether one has answered when they were asked last, before that, or never. */
  get answers(): "now" | "before" | "never" {
    if (this.#servers.some(({ status }) => status === "ok")) return "now";
    return this.#answeredAt.size > 0 ? "before" : "never";
  }

  /** Takes in what they said. */
  take({ servers, registered }: Pick<QueryResult, "servers" | "registered">, mono: number): void {
    this.#servers = servers;
    // A question from another port doesn't tell.
    if (registered) {
      const relaying = servers.filter(({ relay }) => relay !== undefined);
      this.#relays = new Set(relaying.map(({ server }) => server));
    }
    const names = new Set(servers.map(({ server }) => server));
    for (const name of this.#answeredAt.keys()) {
      if (!names.has(name)) this.#answeredAt.delete(name);
    }
    for (const { server, status } of servers) {
      if (status === "ok") this.#answeredAt.set(server, mono);
    }
  }

  /** What there is to say of each. @param named All that there are, some perhaps not asked yet. */
  report(named: readonly ServerName[], mono: number): readonly ServerReport[] {
    const heard = new Set(this.#servers.map(({ server }) => server));
    const others = named.map(formatServerName).filter((server) => !heard.has(server));
    const none = { protocol: null, relays: false, age: null, roundTrip: null };
    return [
      ...this.#reportHeard(mono),
      ...others.map((server) => ({ server, status: "no answer yet", ...none })),
    ];
  }

  #reportHeard(mono: number): readonly ServerReport[] {
    return this.#servers.map(({ server, status, protocol, roundTrip }) => {
      const at = this.#answeredAt.get(server);
      return {
        server,
        status,
        protocol: protocol ?? null,
        relays: this.#relays.has(server),
        age: at === undefined ? null : elapsed(mono - at),
        roundTrip: roundTrip === undefined ? null : measured(roundTrip),
      };
    });
  }
}

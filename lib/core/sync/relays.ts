/**
 * Which registries relay, and to whom.
 *
 * @module
 */

import type { Sighting } from "../ask/sighting.ts";
import type { HostPort } from "../net/host_port.ts";
import type { RelayMode } from "../path/relay_wish.ts";
import type { QueryResult } from "../query/query_result.ts";
import type { Candidates, SeenCandidate } from "./candidates.ts";

/** By the names of registries that relay and answer: where they are reached from WireGuard's port. */
export type Relays = ReadonlyMap<string, HostPort>;

/** The registries that relay. */
export function relaysOf({ servers, registered }: QueryResult): Relays {
  if (!registered) return new Map();
  return new Map(
    servers.flatMap(({ server, status, relay }) =>
      status === "ok" && relay !== undefined ? [[server, relay]] : []
    ),
  );
}

/** Where a peer is relayed to: by registries that see it. */
export function relaysFor(
  sightings: readonly Pick<Sighting, "kind" | "server">[],
  relays: Relays,
): readonly HostPort[] {
  const by = new Set(sightings.flatMap(({ kind, server }) => kind === "seen" ? server ?? [] : []));
  return [...relays].flatMap(([server, endpoint]) => by.has(server) ? [endpoint] : []);
}

/**
 * The same candidates, and behind them the relays that lead to each peer; in their place where it is
 * reached through them alone.
 *
 * @param modeOf Whether a peer may be relayed to, by its public key.
 */
export function withRelays(
  candidates: Candidates,
  { sightings }: QueryResult,
  relays: Relays,
  modeOf: (publicKey: string) => RelayMode,
): Candidates {
  if (relays.size === 0) return candidates;
  return new Map(Array.from(candidates, ([key, seen]): [string, readonly SeenCandidate[]] => {
    const mode = modeOf(key);
    const endpoints = relaysFor(sightings.get(key) ?? [], relays);
    const [newest] = seen;
    if (mode === "never" || endpoints.length === 0 || newest === undefined) return [key, seen];
    const relayed = endpoints.map((endpoint) => ({
      endpoint,
      seenAt: newest.seenAt,
      isProved: newest.isProved,
      allowedIps: newest.allowedIps,
    }));
    return [key, mode === "always" ? relayed : [...seen, ...relayed]];
  }));
}

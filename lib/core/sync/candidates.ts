/**
 * Where peers may be, from all that was said of them.
 *
 * @module
 */

import type { PeerNews } from "../lease/news.ts";
import type { Device } from "../net/device.ts";
import { formatHostPort } from "../net/host_port.ts";
import type { QueryResult } from "../query/query_result.ts";
import type { Candidate } from "./plan.ts";

/** Where a server has seen a peer, and what else it says. */
export interface SeenCandidate extends Candidate {
  /** The addresses in the tunnel that somebody names who is trusted with that. */
  readonly allowedIps: readonly string[] | undefined;
  /** Whether nobody has proved it. */
  readonly isClaim?: boolean | undefined;
}

/** By public key, the newest first. */
export type Candidates = ReadonlyMap<string, readonly SeenCandidate[]>;

/** Whose word on AllowedIPs is taken. */
export interface Trust {
  /** DNS zones. */
  readonly zones: readonly string[];
  /** The lease server. */
  readonly leases: boolean;
}

/** Puts together where servers have seen the peers, and where the lease server's WireGuard has. */
export function candidatesOf(
  { sightings, publicKey: own }: QueryResult,
  news: readonly PeerNews[],
  trust: Trust,
): Candidates {
  const candidates = new Map<string, SeenCandidate[]>();
  for (const [key, seen] of sightings) {
    if (key === own) continue;
    candidates.set(
      key,
      seen.map(({ address, port, seconds, allowedIps, zone, isClaim }) => ({
        endpoint: { host: address, port },
        seenAt: seconds,
        isClaim,
        allowedIps: zone !== undefined && trust.zones.includes(zone) ? allowedIps : undefined,
      })),
    );
  }
  for (const { publicKey: key, endpoint, allowedIps } of news) {
    if (key === own || endpoint === undefined) continue;
    const trusted = trust.leases && allowedIps.length > 0 ? allowedIps : undefined;
    const seen = { endpoint, seenAt: undefined, allowedIps: trusted };
    candidates.set(key, [...candidates.get(key) ?? [], seen]);
  }
  return candidates;
}

/**
 * Where the peers of the interface are, as text: it changes when one of them moves. What is only
 * claimed doesn't count: it is asked for only where the own port is registered.
 */
export function whereaboutsOf({ peers }: Device, candidates: Candidates): string {
  return peers.map(({ publicKey }) =>
    (candidates.get(publicKey) ?? [])
      .flatMap(({ endpoint, isClaim }) => isClaim ? [] : formatHostPort(endpoint))
      .join()
  ).join("\n");
}

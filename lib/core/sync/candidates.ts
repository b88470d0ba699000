/**
 * Where peers may be, from all that was said of them.
 *
 * @module
 */

import type { PeerNews } from "../lease/news.ts";
import type { Device } from "../net/device.ts";
import { type Family, familyOf, formatHostPort } from "../net/host_port.ts";
import type { QueryResult } from "../query/query_result.ts";
import type { Sighting } from "../ask/sighting.ts";
import type { BelievedEndpoints } from "./believed.ts";
import type { Candidate } from "./planned_peer.ts";

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
  /** DNS zones that don't sign what they say. */
  readonly zones: readonly string[];
  /** The lease server. */
  readonly leases: boolean;
}

/** So many are looked at for each peer. */
const MOST_CANDIDATES = 16;

/**
 * Puts together where servers have seen the peers, and where the lease server's WireGuard has. What
 * somebody has proved comes before what was only claimed or came from a zone that hasn't signed it; and
 * of what is as good otherwise, what is the best way where it works. Families over which this host isn't
 * seen come last.
 *
 * @param believed What can be a peer's endpoint.
 * @param mono The monotonic clock at the end of the question.
 */
export function candidatesOf(
  answer: QueryResult,
  news: readonly PeerNews[],
  trust: Trust,
  believed: Pick<BelievedEndpoints, "has">,
  mono: number,
): Candidates {
  const { sightings, publicKey: own, unix } = answer;
  const candidates = new Map<string, SeenCandidate[]>();
  const families = ownFamilies(answer);
  const rankOf = (sighting: Sighting) => {
    const { zone, isSigned, isClaim, address } = sighting;
    const isClaimed = zone !== undefined && isSigned !== true || isClaim === true;
    const isOther = !families.has(familyOf({ host: address }));
    return (isClaimed ? 2 * WAYS : 0) + (isOther ? WAYS : 0) + wayOf(sighting);
  };
  for (const [key, seen] of sightings) {
    if (key === own) continue;
    const all = seen.toSorted((a, b) => rankOf(a) - rankOf(b));
    candidates.set(
      key,
      all.map((
        { address, port, seconds, allowedIps, zone, isSigned, isClaim, isProved, server },
      ) => ({
        endpoint: { host: address, port },
        // A clock that is ahead must not make old news the newest, nor news for ever.
        seenAt: seconds === undefined ? undefined : mono - Math.max(0, unix - seconds),
        isClaim,
        isProved,
        server,
        allowedIps: zone !== undefined && (isSigned === true || trust.zones.includes(zone))
          ? allowedIps
          : undefined,
      })).filter(({ endpoint }) => believed.has(endpoint)).slice(0, MOST_CANDIDATES),
    );
    if (candidates.get(key)?.length === 0) candidates.delete(key);
  }
  for (const { publicKey: key, endpoint, allowedIps } of news) {
    if (key === own || endpoint === undefined || !believed.has(endpoint)) continue;
    const trusted = trust.leases && allowedIps.length > 0 ? allowedIps : undefined;
    const seen = { endpoint, seenAt: undefined, allowedIps: trusted };
    candidates.set(key, [...candidates.get(key) ?? [], seen]);
  }
  return candidates;
}

/** The families over which servers have seen the own port; IPv4 where they have said nothing. */
function ownFamilies({ servers }: QueryResult): ReadonlySet<Family> {
  const own = servers.flatMap(({ ownEndpoint, ownIpv6 }) => [ownEndpoint ?? [], ownIpv6 ?? []]);
  const families = new Set(own.flat().map(familyOf));
  return families.size > 0 ? families : new Set([4]);
}

/** How many ways there are. */
const WAYS = 5;

/** How a place is reached, the best way first: on the own LAN, over IPv6, through a NAT. */
function wayOf({ kind = "seen", address }: Sighting): number {
  switch (kind) {
    case "lan":
      return 0;
    case "mapped":
      return 2;
    case "declared":
      return 4;
    default:
      return familyOf({ host: address }) === 6 ? 1 : 3;
  }
}

/**
 * By public key, where the peers of the interface are, as text: it changes when one of them moves. What
 * is only claimed doesn't count: it is asked for only where the own port is registered.
 */
export function whereaboutsOf(
  { peers }: Device,
  candidates: Candidates,
): ReadonlyMap<string, string> {
  return new Map(peers.map(({ publicKey }) => {
    const places = (candidates.get(publicKey) ?? [])
      .flatMap(({ endpoint, isClaim }) => isClaim ? [] : formatHostPort(endpoint));
    return [publicKey, places.join()];
  }));
}

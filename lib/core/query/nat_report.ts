/**
 * What `query --nat` has found out, from what registries saw of one port.
 *
 * @module
 */

import { isBehindNat, meaningOf, natKindOf, type PortSight, stepsOf } from "../ask/nat_verdict.ts";
import type { NatKind } from "../ask/own_reach.ts";
import { familyOf, formatHostPort } from "../net/host_port.ts";
import { isPublic } from "../net/reach.ts";
import { type Means, meansTo, PEER_KINDS, type PeerKind } from "../path/reaches.ts";
import type { ServerOutcome } from "./query_result.ts";

/** What is known. */
export interface NatFacts {
  /** The port that was asked from. */
  readonly port: number;
  /** The IP addresses of this host. */
  readonly localAddresses: readonly string[];
  /** What registries said. */
  readonly servers: readonly ServerOutcome[];
  /** Whether a gateway maps ports. */
  readonly mapsPorts: boolean;
}

/** What follows. */
export interface NatReport {
  /** What each port of a registry saw, in the order in which they were asked. */
  readonly sights: readonly PortSight[];
  /** Over IPv4. */
  readonly kind: NatKind;
  /** Whether there is a NAT; undefined where nobody has seen the port over IPv4. */
  readonly isPresent: boolean | undefined;
  /** From port to port, with each destination of IPv4. */
  readonly steps: readonly number[];
  /** Whether the public port is the own one; undefined where nobody has seen it over IPv4. */
  readonly portPreserved: boolean | undefined;
  /** What that means, in a sentence. */
  readonly meaning: string | undefined;
  /** The own public address of IPv6, if there is one, */
  readonly ipv6: string | undefined;
  /** and whether a registry has seen it. */
  readonly isIpv6Seen: boolean;
  /** Whether one of the registries relays. */
  readonly isRelayed: boolean;
  /** How peers of each kind are reached; undefined where that isn't known. */
  readonly reaches: readonly (readonly [PeerKind, Means | undefined])[];
}

/** Puts together what is known. */
export function reportNat({ port, localAddresses, servers, mapsPorts }: NatFacts): NatReport {
  const sights = distinctSights(servers.flatMap(({ sights = [] }) => sights));
  const seenOver = (family: 4 | 6) =>
    sights.map(({ seen }) => seen).filter((seen) => familyOf(seen) === family);
  const [ipv4, ipv6] = [seenOver(4), seenOver(6)];
  const kind = natKindOf(port, localAddresses, ipv4);
  const isPresent = ipv4.length === 0 ? undefined : isBehindNat(port, localAddresses, ipv4);
  const seenIpv6 = ipv6.find(({ host }) => isPublic(host))?.host;
  const ownIpv6 = localAddresses.find((host) => host.includes(":") && isPublic(host));
  const own = {
    nat: kind,
    isOpen: isPresent === false || mapsPorts,
    hasIpv4: ipv4.length > 0,
    hasIpv6: (seenIpv6 ?? ownIpv6) !== undefined,
  };
  return {
    sights,
    kind,
    isPresent,
    steps: stepsOf(ipv4),
    portPreserved: ipv4.length === 0 ? undefined : ipv4.every((seen) => seen.port === port),
    meaning: kind === "unknown" ? undefined : meaningOf(kind, isPresent !== false),
    ipv6: seenIpv6 ?? ownIpv6,
    isIpv6Seen: seenIpv6 !== undefined,
    isRelayed: servers.some(({ relay }) => relay !== undefined),
    reaches: PEER_KINDS.map((peer) => [peer, meansTo(own, peer)]),
  };
}

/** In the order of asking: to ask a port again shows no new mapping. */
function distinctSights(all: readonly PortSight[]): readonly PortSight[] {
  const byRegistry = new Map<string, PortSight>();
  for (const sight of all.toSorted((a, b) => a.askedAt - b.askedAt)) {
    const registry = formatHostPort(sight.registry);
    if (!byRegistry.has(registry)) byRegistry.set(registry, sight);
  }
  return [...byRegistry.values()];
}

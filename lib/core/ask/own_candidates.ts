/**
 * Where this peer may be reached besides where registries see it: at its host's addresses on its LAN,
 * through a mapping that its router has made, and at a forward that somebody has made by hand.
 *
 * @module
 */

import { ADDRESS_SIZE, isIpv4, parseAddress } from "../net/ip_address.ts";
import { isNarrow, PrefixSet } from "../net/ip_prefix.ts";
import { formatHostPort, type HostPort } from "../net/host_port.ts";
import { isPublic, reachOf } from "../net/reach.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { OwnCandidate } from "./own_reach.ts";

/** The most that a question has. */
const MOST = 8;
const LINK_LOCAL = new PrefixSet(["169.254.0.0/16", "fe80::/10"]);

/** What is known of the own side. */
export interface OwnPlaces {
  /** WireGuard's port. */
  readonly port: number;
  /** The IP addresses of this host, in any order. */
  readonly addresses: readonly string[];
  /** What lies in the tunnel, as prefixes: the interface's addresses, and its peers' AllowedIPs. */
  readonly inTunnel: readonly string[];
  /** Where registries see WireGuard's port. */
  readonly seen: readonly HostPort[];
  /** Where the router has mapped it to. */
  readonly mapped: readonly HostPort[];
}

/** What registries are to be told, the surest first: eight at most, each place once. */
export function ownCandidates(
  { port, addresses, inTunnel, seen, mapped }: OwnPlaces,
): readonly OwnCandidate[] {
  const tunnel = new PrefixSet(inTunnel.filter(isNarrow));
  // What registries see, they tell themselves.
  const told = new Set(seen.map(formatHostPort));
  const candidates: OwnCandidate[] = [];
  const add = (kind: OwnCandidate["kind"], place: HostPort) => {
    const text = formatHostPort(place);
    if (told.has(text) || candidates.length === MOST) return;
    told.add(text);
    candidates.push({ kind, host: place.host, port: place.port });
  };
  for (const each of mapped) add("mapped", each);
  for (const { host } of seen) if (isPublic(host)) add("declared", { host, port });
  const lan = addresses.filter((host) => isOnLan(host, tunnel));
  for (const host of lan.toSorted((a, b) => distanceOf(a) - distanceOf(b))) {
    add("lan", { host, port });
  }
  return candidates;
}

/** A private IPv4 address or an IPv6 one, of which neighbours may know the way. */
function isOnLan(host: string, tunnel: PrefixSet): boolean {
  const address = new WireBuffer(ADDRESS_SIZE);
  if (!parseAddress(host, address, 0) || LINK_LOCAL.contains(address, 0)) return false;
  if (tunnel.contains(address, 0)) return false;
  return isIpv4(address, 0) ? reachOf(host) === 1 : reachOf(host) === 1 || isPublic(host);
}

/** Homes and offices first, then what containers and carriers use as well, then IPv6. */
function distanceOf(host: string): number {
  if (host.includes(":")) return 2;
  return host.startsWith("192.168.") || host.startsWith("10.") ? 0 : 1;
}

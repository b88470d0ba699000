/**
 * What is most likely wrong in what settings say of peers, although each line of it can be read.
 *
 * @module
 */

import { addressOf, normalizePrefix } from "../net/ip_prefix.ts";
import type { PeerSettings } from "./client_options.ts";

/** So many of a kind are named. */
const MOST_NAMED = 5;

/** Who has the settings. */
export interface SettingsOwner {
  /** In base64; undefined where it isn't known. */
  readonly publicKey: string | undefined;
  /** Addresses in the tunnel, with prefix lengths; none where the own key isn't known either. */
  readonly addresses: readonly string[];
}

/**
 * Says it, a line each. That a host is among the peers itself is right: hosts may have one file.
 *
 * @param peers By public key.
 */
export function peerDoubts(
  peers: ReadonlyMap<string, PeerSettings>,
  { publicKey, addresses }: SettingsOwner,
): string[] {
  const names = new Map<string, string>();
  const owners = new Map<string, string>();
  const own = new Set(publicKey === undefined ? [] : addresses.map(addressOf).map(normalizePrefix));
  const [twice, shared, taken] = [new Set<string>(), new Set<string>(), new Set<string>()];
  for (const [key, { name, "allowed-ips": allowedIps = [] }] of peers) {
    if (name !== undefined && names.has(name)) twice.add(`"${name}"`);
    if (name !== undefined) names.set(name, key);
    for (const prefix of new Set(allowedIps.map(normalizePrefix))) {
      const other = owners.get(prefix);
      if (other === undefined) owners.set(prefix, name ?? key);
      else shared.add(`${prefix} of ${other} and of ${name ?? key}`);
      if (own.has(prefix) && key !== publicKey) taken.add(`${prefix} of ${name ?? key}`);
    }
  }
  return [
    ...said(twice, "peers with one name can't be told apart by it"),
    ...said(shared, "WireGuard gives a prefix that two peers have to one of them alone"),
    ...said(taken, "what a peer has is this host's own address"),
  ];
}

function said(which: ReadonlySet<string>, what: string): string[] {
  if (which.size === 0) return [];
  const more = which.size > MOST_NAMED ? `, and ${which.size - MOST_NAMED} more` : "";
  return [`${what}: ${[...which].slice(0, MOST_NAMED).join(", ")}${more}`];
}

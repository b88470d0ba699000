/**
 * What is told of a roster to who administers it, and what such a person has written.
 *
 * @module
 */

import type { TunnelPrefix } from "../../../wire/wgsig2/name.ts";
import { formatKey } from "../../net/peer_key.ts";
import { UserError } from "../../settings/user_error.ts";
import { covers, formatTunnelPrefix, networkOf, parseTunnelPrefix } from "../prefix.ts";
import type {
  Added,
  InvitationFacts,
  ListedGroup,
  ListedInvitation,
  ListedPeer,
} from "../requests.ts";
import type { SeenPeer } from "./hub.ts";
import { type Invitation, stateOf } from "./invitations.ts";
import type { Roster, RosterEntry } from "./roster.ts";

/** A prefix. @throws {UserError} The text is none. */
export function readPrefix(text: string): TunnelPrefix {
  const prefix = parseTunnelPrefix(text);
  if (prefix === undefined) throw new UserError(`${text} is no IP prefix`);
  return prefix;
}

/** Addresses that were asked for, with the prefix lengths of their networks. */
export function ownAddresses(
  texts: readonly string[],
  { networks, group }: Roster,
): TunnelPrefix[] {
  return texts.map((text) => {
    const host = readPrefix(text);
    const network = networks.find((each) => covers(each, host));
    const own = network && { address: host.address, length: network.length };
    if (network === undefined || own === undefined) {
      const shown = networks.map(formatTunnelPrefix).join(", ");
      throw new UserError(`${text} is outside of the network of group ${group}: ${shown}`);
    }
    const isNetwork = formatTunnelPrefix(own) === formatTunnelPrefix(networkOf(own));
    if (isNetwork && network.length < 8 * host.address.length - 1) {
      throw new UserError(`${text} is the network itself, and no peer's address`);
    }
    return own;
  });
}

/** What is told of a group, at `unix` seconds. */
export function listedGroup(
  roster: Roster,
  invitations: readonly Invitation[],
  seen: (key: Uint8Array) => SeenPeer | undefined,
  unix: number,
): ListedGroup {
  const entries = roster.entries();
  const names = new Map(entries.map(({ key, name }) => [formatKey(key), name]));
  const peers = entries.map(({ key, name, prefixes, via }): ListedPeer => {
    const hub = via && formatKey(via);
    return {
      name,
      publicKey: formatKey(key),
      prefixes: prefixes.map(formatTunnelPrefix),
      via: hub === undefined ? null : names.get(hub) ?? hub,
      age: seen(key)?.age ?? null,
    };
  });
  return {
    id: roster.group,
    network: roster.networks.map(formatTunnelPrefix),
    peers: peers.sort((a, b) => a.name < b.name ? -1 : 1),
    invitations: invitations.map((each): ListedInvitation => ({
      ...factsOf(each),
      state: stateOf(each, unix),
      used: each.joiners.length,
    })),
    refused: roster.revokedKeys.map(formatKey),
  };
}

/** What is told of an invitation, but for its token. */
export function factsOf(
  { group, name, addresses, prefixes, uses, endsAt }: Invitation,
): InvitationFacts {
  return {
    group,
    name,
    addresses: addresses.map(formatTunnelPrefix),
    prefixes: prefixes.map(formatTunnelPrefix),
    uses,
    ends: Math.ceil(endsAt),
  };
}

/** What is told of a peer that has come into the roster. */
export function addedOf(group: number, { name, prefixes }: RosterEntry, via: string | null): Added {
  return { group, name, prefixes: prefixes.map(formatTunnelPrefix), via };
}

/** What a peer reaches through its hub: the tunnel, and what else is behind peers; never everything. */
export function reachedOf(roster: Roster, hub: RosterEntry): TunnelPrefix[] {
  const { networks } = roster;
  const others = [hub, ...roster.entries()].flatMap(({ prefixes }) => prefixes)
    .filter(({ length }) => length > 0);
  const reached: TunnelPrefix[] = [...networks];
  for (const each of others) {
    if (!reached.some((known) => covers(known, each))) reached.push(each);
  }
  return reached;
}

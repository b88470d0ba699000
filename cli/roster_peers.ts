/**
 * The peers that registries know by name, as `query` and `config` have them.
 *
 * @module
 */

import type { QueryResult } from "../lib/core/query/query_result.ts";
import { mergeRosters, type RosterEntry } from "../lib/core/roster/client/entry.ts";
import { NOTHING_GIVEN } from "../lib/core/roster/client/given.ts";
import { planRoster, type RosterRefusal, type RosterStep } from "../lib/core/roster/client/plan.ts";
import type { RosterBounds } from "../lib/core/roster/client/prefix_gate.ts";
import type { PeerSettings } from "../lib/core/settings/client_options.ts";

/** By public key: what the registries' rosters say, the one that is named first before others. */
export function rosterOf({ servers }: QueryResult): ReadonlyMap<string, RosterEntry> {
  return mergeRosters(servers.flatMap(({ roster }) => roster === undefined ? [] : [roster]));
}

/** By public key: the names of the settings, and of the roster where they have none. */
export function namesOf(
  configured: ReadonlyMap<string, PeerSettings>,
  roster: ReadonlyMap<string, RosterEntry>,
): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const { publicKey, name, isGone } of roster.values()) {
    if (!isGone) names.set(publicKey, name);
  }
  for (const [key, { name }] of configured) if (name !== undefined) names.set(key, name);
  return names;
}

/** What of a roster is taken. */
export interface TakenRoster {
  /** By public key, the AllowedIPs of the peers that are there for it. */
  readonly taken: ReadonlyMap<string, readonly string[]>;
  /** By which they came to be there. */
  readonly steps: readonly RosterStep[];
  /** What a person should know of what isn't, a line each. */
  readonly warnings: readonly string[];
}

/**
 * The peers that a roster has a new interface have.
 *
 * @param bounds What must stay free, but for the registries' addresses.
 */
export function takeRoster(
  result: QueryResult,
  configured: ReadonlyMap<string, PeerSettings>,
  bounds: Omit<RosterBounds, "registries">,
): TakenRoster {
  const roster = rosterOf(result);
  const { publicKey, servers } = result;
  const ips = [...configured].flatMap(([key, { "allowed-ips": ips }]) =>
    ips === undefined ? [] : [[key, ips] as const]
  );
  const { steps, refused } = planRoster({
    // The peers of the settings are there, for those that are reached through them.
    device: {
      publicKey,
      peers: ips.map(([key, allowedIps]) => ({ ...PEER, publicKey: key, allowedIps })),
    },
    roster,
    isComplete: false,
    configured: new Map(ips),
    given: NOTHING_GIVEN,
    bounds: { ...bounds, registries: servers.flatMap(({ address }) => address ?? []) },
  });
  return {
    taken: new Map(
      steps.flatMap((step) => step.kind === "remove" ? [] : [[step.publicKey, step.allowedIps]]),
    ),
    steps,
    warnings: refused.map(lineOf),
  };
}

const PEER = {
  endpoint: undefined,
  latestHandshake: 0,
  received: 0,
  sent: 0,
  persistentKeepalive: 0,
};

function lineOf({ entry: { publicKey, name }, prefix, why }: RosterRefusal): string {
  const what = prefix === undefined ? "what the registry says of it" : prefix;
  return `peer ${name} (${publicKey}) isn't given ${what}: ${why}`;
}

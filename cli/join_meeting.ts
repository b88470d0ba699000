/**
 * The first question of who has joined, as `config` would ask it by the settings that were written:
 * so the registry has this peer's endpoint and a proof of its key, and says whom it knows.
 *
 * @module
 */

import type { KnownPeer } from "../lib/core/ask/wg_config.ts";
import { givenByFile, type JoinedInterface } from "../lib/core/roster/client/joined_files.ts";
import { DEFAULT_KEEPALIVE } from "../lib/core/settings/client_options.ts";
import type { QueryResult, ServerStatus } from "../lib/core/query/query_result.ts";
import { UserError } from "../lib/core/settings/user_error.ts";
import type { Host } from "../lib/host/host.ts";
import { query } from "../lib/service/query/query.ts";
import type { Meeting } from "../lib/service/roster/joining.ts";
import { readOtherNetworks } from "../lib/wireguard/addresses.ts";
import type { Arguments } from "./arguments.ts";
import { ownKeys, queryConfig, readAsker, trustedRegistry } from "./asking.ts";
import { namesOf, rosterOf, takeRoster } from "./roster_peers.ts";

/** So long it may take, in seconds: what doesn't come of it, `sync` does. */
const TIMEOUT = 3;
const ANSWERED: ReadonlySet<ServerStatus> = new Set(["ok", "incomplete"]);
/** What is not said on the command line, the settings say. */
const NOTHING_SAID: Arguments = { operands: [], texts: () => undefined };

/** What came of it, and what a person should know of it. */
export interface FirstMeeting extends Meeting {
  /** A line each. */
  readonly warnings: readonly string[];
}

/**
 * Asks. @param settings The file that has them.
 *
 * @throws {UserError} Where this peer isn't registered then.
 */
export async function meetRegistry(
  host: Host,
  { name, listenPort, addresses }: JoinedInterface,
  settings: string,
): Promise<FirstMeeting> {
  const flags = { config: settings, interface: name, "no-register": false };
  const asker = await readAsker(host, NOTHING_SAID, flags, name);
  const { options } = asker;
  const keys = await ownKeys(host, asker);
  const asked = await queryConfig(host, asker, options.servers, {
    id: keys?.publicKey,
    privateKey: keys?.privateKey,
  });
  const trusted = trustedRegistry(options, asked, `[sync.${name}]`);
  const networks = await readOtherNetworks(host, name).catch(() => undefined);
  const result = await query(host, { ...asked, port: listenPort, timeout: TIMEOUT });
  const { publicKey, peers, servers, unix, warnings } = result;
  if (!result.registered || servers.every(({ status }) => !ANSWERED.has(status))) {
    throw new UserError(whyNot(result), result.status);
  }
  const isSaid = servers.some(({ roster }) => roster !== undefined);
  const roster = rosterOf(result);
  const seen = new Map(peers.map((peer) => [peer.publicKey, peer]));
  const others = [...roster.values()].filter((each) =>
    !each.isGone && each.publicKey !== publicKey
  );
  // Where this host's networks aren't known, nothing is let in.
  const { taken, steps, warnings: refused } = takeRoster(result, new Map(), {
    trusted: networks === undefined ? [] : trusted?.networks ?? [],
    addresses: [...addresses, ...host.localAddresses()],
    networks: networks ?? [],
    endpoints: others.flatMap((each) => seen.get(each.publicKey)?.address ?? []),
  });
  const names = namesOf(new Map(), roster);
  return {
    // A roster is told to none but those whose key is proved.
    isProved: isSaid || publicKey !== undefined && seen.get(publicKey)?.isProved === true,
    known: isSaid ? others.length : undefined,
    peers: [...taken].map(([key, allowedIps]): KnownPeer => ({
      publicKey: key,
      name: names.get(key),
      seen: seen.get(key),
      allowedIps,
      persistentKeepalive: options["persistent-keepalive"] ?? DEFAULT_KEEPALIVE,
      presharedKey: undefined,
    })),
    given: givenByFile(steps, addresses),
    unix,
    warnings: [...warnings, ...refused],
  };
}

/** The registry has just taken this peer in: what else is said of silence is not the reason. */
function whyNot({ servers, warnings }: QueryResult): string {
  const silent = servers.find(({ status }) => status === "no-answer");
  return silent === undefined
    ? warnings.join("; ")
    : `${silent.server} has not answered this within ${TIMEOUT} s`;
}

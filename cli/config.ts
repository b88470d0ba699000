/**
 * `wgsig config`: asks once, prints a WireGuard configuration.
 *
 * @module
 */

import { formatKey } from "../lib/core/net/peer_key.ts";
import {
  CONFIG_FLAGS,
  DEFAULT_KEEPALIVE,
  type PeerSettings,
} from "../lib/core/settings/client_options.ts";
import { resolve } from "../lib/core/settings/option.ts";
import { peerDoubts } from "../lib/core/settings/peer_doubts.ts";
import {
  formatFile,
  formatFragment,
  type KnownPeer,
  type OwnInterface,
} from "../lib/core/ask/wg_config.ts";
import { takeZoneIps, type ZoneIps } from "../lib/core/ask/allowed_ips.ts";
import { ageOf, endpointOf } from "../lib/core/ask/sighting.ts";
import type { Host } from "../lib/host/host.ts";
import { type LoadedSettings, readPrivateKey } from "../lib/service/files/files.ts";
import type { QueryResult } from "../lib/core/query/query_result.ts";
import { query } from "../lib/service/query/query.ts";
import { outputFile, readFormer, writeOutput } from "../lib/service/files/output.ts";
import { type ExitStatus, UserError } from "../lib/core/settings/user_error.ts";
import { readDevice } from "../lib/wireguard/device.ts";
import type { Arguments } from "./arguments.ts";
import { namesOf, rosterOf, takeRoster } from "./roster_peers.ts";
import {
  askedServers,
  filesOf,
  namesKey,
  needsKey,
  ownKeys,
  ownPublicKey,
  peersByKey,
  queryConfig,
  readAsker,
  refuseOtherKey,
  trustedRegistry,
} from "./asking.ts";
import { withoutOwnSync } from "./own_sync.ts";

/** Runs `wgsig config`. */
export async function runConfig(host: Host, args: Arguments): Promise<ExitStatus> {
  const flags = resolve(CONFIG_FLAGS, args);
  if (flags.import !== undefined) {
    return await (await import("./import.ts")).runImport(host, args, flags.import);
  }
  if (flags.keys !== undefined) throw new UserError("--keys goes with --import FILE alone");
  const asker = await readAsker(host, args, flags, args.operands[0] ?? flags.interface);
  const { loaded, options, device } = asker;
  const { address: addresses } = options;
  const output = outputFile(flags.output);
  // What must not be written is told before a server is asked.
  const named = output === undefined ? [] : filesOf(asker);
  if (output !== undefined) await readFormer(host, output, named);
  const keys = await ownKeys(host, asker);
  const privateKey = keys?.privateKey;
  const servers = askedServers(options.servers);
  const whole = privateKey !== undefined || addresses.length > 0;
  const id = whole || needsKey(servers) || namesKey(asker)
    ? await ownPublicKey(host, asker, keys)
    : undefined;
  refuseOtherKey(id, keys?.publicKey, options["private-key-file"]);
  const asked = await queryConfig(host, asker, servers, { id, privateKey });
  // The port of an interface that is up is WireGuard's: another's endpoint would mislead its peers.
  const running = device === undefined || !asked.anyPort
    ? undefined
    : await readDevice(host, device).catch(() => undefined);
  const config = running === undefined ? asked : { ...asked, port: 0, register: false };
  const configured = await knownSettings(host, loaded);
  const trusted = trustedRegistry(
    options,
    asked,
    device === undefined ? "[sync.NAME]" : `[sync.${device}]`,
  );

  const result = await query(host, config);
  const { publicKey } = result;
  const unlisted = publicKey !== undefined && configured.size > 0 && !configured.has(publicKey)
    ? [`no [[peer]] of ${loaded.path} has this host's key ${publicKey}; do the others' have it?`]
    : [];
  const doubts = peerDoubts(peersByKey(loaded), { publicKey, addresses });
  const warnings = await withoutOwnSync(host, result.warnings, config.port);
  for (const warning of [...unlisted, ...doubts, ...warnings]) {
    host.err.write(`wgsig: ${warning}\n`);
  }
  if (!result.servers.some(({ status }) => status === "ok" || status === "incomplete")) {
    return result.status;
  }
  const own: OwnInterface = {
    publicKey: result.publicKey,
    privateKey: privateKey && formatKey(privateKey),
    addresses,
    listenPort: result.registered
      ? result.port
      : whole
      ? running?.listenPort || asked.port || undefined
      : undefined,
  };
  const keepalive = options["persistent-keepalive"] ?? (whole ? DEFAULT_KEEPALIVE : undefined);
  const fromRoster = trusted === undefined ? undefined : takeRoster(result, peersByKey(loaded), {
    trusted: trusted.networks,
    addresses,
    networks: [],
    endpoints: [],
  });
  for (const warning of fromRoster?.warnings ?? []) host.err.write(`wgsig: ${warning}\n`);
  const zoneIps = zoneIpsOf(result, configured, options["trust-allowed-ips"]);
  for (const warning of zoneIps.warnings) host.err.write(`wgsig: ${warning}\n`);
  const names = namesOf(peersByKey(loaded), rosterOf(result));
  const peers = knownPeers(result, { configured, names, roster: fromRoster?.taken }, {
    zoneIps: zoneIps.taken,
    keepalive,
    whole,
  });
  const format = flags.format === "json" ? formatJson : whole ? formatFile : formatFragment;
  const text = format(own, peers, result.unix);
  if (output === undefined) host.out.write(text);
  else {
    const copy = await writeOutput(host, output, text, named);
    if (copy !== undefined) {
      host.err.write(`wgsig: ${output} had what wgsig did not write: that is in ${copy} now\n`);
    }
  }
  return result.status;
}

/** A peer of the settings, with what its files hold. */
interface ConfiguredPeer {
  readonly settings: PeerSettings;
  readonly presharedKey: string | undefined;
}

async function knownSettings(
  host: Host,
  loaded: LoadedSettings,
): Promise<Map<string, ConfiguredPeer>> {
  const configured = new Map<string, ConfiguredPeer>();
  for (const [key, settings] of peersByKey(loaded)) {
    const path = settings["preshared-key-file"];
    const presharedKey = path === undefined ? undefined : formatKey(
      await readPrivateKey(host, path, "preshared key file", "psk"),
    );
    configured.set(key, { settings, presharedKey });
  }
  return configured;
}

/** What is taken of the AllowedIPs that zones name, for peers of which the settings name none. */
function zoneIpsOf(
  { sightings, publicKey }: QueryResult,
  configured: ReadonlyMap<string, ConfiguredPeer>,
  trustedZones: readonly string[],
): ZoneIps {
  const known = (key: string) => configured.get(key)?.settings["allowed-ips"];
  return takeZoneIps(
    [...sightings].flatMap(([key, seen]) =>
      key !== publicKey && known(key) === undefined ? [seen] : []
    ),
    trustedZones,
    [...configured.keys()].flatMap((key) => known(key) ?? []),
  );
}

/** The registries' peers in their order, then those that only the settings know. */
function knownPeers(
  { peers, publicKey }: QueryResult,
  { configured, names, roster = new Map() }: {
    readonly configured: ReadonlyMap<string, ConfiguredPeer>;
    readonly names: ReadonlyMap<string, string>;
    readonly roster: ReadonlyMap<string, readonly string[]> | undefined;
  },
  { zoneIps, keepalive, whole }: {
    readonly zoneIps: ReadonlyMap<string, readonly string[]>;
    readonly keepalive: number | undefined;
    readonly whole: boolean;
  },
): KnownPeer[] {
  const seen = new Map(peers.map((peer) => [peer.publicKey, peer]));
  const absent = whole
    ? [...new Set([...configured.keys(), ...roster.keys()])]
      .filter((key) => !seen.has(key) && key !== publicKey)
    : [];
  return [...seen.keys(), ...absent].map((key) => {
    const known = configured.get(key);
    return {
      publicKey: key,
      name: names.get(key),
      seen: seen.get(key),
      allowedIps: roster.get(key) ?? known?.settings["allowed-ips"] ?? zoneIps.get(key),
      persistentKeepalive: known?.settings["persistent-keepalive"] ?? keepalive,
      presharedKey: known?.presharedKey,
    };
  });
}

/** The same as JSON, without the keys that nobody else may know. */
function formatJson(own: OwnInterface, peers: readonly KnownPeer[], unix: number): string {
  const self = peers.find(({ publicKey }) => publicKey === own.publicKey)?.seen;
  const shown = {
    schema: 1,
    interface: {
      publicKey: own.publicKey ?? null,
      endpoint: self === undefined ? null : endpointOf(self),
      addresses: own.addresses,
      listenPort: own.listenPort ?? null,
    },
    peers: peers.filter(({ publicKey }) => publicKey !== own.publicKey).map((peer) => ({
      publicKey: peer.publicKey,
      name: peer.name ?? null,
      endpoint: peer.seen === undefined ? null : endpointOf(peer.seen),
      seen: peer.seen?.seconds ?? null,
      age: (peer.seen && ageOf(peer.seen, unix)) ?? null,
      allowedIps: peer.allowedIps ?? null,
      persistentKeepalive: peer.persistentKeepalive ?? null,
    })),
  };
  return `${JSON.stringify(shown, undefined, 2)}\n`;
}

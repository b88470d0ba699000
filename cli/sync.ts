/**
 * `wgsig sync`: flags and settings in, an interface whose endpoints are right.
 *
 * @module
 */

import { formatKey } from "../lib/core/net/peer_key.ts";
import { SYNC, SYNC_FLAGS } from "../lib/core/settings/client_options.ts";
import { peerDoubts } from "../lib/core/settings/peer_doubts.ts";
import { resolve, type Resolved } from "../lib/core/settings/option.ts";
import type { Host } from "../lib/host/host.ts";
import { type LoadedSettings, readPrivateKey, settingsReader } from "../lib/service/files/files.ts";
import { isJournal } from "../lib/service/log/journal.ts";
import type { SyncConfig } from "../lib/service/sync/config.ts";
import { sync } from "../lib/service/sync/sync.ts";
import { type ExitStatus, UserError } from "../lib/core/settings/user_error.ts";
import { checkInterfaceName } from "../lib/wireguard/device.ts";
import {
  askedServers,
  interfaceSettings,
  namedKey,
  peersByKey,
  questionConfig,
  trustedRegistry,
  unusedSections,
} from "./asking.ts";
import type { Arguments } from "./arguments.ts";
import { siteConfigOf } from "./http_status.ts";
import { refuseSecret } from "./secret_keys.ts";

/** Runs `wgsig sync`. */
export async function runSync(host: Host, args: Arguments): Promise<ExitStatus> {
  const flags = resolve(SYNC_FLAGS, args);
  const read = settingsReader(host, flags.config);
  return await sync(host, async () => await readConfig(host, args, flags, await read()));
}

async function readConfig(
  host: Host,
  args: Arguments,
  flags: Resolved<typeof SYNC_FLAGS>,
  loaded: LoadedSettings,
): Promise<SyncConfig> {
  const sections = [...(loaded.settings.sync?.keys() ?? [])];
  const name = args.operands[0] ?? (sections.length === 1 ? sections[0] : undefined);
  if (name === undefined) {
    throw new UserError("which interface? Name one, such as wg0: wgsig sync wg0");
  }
  checkInterfaceName(name);
  const unused = unusedSections(loaded, name);
  try {
    return { ...await configOf(host, args, flags, loaded, name), unused };
  } catch (error) {
    // Nothing will be logged.
    if (unused !== undefined) host.err.write(`wgsig: ${unused}\n`);
    throw error;
  }
}

async function configOf(
  host: Host,
  args: Arguments,
  flags: Resolved<typeof SYNC_FLAGS>,
  loaded: LoadedSettings,
  name: string,
): Promise<SyncConfig> {
  const options = resolve(SYNC, args, interfaceSettings(loaded, name));
  if (options.lease && flags.once) {
    throw new UserError("--lease holds addresses, and --once doesn't stay; leave one of them out");
  }
  const servers = askedServers(options.servers, options.lease);
  const known = peersByKey(loaded);
  const peers = new Map(
    [...known].map(([key, peer]) => [
      key,
      { name: peer.name, allowedIps: peer["allowed-ips"], relay: peer.relay },
    ]),
  );
  const question = await questionConfig(host, options, servers);
  return {
    ...question,
    interface: name,
    register: options.register,
    relay: options.relay,
    hard: {
      isOn: options["punch-hard"] === "on",
      mappings: options["punch-mappings"],
      probes: options["punch-probes"],
      rate: options["punch-rate"],
    },
    interval: options.interval,
    once: flags.once,
    dryRun: flags["dry-run"],
    addPeers: options["add-peers"],
    trustedZones: options["trust-allowed-ips"],
    trustRegistry: await followed(trustedRegistry(options, question, `[sync.${name}]`)),
    lease: options.lease
      ? { acceptRoutes: options["lease-routes"], isTrusted: options["trust-lease"] }
      : undefined,
    untilGone: options["until-gone"],
    addRoutes: options["add-routes"],
    mendRoutes: options["mend-routes"],
    movePort: options["move-port"],
    portMap: options["port-map"] === "auto",
    persistentKeepalive: options["persistent-keepalive"],
    peers,
    // The own key may be the interface's alone: for this host's own address, doctor and config look.
    doubts: peerDoubts(known, { publicKey: undefined, addresses: [] }),
    readKey: async () => {
      const key = await namedKey(host, { loaded, options });
      refuseSecret(key, question.secret);
      return key && formatKey(key);
    },
    readPrivateKey: async () => {
      const path = options["private-key-file"];
      return path === undefined ? undefined : await readPrivateKey(host, path);
    },
    site: flags.once ? undefined : await siteConfigOf(host, options),
    report: {
      log: {
        format: flags["log-format"],
        verbosity: "normal",
        isJournal: isJournal(host, host.out),
      },
      hook: options.hook,
    },
  };
}

/** What follows rosters, where that is wanted. */
async function followed(
  trusted: ReturnType<typeof trustedRegistry>,
): Promise<SyncConfig["trustRegistry"]> {
  if (trusted === undefined) return undefined;
  const { SyncedRoster } = await import("../lib/core/sync/synced_roster.ts");
  return { ...trusted, follow: (...on) => new SyncedRoster(...on) };
}

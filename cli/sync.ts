/**
 * `wgsig sync`: flags and settings in, an interface whose endpoints are right.
 *
 * @module
 */

import { duration } from "../lib/core/settings/reader.ts";
import { lookInterval, registerMode } from "../lib/core/settings/settings.ts";
import type { Host } from "../lib/host/host.ts";
import { loadSettings } from "../lib/service/files/files.ts";
import { sync } from "../lib/service/sync/sync.ts";
import { type ExitStatus, UserError } from "../lib/core/settings/user_error.ts";
import { askedServers, interfaceSettings, peersByKey, questionConfig } from "./asking.ts";
import type { Arguments } from "./options.ts";

const DEFAULT_INTERVAL = 25;
const DEFAULT_KEEPALIVE = 25;
/** Shorter than that of `query`: the next look comes anyway. */
const DEFAULT_TIMEOUT = 3;

/** Runs `wgsig sync`. */
export async function runSync(host: Host, args: Arguments): Promise<ExitStatus> {
  const loaded = await loadSettings(host, args.text("config"));
  const sections = [...(loaded.settings.sync?.keys() ?? [])];
  const name = args.operands[0] ?? (sections.length === 1 ? sections[0] : undefined);
  if (name === undefined) {
    throw new UserError("which interface? Name one, such as wg0: wgsig sync wg0");
  }
  const settings = interfaceSettings(loaded, name);
  const leases = args.has("lease") || settings.lease === true;
  if (leases && args.has("once")) {
    throw new UserError("--lease holds addresses, and --once doesn't stay; leave one of them out");
  }
  const servers = askedServers(settings, args.texts("server"), leases);
  const question = await questionConfig(host, args, loaded, settings, servers);
  const peers = new Map(
    [...peersByKey(loaded)].map(([key, peer]) => [
      key,
      { name: peer.name, allowedIps: peer["allowed-ips"] },
    ]),
  );
  return await sync(host, {
    ...question,
    timeout: args.read("timeout", duration) ?? settings.timeout ?? DEFAULT_TIMEOUT,
    interface: name,
    register: args.read("register", registerMode) ?? settings.register ?? "auto",
    interval: args.read("interval", lookInterval) ?? settings.interval ?? DEFAULT_INTERVAL,
    once: args.has("once"),
    dryRun: args.has("dry-run"),
    addPeers: args.has("add-peers") || settings["add-peers"] === true,
    trustedZones: settings["trust-allowed-ips"] ?? [],
    lease: leases
      ? {
        acceptRoutes: settings["lease-routes"] === true,
        isTrusted: settings["trust-lease"] === true,
      }
      : undefined,
    untilGone: args.has("until-gone") || settings["until-gone"] === true,
    mendRoutes: settings["mend-routes"] === true,
    persistentKeepalive: settings["persistent-keepalive"] ?? DEFAULT_KEEPALIVE,
    peers,
    report: {
      log: { format: args.has("json") ? "json" : "text", verbosity: "normal" },
      hook: args.text("hook") ?? settings.hook,
    },
  });
}

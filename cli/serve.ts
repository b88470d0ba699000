/**
 * `wgsig serve`: flags and settings in, the registry's configuration out.
 *
 * @module
 */

import { formatHostPort, type HostPort } from "../lib/core/net/host_port.ts";
import { ADDRESS_SIZE, parseAddress } from "../lib/core/net/ip_address.ts";
import { DEFAULT_PORT, PUNCH_PORT } from "../lib/core/ask/server_name.ts";
import {
  DEFAULT_SECRET_FILE,
  groupNumber,
  MAX_PEERS,
  serveEncryption,
  type ServeSettings,
} from "../lib/core/settings/settings.ts";
import { addressPort, choice, duration, hostPort, integer } from "../lib/core/settings/reader.ts";
import { errorCode } from "../lib/host/error.ts";
import type { Host } from "../lib/host/host.ts";
import { besideSettings, type LoadedSettings, loadSettings } from "../lib/service/files/files.ts";
import type { Verbosity } from "../lib/service/log/log.ts";
import { serve, type ServeConfig, type ServedGroup } from "../lib/service/serve/serve.ts";
import { type ExitStatus, UserError } from "../lib/core/settings/user_error.ts";
import { WireBuffer } from "../lib/wire/bytes/wire_buffer.ts";
import type { Arguments } from "./options.ts";
import { dnsConfig, wantsDns } from "./serve_dns.ts";
import { leaseConfig, wantsLeases } from "./serve_lease.ts";

const DEFAULT_LISTEN: readonly HostPort[] = [
  { host: "0.0.0.0", port: DEFAULT_PORT },
  { host: "::", port: DEFAULT_PORT },
];
const DEFAULT_PUNCH: HostPort = { host: "0.0.0.0", port: PUNCH_PORT };
const MAX_SECRET = 4096;
const DEFAULT_MAX_ANSWER = 1000;
const DEFAULT_MAX_AGE = 86_400;
const DEFAULT_WINDOW = 30;

/** Runs `wgsig serve`. */
export function runServe(host: Host, args: Arguments): Promise<ExitStatus> {
  return serve(host, async () => {
    const loaded = await loadSettings(host, args.text("config"));
    return await serveConfig(host, args, loaded);
  });
}

async function serveConfig(
  host: Host,
  args: Arguments,
  loaded: LoadedSettings,
): Promise<ServeConfig> {
  const settings = loaded.settings.serve ?? {};
  const listen = args.readAll("listen", hostPort()) ?? settings.listen;
  for (const address of listen ?? []) checkIsAddress(address);
  if (listen?.length === 0) {
    throw new UserError(
      `${loaded.path}: serve.listen is empty; leave it out for the usual addresses`,
    );
  }
  const state = settings.state === undefined ? undefined : besideSettings(settings.state, loaded);
  const dns = wantsDns(args, loaded);
  const leases = wantsLeases(args, loaded);
  const punch = args.text("punch") === ""
    ? DEFAULT_PUNCH
    : args.read("punch", addressPort(PUNCH_PORT)) ?? settings.punch;
  const groups = (dns || leases || punch !== undefined) && listen === undefined &&
      await isWithoutGroup(host, args, settings)
    ? []
    : servedGroups(args, settings, loaded);
  const stateFile = args.text("state") ?? state;
  return {
    listen: listen ?? DEFAULT_LISTEN,
    skipMissingAddresses: listen === undefined,
    encryption: args.read("encryption", serveEncryption) ?? settings.encryption ?? "auto",
    groups,
    dns: dns ? dnsConfig(args, loaded, groups) : undefined,
    lease: leases ? leaseConfig(args, loaded, stateFile) : undefined,
    punch,
    state: stateFile,
    maxPeers: args.number("max-peers", integer(1, MAX_PEERS)) ?? settings["max-peers"] ?? MAX_PEERS,
    maxAnswer: args.number("max-answer", integer(1, MAX_PEERS)) ?? settings["max-answer"] ??
      DEFAULT_MAX_ANSWER,
    maxAge: args.read("max-age", duration) ?? settings["max-age"] ?? DEFAULT_MAX_AGE,
    window: args.read("window", duration) ?? settings.window ?? DEFAULT_WINDOW,
    log: {
      format: args.read("log-format", choice("text", "json")) ?? settings["log-format"] ?? "text",
      verbosity: verbosity(args, settings),
    },
  };
}

/** Whether nothing is said of a group, and there is no secret for one where it is by default. */
async function isWithoutGroup(
  host: Host,
  args: Arguments,
  settings: ServeSettings,
): Promise<boolean> {
  if (["group", "secret", "allow"].some((name) => args.has(name))) return false;
  if (settings.group !== undefined) return false;
  try {
    await host.readFile(DEFAULT_SECRET_FILE, MAX_SECRET);
    return false;
  } catch (error) {
    return errorCode(error) === "ENOENT";
  }
}

/** A name would have to be looked up, and may have several addresses. */
function checkIsAddress(address: HostPort): void {
  if (parseAddress(address.host, new WireBuffer(ADDRESS_SIZE), 0)) return;
  throw new UserError(
    `cannot listen on ${formatHostPort(address)}: "${address.host}" is no IP address; ` +
      `expected ADDRESS:PORT, such as 0.0.0.0:${DEFAULT_PORT}`,
  );
}

/** The flags describe one group, and what they leave out comes from the settings of that group. */
function servedGroups(
  args: Arguments,
  settings: ServeSettings,
  loaded: LoadedSettings,
): ServedGroup[] {
  const configured = (settings.group ?? []).map((group): ServedGroup => ({
    id: group.id ?? 0,
    secretFile: besideSettings(group["secret-file"] ?? DEFAULT_SECRET_FILE, loaded),
    allowFile: group["allow-file"] && besideSettings(group["allow-file"], loaded),
    interface: group.interface,
  }));
  const flagged = ["group", "secret", "allow", "interface"].some((name) => args.has(name));
  if (!flagged && configured.length > 0) return configured;
  const id = args.number("group", groupNumber) ?? 0;
  const same = configured.find((group) => group.id === id);
  return [{
    id,
    secretFile: args.text("secret") ?? same?.secretFile ?? DEFAULT_SECRET_FILE,
    allowFile: args.text("allow") ?? same?.allowFile,
    interface: args.text("interface") ?? same?.interface,
  }];
}

function verbosity(args: Arguments, settings: ServeSettings): Verbosity {
  if (args.has("quiet") && args.has("verbose")) {
    throw new UserError("--quiet and --verbose exclude each other; give one of them");
  }
  if (args.has("quiet")) return "quiet";
  if (args.has("verbose")) return "verbose";
  return settings["log-level"] ?? "normal";
}

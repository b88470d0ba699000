/**
 * `wgsig serve`: flags and settings in, the registry's configuration out.
 *
 * @module
 */

import { formatHostPort, type HostPort } from "../lib/core/net/host_port.ts";
import { ADDRESS_SIZE, parseAddress } from "../lib/core/net/ip_address.ts";
import { DEFAULT_PORT } from "../lib/core/ask/server_name.ts";
import { CONFIG_FILE, DEFAULT_SECRET_FILE } from "../lib/core/settings/common_options.ts";
import {
  givenValue,
  type InFile,
  isGiven,
  NO_FLAGS,
  resolve,
  type Resolved,
} from "../lib/core/settings/option.ts";
import { GROUP, SERVE, type ServeSettings } from "../lib/core/settings/serve_options.ts";
import { errorCode } from "../lib/host/error.ts";
import type { Host } from "../lib/host/host.ts";
import { type LoadedSettings, settingsReader } from "../lib/service/files/files.ts";
import type { ServeConfig, ServedGroup } from "../lib/service/serve/config.ts";
import { serve } from "../lib/service/serve/serve.ts";
import type { SharedStoreConfig } from "../lib/service/shared/config.ts";
import { isJournal } from "../lib/service/log/journal.ts";
import { type ExitStatus, UserError } from "../lib/core/settings/user_error.ts";
import { WireBuffer } from "../lib/wire/bytes/wire_buffer.ts";
import type { Arguments } from "./arguments.ts";
import { dnsConfig, wantsDns } from "./serve_dns.ts";
import { siteConfigOf } from "./http_status.ts";
import { leaseConfig, wantsLeases } from "./serve_lease.ts";
import { VERSION } from "./version.ts";

const MAX_SECRET = 4096;

/** Runs `wgsig serve`. */
export function runServe(host: Host, args: Arguments): Promise<ExitStatus> {
  const read = settingsReader(host, givenValue(args, CONFIG_FILE.config));
  return serve(host, async () => await serveConfig(host, args, await read()));
}

async function serveConfig(
  host: Host,
  args: Arguments,
  loaded: LoadedSettings,
): Promise<ServeConfig> {
  const settings = loaded.settings.serve ?? {};
  const options = resolve(SERVE, args, settings);
  const { listen, punch, state, key } = options;
  for (const address of listen) checkIsAddress(address);
  if (listen.length === 0) {
    throw new UserError(
      `${loaded.path}: serve.listen is empty; leave it out for the usual addresses`,
    );
  }
  const isUsual = !isGiven(args, SERVE.listen) && settings.listen === undefined;
  const dns = wantsDns(args, loaded);
  const leases = wantsLeases(args, loaded);
  const groups = (dns || leases || punch !== undefined) && isUsual &&
      await isWithoutGroup(host, args, settings)
    ? []
    : servedGroups(args, loaded);
  return {
    version: VERSION,
    names: peerNames(loaded),
    listen,
    skipMissingAddresses: isUsual,
    publicAddress: options["public-address"],
    encryption: options.encryption,
    groups,
    dns: dns ? dnsConfig(args, loaded, groups) : undefined,
    lease: leases ? leaseConfig(args, loaded) : undefined,
    relay: options.relay
      ? {
        pairRate: options["relay-pair-rate"],
        peerRate: options["relay-peer-rate"],
        totalRate: options["relay-rate"],
        idle: options["relay-idle"],
      }
      : undefined,
    punch,
    state,
    key,
    store: storeConfig(options),
    maxPeers: options["max-peers"],
    maxAnswer: options["max-answer"],
    answerBudget: options["answer-budget"],
    maxAge: options["max-age"],
    window: options.window,
    site: await siteConfigOf(host, options),
    log: {
      format: options["log-format"],
      verbosity: options["log-level"],
      isJournal: isJournal(host, host.out),
    },
  };
}

/** @throws {UserError} Something is said of a store, and there is none. */
function storeConfig(options: Resolved<typeof SERVE>): SharedStoreConfig | undefined {
  const { store: place, "store-user": user, "store-start": start } = options;
  const { "store-password-file": passwordFile, "store-ca-file": authorityFile } = options;
  if (place !== undefined) return { place, user, passwordFile, authorityFile, start };
  const [needless] = [
    ...user === undefined ? [] : ["--store-user"],
    ...passwordFile === undefined ? [] : ["--store-password-file"],
    ...authorityFile === undefined ? [] : ["--store-ca-file"],
  ];
  if (needless === undefined) return undefined;
  throw new UserError(`${needless} is of no use without --store; name the store, or leave it out`);
}

/** What peers are called here. Other commands look for what is wrong with these tables. */
function peerNames({ settings }: LoadedSettings): ReadonlyMap<string, string> {
  return new Map((settings.peer ?? []).flatMap(({ "public-key": key, name }) => {
    return key === undefined || name === undefined ? [] : [[key, name] as const];
  }));
}

/** Whether nothing is said of a group, and there is no secret for one where it is by default. */
async function isWithoutGroup(
  host: Host,
  args: Arguments,
  settings: ServeSettings,
): Promise<boolean> {
  if (isGiven(args, GROUP.id, GROUP["secret-files"], GROUP["allow-file"])) return false;
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
function servedGroups(args: Arguments, { settings, path }: LoadedSettings): ServedGroup[] {
  const groups = settings.serve?.group ?? [];
  const i = groups.findIndex((group) => group["secret-file"] && group["secret-files"]);
  if (i >= 0) {
    throw new UserError(
      `${path}: serve.group[${i}] has secret-file and secret-files; leave one of them out`,
    );
  }
  if (!isGiven(args, ...Object.values(GROUP)) && groups.length > 0) {
    return groups.map((group) => servedGroup(resolve(GROUP, NO_FLAGS, group), isUsual(group)));
  }
  const { id } = resolve(GROUP, args);
  const same = groups.find((group) => resolve(GROUP, NO_FLAGS, group).id === id);
  const isNamed = isGiven(args, GROUP["secret-files"]) || !isUsual(same);
  return [servedGroup(resolve(GROUP, args, same), !isNamed)];
}

/** Whether settings of a group say nothing of its secret. */
function isUsual(group: InFile<typeof GROUP> | undefined): boolean {
  return group?.["secret-file"] === undefined && group?.["secret-files"] === undefined;
}

function servedGroup(options: Resolved<typeof GROUP>, isUsualSecret: boolean): ServedGroup {
  return {
    id: options.id,
    secretFiles: options["secret-files"] ?? [options["secret-file"]],
    isUsualSecret,
    allowFile: options["allow-file"],
    proof: options.proof,
    interface: options.interface,
    network: options.network,
  };
}

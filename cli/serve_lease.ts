/**
 * The lease part of `wgsig serve`: flags and settings in, the lease server's configuration out.
 *
 * @module
 */

import { leaseTime } from "../lib/core/settings/settings.ts";
import { cidr } from "../lib/core/settings/reader.ts";
import { UserError } from "../lib/core/settings/user_error.ts";
import { besideSettings, type LoadedSettings } from "../lib/service/files/files.ts";
import { checkLeases, type LeaseConfig } from "../lib/service/lease/server/service.ts";
import { checkInterfaceName } from "../lib/wireguard/device.ts";
import type { Arguments } from "./options.ts";

const DEFAULT_LEASE_TIME = 3600;
/** Leases lie beside what else is kept over a restart. */
const SUFFIX = ".leases";

/** Whether leases are asked for. */
export function wantsLeases(args: Arguments, { settings }: LoadedSettings): boolean {
  return args.has("lease") || args.has("lease-time") || args.has("configure") ||
    settings.serve?.lease !== undefined;
}

/** What is to be leased. @param state The file that keeps the registry over a restart. */
export function leaseConfig(
  args: Arguments,
  loaded: LoadedSettings,
  state: string | undefined,
): LeaseConfig {
  const settings = loaded.settings.serve?.lease ?? {};
  const name = args.text("interface") ?? settings.interface;
  if (name === undefined) {
    throw new UserError(
      "leases of which interface? Name it with --interface IF, or interface in [serve.lease] of " +
        "the settings",
    );
  }
  checkInterfaceName(name);
  const pools = args.readAll("lease", cidr) ?? settings.pools ?? [];
  if (pools.length === 0) {
    throw new UserError(
      "which addresses are to be leased? Name a pool with --lease CIDR, or pools in [serve.lease] " +
        "of the settings",
    );
  }
  const config: LeaseConfig = {
    interface: name,
    pools,
    reserved: settings.reserved ?? [],
    fixed: new Map((loaded.settings.peer ?? []).flatMap((peer) => {
      const { "public-key": key, lease } = peer;
      return key === undefined || lease === undefined ? [] : [[key, lease]];
    })),
    leaseTime: args.read("lease-time", leaseTime) ?? settings["lease-time"] ?? DEFAULT_LEASE_TIME,
    routes: settings.routes ?? [],
    state: settings.state === undefined
      ? state === undefined ? undefined : `${state}${SUFFIX}`
      : besideSettings(settings.state, loaded),
    configure: args.has("configure") || settings.configure === true,
  };
  checkLeases(config);
  return config;
}

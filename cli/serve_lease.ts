/**
 * The lease part of `wgsig serve`: flags and settings in, the lease server's configuration out.
 *
 * @module
 */

import { isGiven, resolve } from "../lib/core/settings/option.ts";
import { LEASE } from "../lib/core/settings/serve_options.ts";
import { UserError } from "../lib/core/settings/user_error.ts";
import type { LoadedSettings } from "../lib/service/files/files.ts";
import { checkLeases, type LeaseConfig } from "../lib/service/lease/server/service.ts";
import { checkInterfaceName } from "../lib/wireguard/device.ts";
import type { Arguments } from "./arguments.ts";

/** Whether leases are asked for. */
export function wantsLeases(args: Arguments, { settings }: LoadedSettings): boolean {
  return isGiven(args, LEASE.pools, LEASE["lease-time"], LEASE.configure) ||
    settings.serve?.lease !== undefined;
}

/** What is to be leased. */
export function leaseConfig(args: Arguments, loaded: LoadedSettings): LeaseConfig {
  const options = resolve(LEASE, args, loaded.settings.serve?.lease);
  const { interface: name, pools } = options;
  if (name === undefined) {
    throw new UserError(
      "leases of which interface? Name it with --interface IF, or interface in [serve.lease] of " +
        "the settings",
    );
  }
  checkInterfaceName(name);
  if (pools.length === 0) {
    throw new UserError(
      "which addresses are to be leased? Name a pool with --lease CIDR, or pools in [serve.lease] " +
        "of the settings",
    );
  }
  const config: LeaseConfig = {
    interface: name,
    pools,
    reserved: options.reserved,
    fixed: new Map((loaded.settings.peer ?? []).flatMap((peer) => {
      const { "public-key": key, lease } = peer;
      return key === undefined || lease === undefined ? [] : [[key, lease]];
    })),
    leaseTime: options["lease-time"],
    routes: options.routes,
    state: options.state,
    configure: options.configure,
  };
  checkLeases(config);
  return config;
}

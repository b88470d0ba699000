/**
 * Routes to single hosts, through `ip` (ip-route(8)): those that a set-up made for a peer's endpoint
 * and that stay when the endpoint moves.
 *
 * @module
 */

import type { Processes } from "../host/processes.ts";

/** The route to exactly this address, as `ip` prints it, or undefined where there is none. */
export async function findHostRoute(host: Processes, address: string): Promise<string | undefined> {
  const family = address.includes(":") ? "-6" : "-4";
  const prefix = `${address}/${address.includes(":") ? 128 : 32}`;
  try {
    const { code, out } = await host.run(["ip", family, "route", "show", "exact", prefix]);
    const line = out.split("\n")[0]?.trim() ?? "";
    return code === 0 && line !== "" ? line : undefined;
  } catch {
    // Without `ip` there is nothing to find.
    return undefined;
  }
}

/** Removes a route that {@linkcode findHostRoute} found; says whether it is gone. */
export async function removeHostRoute(host: Processes, route: string): Promise<boolean> {
  const family = route.includes(":") ? "-6" : "-4";
  const { code } = await host.run(["ip", family, "route", "del", ...route.split(/\s+/)]);
  return code === 0;
}

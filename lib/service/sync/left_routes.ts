/**
 * Host routes to endpoints that peers have left.
 *
 * @module
 */

import type { Processes } from "../../host/processes.ts";
import type { Device } from "../../core/net/device.ts";
import { findHostRoute, removeHostRoute } from "../../wireguard/host_route.ts";
import type { SyncReport } from "../log/sync_report.ts";

/** Notices them: such a route sends a peer's traffic astray when it comes back. */
export class LeftRoutes {
  readonly #host: Processes;
  readonly #report: SyncReport;
  readonly #mend: boolean;
  /** The hosts of the peers' endpoints at the last look. */
  #hosts = new Set<string>();

  /** @param mend Whether to remove them; else they are only named. */
  constructor(host: Processes, report: SyncReport, mend: boolean) {
    this.#host = host;
    this.#report = report;
    this.#mend = mend;
  }

  /** Looks where the peers are now. */
  async look(device: Device): Promise<void> {
    const hosts = new Set(device.peers.flatMap(({ endpoint }) => endpoint?.host ?? []));
    for (const left of this.#hosts) {
      if (hosts.has(left)) continue;
      const route = await findHostRoute(this.#host, left);
      if (route === undefined) continue;
      const removed = this.#mend && await removeHostRoute(this.#host, route);
      this.#report.event("warn", removed ? "route-removed" : "stale-route", {
        route,
        ...(removed ? {} : { hint: `no peer is there any more; remove it: ip route del ${route}` }),
      });
    }
    this.#hosts = hosts;
  }
}

/**
 * Peers that a registry knows and the interface doesn't.
 *
 * @module
 */

import { formatHostPort } from "../../core/net/host_port.ts";
import type { Processes } from "../../host/processes.ts";
import { setPeer } from "../../wireguard/device.ts";
import type { Device } from "../../core/net/device.ts";
import type { Candidates, SeenCandidate } from "./candidates.ts";
import type { SyncConfig } from "./config.ts";
import type { SyncReport } from "../log/sync_report.ts";

/** Names them once, and adds those that the settings know, where that is wanted. */
export class UnknownPeers {
  readonly #host: Processes;
  readonly #report: SyncReport;
  readonly #config: SyncConfig;
  readonly #told = new Set<string>();

  constructor(host: Processes, report: SyncReport, config: SyncConfig) {
    this.#host = host;
    this.#report = report;
    this.#config = config;
  }

  /**
   * Looks at what the registries know.
   *
   * @param candidates By public key, the newest first.
   * @returns Whether a peer was added.
   */
  async look(
    device: Device,
    candidates: Candidates,
  ): Promise<boolean> {
    const present = new Set(device.peers.map(({ publicKey }) => publicKey));
    let added = false;
    for (const [publicKey, all] of candidates) {
      const seen = all.filter(({ isClaim }) => isClaim !== true);
      if (publicKey === device.publicKey || present.has(publicKey)) continue;
      added = await this.#meet(publicKey, seen) || added;
    }
    return added;
  }

  async #meet(publicKey: string, seen: readonly SeenCandidate[]): Promise<boolean> {
    const [newest] = seen;
    if (newest === undefined) return false;
    const { endpoint } = newest;
    const { addPeers, dryRun, peers, persistentKeepalive } = this.#config;
    const { allowedIps: known, name } = peers.get(publicKey) ?? {};
    const allowedIps = known ?? seen.find((each) => each.allowedIps !== undefined)?.allowedIps;
    const fields = {
      key: publicKey,
      ...(name === undefined ? {} : { name }),
      endpoint: formatHostPort(endpoint),
    };
    const told = this.#told.has(publicKey);
    this.#told.add(publicKey);
    if (!addPeers || allowedIps === undefined) {
      const hint = addPeers
        ? "not on the interface; the settings name no allowed-ips for it, and trust nobody who does"
        : "not on the interface; --add-peers adds those that the settings know";
      if (!told) this.#report.event("info", "peer-unknown", { ...fields, hint });
      return false;
    }
    if (dryRun && told) return false;
    if (!dryRun) {
      await setPeer(this.#host, this.#config.interface, publicKey, {
        endpoint,
        allowedIps,
        persistentKeepalive: persistentKeepalive > 0 ? persistentKeepalive : undefined,
      });
    }
    this.#report.change("peer-added", {
      ...fields,
      allowedIps: allowedIps.join(","),
      ...(dryRun ? { dryRun } : {}),
    });
    return !dryRun;
  }
}

/**
 * Peers that a registry knows and the interface doesn't.
 *
 * @module
 */

import { AllowedIpsGate } from "../ask/allowed_ips.ts";
import type { Device } from "../net/device.ts";
import { formatHostPort, type HostPort } from "../net/host_port.ts";
import type { LogFields } from "../net/log_line.ts";
import type { Candidates, SeenCandidate } from "./candidates.ts";
import type { SyncNotes } from "./notes.ts";
import type { SyncedPeer } from "./options.ts";

/** A peer to add. */
export interface PeerAddition {
  /** The WireGuard public key in base64. */
  readonly publicKey: string;
  readonly endpoint: HostPort;
  readonly allowedIps: readonly string[];
  /** What to tell once it is added. */
  readonly fields: LogFields;
}

/** What is done about them. */
export interface UnknownPeersOptions {
  /** Add peers that the settings know with their AllowedIPs. */
  readonly addPeers: boolean;
  /** Say what would be done, once. */
  readonly dryRun: boolean;
  /** By public key. */
  readonly peers: ReadonlyMap<string, SyncedPeer>;
}

/** So many are named: any member of a group can register as many keys as it likes. */
const MOST_TOLD = 64;

/** Names them once, and finds those that are to be added. */
export class UnknownPeers {
  readonly #notes: SyncNotes;
  #options: UnknownPeersOptions;
  readonly #told = new Set<string>();
  #hasToldOfMore = false;

  /** Knows of none yet. */
  constructor(notes: SyncNotes, options: UnknownPeersOptions) {
    this.#notes = notes;
    this.#options = options;
  }

  /** Replaces the settings. */
  configure(options: UnknownPeersOptions): void {
    this.#options = options;
  }

  /**
   * Looks at what the registries know.
   *
   * @param candidates By public key, the newest first.
   * @returns The peers to add, also those that are only to be told of.
   */
  look({ publicKey: own, peers }: Device, candidates: Candidates): readonly PeerAddition[] {
    const present = new Set(peers.map(({ publicKey }) => publicKey));
    const gate = new AllowedIpsGate({
      configured: [...this.#options.peers.values()].flatMap(({ allowedIps }) => allowedIps ?? []),
      present: peers.flatMap(({ allowedIps }) => allowedIps),
    });
    for (const key of this.#told) if (!candidates.has(key)) this.#told.delete(key);
    return [...candidates].flatMap(([publicKey, all]) => {
      if (publicKey === own || present.has(publicKey)) return [];
      return this.#meet(publicKey, all.filter(({ isClaim }) => isClaim !== true), gate);
    });
  }

  #meet(
    publicKey: string,
    seen: readonly SeenCandidate[],
    gate: AllowedIpsGate,
  ): PeerAddition[] {
    const [newest] = seen;
    if (newest === undefined) return [];
    const { endpoint } = newest;
    const { addPeers, dryRun, peers } = this.#options;
    const { allowedIps: known, name } = peers.get(publicKey) ?? {};
    const named = seen.find((each) => each.allowedIps !== undefined)?.allowedIps;
    const fields = {
      key: publicKey,
      ...(name === undefined ? {} : { name }),
      endpoint: formatHostPort(endpoint),
    };
    const isFull = this.#told.size >= MOST_TOLD;
    const told = this.#told.has(publicKey) || isFull;
    if (!isFull) this.#told.add(publicKey);
    else if (!this.#hasToldOfMore) {
      this.#hasToldOfMore = true;
      const hint = "a member of the group registers many keys, perhaps; no more of them are named";
      this.#notes.event("warn", "many-peers-unknown", { named: MOST_TOLD, hint });
    }
    if (!addPeers || (known ?? named) === undefined) {
      const hint = addPeers
        ? "not on the interface; the settings name no allowed-ips for it, and trust nobody who does"
        : "not on the interface; --add-peers adds those that the settings know";
      if (!told) this.#notes.event("info", "peer-unknown", { ...fields, hint });
      return [];
    }
    if (dryRun && told) return [];
    const { taken, refused } = gate.take(known === undefined ? named ?? [] : []);
    if (refused.length > 0 && !told) {
      const hint = "other peers have them; name this peer's in a [[peer]] of the settings";
      const left = { ...fields, allowedIps: refused.join(","), hint };
      this.#notes.event("warn", "allowed-ips-refused", left);
    }
    const allowedIps = known ?? taken;
    if (known === undefined && taken.length === 0) return [];
    return [{
      publicKey,
      endpoint,
      allowedIps,
      fields: {
        ...fields,
        allowedIps: allowedIps.join(","),
        ...(dryRun ? { dryRun } : {}),
      },
    }];
  }
}

/**
 * What `serve` is to do.
 *
 * @module
 */

import type { HostPort } from "../../core/net/host_port.ts";
import type { ProofPolicy } from "../../core/registry/group.ts";
import type { RegistryOptions } from "../../core/registry/registry.ts";
import type { RelayOptions } from "../../core/relay/relay.ts";
import type { DnsConfig } from "../zone/server/zones.ts";
import type { LeaseConfig } from "../lease/server/service.ts";
import type { SharedStoreConfig } from "../shared/config.ts";
import type { SiteConfig } from "../http/site.ts";
import type { LogOptions } from "../log/log.ts";

/** A group as it is configured. */
export interface ServedGroup {
  readonly id: number;
  /** One, or while its secret changes the new one's and the old one's. */
  readonly secretFiles: readonly string[];
  /** Whether nobody has named it: it is where it is by default. */
  readonly isUsualSecret: boolean;
  readonly allowFile: string | undefined;
  /** Who is registered. */
  readonly proof: ProofPolicy;
  /** A WireGuard interface of this host, whose peers are offered to the group. */
  readonly interface: string | undefined;
  /** Networks of the tunnel; none where they are drawn. */
  readonly network: readonly string[];
}

/** What `serve` is to do. */
export interface ServeConfig extends RegistryOptions {
  /** The program's own. */
  readonly version: string;
  /** What the settings call peers, by public key. */
  readonly names: ReadonlyMap<string, string>;
  readonly listen: readonly HostPort[];
  /** Where peers reach this server, where that is said; port 0 is the one that it has. */
  readonly publicAddress: HostPort | undefined;
  /**
   * Whether an address that this host doesn't have at all is passed over, and a further port that is
   * another program's: the defaults are.
   */
  readonly skipMissingAddresses: boolean;
  /** Without one, the wgsig protocol is not served. */
  readonly groups: readonly ServedGroup[];
  /** The file that keeps peers, and leases that have no file of their own, over a restart. */
  readonly state: string | undefined;
  /** The file of the registry's own key; beside the state file if left out. */
  readonly key: string | undefined;
  /** Where it is shared with other registries, if it is. */
  readonly store?: SharedStoreConfig | undefined;
  readonly maxPeers: number;
  readonly maxAnswer: number;
  /** Bytes a second that a source gets beyond the first datagram of its answers; 0 is no limit. */
  readonly answerBudget: number;
  /** In seconds. */
  readonly maxAge: number;
  /** The addresses that are leased, if any are. */
  readonly lease: LeaseConfig | undefined;
  /** The zones that are served, if any are. */
  readonly dns: DnsConfig | undefined;
  /** What is relayed, if anything is. */
  readonly relay: Omit<RelayOptions, "macRate"> | undefined;
  /** Where WireGuard's hole-punching example is answered, if it is. */
  readonly punch: HostPort | undefined;
  /** What is said over HTTP, and in a file of metrics; undefined for nothing. */
  readonly site?: SiteConfig | undefined;
  readonly log: LogOptions;
}

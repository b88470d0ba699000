/**
 * What keeping an interface's endpoints right is told to do.
 *
 * @module
 */

import type { ServerName } from "../ask/server_name.ts";
import type { HardOptions } from "../path/hard_way.ts";
import type { RelayMode } from "../path/relay_wish.ts";
import type { ActionQueue } from "./action_queue.ts";
import type { SyncNotes } from "./notes.ts";
import type { RegisterMode } from "./registration.ts";
import type { SyncedRoster } from "./synced_roster.ts";
import type { TunnelRoutes } from "./tunnel_routes.ts";

/** What the settings know of a peer. */
export interface SyncedPeer {
  readonly name: string | undefined;
  readonly allowedIps: readonly string[] | undefined;
  /** Whether it may be reached through a registry's relay; undefined for what holds for all. */
  readonly relay?: RelayMode | undefined;
}

/** What `sync` is to do. */
export interface SyncOptions {
  /** The name of the interface. */
  readonly interface: string;
  readonly servers: readonly ServerName[];
  readonly register: RegisterMode;
  /** Seconds between two looks at an interface whose peers are all alive. */
  readonly interval: number;
  /** One look, without waiting for the interface. */
  readonly once: boolean;
  /** Say what would be done, and do nothing. */
  readonly dryRun: boolean;
  /** Add peers that the settings know with their AllowedIPs. */
  readonly addPeers: boolean;
  /** Set routes to the AllowedIPs of peers that are added; else only those that lack are named. */
  readonly addRoutes: boolean;
  /** Seconds to set where a peer has none; 0 leaves it. */
  readonly persistentKeepalive: number;
  /** Whether addresses are leased from inside the tunnel, and how; undefined where not. */
  readonly lease: {
    /** Whether routes that the server tells of are set. */
    readonly acceptRoutes: boolean;
    /** Whether the server's word on AllowedIPs is taken for peers that are added. */
    readonly isTrusted: boolean;
  } | undefined;
  /** Whether to end when the interface goes away, instead of waiting for its return. */
  readonly untilGone: boolean;
  /** DNS zones whose word on AllowedIPs is taken for peers that are added. */
  readonly trustedZones: readonly string[];
  /**
   * Whether peers are taken from what registries know by name, the networks in which what they are
   * given must lie, and what does that; undefined where not.
   */
  readonly trustRegistry: {
    readonly networks: readonly string[];
    readonly follow: (
      ...on: readonly [ActionQueue, SyncNotes, TunnelRoutes]
    ) => SyncedRoster;
  } | undefined;
  /** Remove the host route to an endpoint that a peer has left; else it is only named. */
  readonly mendRoutes: boolean;
  /** Have WireGuard listen on another port where a NAT keeps an old mapping for it. */
  readonly movePort: boolean;
  /** Have the gateways of this host forward WireGuard's port. */
  readonly portMap: boolean;
  /** Whether peers may be reached through a registry's relay. */
  readonly relay: RelayMode;
  /** What may be tried where a NAT is sequential or hard. */
  readonly hard: HardOptions;
  /** By public key. */
  readonly peers: ReadonlyMap<string, SyncedPeer>;
}

/**
 * What is said of an interface when `wgsig status` asks.
 *
 * @module
 */

import type { ServerName } from "../ask/server_name.ts";
import type { Now } from "../net/clock.ts";
import type { Device } from "../net/device.ts";
import { formatHostPort } from "../net/host_port.ts";
import { peerReport } from "../status/peer_report.ts";
import type { InterfaceReport } from "../status/report.ts";
import type { HeardServers } from "./heard_servers.ts";
import type { OwnEndpoint } from "./own_endpoint.ts";
import type { SettledMode } from "./registration.ts";
import type { SyncedPaths } from "./synced_paths.ts";
import type { SyncedPeers } from "./synced_peers.ts";

/** Peers that are told of; of others there is their number. */
const MOST_PEERS = 1000;

/** Who knows what. */
export interface InterfaceParts {
  /** The interface's name. */
  readonly name: string;
  readonly register: SettledMode;
  readonly own: Pick<OwnEndpoint, "endpoints">;
  readonly peers: Pick<SyncedPeers, "facts" | "relays">;
  readonly paths: Pick<SyncedPaths, "own" | "isOpen" | "wayTo">;
  readonly servers: Pick<HeardServers, "answers" | "report">;
  /** All servers, by name. */
  readonly named: readonly ServerName[];
}

/** Says it. @param device The interface as it was read last; undefined where there is none. */
export function interfaceReport(
  { name, register, own, peers, paths, servers, named }: InterfaceParts,
  device: Device | undefined,
  now: Now,
): Omit<InterfaceReport, "lease"> {
  const facts = {
    relays: peers.relays,
    probes: paths.isOpen,
    answers: servers.answers,
    nat: paths.own.mapping.nat,
  };
  const all = device?.peers ?? [];
  return {
    kind: "sync",
    interface: name,
    present: device !== undefined,
    publicKey: device?.publicKey ?? null,
    port: device?.listenPort ?? null,
    register: device === undefined ? null : register,
    endpoints: device === undefined ? [] : own.endpoints,
    mapped: paths.own.mapped.map(formatHostPort),
    nat: paths.own.mapping.nat,
    servers: servers.report(named, now.mono),
    peers: all.slice(0, MOST_PEERS).map((peer) =>
      peerReport({ ...peers.facts(peer, now), way: paths.wayTo(peer.publicKey, now) }, facts)
    ),
    more: Math.max(0, all.length - MOST_PEERS),
  };
}

/**
 * What servers said, in whatever language they were asked, and what that comes to.
 *
 * @module
 */

import type { RegistryStatus } from "../ask/asked_registry.ts";
import type { HostPort } from "../net/host_port.ts";
import type { PortSight } from "../ask/nat_verdict.ts";
import type { Roster } from "../roster/client/entry.ts";
import type { ExitStatus } from "../settings/user_error.ts";
import type { ZoneStatus } from "../zone/client/exchange.ts";
import type { Sighting } from "../ask/sighting.ts";

/** What became of one server. */
export type ServerStatus = RegistryStatus | ZoneStatus;

/** What one server did. */
export interface ServerOutcome {
  /** The server as it was named. */
  readonly server: string;
  readonly status: ServerStatus;
  /** Datagrams received of those that its answer has; of a registry. */
  readonly received: number | undefined;
  readonly expected: number | undefined;
  /** Where it saw the socket that asked, if that was registered. */
  readonly ownEndpoint: HostPort | undefined;
  /** The same over IPv6, where `ownEndpoint` is that over IPv4. */
  readonly ownIpv6?: HostPort | undefined;
  /** Where it relays between peers: where it was asked from WireGuard's port; of a registry that does. */
  readonly relay?: HostPort | undefined;
  /** Other ports of the address that WireGuard's port has asked, at which it listens. */
  readonly also?: readonly number[] | undefined;
  /** Which version of the wgsig protocol it has answered in; of a registry. */
  readonly protocol?: 1 | 2 | undefined;
  /** Its public key in base64, where it has one. */
  readonly serverKey?: string | undefined;
  /** Where its ports have seen WireGuard's over IPv4, in the order asked: how the own NAT maps that. */
  readonly mapping?: readonly HostPort[] | undefined;
  /** Seconds from its question that was answered last to the answer; of a registry, in wgsig 2. */
  readonly roundTrip?: number | undefined;
  /** Where each of its ports that was asked has seen the own one, where that was wanted. */
  readonly sights?: readonly PortSight[] | undefined;
  /** What it has told of the peers that it knows by name, where that was asked for; of a registry. */
  readonly roster?: Roster | undefined;
  /** The IP address that it has answered from last; of a registry. */
  readonly address?: string | undefined;
  /** What a person should know of it. */
  readonly warning?: string | undefined;
}

/** What all servers said. */
export interface QueryResult {
  readonly servers: readonly ServerOutcome[];
  /** The own public key in base64, where it is known. */
  readonly publicKey: string | undefined;
  /** The port that was asked from. */
  readonly port: number;
  /** Whether the servers were asked to take down the endpoint of that port. */
  readonly registered: boolean;
  /** What is newest of each peer, the own record among them, in the order in which they came. */
  readonly peers: readonly Sighting[];
  /** By public key: every endpoint that some server knows, the newest first. */
  readonly sightings: ReadonlyMap<string, readonly Sighting[]>;
  /** The wall clock at the end, in seconds. */
  readonly unix: number;
  /** How a command that asked this ends. */
  readonly status: ExitStatus;
  /** What a person should know, a line each: of all servers, and of the question itself. */
  readonly warnings: readonly string[];
  /** Those of them that are of the question itself. */
  readonly notes: readonly string[];
}

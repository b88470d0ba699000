/**
 * What registries said.
 *
 * @module
 */

import type { RegistryStatus } from "../../core/ask/asked_registry.ts";
import type { PortSight } from "../../core/ask/nat_verdict.ts";
import type { RegistryName } from "../../core/ask/server_name.ts";
import type { Sighting } from "../../core/ask/sighting.ts";
import type { HostPort } from "../../core/net/host_port.ts";
import type { Roster } from "../../core/roster/client/entry.ts";

/** What one registry said. */
export interface RegistryOutcome {
  readonly name: RegistryName;
  readonly status: RegistryStatus;
  /** Datagrams received of those that its answer has. */
  readonly received: number;
  readonly expected: number | undefined;
  /** The IP address that answered; undefined where none did. */
  readonly address: string | undefined;
  /** Where it saw the socket that asked, if that was registered. */
  readonly ownEndpoint: HostPort | undefined;
  /** The same over IPv6, where `ownEndpoint` is that over IPv4. */
  readonly ownIpv6?: HostPort | undefined;
  /** Where it relays between peers that have asked it, where it does. */
  readonly relay?: HostPort | undefined;
  /** Other ports at which it listens on the address that the own port has asked. */
  readonly also?: readonly number[] | undefined;
  /** Where its ports have seen the own port over IPv4, in the order in which they were asked. */
  readonly mapping?: readonly HostPort[] | undefined;
  /** Seconds from its question that was answered last to the answer, in wgsig 2. */
  readonly roundTrip?: number | undefined;
  /** Where each of its ports that was asked has seen the own one, where that was wanted. */
  readonly sights?: readonly PortSight[] | undefined;
  /** What the system said, where nothing could be sent to any of its addresses. */
  readonly unsent?: string | undefined;
  /** Whether its host has said that nothing listens at that port. */
  readonly isClosed?: boolean | undefined;
  /** What it has told of the peers that it knows by name, where that was asked for. */
  readonly roster?: Roster | undefined;
  /** All peers that are not stale, the own record among them. */
  readonly peers: readonly Sighting[];
  /** Which version of the protocol it has answered in; undefined where it hasn't. */
  readonly protocol: 1 | 2 | undefined;
  /** Its public key in base64, as far as it is known. */
  readonly serverKey: string | undefined;
  /** What a person should know, on one line. */
  readonly warning: string | undefined;
}

/** What registries said. */
export interface RegistryAnswer {
  readonly servers: readonly RegistryOutcome[];
  /** The port that was asked from. */
  readonly port: number;
  /** Whether the servers were asked to take down the endpoint of that port. */
  readonly registered: boolean;
  /** What a person should know, a line each. */
  readonly notes: readonly string[];
}

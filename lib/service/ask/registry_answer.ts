/**
 * What registries said.
 *
 * @module
 */

import type { SeenPeer } from "../../core/ask/exchange.ts";
import type { RegistryName } from "../../core/ask/server_name.ts";
import type { HostPort } from "../../core/net/host_port.ts";
import type { RegistryStatus } from "../../core/query/query_result.ts";

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
  /** All peers that are not stale, the own record among them. */
  readonly peers: readonly SeenPeer[];
  /** What a person should know. */
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

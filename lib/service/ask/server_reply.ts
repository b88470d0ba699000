/**
 * What one server said, in whatever language it was asked.
 *
 * @module
 */

import type { HostPort } from "../../core/net/host_port.ts";
import type { Sighting } from "../../core/ask/sighting.ts";
import type { ZoneStatus } from "../../core/zone/client/exchange.ts";
import type { RegistryStatus } from "./asked_server.ts";

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
}

/** What one server said. */
export interface ServerReply {
  readonly outcome: ServerOutcome;
  readonly peers: readonly Sighting[];
  /** What a person should know. */
  readonly warning: string | undefined;
}

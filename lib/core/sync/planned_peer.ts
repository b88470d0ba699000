/**
 * A peer, and where it may be, as far as that matters to who decides on its endpoint.
 *
 * @module
 */

import type { HostPort } from "../net/host_port.ts";

/** A peer of the interface, as far as it matters here. */
export interface PlannedPeer {
  /** The WireGuard public key in base64. */
  readonly publicKey: string;
  /** An IP address and a port. */
  readonly endpoint: HostPort | undefined;
  /** When the last handshake was, on the monotonic clock; undefined where there was none. */
  readonly handshakeAt: number | undefined;
  /** Seconds; 0 is off. */
  readonly persistentKeepalive: number;
}

/** Where a registry saw a peer. */
export interface Candidate {
  /** An IP address and a port. */
  readonly endpoint: HostPort;
  /** When the peer was heard, on the own monotonic clock; undefined where nobody says. */
  readonly seenAt: number | undefined;
  /** Who says so. */
  readonly server?: string | undefined;
  /** Whether the peer itself has proved it. */
  readonly isProved?: boolean | undefined;
}

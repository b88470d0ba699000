/**
 * A WireGuard interface as it was read.
 *
 * @module
 */

import type { HostPort } from "./host_port.ts";
import { parseKey } from "./peer_key.ts";

/** A WireGuard interface. */
export interface Device {
  /** In base64; undefined where it has no private key. */
  readonly publicKey: string | undefined;
  /** The UDP port; 0 where it has none. */
  readonly listenPort: number;
  /** The mark of its datagrams; 0 where there is none. */
  readonly mark: number;
  readonly peers: readonly DevicePeer[];
}

/** The public key of an interface, 32 bytes; undefined where it has none. */
export function keyOf({ publicKey }: Device): Uint8Array | undefined {
  return publicKey === undefined ? undefined : parseKey(publicKey);
}

/** A peer of an interface. */
export interface DevicePeer {
  /** In base64. */
  readonly publicKey: string;
  readonly endpoint: HostPort | undefined;
  readonly allowedIps: readonly string[];
  /** Unix seconds of the last handshake; 0 where there was none. */
  readonly latestHandshake: number;
  /** Bytes received. */
  readonly received: number;
  /** Bytes sent. */
  readonly sent: number;
  /** Seconds; 0 where it is off. */
  readonly persistentKeepalive: number;
}

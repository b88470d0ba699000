/**
 * Where servers say that peers are.
 *
 * @module
 */

import { formatHostPort } from "../net/host_port.ts";

/** What one server says of one peer. */
export interface Sighting {
  /** The WireGuard public key in base64. */
  readonly publicKey: string;
  /** An IP address. */
  readonly address: string;
  /** UDP port. */
  readonly port: number;
  /** Unix seconds of when the peer was heard; undefined where the server doesn't say. */
  readonly seconds: number | undefined;
  /** The rest of that time. */
  readonly nanoseconds: number;
  /** The addresses in the tunnel that the server names. */
  readonly allowedIps?: readonly string[] | undefined;
  /** Whether nobody has proved it: it comes from where everybody may claim to be a peer. */
  readonly isClaim?: boolean | undefined;
  /** Whether the peer has proved it, by its private key. */
  readonly isProved?: boolean | undefined;
  /** The DNS zone that says so. */
  readonly zone?: string | undefined;
  /** The server that says so, as it was named. */
  readonly server?: string | undefined;
}

/** Orders sightings: the newest first, those without a time last. */
export function newestFirst(a: Sighting, b: Sighting): number {
  if (a.seconds === undefined || b.seconds === undefined) {
    return Number(a.seconds === undefined) - Number(b.seconds === undefined);
  }
  return b.seconds - a.seconds || b.nanoseconds - a.nanoseconds;
}

/** How long ago a peer was seen, in whole seconds; undefined where nobody says. */
export function ageOf({ seconds }: Sighting, unix: number): number | undefined {
  return seconds === undefined ? undefined : Math.max(0, Math.floor(unix) - seconds);
}

/** The endpoint as text. */
export function endpointOf({ address, port }: Sighting): string {
  return formatHostPort({ host: address, port });
}

/**
 * What kind of NAT a socket is behind, from what two registries saw of it (the terms are those of
 * RFC 4787, section 4.1).
 *
 * @module
 */

import type { NatKind } from "./own_reach.ts";
import { formatHostPort, type HostPort } from "../net/host_port.ts";

/** How a NAT maps a socket. */
export type NatMapping = "none" | "endpoint-independent" | "endpoint-dependent";

/** Where one port of a registry sees the port that asks. */
export interface PortSight {
  /** The registry as it was named, with the port that was asked. */
  readonly server: string;
  /** The address and the port that were asked. */
  readonly registry: HostPort;
  readonly seen: HostPort;
  /** When it was asked first: the monotonic clock, in seconds. */
  readonly askedAt: number;
}

/** What was found out. */
export interface NatVerdict {
  /** How the NAT maps a socket. */
  readonly mapping: NatMapping;
  /** Whether the public port is the socket's own. */
  readonly portPreserved: boolean;
  /** What that means for WireGuard, in a sentence. */
  readonly meaning: string;
}

const MEANING: Readonly<Record<NatMapping, string>> = {
  "none": "no NAT: every peer can reach this one, unless a firewall is in between",
  "endpoint-independent":
    "every peer can punch it: from behind a symmetric NAT by ports that are " +
    "predicted or guessed",
  "endpoint-dependent":
    "symmetric NAT: ports are predicted or guessed, and where that doesn't do, " +
    "a registry relays; a port that is forwarded can be reached by every peer",
};

/** What a mapping means for WireGuard, in a sentence. */
export function meaningOf(mapping: NatMapping): string {
  return MEANING[mapping];
}

/**
 * Judges from one socket.
 *
 * @param localPort The port that it is bound to.
 * @param localAddresses The addresses of this host.
 * @param seen What each of two or more registries saw, at different addresses or ports.
 * @throws {RangeError} If fewer than two did.
 */
export function judgeNat(
  localPort: number,
  localAddresses: readonly string[],
  seen: readonly HostPort[],
): NatVerdict {
  const [first, ...others] = seen;
  if (first === undefined || others.length === 0) {
    throw new RangeError("Cannot judge the NAT: two registries must have seen the socket");
  }
  const portPreserved = seen.every(({ port }) => port === localPort);
  const same = others.every((other) => formatHostPort(other) === formatHostPort(first));
  const mapping = !same
    ? "endpoint-dependent"
    : portPreserved && localAddresses.includes(first.host)
    ? "none"
    : "endpoint-independent";
  return { mapping, portPreserved, meaning: meaningOf(mapping) };
}

/**
 * From which to which port a NAT has gone with each new destination.
 *
 * @param seen In the order in which they were asked.
 */
export function stepsOf(seen: readonly HostPort[]): readonly number[] {
  return seen.slice(1).map(({ port }, i) => port - seen[i]!.port);
}

/** The next port of a NAT that counts is not further than so many above the last. */
const MOST_STEP = 32;

/**
 * What peers are told of the own NAT.
 *
 * @param localAddresses The addresses of this host.
 * @param localPort WireGuard's port.
 * @param seen What registries saw of that port over one family, at different addresses or ports, in the
 *   order in which they were asked.
 */
export function natKindOf(
  localPort: number,
  localAddresses: readonly string[],
  seen: readonly HostPort[],
): NatKind {
  const [first, ...others] = seen;
  if (first === undefined) return "unknown";
  const isHere = ({ host, port }: HostPort) => port === localPort && localAddresses.includes(host);
  if (seen.every(isHere)) return "easy";
  if (others.length === 0) return "unknown";
  if (others.some(({ host }) => host !== first.host)) return "hard";
  const steps = stepsOf(seen);
  if (steps.every((step) => step === 0)) return "easy";
  return steps.every((step) => step >= 0 && step <= MOST_STEP) ? "sequential" : "hard";
}

/**
 * What a user can do when a peer that registries hear is reached at no endpoint.
 *
 * @param own What the own NAT was judged to be, if it was.
 */
export function explainUnreachable(own: NatVerdict | undefined): string {
  switch (own?.mapping) {
    case "endpoint-dependent":
      return "symmetric NAT: have a registry relay (serve --relay), forward a port, or route " +
        "through a hub";
    case undefined:
      return "a symmetric NAT on either side, or a firewall that drops UDP; name a second server " +
        "to learn which, have a registry relay (serve --relay), forward a port, or route through " +
        "a hub";
    default:
      return "not for the NAT on this side: the peer's is symmetric, most likely, or a firewall " +
        "drops UDP; have a registry relay (serve --relay), forward a port on either side, or " +
        "route through a hub";
  }
}

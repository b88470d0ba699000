/**
 * What kind of NAT a socket is behind, from what two registries saw of it:
 *
 * ```
 * easy        the port is the same for every destination, or there is no NAT (RFC 4787, section 4.1:
 *             endpoint-independent mapping)
 * sequential  each destination gets a port somewhat above the last one
 * hard        each destination gets one that nobody can foretell (a symmetric NAT)
 * unknown     too few have seen the port
 * ```
 *
 * @module
 */

import type { NatKind } from "./own_reach.ts";
import type { HostPort } from "../net/host_port.ts";

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
  /** Its kind. */
  readonly nat: NatKind;
  /** Whether the public port is the socket's own. */
  readonly portPreserved: boolean;
  /** What that means for WireGuard, in a sentence. */
  readonly meaning: string;
}

const NO_NAT = "no NAT: every peer can reach this one, unless a firewall is in between";
const MEANING: Readonly<Record<NatKind, string>> = {
  easy:
    "easy NAT: every peer can punch it; from behind a sequential or hard one at ports that are " +
    "predicted or guessed",
  sequential: "sequential NAT: peers predict its ports, and where that fails, a registry relays; " +
    "a port that is forwarded can be reached by every peer",
  hard: "hard NAT: peers guess its ports, and where that fails, a registry relays; a port that " +
    "is forwarded can be reached by every peer",
  unknown: "two ports of a registry would show what kind of NAT it is",
};

/**
 * What a kind means for WireGuard, in a sentence.
 *
 * @param isPresent Whether there is a NAT at all.
 */
export function meaningOf(kind: NatKind, isPresent: boolean): string {
  return isPresent ? MEANING[kind] : NO_NAT;
}

/** Whether there is a NAT between a socket and those who see it elsewhere. */
export function isBehindNat(
  localPort: number,
  localAddresses: readonly string[],
  seen: readonly HostPort[],
): boolean {
  return !seen.every(({ host, port }) => port === localPort && localAddresses.includes(host));
}

/**
 * Judges from one socket.
 *
 * @param localPort The port that it is bound to.
 * @param localAddresses The addresses of this host.
 * @param seen What each of two or more registries saw, at different addresses or ports, in the order in
 *   which they were asked.
 * @throws {RangeError} If fewer than two did.
 */
export function judgeNat(
  localPort: number,
  localAddresses: readonly string[],
  seen: readonly HostPort[],
): NatVerdict {
  if (seen.length < 2) {
    throw new RangeError("Cannot judge the NAT: two registries must have seen the socket");
  }
  const nat = natKindOf(localPort, localAddresses, seen);
  return {
    nat,
    portPreserved: seen.every(({ port }) => port === localPort),
    meaning: meaningOf(nat, isBehindNat(localPort, localAddresses, seen)),
  };
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
  if (!isBehindNat(localPort, localAddresses, seen)) return "easy";
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
  const relay = "have a registry relay (serve --relay)";
  switch (own?.nat) {
    case "hard":
    case "sequential":
      return `the NAT on this side is ${own.nat}: ${relay}, forward a port, or route through a hub`;
    case "easy":
      return "not for the NAT on this side, which is easy: the peer's is hard, most likely, or a " +
        `firewall drops UDP; ${relay}, forward a port on either side, or route through a hub`;
    default:
      return "a hard NAT on either side, or a firewall that drops UDP; name a second server to learn " +
        `which, ${relay}, forward a port, or route through a hub`;
  }
}

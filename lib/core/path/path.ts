/**
 * Ways to a peer, best first, and what is known of each.
 *
 * @module
 */

import { type Family, familyOf, formatHostPort, type HostPort } from "../net/host_port.ts";

/** How a peer is reached, the best way first. */
export const PATH_KINDS = ["lan", "ipv6", "mapped", "punched", "predicted", "relay"] as const;

/** One of them. */
export type PathKind = typeof PATH_KINDS[number];

/** What a registry tells of where a peer is. */
export type PlaceKind = "seen" | "lan" | "mapped" | "declared";

/** A place where a peer may be. */
export interface Place {
  /** An IP address and a port. */
  readonly endpoint: HostPort;
  /** How it is known. */
  readonly kind: PlaceKind;
}

/** A way to a peer: from one of the own ports to one of its endpoints. */
export interface Path {
  readonly endpoint: HostPort;
  /** The own port that it begins at; undefined for WireGuard's. */
  readonly from: number | undefined;
  readonly kind: PathKind;
  /** Whether a registry tells of it still; else it was found by a probe that came from there. */
  isTold: boolean;
  /** When it was last known to work both ways: the monotonic clock, in seconds. */
  provedAt: number;
  /** When it was last found not to. */
  deadAt: number;
  /** Until when it isn't chosen: probes go through, and WireGuard's handshakes don't. */
  barredUntil: number;
  /** How often in a row that was so. */
  failures: number;
  /** Seconds from a probe to its echo, the least that was measured. */
  roundTrip: number;
}

/** A path of which nothing is known yet. */
export function newPath(endpoint: HostPort, kind: PathKind, from?: number): Path {
  return {
    endpoint,
    from,
    kind,
    isTold: false,
    provedAt: -Infinity,
    deadAt: -Infinity,
    barredUntil: -Infinity,
    failures: 0,
    roundTrip: Infinity,
  };
}

/** A smaller number is a better way. */
export function rankOf(kind: PathKind): number {
  return PATH_KINDS.indexOf(kind);
}

/** What tells paths apart. */
export function pathId(endpoint: HostPort, from: number | undefined): string {
  return from === undefined ? formatHostPort(endpoint) : `${from} ${formatHostPort(endpoint)}`;
}

/** The way that leads to a place. */
export function kindOfPlace({ endpoint, kind }: Place): PathKind {
  if (kind === "lan") return "lan";
  if (familyOf(endpoint) === 6) return "ipv6";
  return kind === "mapped" ? "mapped" : "punched";
}

/** The way that an endpoint is, of which nobody has told. */
export function kindOfStranger(endpoint: HostPort): PathKind {
  return familyOf(endpoint) === 6 ? "ipv6" : "punched";
}

/** The family of a path's addresses. */
export function familyOfPath({ endpoint }: Path): Family {
  return familyOf(endpoint);
}

/** Whether two are one. */
export function sameEndpoint(a: HostPort, b: HostPort): boolean {
  return formatHostPort(a) === formatHostPort(b);
}

/** What still arrives on the way before, when another one is taken. */
export function formerOf(before: Path | undefined, path: Path): "none" | "stopped" | "alive" {
  if (before === undefined) return "none";
  const isDead = before !== path && before.deadAt >= before.provedAt && before.deadAt > -Infinity;
  return isDead || before.kind === "relay" || path.kind === "relay" ? "stopped" : "alive";
}

/** The longer round trip of both, as far as it is known. */
export function slowerOf(path: Path, before: Path | undefined): number {
  const known = [path, before].flatMap((each) => each?.roundTrip ?? []);
  return Math.max(0, ...known.filter((each) => each < Infinity));
}

/**
 * Where servers say that peers are.
 *
 * @module
 */

import type { Now } from "../net/clock.ts";
import { formatHostPort, type HostPort } from "../net/host_port.ts";
import type { NatKind } from "./own_reach.ts";
import type { CandidateKind, PeerCandidate, PeerRecord } from "./directory.ts";

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
  /** How the server knows it, where it says so; else it has seen the peer there. */
  readonly kind?: CandidateKind | undefined;
  /** Unix seconds of when that was confirmed, where it says so. */
  readonly confirmed?: number | undefined;
  /** Whether the server has a proof that the peer has registered it. */
  readonly isProved?: boolean | undefined;
  /** Whether nobody has proved it: it comes from where everybody may claim to be a peer. */
  readonly isClaim?: boolean | undefined;
  /** Whether it comes from the same public address as who asked, as far as the server says. */
  readonly isNear?: boolean | undefined;
  /** Whether its host answers path probes at the port that is registered, as far as that is known. */
  readonly probes?: boolean | undefined;
  /** How its NAT maps that port, as far as that is known. */
  readonly nat?: NatKind | undefined;
  /** The DNS zone that says so. */
  readonly zone?: string | undefined;
  /** Whether that is signed with a key that this host has for the zone (TSIG). */
  readonly isSigned?: boolean | undefined;
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

/** Whether it is older than wanted. One whose time nobody says isn't. @param maxAge In seconds. */
export function isOutdated({ seconds }: Sighting, unix: number, maxAge: number): boolean {
  return seconds !== undefined && unix - seconds > maxAge;
}

/** The endpoint as text. */
export function endpointOf({ address, port }: Sighting): string {
  return formatHostPort({ host: address, port });
}

/**
 * What is tried first where nothing else is known: what the registry has seen, since there a NAT is
 * open already; over IPv4, which every host has.
 */
const ORDER: readonly CandidateKind[] = ["seen", "mapped", "declared", "lan"];

function rankOf({ kind, address }: PeerCandidate): number {
  return 2 * ORDER.indexOf(kind) + Number(address.includes(":"));
}

/** What a registry has told of a peer, the best place first. The relay is none. */
export function sightingsOf(peer: PeerRecord, { unix, mono }: Now): Sighting[] {
  const unixOf = (at: number) => Math.max(0, Math.floor(unix - (mono - at)));
  const { publicKey, isProved, isNear, probes, nat, heardAt } = peer;
  return peer.candidates.filter(({ kind }) => kind !== "relay")
    .toSorted((a, b) => rankOf(a) - rankOf(b))
    .map(({ kind, address, port, confirmedAt }) => ({
      publicKey,
      address,
      port,
      seconds: unixOf(heardAt),
      nanoseconds: 0,
      kind,
      confirmed: unixOf(confirmedAt),
      isProved,
      isNear,
      probes,
      nat,
    }));
}

/** Where a registry has just registered this peer. @param publicKey In base64. */
export function ownSighting(publicKey: string, { host, port }: HostPort, { unix }: Now): Sighting {
  const seconds = Math.floor(unix);
  return {
    publicKey,
    address: host,
    port,
    seconds,
    nanoseconds: 0,
    kind: "seen",
    confirmed: seconds,
  };
}

/**
 * What a running `serve` says of itself when `wgsig status` asks it: schema 1, as JSON. There is nothing
 * secret in it. What is not known is null; times are seconds, sizes are bytes.
 *
 * @module
 */

import type { NatKind } from "../ask/own_reach.ts";
import type { CounterName } from "../net/counters.ts";

/** Peers of one group that are told of, those heard last; of others there is their number. */
export const MOST_REGISTERED = 1000;
/** Peers of all groups together that are told of. */
export const MOST_REGISTERED_IN_ALL = 4000;
/** Pairs that are relayed, and holders of leases, that are told of. */
export const MOST_LISTED = 1000;

/** How a NAT maps a port, as peers say it. */
export const NAT_KINDS = ["unknown", "easy", "sequential", "hard"] as const satisfies NatKind[];

/** Where a peer may be reached besides, and where that is from. */
export const SAID_KINDS = ["lan", "mapped", "declared"] as const;

/** A place where a peer says that it can be reached. */
export interface SaidPlaceReport {
  readonly kind: typeof SAID_KINDS[number];
  readonly endpoint: string;
}

/** A peer of a group. */
export interface RegisteredPeerReport {
  readonly publicKey: string;
  /** As the group's roster calls it, or the settings do. */
  readonly name: string | null;
  /** Whether it has proved its key. */
  readonly proved: boolean;
  /** The highest of wgsig in which it has said something. */
  readonly protocol: 1 | 2;
  /** Since it was heard. */
  readonly age: number;
  /** Where the registry sees it, one for each family of addresses at most. */
  readonly endpoints: readonly string[];
  /** What it says besides. */
  readonly places: readonly SaidPlaceReport[];
  /** How it says that its NAT maps WireGuard's port. */
  readonly nat: NatKind;
  /** Whether it answers path probes. */
  readonly probes: boolean;
}

/** A group of the registry. */
export interface GroupReport {
  readonly id: number;
  /** Who is registered: `auto` any member, `required` who proves its key. */
  readonly proof: "auto" | "required";
  /** How many peers there are: all of them, as in the three that follow. */
  readonly count: number;
  /** How many have proved their key, */
  readonly proved: number;
  /** how many were seen over IPv6, */
  readonly ipv6: number;
  /** and how many are behind which NAT. */
  readonly nats: Readonly<Record<NatKind, number>>;
  /** Who is told at once of what changes. */
  readonly subscribers: number;
  /** Entries of its roster; null where it has none. */
  readonly roster: number | null;
  /** Invitations that may still be taken; null as above. */
  readonly invitations: number | null;
  /** Those heard last, the last one first. */
  readonly peers: readonly RegisteredPeerReport[];
  /** So many more there are. */
  readonly more: number;
}

/** Two peers between whom datagrams are passed on. */
export interface RelayedPairReport {
  /** Its number. */
  readonly group: number;
  /** Public keys. */
  readonly a: string;
  readonly b: string;
  /** Since the last datagram was passed on; null where none was. */
  readonly age: number | null;
  /** Since one of them has asked for the other. */
  readonly since: number;
}

/** What is relayed. */
export interface RelayReport {
  /** How many pairs there are. */
  readonly count: number;
  /** What was passed on so far. */
  readonly datagrams: number;
  readonly bytes: number;
  /** Those used last, the last one first. */
  readonly pairs: readonly RelayedPairReport[];
  readonly more: number;
}

/** A key that a DNS zone is signed with. */
export interface ZoneKeyReport {
  /** Its number in DS and RRSIG. */
  readonly tag: number;
  /** DNSSEC's number: 13 is ECDSA on P-256, 15 is Ed25519. */
  readonly algorithm: number;
}

/** A DNS zone. */
export interface ZoneReport {
  readonly name: string;
  /** Whose peers it has: a WireGuard interface's, those of groups, or both. */
  readonly interface: string | null;
  readonly groups: readonly number[];
  /** How many views it has; 0 where everybody sees all. */
  readonly views: number;
  /** What it is signed with; none where it isn't. */
  readonly keys: readonly ZoneKeyReport[];
  /** The names of the TSIG keys that it knows. */
  readonly tsig: readonly string[];
}

/** Who holds an address. */
export interface HeldLeaseReport {
  readonly publicKey: string;
  readonly name: string | null;
  /** With its prefix length: /32 or /128. */
  readonly address: string;
  /** Until it ends, if it is not renewed. */
  readonly endsIn: number;
}

/** What is leased. */
export interface LeasesReport {
  readonly interface: string;
  /** How many addresses are held. */
  readonly count: number;
  readonly held: readonly HeldLeaseReport[];
  readonly more: number;
}

/** What registries share their peers in. */
export interface StoreReport {
  /** Where it is. There is nothing secret in it. */
  readonly address: string;
  readonly connected: boolean;
  /** For so long it has been there, or has not been there. */
  readonly since: number;
  /** Whether all that it had was read once. */
  readonly complete: boolean;
  /** Peers that it doesn't have as they are here. */
  readonly behind: number;
  /** Of its last answer; null where there was none. */
  readonly roundTrip: number | null;
  /** What went wrong last; null where nothing did. */
  readonly fault: {
    readonly why: string;
    readonly age: number;
    readonly over: boolean;
  } | null;
}

/** What `serve` says. */
export interface ServeReport {
  readonly kind: "serve";
  /** By which it is asked: its first port. */
  readonly name: string;
  readonly version: string;
  readonly runtime: string;
  readonly uptime: number;
  /** Where the registry listens. */
  readonly listen: readonly string[];
  readonly serverKey: string | null;
  /** What links name. */
  readonly publicAddress: string | null;
  /** The file that keeps it over a restart. */
  readonly state: string | null;
  /** Null where its peers are its own. */
  readonly store: StoreReport | null;
  readonly groups: readonly GroupReport[];
  /** Null where nothing is relayed. */
  readonly relay: RelayReport | null;
  /** Where DNS is answered. */
  readonly dns: readonly string[];
  readonly zones: readonly ZoneReport[];
  /** Null where nothing is leased. */
  readonly leases: LeasesReport | null;
  /** All that are counted here, also those that are 0: since it has started. */
  readonly counters: Readonly<Partial<Record<CounterName, number>> & Record<string, number>>;
}

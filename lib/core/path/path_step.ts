/**
 * What the way to one peer depends on, and what there is to do for it.
 *
 * @module
 */

import type { NatKind } from "../ask/own_reach.ts";
import type { HostPort } from "../net/host_port.ts";
import type { PunchDatagram } from "../punch/punch_step.ts";
import type { Path, Place } from "./path.ts";
import type { Traffic } from "./path_watch.ts";

/** What registries tell of a peer. */
export interface ToldPeer {
  readonly places: readonly Place[];
  /** How its NAT maps WireGuard's port. */
  readonly nat: NatKind;
  /** Where registries relay to it: what WireGuard is given as its endpoint then. */
  readonly relays: readonly HostPort[];
}

/** What WireGuard says of a peer. */
export interface SeenPeer extends Traffic {
  readonly endpoint: HostPort | undefined;
  /** Whether its last handshake says that it is reached. */
  readonly isAlive: boolean;
}

/** How the own port is seen from outside. */
export interface OwnMapping {
  /** How the own NAT maps it. */
  readonly nat: NatKind;
  /** Where registries see it over IPv4, as text; empty where they don't. */
  readonly seen: string;
}

/** What there is to do. */
export type PathStep =
  | {
    /** Send a probe. */
    readonly kind: "probe";
    readonly path: Path;
    /** Hops that it goes; undefined for as many as usual. */
    readonly hops: number | undefined;
    /** Whether it says that WireGuard is moved there. */
    readonly switches: boolean;
  }
  /** Send datagrams of one byte. */
  | { readonly kind: "punch"; readonly datagrams: readonly PunchDatagram[] }
  /** Hear these ports as well; none where the count is 0. */
  | { readonly kind: "hear"; readonly first: number; readonly count: number }
  /** Give WireGuard this endpoint. */
  | { readonly kind: "set"; readonly path: Path }
  /** Its datagrams leave through WireGuard's own port again. */
  | { readonly kind: "unmove" }
  /** Read the interface at once. */
  | { readonly kind: "read" }
  /** Tell registries what is wanted of their relays. */
  | { readonly kind: "tell" }
  | { readonly kind: "wait"; readonly until: number };

/** A change of the way in use. */
export interface PathChange {
  readonly path: Path;
  readonly before: Path | undefined;
  /** Whether WireGuard is given it; else it has gone there by itself. */
  readonly isSet: boolean;
}

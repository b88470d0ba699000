/**
 * What ways to peers depend on, what there is to do for all of them, and what has come of it.
 *
 * @module
 */

import type { HostPort } from "../net/host_port.ts";
import type { HardOptions } from "./hard_way.ts";
import type { Path } from "./path.ts";
import type { PathChange } from "./path_step.ts";
import type { RelayMode } from "./relay_wish.ts";

/** Settings. */
export interface PathFinderOptions {
  /** By public key in base64. */
  readonly relayOf: (publicKey: string) => RelayMode;
  /** Seconds to set where a peer has none; 0 leaves it. */
  readonly persistentKeepalive: number;
  /** What may be tried where a NAT is sequential or hard. */
  readonly hard: HardOptions;
}

/** What there is to do. */
export type FinderStep =
  | {
    /** Send the bytes, which are the finder's: they change with the next step. */
    readonly kind: "send";
    readonly bytes: Uint8Array;
    readonly to: HostPort;
    /** From another port than WireGuard's. */
    readonly from: number | undefined;
    /** Hops that it goes; undefined for as many as usual. */
    readonly hops: number | undefined;
  }
  | {
    /** Give WireGuard another endpoint. */
    readonly kind: "set";
    readonly publicKey: string;
    readonly path: Path;
    /** Seconds; undefined leaves it. */
    readonly persistentKeepalive: number | undefined;
  }
  /** Hear these ports as well; none where the count is 0. */
  | { readonly kind: "hear"; readonly first: number; readonly count: number }
  /** What goes to a peer leaves through WireGuard's own port again, if it didn't. */
  | { readonly kind: "unmove"; readonly publicKey: string }
  /** Read the private key for `PathFinder.agree`. */
  | { readonly kind: "agree" }
  /** Read the interface. */
  | { readonly kind: "read" }
  /** Tell registries who is wanted through their relays, and who isn't any more. */
  | { readonly kind: "tell" }
  | { readonly kind: "wait"; readonly until: number };

/** A way that was taken. */
export interface FoundPath extends PathChange {
  /** In base64. */
  readonly publicKey: string;
}

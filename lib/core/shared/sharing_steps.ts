/**
 * What the sharing of a table has to do, what comes of it, and what is said of that.
 *
 * @module
 */

import type { SharedPeers } from "./peers.ts";
import type { SharedGone, SharedWrite } from "./store.ts";
import type { TroubleNews } from "./trouble.ts";

/** Of which form the data in a store are. */
export const STORE_FORMAT = "1";

/** The table that is shared, as far as it has to do with when. */
export type SharedTable = Pick<
  SharedPeers,
  | "isDirty"
  | "behind"
  | "hasGone"
  | "take"
  | "written"
  | "lost"
  | "takeGone"
  | "beginScan"
  | "endScan"
>;

/** Who the store is, when it is asked. */
export interface StoreFacts {
  /** What tells it from one that has lost everything. */
  readonly id: string;
  readonly format: string;
  /** Unix seconds by its clock. */
  readonly time: number;
  /** Which run of the store's program it is; empty where that is not told. */
  readonly run: string;
  /** The places of the first and the last change that it still has; empty where it has none. */
  readonly first: string;
  readonly last: string;
  /** Whether it throws data away where its memory is full. */
  readonly evicts: boolean;
}

/** What to do next at the connection that writes. */
export type SharingStep =
  /** Nothing for so many seconds, unless something changes. */
  | { readonly kind: "rest"; readonly seconds: number }
  /** Close what there is, and open two connections. */
  | { readonly kind: "connect"; readonly link: number }
  /** Ask who the store is. */
  | { readonly kind: "greet"; readonly link: number }
  /** Read a piece of a group, and take it over. */
  | {
    readonly kind: "scan";
    readonly link: number;
    readonly group: number;
    readonly cursor: string;
  }
  /** Write this, if it is still the store of this `id`. */
  | {
    readonly kind: "write";
    readonly link: number;
    readonly id: string;
    readonly write: SharedWrite;
  }
  /** Forget these, if nobody has heard them since. */
  | { readonly kind: "forget"; readonly link: number; readonly gone: SharedGone }
  /** Nothing any more. */
  | { readonly kind: "end" };

/** What to do next at the connection that reads. */
export type FollowStep =
  | { readonly kind: "rest" }
  /** Wait for changes after this place, and take them over. */
  | { readonly kind: "read"; readonly link: number; readonly after: string };

/** What could not be done; `end` where a connection has ended by itself. */
export interface FailedStep {
  readonly kind: SharingStep["kind"] | FollowStep["kind"];
  readonly link: number;
}

/** What is to be said. */
export type SharingNews =
  | { readonly event: "connected"; readonly seconds: number }
  | {
    readonly event: "back";
    readonly seconds: number;
    readonly wrote: number;
    readonly took: number;
  }
  | { readonly event: "emptied" }
  | { readonly event: "evicts" }
  /** By so many seconds this host's clock is ahead of the store's. */
  | { readonly event: "apart"; readonly ahead: number }
  | SharingTrouble;

/** What is to be said of a fault: of the link, or of writing alone. */
export type SharingTrouble = { readonly of: "link" | "writing" } & TroubleNews;

/** How the store is, for whoever asks. */
export interface StoreState {
  readonly isConnected: boolean;
  /** Whether all that it had was read once. */
  readonly isComplete: boolean;
  /** For so many seconds it has been there, or has not been there. */
  readonly since: number;
  /** Peers that the store doesn't have as they are here. */
  readonly behind: number;
  /** Of the last answer, in seconds; undefined where there was none. */
  readonly roundTrip: number | undefined;
  /** What went wrong last, and so many seconds ago. */
  readonly fault:
    | { readonly why: string; readonly age: number; readonly isOver: boolean }
    | undefined;
}

/**
 * What there is to do for an interface, and what came of it. Each action fails alone.
 *
 * @module
 */

import type { PeerNews } from "../lease/news.ts";
import type { Device } from "../net/device.ts";
import type { HostPort } from "../net/host_port.ts";
import type { OwnReach } from "../ask/own_reach.ts";
import type { Given } from "../roster/client/given.ts";
import type { QueryResult } from "../query/query_result.ts";
import type { ExitStatus } from "../settings/user_error.ts";

/**
 * How servers are asked: through WireGuard's port, by a raw socket (`raw`) or while WireGuard is on
 * another (`borrow`), which registers its endpoint; or from any port, which registers nothing.
 */
export type AskWay = "raw" | "borrow" | "unregistered";

/** A question to all servers. */
export interface SyncQuestion {
  readonly way: AskWay;
  /** Whether to ask through another port at the same time, where the way registers. */
  readonly beside: boolean;
  /** Whether servers are to tell of all peers anew, also of those that were heard and have not moved. */
  readonly anew: boolean;
  /** WireGuard's UDP port. */
  readonly port: number;
  /** The mark of WireGuard's datagrams; 0 where there is none. */
  readonly mark: number;
  /** The interface's public key, 32 bytes. */
  readonly id: Uint8Array;
  /** The public keys that zones are asked for, in base64; all where this is undefined. */
  readonly keys: readonly string[] | undefined;
  /** The same of registries, which tell of more peers at no cost. */
  readonly wants: readonly string[] | undefined;
  /**
   * The peers of the interface, to which the NAT is opened, in base64; with each, the endpoint to
   * which it needn't be: there the peer is, alive.
   */
  readonly openTo: ReadonlyMap<string, HostPort | undefined>;
  /** What registries are told of the own side. */
  readonly own: OwnReach;
}

/** What servers said. */
export interface Answers {
  readonly answer: QueryResult;
  /** What they said through another port at the same time, where that was asked and could be. */
  readonly beside?: QueryResult | undefined;
}

/** Something to do, and then to tell of. */
export type SyncAction =
  /** Make sure that no other process does the same for the interface. `lock` */
  | { readonly kind: "take-lock" }
  /** Read the interface. `device` */
  | { readonly kind: "read-device" }
  /** Read the key that the settings name, where the interface doesn't tell its own. `key` */
  | { readonly kind: "read-key" }
  /** Give back the port that a killed run has borrowed. `port` */
  | { readonly kind: "mend-port" }
  /** Have WireGuard listen on another port, which the system chooses. `done` */
  | { readonly kind: "move-port" }
  /** Try whether a raw socket is permitted for this port of WireGuard's. `done` */
  | { readonly kind: "try-raw"; readonly port: number; readonly mark: number }
  /** Ask the servers. `answer` */
  | { readonly kind: "ask"; readonly question: SyncQuestion }
  /** Read the addresses of this host, and of the interface. `addresses` */
  | { readonly kind: "read-addresses" }
  /** Change a peer, or add it; what is undefined stays as it is. `done` */
  | {
    readonly kind: "set-peer";
    readonly publicKey: string;
    readonly endpoint: HostPort | undefined;
    /** Seconds. */
    readonly persistentKeepalive: number | undefined;
    readonly allowedIps: readonly string[] | undefined;
    /** Whether the peer has to be removed first, and made anew as it was: boringtun changes none. */
    readonly replaces: boolean;
  }
  /** Take a peer away. `done` */
  | { readonly kind: "remove-peer"; readonly publicKey: string }
  /** Make WireGuard send a peer something at once; keepalives are on. `done` */
  | {
    readonly kind: "nudge-peer";
    readonly publicKey: string;
    /** Seconds. */
    readonly persistentKeepalive: number;
  }
  /** Find the route to exactly this address. `route` */
  | { readonly kind: "find-route"; readonly address: string }
  /** Find the route to a prefix, if it leads into the interface. `route` */
  | { readonly kind: "find-tunnel-route"; readonly prefix: string }
  /** Send what goes to a prefix into the interface. `done` */
  | { readonly kind: "add-route"; readonly prefix: string }
  /** Send what goes to a prefix into the interface no more. `done` */
  | { readonly kind: "end-route"; readonly prefix: string }
  /** Read the note of what the interface has from rosters. `given` */
  | { readonly kind: "read-given" }
  /** Write that note: what there is to write when it is done. `done` */
  | { readonly kind: "keep-given"; readonly given: () => Given }
  /** Read the addresses of this host and its networks beside the interface. `networks` */
  | { readonly kind: "read-networks" }
  /** Remove a route that was found. `done` */
  | { readonly kind: "remove-route"; readonly route: string };

/** What to do next. */
export type SyncStep =
  | SyncAction
  /** Nothing, until this time of the monotonic clock, or until there is news or a wish. */
  | { readonly kind: "wait"; readonly until: number }
  /** End. */
  | { readonly kind: "end"; readonly status: ExitStatus }
  /** End with what stood in the way of the one look. */
  | { readonly kind: "fail"; readonly error: unknown };

/** What came of an action. */
export type SyncResult =
  /** Whether no other process does. */
  | { readonly kind: "lock"; readonly isTaken: boolean }
  /** The interface; undefined where there is none of that name. */
  | { readonly kind: "device"; readonly device: Device | undefined }
  /** In base64; undefined where the settings name none. */
  | { readonly kind: "key"; readonly publicKey: string | undefined }
  /** The port that the interface has again; undefined where there was nothing to mend. */
  | { readonly kind: "port"; readonly port: number | undefined }
  | Answers & {
    readonly kind: "answer";
    /** What could not be kept on the disk meanwhile, in words. */
    readonly notKept?: string | undefined;
  }
  | {
    readonly kind: "addresses";
    readonly addresses: readonly string[];
    /** Those of the interface, with their prefix lengths. */
    readonly tunnel: readonly string[];
  }
  | { readonly kind: "given"; readonly given: Given }
  | {
    readonly kind: "networks";
    /** Of this host, those of the interface among them. */
    readonly addresses: readonly string[];
    /** Those of the other interfaces. */
    readonly networks: readonly string[];
  }
  /** As `ip` takes it; undefined where there is none. */
  | { readonly kind: "route"; readonly route: string | undefined }
  | { readonly kind: "done" }
  /** It could not be done: what was thrown, and the same in words. */
  | { readonly kind: "failed"; readonly error: unknown; readonly why: string };

/** What comes without being asked for. */
export type SyncNews =
  /** The name of a server has none of its addresses any more, but these. */
  | {
    readonly kind: "server-moved";
    readonly server: string;
    readonly addresses: readonly string[];
  }
  /** Where routers have mapped WireGuard's port now. */
  | { readonly kind: "mapped"; readonly endpoints: readonly HostPort[] }
  /** The interface was read for another reason. */
  | { readonly kind: "device"; readonly device: Device }
  /** What all servers are known to say, now that one has told of a change without being asked. */
  | { readonly kind: "told"; readonly answer: QueryResult }
  /** A server has told of a change, and of others before it that were lost: it is time to ask. */
  | { readonly kind: "behind" }
  /** All peers that the lease server tells of. */
  | { readonly kind: "lease-peers"; readonly peers: readonly PeerNews[] };

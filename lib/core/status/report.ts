/**
 * What a running program says of itself when `wgsig status` asks it: schema 1, as JSON. There is nothing
 * secret in it. What is not known is null; times are seconds, sizes are bytes.
 *
 * @module
 */

import { PATH_KINDS, type PathKind } from "../path/path.ts";
import type { ServeReport } from "./serve_report.ts";

/** The number of what is described here. */
export const SCHEMA = 1;

/** How a peer is reached: by a way that is known, by one that handshakes have found, or not. */
export const REACHED_BY = [...PATH_KINDS, "handshake", "none"] as const;

/** One of them. */
export type ReachedBy = typeof REACHED_BY[number];

/** What came of a place where a peer may be. */
export const OUTCOMES = [
  "in-use",
  /** It is proved, and another one is used. */
  "works",
  /** It has worked. */
  "dead",
  "no-answer",
  "trying",
  "in-vain",
  /** What is used is better, or as good. */
  "not-tried",
] as const;

/** One of them. */
export type Outcome = typeof OUTCOMES[number];

/** A place where a peer may be. */
export interface CandidateReport {
  readonly kind: PathKind;
  readonly endpoint: string;
  readonly outcome: Outcome;
  readonly roundTrip: number | null;
}

/** A peer of an interface. */
export interface PeerReport {
  readonly publicKey: string;
  readonly name: string | null;
  readonly alive: boolean;
  readonly path: ReachedBy;
  /** Where WireGuard sends to. */
  readonly endpoint: string | null;
  /** Why it is reached so, or not: for people. */
  readonly why: string;
  readonly roundTrip: number | null;
  /** Since the last handshake. */
  readonly handshakeAge: number | null;
  readonly received: number;
  readonly sent: number;
  readonly candidates: readonly CandidateReport[];
}

/** A server that an interface asks. */
export interface ServerReport {
  /** As it was named. */
  readonly server: string;
  readonly status: string;
  /** Of wgsig, in which it has answered. */
  readonly protocol: number | null;
  /** Whether it relays for this interface. */
  readonly relays: boolean;
  /** Since its last answer. */
  readonly age: number | null;
  /** Of the last question that it has answered. */
  readonly roundTrip: number | null;
}

/** Addresses that are held for an interface, from inside the tunnel. */
export interface LeaseReport {
  /** With their prefix lengths, /32 or /128; none while none is held. */
  readonly addresses: readonly string[];
  /** Until the first of them ends, if it is not renewed; null where that isn't known yet. */
  readonly endsIn: number | null;
}

/** What `sync` says of its interface. */
export interface InterfaceReport {
  readonly kind: "sync";
  readonly interface: string;
  /** Whether there is such an interface. */
  readonly present: boolean;
  readonly publicKey: string | null;
  readonly port: number | null;
  /** How its port is registered. */
  readonly register: string | null;
  /** Where servers see it. */
  readonly endpoints: readonly string[];
  /** Where routers forward to it. */
  readonly mapped: readonly string[];
  /** How its NAT maps the port. */
  readonly nat: string;
  readonly servers: readonly ServerReport[];
  /** Null where no addresses are asked for. */
  readonly lease: LeaseReport | null;
  readonly peers: readonly PeerReport[];
  /** So many more there are. */
  readonly more: number;
}

/** All that can be said. */
export type Report = InterfaceReport | ServeReport;

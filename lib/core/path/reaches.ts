/**
 * By which means a host reaches which kinds of peers.
 *
 * @module
 */

import type { NatKind } from "../ask/own_reach.ts";
import { hardMeans } from "./hard_means.ts";

/**
 * Kinds of peers: in the same LAN, over IPv6, without a NAT or with a forwarded port, and behind a NAT
 * that maps alike for everybody, that counts, or that nobody can foretell.
 */
export const PEER_KINDS = ["lan", "ipv6", "open", "easy", "sequential", "hard"] as const;

/** One of them. */
export type PeerKind = typeof PEER_KINDS[number];

/** How a peer is reached. */
export type Means = "direct" | "punched" | "predicted" | "guessed" | "relay";

/** What it depends on. */
export interface OwnKind {
  /** How the own NAT maps WireGuard's port. */
  readonly nat: NatKind;
  /** Whether that port can be reached from outside: without a NAT, or forwarded. */
  readonly isOpen: boolean;
  /** Which families this host has a way out over. */
  readonly hasIpv4: boolean;
  readonly hasIpv6: boolean;
}

/** How this host reaches peers of a kind that have nothing better; undefined where that isn't known. */
export function meansTo(own: OwnKind, peer: PeerKind): Means | undefined {
  if (peer === "lan") return "direct";
  if (peer === "ipv6") return own.hasIpv6 ? "direct" : "relay";
  if (!own.hasIpv4) return "relay";
  if (peer === "open" || own.isOpen) return "direct";
  if (own.nat === "unknown") return undefined;
  if (own.nat === "easy" && peer === "easy") return "punched";
  // What one side begins is a way for both.
  const means = hardMeans(own.nat, peer) ?? hardMeans(peer, own.nat);
  if (means === undefined) return "relay";
  return means === "predict" ? "predicted" : "guessed";
}

/**
 * The ways in which a host is on the internet.
 *
 * @module
 */

import type { NatKind } from "./nat_rules.ts";

/**
 * - `preserve`, `bare`, `eim`, `cone`, `sym`, `seq`: behind a home router with that NAT.
 * - `dual`: IPv4 behind `preserve`, and IPv6.
 * - `ipv6`: IPv6 and nothing else.
 * - `cgn`: a home router with `preserve` behind a carrier's `eim`.
 * - `blocked`: UDP gets to the registry, and to nobody else.
 */
export const SITE_KINDS = [
  "preserve",
  "bare",
  "eim",
  "cone",
  "sym",
  "seq",
  "dual",
  "ipv6",
  "cgn",
  "blocked",
] as const;
export type SiteKind = typeof SITE_KINDS[number];

/**
 * Two hosts that share a way.
 *
 * - `lan`: they are neighbours, and their router brings nobody back in who has gone out.
 * - `lan-hairpin`: the same with a router that does.
 * - `carrier`: each has a home router (`preserve`) behind the same carrier's NAT (`eim`).
 * - `carrier-hairpin`: the same where the carrier's NAT (`cone`) brings them back in.
 */
export const SHARED_KINDS = ["lan", "lan-hairpin", "carrier", "carrier-hairpin"] as const;
export type SharedKind = typeof SHARED_KINDS[number];

/** The kinds of alice's site and bob's, or of the one that they share. */
export type Kinds = readonly [SiteKind, SiteKind] | readonly [SharedKind];

/** What the NAT of a site is that the internet sees; none where it has no IPv4. */
export function outerNat(kind: SiteKind): NatKind {
  switch (kind) {
    case "dual":
    case "blocked":
      return "preserve";
    case "cgn":
      return "eim";
    case "ipv6":
      return "none";
    default:
      return kind;
  }
}

export function hasIpv4(kind: SiteKind): boolean {
  return kind !== "ipv6";
}

export function hasIpv6(kind: SiteKind): boolean {
  return kind === "ipv6" || kind === "dual";
}

/**
 * Peers as a WireGuard configuration: `[Interface]` and `[Peer]` sections, as wg(8) and
 * wg-quick(8) read them.
 *
 * @module
 */

import { ageOf, endpointOf, type Sighting } from "./sighting.ts";

/** A peer as far as it is known: from a registry, from the settings, or both. */
export interface KnownPeer {
  /** In base64. */
  readonly publicKey: string;
  /** A name for people. */
  readonly name: string | undefined;
  /** What a server said; undefined for a peer that is in the settings alone. */
  readonly seen: Sighting | undefined;
  /** Addresses in the tunnel; undefined where they are not known. */
  readonly allowedIps: readonly string[] | undefined;
  /** Seconds; 0 is off. */
  readonly persistentKeepalive: number | undefined;
  /** In base64. */
  readonly presharedKey: string | undefined;
}

/** The own interface. */
export interface OwnInterface {
  /** In base64; undefined where it isn't known. */
  readonly publicKey: string | undefined;
  /** In base64; undefined prints what is known, defined makes a whole file for wg-quick. */
  readonly privateKey: string | undefined;
  /** Own addresses in the tunnel, with prefix lengths. */
  readonly addresses: readonly string[];
  /** Undefined where the port that was asked from is not the one to listen on. */
  readonly listenPort: number | undefined;
}

/**
 * The configuration in the form of the C client: the peers in the order in which the server has
 * them, the own public endpoint as a comment, `ListenPort` last. What the settings know of a peer
 * is added.
 *
 * @param peers The own record among them.
 * @param unix The wall clock, in seconds.
 */
export function formatFragment(
  own: OwnInterface,
  peers: readonly KnownPeer[],
  unix: number,
): string {
  const parts = peers.map((peer) =>
    peer.publicKey === own.publicKey ? publicEndpoint(peer) : peerSection(peer, unix, false)
  );
  if (own.listenPort !== undefined) parts.push([`[Interface]`, `ListenPort = ${own.listenPort}`]);
  const last = own.listenPort === undefined ? "\n\n" : "\n";
  return parts.length === 0 ? "" : parts.map((lines) => lines.join("\n")).join("\n\n") + last;
}

/**
 * The configuration as a whole file. What is not known is said in a comment.
 *
 * @param peers The own record may be among them.
 * @param unix The wall clock, in seconds.
 */
export function formatFile(own: OwnInterface, peers: readonly KnownPeer[], unix: number): string {
  const self = peers.find(({ publicKey }) => publicKey === own.publicKey);
  const head = [
    "[Interface]",
    `# PublicKey = ${own.publicKey}`,
    ...(self === undefined ? [] : publicEndpoint(self)),
    ...(own.privateKey === undefined
      ? ["# PrivateKey: not given; see --private-key"]
      : [`PrivateKey = ${own.privateKey}`]),
    ...(own.addresses.length === 0
      ? ["# Address: not given; see --address"]
      : [`Address = ${own.addresses.join(", ")}`]),
    ...(own.listenPort === undefined ? [] : [`ListenPort = ${own.listenPort}`]),
  ];
  const others = peers.filter(({ publicKey }) => publicKey !== own.publicKey);
  const parts = [head, ...others.map((peer) => peerSection(peer, unix, true))];
  return parts.map((lines) => lines.join("\n")).join("\n\n") + "\n";
}

/**
 * The `[Peer]` sections of a whole file alone, each with an empty line before it.
 *
 * @param unix The wall clock, in seconds.
 */
export function formatPeers(peers: readonly KnownPeer[], unix: number): string {
  return peers.map((peer) => `\n${peerSection(peer, unix, true).join("\n")}\n`).join("");
}

/** What comes from elsewhere must not end its comment: wg-quick runs what stands behind `PostUp =`. */
function onOneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, " ");
}

function publicEndpoint({ seen }: KnownPeer): string[] {
  return seen === undefined ? [] : [`# Public endpoint = ${endpointOf(seen)}`];
}

/** @param whole Whether to say what is not known. */
function peerSection(peer: KnownPeer, unix: number, whole: boolean): string[] {
  const { seen, allowedIps, persistentKeepalive, presharedKey } = peer;
  const lines = ["[Peer]"];
  if (peer.name !== undefined) lines.push(`# ${onOneLine(peer.name)}`);
  const age = seen && ageOf(seen, unix);
  if (age !== undefined) lines.push(`# Seen ${age} s ago`);
  lines.push(`PublicKey = ${peer.publicKey}`);
  if (presharedKey !== undefined) lines.push(`PresharedKey = ${presharedKey}`);
  if (allowedIps === undefined) {
    if (whole) lines.push("# AllowedIPs: not known; see [[peer]] in the settings");
  } else if (allowedIps.length > 0) lines.push(`AllowedIPs = ${allowedIps.join(", ")}`);
  if (seen !== undefined) lines.push(`Endpoint = ${endpointOf(seen)}`);
  else if (whole) lines.push("# Endpoint: not known; this peer is not registered");
  if (persistentKeepalive !== undefined && persistentKeepalive > 0) {
    lines.push(`PersistentKeepalive = ${persistentKeepalive}`);
  }
  return lines;
}

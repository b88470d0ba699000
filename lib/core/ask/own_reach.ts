/**
 * What a peer tells registries of how it can be reached, besides where its questions come from.
 *
 * @module
 */

import type { HostPort } from "../net/host_port.ts";

/** A place where this peer can be reached, besides where its question comes from. */
export interface OwnCandidate extends HostPort {
  /** Where it is from. */
  readonly kind: "lan" | "mapped" | "declared";
}

/** How a NAT maps WireGuard's port, as peers are told. */
export type NatKind = "unknown" | "easy" | "sequential" | "hard";

/** What is told. */
export interface OwnReach {
  /** Eight at most. */
  readonly candidates: readonly OwnCandidate[];
  /** Whether probes are answered at WireGuard's port. */
  readonly probes: boolean;
  /** How the own NAT maps it. */
  readonly nat: NatKind;
  /** The public keys of peers that are wanted through the relay, in base64. */
  readonly relays: readonly string[];
  /** Of those to which a direct way is proved while they are relayed. */
  readonly directs: readonly string[];
}

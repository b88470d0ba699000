/**
 * Peers that have moved, by their own word: a peer that proves who it is with its private key is no
 * longer where it was registered before, and there WireGuard has it.
 *
 * A handshake says that a path has worked, but not that it works still once its end has gone. What
 * nobody has proved is no such word: any member of the group could pull a healthy tunnel away with it.
 *
 * @module
 */

import { familyOf, formatHostPort, type HostPort } from "../net/host_port.ts";
import type { Candidate, PlannedPeer } from "./planned_peer.ts";

/** Remembers where peers have said to be. */
export class PeerMoves {
  /** By public key: the endpoints that it has proved. */
  readonly #proved = new Map<string, readonly string[]>();
  /** By public key: when the last move was noticed, on the monotonic clock. */
  readonly #movedAt = new Map<string, number>();

  /** Forgets who is not on the interface any more. */
  keep(publicKeys: ReadonlySet<string>): void {
    for (const known of [this.#proved, this.#movedAt]) {
      for (const key of known.keys()) if (!publicKeys.has(key)) known.delete(key);
    }
  }

  /** When a peer has moved last; long ago where that isn't known. */
  at(publicKey: string): number {
    return this.#movedAt.get(publicKey) ?? -Infinity;
  }

  /** Looks where a peer is now. @returns Whether it has moved away from where WireGuard has it. */
  look(peer: PlannedPeer, candidates: readonly Candidate[], mono: number): boolean {
    const { publicKey, endpoint } = peer;
    const proved = candidates.filter(({ isProved }) => isProved);
    if (proved.length === 0) return false;
    const before = this.#proved.get(publicKey) ?? [];
    this.#proved.set(publicKey, proved.map(({ endpoint }) => formatHostPort(endpoint)));
    if (endpoint === undefined || !before.includes(formatHostPort(endpoint))) return false;
    if (candidates.some((each) => isSame(each.endpoint, endpoint))) return false;
    if (!proved.some((each) => isLater(each, peer, endpoint))) return false;
    this.#movedAt.set(publicKey, mono);
    return true;
  }
}

/** Whether a candidate in the place of an endpoint was heard after the last handshake. */
function isLater(
  { endpoint, seenAt = -Infinity }: Candidate,
  { handshakeAt = -Infinity }: PlannedPeer,
  before: HostPort,
): boolean {
  return familyOf(endpoint) === familyOf(before) && seenAt > handshakeAt;
}

function isSame(a: HostPort, b: HostPort): boolean {
  return formatHostPort(a) === formatHostPort(b);
}

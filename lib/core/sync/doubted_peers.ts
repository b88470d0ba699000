/**
 * Peers that may not know yet that the path between them and this host is another one.
 *
 * @module
 */

import type { Device, DevicePeer } from "../net/device.ts";

/** Remembers of whom nothing has come since one of its ends has moved. */
export class DoubtedPeers {
  /** By public key: the bytes received until the move. */
  readonly #received = new Map<string, number>();

  /** How many there are. */
  get count(): number {
    return this.#received.size;
  }

  /** Whether this peer is one. */
  has(publicKey: string): boolean {
    return this.#received.has(publicKey);
  }

  /** The paths to these peers are others now. */
  doubt(peers: readonly Pick<DevicePeer, "publicKey" | "received">[]): void {
    for (const { publicKey, received } of peers) this.#received.set(publicKey, received);
  }

  /**
   * What has been heard of a peer since says that it has found the new own endpoint.
   *
   * @param fromNow What was heard until now says nothing: the move was seen without the interface.
   */
  look({ peers }: Device, fromNow: boolean): void {
    const received = new Map(peers.map((peer) => [peer.publicKey, peer.received]));
    for (const [key, before] of this.#received) {
      const now = received.get(key);
      if (fromNow && now !== undefined) this.#received.set(key, now);
      else if (now !== before) this.#received.delete(key);
    }
  }

  /**
   * Those that are to be nudged. Peers follow the own endpoint only when WireGuard sends something,
   * and on its own it would do so when the next keepalive is due: switching keepalives off and on
   * sends one at once.
   *
   * @param isAlive Whether there is a session through which it can be sent.
   */
  toNudge({ peers }: Device, isAlive: (peer: DevicePeer) => boolean): readonly DevicePeer[] {
    return peers.filter((peer) =>
      this.has(peer.publicKey) && peer.persistentKeepalive !== 0 && isAlive(peer)
    );
  }
}

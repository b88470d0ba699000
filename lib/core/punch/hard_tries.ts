/**
 * Remembers for which mappings hundreds of datagrams were sent, so that it happens once: routers
 * keep an entry for each, and networks take notice.
 *
 * @module
 */

/** The most peers that are remembered; then the one whose try is longest ago gives way. */
const MAX_PEERS = 10_000;

/** What was tried last, per peer. */
export class HardTries {
  readonly #tried = new Map<string, string>();

  /**
   * Whether to try now: for each pair of mappings once. It counts as tried then.
   *
   * @param peer Its public key.
   * @param own The mapping of the own NAT.
   * @param theirs That of the peer's.
   */
  begin(peer: string, own: string, theirs: string): boolean {
    const mappings = `${own} ${theirs}`;
    if (this.#tried.get(peer) === mappings) return false;
    this.#tried.delete(peer);
    this.#tried.set(peer, mappings);
    if (this.#tried.size > MAX_PEERS) {
      for (const oldest of this.#tried.keys()) {
        this.#tried.delete(oldest);
        break;
      }
    }
    return true;
  }

  /** The peer is no peer any more. */
  forget(peer: string): void {
    this.#tried.delete(peer);
  }
}

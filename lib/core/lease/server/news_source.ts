/**
 * What a client that asks for it is told of the others.
 *
 * @module
 */

import { type LeaseNews, MAX_NEWS_PEERS, type PeerNews } from "../news.ts";
import type { LeaseBook } from "./book.ts";
import type { IndexedPeer, PeerIndex } from "./peer_index.ts";

/** So many leases are looked through for peers to tell of, where too few have an endpoint. */
const MOST_LOOKED_THROUGH = 1024;

/** All peers, as far as clients are told of them. */
export class LeaseNewsSource {
  readonly #book: LeaseBook;
  readonly #peers: PeerIndex;
  /** What was found out of the peers that are told, as long as it is right. */
  #told: { readonly version: string; readonly peers: readonly PeerNews[] } = {
    version: "",
    peers: [],
  };

  constructor(book: LeaseBook, peers: PeerIndex) {
    this.#book = book;
    this.#peers = peers;
  }

  /** What a peer is told: as many of the others as it may be. */
  newsFor(ownKey: string, routes: readonly string[]): LeaseNews {
    const version = `${this.#peers.version} ${this.#book.version}`;
    if (this.#told.version !== version) this.#told = { version, peers: this.#toldPeers() };
    return { routes, peers: this.#told.peers.filter(({ publicKey }) => publicKey !== ownKey) };
  }

  /** The peers that are told, and one more: nobody is told of itself. */
  #toldPeers(): PeerNews[] {
    const peers: PeerNews[] = [];
    const isFull = () => peers.length > MAX_NEWS_PEERS;
    for (const peer of this.#peers.placed()) {
      if (isFull()) return peers;
      peers.push(this.#newsOf(peer));
    }
    // Who has not been heard since the interface was made has a lease at most.
    let left = MOST_LOOKED_THROUGH;
    const told = new Set(peers.map(({ publicKey }) => publicKey));
    for (const { publicKey } of this.#book.leases()) {
      if (isFull() || left-- === 0) break;
      const peer = this.#peers.peer(publicKey);
      if (told.has(publicKey) || peer === undefined) continue;
      told.add(publicKey);
      peers.push(this.#newsOf(peer));
    }
    return peers;
  }

  #newsOf({ publicKey, endpoint }: IndexedPeer): PeerNews {
    return { publicKey, endpoint, allowedIps: this.#book.addressesOf(publicKey) };
  }
}

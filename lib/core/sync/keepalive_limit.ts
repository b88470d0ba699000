/**
 * Lowers WireGuard's keepalives where a NAT forgets mappings sooner than they come.
 *
 * ```
 * a mapping has died: the own port has become another one at the same address, and nothing else has
 *    │                changed; or a peer was lost that registries heard meanwhile, and came back at
 *    │                the same endpoints
 *    ▼ twice within 15 minutes
 * half of the keepalive, 10 s at least: 25 ── 12 ── 10 s; what comes in the next 30 s counts for nothing
 * ```
 *
 * Once is nothing: a router may have restarted. Where a NAT has a mapping for each destination, the
 * registry's says nothing of those of peers; whoever knows that it is one doesn't tell of its moves.
 *
 * @module
 */

import type { DevicePeer } from "../net/device.ts";
import { formatHostPort, parseHostPort } from "../net/host_port.ts";
import type { OwnMove } from "./own_endpoint.ts";

/** What to do about it. */
export const KEEPALIVE_HINT =
  "a NAT forgets this host's mapping between two keepalives; they come more often now, until the " +
  "interface is made anew: set PersistentKeepalive in its configuration, or a longer UDP timeout in " +
  "the router";

/** Less is a burden for batteries, and no NAT is known to need it; RFC 4787 wants 120 s. */
const LOWEST = 10;
/** So many mappings must have died. */
const DEATHS = 2;
/** Within so many seconds. */
const WINDOW = 900;
/** After a change, what comes may be of before, in seconds. */
const GRACE = 30;

/** A keepalive to set. */
export interface LoweredKeepalive {
  readonly publicKey: string;
  readonly persistentKeepalive: number;
}

/** What there is to tell. */
export interface KeepaliveNews {
  readonly persistentKeepalive: number;
  /** The one before. */
  readonly before: number;
}

/** A peer that is lost. */
interface Lost {
  readonly at: number;
  readonly endpoint: string;
}

type Peer = Pick<DevicePeer, "publicKey" | "endpoint" | "persistentKeepalive">;

/** Decides for one interface. All times are seconds of the monotonic clock. */
export class KeepaliveLimit {
  #limit = Infinity;
  #deaths: readonly number[] = [];
  #countsFrom = -Infinity;
  readonly #alive = new Map<string, string>();
  readonly #lost = new Map<string, Lost>();
  /** Those that were set at this limit: what somebody sets after that is left. */
  readonly #done = new Set<string>();
  #news: KeepaliveNews | undefined;

  /** The interface is another one: nothing is known of its peers. */
  forget(): void {
    this.#alive.clear();
    this.#lost.clear();
    this.#done.clear();
    this.#deaths = [];
    this.#limit = Infinity;
  }

  /** The own endpoint of a family is another one. */
  ownMoved({ endpoint, before = "" }: OwnMove, peers: readonly Peer[], mono: number): void {
    // Another way out of this host takes peers with it.
    this.#lost.clear();
    const [now, then] = [parseHostPort(endpoint), parseHostPort(before)];
    if (now?.host !== then?.host) this.#deaths = [];
    // Any datagram keeps the mapping: the shortest keepalive counts.
    else this.#died(Math.min(...peers.map(keepaliveOf)), mono);
  }

  /**
   * Looks at the interface.
   *
   * @param isAlive Whether a peer is reached.
   * @param heardAt When registries heard a peer last.
   */
  look<P extends Peer>(
    peers: readonly P[],
    isAlive: (peer: P) => boolean,
    heardAt: (publicKey: string) => number,
    mono: number,
  ): void {
    const present = new Set(peers.map(({ publicKey }) => publicKey));
    for (const known of [this.#alive, this.#lost, this.#done]) {
      for (const key of known.keys()) if (!present.has(key)) known.delete(key);
    }
    for (const peer of peers) {
      const { publicKey } = peer;
      const endpoint = peer.endpoint === undefined ? "" : formatHostPort(peer.endpoint);
      const lost = this.#lost.get(publicKey);
      if (!isAlive(peer)) {
        const last = this.#alive.get(publicKey);
        if (last !== undefined) this.#lost.set(publicKey, { at: mono, endpoint: last });
        this.#alive.delete(publicKey);
        continue;
      }
      this.#alive.set(publicKey, endpoint);
      this.#lost.delete(publicKey);
      if (lost?.endpoint === endpoint && heardAt(publicKey) > lost.at) {
        this.#died(keepaliveOf(peer), mono);
      }
    }
  }

  /** The keepalives to set: each once, until it is said that it is done. */
  toLower(peers: readonly Peer[]): readonly LoweredKeepalive[] {
    return peers.flatMap(({ publicKey, persistentKeepalive }) =>
      persistentKeepalive > this.#limit && !this.#done.has(publicKey)
        ? [{ publicKey, persistentKeepalive: this.#limit }]
        : []
    );
  }

  /** A peer has the keepalive that it was to have. */
  lowered(publicKey: string): void {
    this.#done.add(publicKey);
  }

  /** What there is to tell since this was last called. */
  takeNews(): KeepaliveNews | undefined {
    const news = this.#news;
    this.#news = undefined;
    return news;
  }

  /** @param keepalive What was in force; Infinity where none was: then more often would help nothing. */
  #died(keepalive: number, mono: number): void {
    if (mono < this.#countsFrom || keepalive === Infinity) return;
    this.#deaths = [...this.#deaths.filter((at) => mono - at < WINDOW), mono];
    if (this.#deaths.length < DEATHS) return;
    this.#deaths = [];
    const before = Math.min(keepalive, this.#limit);
    const after = Math.max(LOWEST, Math.floor(before / 2));
    if (after >= before) return;
    this.#limit = after;
    this.#countsFrom = mono + GRACE;
    this.#done.clear();
    this.#news = { persistentKeepalive: after, before };
  }
}

/** Seconds; Infinity where there are none. */
function keepaliveOf({ persistentKeepalive }: Peer): number {
  return persistentKeepalive === 0 ? Infinity : persistentKeepalive;
}

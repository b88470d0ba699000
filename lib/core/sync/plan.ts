/**
 * Decides which endpoints of a WireGuard interface are changed, from what the interface says of its
 * peers and what registries say of them.
 *
 * ```
 *                  handshake                    handshake
 *        ┌───────────────────────────┐  ┌──────────────────────────┐
 *        ▼                           │  ▼                          │
 *      alive ──── too old ───► try the newest candidate ──► … the next
 *                                    ▲                             │ none worked
 *                                    │ a new candidate             ▼
 *                                    └───────────────── the old endpoint again
 * ```
 *
 * A peer with a recent handshake is left alone: its path works. But a handshake is no evidence for a
 * path that has changed since. So after the own public endpoint has moved, a peer that has moved as
 * well (a registry knows another endpoint) is given its new one at once; and so is one that has proved
 * itself that it is no longer where WireGuard has it (see {@linkcode PeerMoves}).
 *
 * @module
 */

import { type Family, familyOf, formatHostPort, type HostPort } from "../net/host_port.ts";
import type { HandshakeTrial } from "../status/peer_report.ts";
import { PeerMoves } from "./peer_moves.ts";
import type { Candidate, PlannedPeer } from "./planned_peer.ts";

/** Something to set. */
export interface PlannedChange {
  /** The WireGuard public key in base64. */
  readonly publicKey: string;
  /** An IP address and a port. */
  readonly endpoint: HostPort;
  /** Seconds to set, where none are set and a hole in a NAT needs them. */
  readonly persistentKeepalive: number | undefined;
  /** The endpoint before. */
  readonly from: HostPort | undefined;
  /** Whether a candidate is tried, or the old endpoint comes back because none worked. */
  readonly why: "candidate" | "restore";
}

/** Settings of a plan, in seconds. */
export interface SyncPlanOptions {
  /** A handshake that is younger says that the path works. */
  readonly alive: number;
  /** How long a candidate is tried: WireGuard sends a handshake every 5 s. */
  readonly trial: number;
  /** After all candidates failed, they are tried again after this time, if the peer is still heard. */
  readonly pause: number;
  /** Set where a peer has none; 0 leaves it. */
  readonly persistentKeepalive: number;
}

/** What is being tried for a peer without a handshake. */
interface Search {
  /** The endpoint before the first trial. */
  readonly old: HostPort | undefined;
  readonly tried: Set<string>;
  /** How many candidates of each server have been tried: they take turns. */
  readonly trials: Map<string | undefined, number>;
  /** What is being tried. */
  current: Candidate | undefined;
  /** How often a new candidate has ended a trial before its time. */
  cutShort: number;
  /** All candidates that there were so far: one that only changes places with another is not new. */
  readonly known: Set<string>;
  /** When the present trial ends; after the last one, when all begins anew. */
  until: number;
  /** When the first candidate was tried. */
  startedAt: number;
  /** Whether nothing is left to try. */
  exhausted: boolean;
  /** When that was found. */
  exhaustedAt: number;
}

/** Endpoints that are remembered in one search. */
const MOST_KNOWN = 64;
/** A new candidate may end a trial before its time so often in one search: a peer that moves on. */
const MOST_CUT_SHORT = 3;

/**
 * Keeps what was tried from one look at the interface to the next. All times are seconds of the
 * monotonic clock.
 */
export class SyncPlan {
  readonly #options: SyncPlanOptions;
  readonly #searches = new Map<string, Search>();
  /** When the own public endpoint of a family moved. */
  readonly #movedAt: Record<Family, number> = { 4: -Infinity, 6: -Infinity };
  readonly #moves = new PeerMoves();

  /** Starts with nothing tried. */
  constructor(options: SyncPlanOptions) {
    this.#options = options;
  }

  /** The own public endpoint of a family is another than before. */
  ownEndpointMoved(family: Family, mono: number): void {
    this.#movedAt[family] = mono;
    this.#searches.clear();
  }

  /** Whether the path to a peer is known to work. */
  isAlive({ handshakeAt }: Pick<PlannedPeer, "handshakeAt">, mono: number): boolean {
    return handshakeAt !== undefined && mono - handshakeAt < this.#options.alive;
  }

  /** Whether something is being tried, so that the next look should be soon. */
  get isSearching(): boolean {
    return [...this.#searches.values()].some(({ exhausted }) => !exhausted);
  }

  /** Whether all was tried in vain for a peer. */
  get hasExhausted(): boolean {
    return [...this.#searches.values()].some(({ exhausted }) => exhausted);
  }

  /** What is being tried for a peer; undefined where nothing is. */
  trialOf(publicKey: string): HandshakeTrial | undefined {
    const search = this.#searches.get(publicKey);
    if (search === undefined) return undefined;
    const { current, tried, exhausted: isExhausted } = search;
    return { current: current?.endpoint, tried, isExhausted };
  }

  /** The peers that a registry still heard after everything had been tried in vain. */
  unreachable(candidates: ReadonlyMap<string, readonly Candidate[]>): string[] {
    return [...this.#searches].flatMap(([key, { exhausted, exhaustedAt }]) => {
      const isHeard = candidates.get(key)?.some(({ seenAt = -Infinity }) => seenAt > exhaustedAt);
      return exhausted && isHeard ? [key] : [];
    });
  }

  /**
   * What to change now.
   *
   * @param candidates By public key, the newest first.
   */
  step(
    peers: readonly PlannedPeer[],
    candidates: ReadonlyMap<string, readonly Candidate[]>,
    mono: number,
  ): PlannedChange[] {
    const present = new Set(peers.map(({ publicKey }) => publicKey));
    for (const key of this.#searches.keys()) if (!present.has(key)) this.#searches.delete(key);
    this.#moves.keep(present);
    return peers.flatMap((peer) =>
      this.#stepPeer(peer, inOrderFor(peer, candidates.get(peer.publicKey) ?? []), mono)
    );
  }

  #stepPeer(peer: PlannedPeer, candidates: readonly Candidate[], mono: number): PlannedChange[] {
    const { publicKey, endpoint, handshakeAt = -Infinity } = peer;
    if (this.#moves.look(peer, candidates, mono)) this.#searches.delete(publicKey);
    let search = this.#searches.get(publicKey);
    if (this.isAlive(peer, mono) && !this.#lostByMove(peer, candidates, search)) {
      // A handshake from before the own move doesn't say that what was set since works.
      if (handshakeAt >= this.#changedAt(peer)) this.#searches.delete(publicKey);
      return [];
    }
    if (search === undefined) {
      if (candidates.length === 0) return [];
      search = newSearch(endpoint, mono);
      this.#searches.set(publicKey, search);
    }
    const { startedAt } = search;
    const isHeard = candidates.some(({ seenAt = Infinity }) => seenAt > startedAt);
    if (search.exhausted && mono >= search.until && isHeard) {
      search = newSearch(endpoint, mono);
      this.#searches.set(publicKey, search);
    }
    const { tried, known } = search;
    // A candidate that came up during the trial is newer than what is being tried.
    const news = search.exhausted ? candidates : candidates.slice(0, 1);
    const fresh = news.find((each) => !known.has(textOf(each.endpoint)));
    if (known.size > MOST_KNOWN) known.clear();
    for (const candidate of candidates) known.add(textOf(candidate.endpoint));
    if (mono < search.until) {
      if (fresh === undefined) return [];
      if (!search.exhausted && !mayCutShort(fresh, candidates, search)) return [];
      if (!search.exhausted) search.cutShort++;
    }
    const next = nextOf(candidates, search);
    if (next !== undefined) {
      tried.add(textOf(next.endpoint));
      search.current = next;
      search.trials.set(next.server, (search.trials.get(next.server) ?? 0) + 1);
      search.until = mono + this.#options.trial;
      search.exhausted = false;
      // WireGuard tries its present endpoint by itself.
      if (endpoint !== undefined && textOf(next.endpoint) === textOf(endpoint)) {
        return this.#keepaliveAlone(peer, next.endpoint);
      }
      return [this.#change(peer, next.endpoint, "candidate")];
    }
    if (search.exhausted) return [];
    search.exhausted = true;
    search.exhaustedAt = mono;
    search.until = mono + this.#options.pause;
    const { old } = search;
    if (old === undefined || endpoint === undefined || textOf(old) === textOf(endpoint)) return [];
    if (tried.has(textOf(old))) return [];
    return [this.#change(peer, old, "restore")];
  }

  /** When one of the ends of the path to a peer has moved last. */
  #changedAt({ publicKey, endpoint }: PlannedPeer): number {
    const own = endpoint === undefined
      ? Math.max(this.#movedAt[4], this.#movedAt[6])
      : this.#movedAt[familyOf(endpoint)];
    return Math.max(own, this.#moves.at(publicKey));
  }

  /** A handshake from before a move, and a peer that a registry has seen elsewhere. */
  #lostByMove(
    peer: PlannedPeer,
    [newest]: readonly Candidate[],
    search: Search | undefined,
  ): boolean {
    const { endpoint, handshakeAt = -Infinity } = peer;
    if (handshakeAt >= this.#changedAt(peer) || newest === undefined) return false;
    const text = textOf(newest.endpoint);
    return !search?.known.has(text) && (endpoint === undefined || text !== textOf(endpoint));
  }

  #keepaliveAlone(peer: PlannedPeer, endpoint: HostPort): PlannedChange[] {
    const change = this.#change(peer, endpoint, "candidate");
    return change.persistentKeepalive === undefined ? [] : [change];
  }

  #change(peer: PlannedPeer, endpoint: HostPort, why: PlannedChange["why"]): PlannedChange {
    const { persistentKeepalive } = this.#options;
    const needed = peer.persistentKeepalive === 0 && persistentKeepalive > 0;
    return {
      publicKey: peer.publicKey,
      endpoint,
      persistentKeepalive: needed ? persistentKeepalive : undefined,
      from: peer.endpoint,
      why,
    };
  }
}

/**
 * Whether a new candidate may end the trial that is under way: a server that names another endpoint
 * each time must not keep those of others from theirs.
 */
function mayCutShort(
  { server }: Candidate,
  candidates: readonly Candidate[],
  { current, cutShort }: Search,
): boolean {
  if (current === undefined) return true;
  const isNamed = candidates.some((each) =>
    each.server === current.server && textOf(each.endpoint) === textOf(current.endpoint)
  );
  return cutShort < MOST_CUT_SHORT && (server === current.server || !isNamed);
}

/** First those of the family over which the peer was reached last, where it was reached at all. */
function inOrderFor(
  { endpoint, handshakeAt }: PlannedPeer,
  candidates: readonly Candidate[],
): readonly Candidate[] {
  if (endpoint === undefined || handshakeAt === undefined) return candidates;
  const rankOf = (each: Candidate) => familyOf(each.endpoint) === familyOf(endpoint) ? 0 : 1;
  return candidates.toSorted((a, b) => rankOf(a) - rankOf(b));
}

/** The candidate to try: of the servers that had the fewest trials, the newest. */
function nextOf(
  candidates: readonly Candidate[],
  { tried, trials }: Search,
): Candidate | undefined {
  let best: Candidate | undefined;
  const trialsOf = ({ server }: Candidate) => trials.get(server) ?? 0;
  for (const candidate of candidates) {
    if (tried.has(textOf(candidate.endpoint))) continue;
    if (best === undefined || trialsOf(candidate) < trialsOf(best)) best = candidate;
  }
  return best;
}

function newSearch(old: HostPort | undefined, mono: number): Search {
  return {
    old,
    tried: new Set(),
    trials: new Map(),
    current: undefined,
    cutShort: 0,
    known: new Set(),
    until: -Infinity,
    startedAt: mono,
    exhausted: false,
    exhaustedAt: Infinity,
  };
}

function textOf(endpoint: HostPort): string {
  return formatHostPort(endpoint);
}

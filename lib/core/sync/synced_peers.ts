/**
 * The peers of an interface: where they may be, whom to give another endpoint, whom to nudge, whom to
 * add.
 *
 * It is a little longer than a file should be because all that asks for a peer's state asks here.
 *
 * @module
 */

import type { NatVerdict } from "../ask/nat_verdict.ts";
import type { PeerNews } from "../lease/news.ts";
import type { Now } from "../net/clock.ts";
import type { Device, DevicePeer } from "../net/device.ts";
import { familyOf, formatHostPort, type HostPort } from "../net/host_port.ts";
import type { LogFields } from "../net/log_line.ts";
import type { QueryResult } from "../query/query_result.ts";
import { EXIT, type ExitStatus } from "../settings/user_error.ts";
import { BelievedEndpoints } from "./believed.ts";
import { type Candidates, candidatesOf, whereaboutsOf } from "./candidates.ts";
import { DoubtedPeers } from "./doubted_peers.ts";
import { Handshakes } from "./handshakes.ts";
import { KEEPALIVE_HINT, KeepaliveLimit, type LoweredKeepalive } from "./keepalive_limit.ts";
import type { SyncNotes } from "./notes.ts";
import type { OwnMove } from "./own_endpoint.ts";
import type { SyncOptions } from "./options.ts";
import { PeerStates } from "./peer_states.ts";
import { type PlannedChange, SyncPlan } from "./plan.ts";
import type { RelayMode } from "../path/relay_wish.ts";
import { type Relays, relaysOf, withRelays } from "./relays.ts";
import type { PeerFacts } from "../status/peer_report.ts";
import { SharedKeys } from "./shared_keys.ts";
import { type PeerAddition, UnknownPeers } from "./unknown_peers.ts";

/** A handshake is renewed after 120 s at the latest while there is traffic; then 15 s of retries. */
const ALIVE = 135;
/** WireGuard sends a handshake every 5 s: two of them. */
const TRIAL = 6;
const PAUSE = 60;
/**
 * Servers are to say when peers were heard that have not moved, after so many seconds, and after twice
 * as many each time: a peer may be heard just after it was asked for.
 */
const [FIRST_ANEW, LAST_ANEW] = [4, 60];
/** So long one side of a pair leaves the other the first word, in seconds: more than a round trip. */
const FIRST_WORD = 0.2;
/** So much longer where nobody says yet whether the peer answers probes, and this host does. */
const PROBES_WORD = 0.2;

/** Knows them from one look to the next. */
export class SyncedPeers {
  readonly #notes: SyncNotes;
  #options: SyncOptions;
  readonly #states: PeerStates;
  readonly #isFound: (publicKey: string, now: Now) => boolean;
  readonly #doubted = new DoubtedPeers();
  readonly #keepalive = new KeepaliveLimit();
  readonly #handshakes = new Handshakes(ALIVE);
  readonly #shared: SharedKeys = new SharedKeys();
  readonly #unknown: UnknownPeers;
  #plan: SyncPlan;
  /** What the lease server tells of others. */
  #news: readonly PeerNews[] = [];
  #candidates: Candidates = new Map();
  /** Registries that relay. */
  #relays: Relays = new Map();
  /** By public key, where the peers were at the last look, as text. */
  #whereabouts: ReadonlyMap<string, string> = new Map();
  /** When servers were last to tell of all peers anew, on the monotonic clock. */
  #anewAt = -Infinity;
  #anewGap = FIRST_ANEW;

  /**
   * Knows of none yet.
   *
   * @param isFound Whether somebody else finds ways to a peer: it is not tried then.
   */
  constructor(
    notes: SyncNotes,
    options: SyncOptions,
    isFound: (publicKey: string, now: Now) => boolean,
  ) {
    this.#notes = notes;
    this.#isFound = isFound;
    this.#options = options;
    this.#states = new PeerStates(notes, options.peers);
    this.#unknown = new UnknownPeers(notes, options);
    this.#plan = this.#newPlan();
  }

  /** Replaces the settings. */
  configure(options: SyncOptions): void {
    const before = this.#options.persistentKeepalive;
    this.#options = options;
    this.#states.configure(options.peers);
    this.#unknown.configure(options);
    if (options.persistentKeepalive !== before) this.#plan = this.#newPlan();
  }

  /** The interface is another one: nothing has been tried yet. */
  begin(): void {
    this.#plan = this.#newPlan();
    this.#keepalive.forget();
    this.#handshakes.forget();
    this.#states.forget();
  }

  /** A file of settings for all hosts has this one as well: else a key may be a wrong one. */
  tellUnlisted({ publicKey: key }: Device): void {
    const { peers } = this.#options;
    if (key === undefined || peers.size === 0 || peers.has(key)) return;
    const hint = "no [[peer]] of the settings has this host's key; do the others' have it?";
    this.#notes.once("info", "own-key-unlisted", { key, hint });
  }

  /** What the lease server tells of them now. */
  heard(news: readonly PeerNews[]): void {
    this.#news = news;
  }

  /**
   * Looks at the interface.
   *
   * @param fromPoll Whether that is because of what the servers said without it.
   * @returns Whether somebody was lost.
   */
  look(device: Device, fromPoll: boolean, now: Now): boolean {
    this.#handshakes.look(device, now);
    const isLost = this.#states.look(device, (peer) => this.isAlive(peer, now));
    this.#doubted.look(device, fromPoll);
    const isAlive = (peer: DevicePeer) => this.isAlive(peer, now);
    this.#keepalive.look(device.peers, isAlive, (key) => this.#heardAt(key), now.mono);
    return isLost;
  }

  /** The interface was read between two looks. */
  glance(device: Device, now: Now): void {
    this.#handshakes.look(device, now);
  }

  /** Whether a peer is reached. */
  isAlive({ publicKey }: DevicePeer, { mono }: Now): boolean {
    return this.#plan.isAlive({ handshakeAt: this.#handshakes.at(publicKey) }, mono);
  }

  /** A peer's key and its name, where it has one. */
  named(publicKey: string): { readonly key: string; readonly name?: string } {
    return this.#states.named(publicKey);
  }

  /** Those to which the NAT is opened; with each, the endpoint to which it needn't be. */
  openTo({ peers }: Device, now: Now): ReadonlyMap<string, HostPort | undefined> {
    const others = peers.filter(({ publicKey }) => !this.#isFound(publicKey, now));
    return new Map(others.map((peer) => {
      const isFound = this.isAlive(peer, now) && !this.#doubted.has(peer.publicKey);
      return [peer.publicKey, isFound ? peer.endpoint : undefined];
    }));
  }

  /**
   * Whether servers are to tell of all peers anew: whether one is heard still that is reached nowhere,
   * say. It counts as asked.
   */
  asksAnew({ mono }: Now): boolean {
    if (!this.#plan.hasExhausted) {
      this.#anewGap = FIRST_ANEW;
      return false;
    }
    if (mono < this.#anewAt + this.#anewGap) return false;
    this.#anewAt = mono;
    this.#anewGap = Math.min(2 * this.#anewGap, LAST_ANEW);
    return true;
  }

  /**
   * The own endpoint of a family is another than before.
   *
   * @param tellsOfPeers Whether a mapping for the registry is one for peers.
   */
  ownEndpointMoved(device: Device, move: OwnMove, tellsOfPeers: boolean, now: Now): void {
    const { family } = move;
    if (tellsOfPeers) this.#keepalive.ownMoved(move, device.peers, now.mono);
    // Those that are reached over the other family know where this host is.
    this.#doubted.doubt(
      device.peers.filter(({ endpoint }) =>
        endpoint === undefined || familyOf(endpoint) === family
      ),
    );
    this.#plan.ownEndpointMoved(family, now.mono);
  }

  /** Tells of keys that two hosts have, the own one among them. */
  tellShared({ publicKey: own, peers }: Device, { sightings }: QueryResult, now: Now): void {
    const keys = [...own === undefined ? [] : [own], ...peers.map(({ publicKey }) => publicKey)];
    for (const { publicKey, endpoints } of this.#shared.look(keys, sightings, now.mono)) {
      const hint =
        "two hosts have this key, as after a copy of a configuration: give each one of " +
        "its own; or one host changes between two ways out";
      const fields = { ...this.#states.named(publicKey), endpoints: endpoints.join(","), hint };
      this.#notes.event("warn", "key-on-two-hosts", fields);
    }
  }

  /** Whether servers say that a peer is elsewhere than at the last look. */
  haveMoved(device: Device, answer: QueryResult, now: Now): boolean {
    return this.#movedOf(device, answer, now).length > 0;
  }

  /**
   * So long what servers have told is not acted upon, in seconds. Where both begin a handshake at the
   * same moment, each drops the other's, and the next try is 5 s later. So whoever is told of a peer
   * leaves it the first word: the peer has asked, and knows of this one already. Where both are told,
   * the smaller key has it. Through a session that lasts, nothing has to be agreed upon.
   *
   * @param mayProbe Whether this host answers probes.
   */
  holdsBack(device: Device, answer: QueryResult, mayProbe: boolean, now: Now): number {
    const moved = this.#movedOf(device, answer, now);
    if (moved.length === 0 || moved.some((peer) => this.isAlive(peer, now))) return 0;
    // A peer registers in the first protocol as well where it doesn't know its registry yet; a moment
    // later it may turn out to answer probes.
    const isOpen = mayProbe && moved.some(({ publicKey }) => !answers(answer, publicKey));
    const { publicKey: own = "" } = device;
    const word = moved.some(({ publicKey }) => own < publicKey) ? FIRST_WORD : 2 * FIRST_WORD;
    return isOpen ? word + PROBES_WORD : word;
  }

  #movedOf(device: Device, answer: QueryResult, now: Now): readonly DevicePeer[] {
    const places = whereaboutsOf(device, this.#candidatesOf(device, answer, now));
    return device.peers.filter(({ publicKey }) =>
      places.get(publicKey) !== this.#whereabouts.get(publicKey) && !this.#isFound(publicKey, now)
    );
  }

  /** Takes in where servers say that they are. @returns The endpoints to set. */
  plan(device: Device, answer: QueryResult, now: Now): readonly PlannedChange[] {
    this.#candidates = this.#candidatesOf(device, answer, now);
    this.#whereabouts = whereaboutsOf(device, this.#candidates);
    const peers = device.peers.filter(({ publicKey }) => !this.#isFound(publicKey, now))
      .map((peer) => ({ ...peer, handshakeAt: this.#handshakes.at(peer.publicKey) }));
    const changes = this.#plan.step(peers, this.#candidates, now.mono);
    // Through a session that lasts, WireGuard says nothing by itself before the next keepalive.
    const changed = new Set(changes.map(({ publicKey }) => publicKey));
    for (const peer of device.peers) {
      if (changed.has(peer.publicKey) && this.isAlive(peer, now)) this.#doubted.doubt([peer]);
    }
    return changes;
  }

  /** What to tell of a change. */
  fieldsOf({ publicKey, endpoint, from, persistentKeepalive }: PlannedChange): LogFields {
    const { dryRun } = this.#options;
    return {
      ...this.#states.named(publicKey),
      endpoint: formatHostPort(endpoint),
      ...(from === undefined ? {} : { before: formatHostPort(from) }),
      ...(persistentKeepalive === undefined ? {} : { persistentKeepalive }),
      ...(dryRun ? { dryRun } : {}),
      ...(this.relays.has(formatHostPort(endpoint)) ? { path: "relay" } : {}),
    };
  }

  /** Tells where a relay is always to be used, and no registry that has answered does that. */
  tellNoRelay(answer: QueryResult): void {
    if (!answer.registered || answer.status !== EXIT.ok) return;
    const { relay, peers } = this.#options;
    const isWanted = relay === "always" ||
      [...peers.values()].some((peer) => peer.relay === "always");
    if (!isWanted || relaysOf(answer).size > 0) return this.#notes.forget("no-relay");
    const hint =
      'relay = "always", and no registry relays: start one with serve --relay, or peers ' +
      "are reached directly";
    this.#notes.once("warn", "no-relay", { hint });
  }

  /** Tells who can't be reached. */
  tellUnreachable(nat: NatVerdict | undefined): void {
    const keys = this.#plan.unreachable(this.#candidates);
    this.#states.tellUnreachable(keys, this.#candidates, nat);
  }

  /** Those that are to be sent something at once. */
  toNudge(device: Device, now: Now): readonly DevicePeer[] {
    return this.#doubted.toNudge(device, (peer) => this.isAlive(peer, now));
  }

  /** The keepalives to set, because a NAT needs more of them: that is told of. */
  toLower({ peers }: Device): readonly LoweredKeepalive[] {
    const news = this.#keepalive.takeNews();
    if (news !== undefined) {
      const { persistentKeepalive, before } = news;
      const hint = KEEPALIVE_HINT;
      this.#notes.event("warn", "keepalive-lowered", { persistentKeepalive, before, hint });
    }
    return this.#keepalive.toLower(peers);
  }

  /** A peer's keepalive was set so. */
  lowered(publicKey: string): void {
    this.#keepalive.lowered(publicKey);
  }

  /** Those that are tried by handshake, and may be reached through a relay: who is down, or is so. */
  toRelay({ peers }: Device, now: Now): readonly string[] {
    const { relays } = this;
    const wanted = peers.filter((peer) => {
      const { publicKey, endpoint } = peer;
      if (this.#isFound(publicKey, now) || this.#relayOf(publicKey) === "never") return false;
      return !this.isAlive(peer, now) ||
        (endpoint !== undefined && relays.has(formatHostPort(endpoint)));
    });
    return wanted.map(({ publicKey }) => publicKey);
  }

  #relayOf(publicKey: string): RelayMode {
    return this.#options.peers.get(publicKey)?.relay ?? this.#options.relay;
  }

  /** Those that are to be added. @param but Whom somebody else adds, in base64. */
  toAdd(device: Device, but: ReadonlySet<string>): readonly PeerAddition[] {
    const configured = this.#options.peers;
    const others = [...this.#candidates].filter(([key]) =>
      !but.has(key) || configured.get(key)?.allowedIps !== undefined
    );
    return this.#unknown.look(device, new Map(others));
  }

  /** Where servers say that a peer is, the first choice. */
  endpointOf(publicKey: string): HostPort | undefined {
    return this.#candidates.get(publicKey)?.[0]?.endpoint;
  }

  /** By public key: the names that registries know peers by, where the settings know none. */
  name(names: ReadonlyMap<string, string>): void {
    this.#states.name(names);
  }

  /** Whether something is awaited of one. */
  isAwaiting({ peers }: Device, now: Now): boolean {
    return this.#plan.isSearching || this.#doubted.count > 0 ||
      peers.some((peer) => !this.isAlive(peer, now));
  }

  /** What there is to say of one, but for the ways that are probed. */
  facts(peer: DevicePeer, now: Now): Omit<PeerFacts, "way"> {
    const { publicKey } = peer;
    const at = this.#handshakes.at(publicKey);
    return {
      ...peer,
      name: this.#states.named(publicKey).name,
      isAlive: this.isAlive(peer, now),
      isHeard: this.#handshakes.isHeard(publicKey),
      handshakeAge: at === undefined ? undefined : now.mono - at,
      told: (this.#candidates.get(publicKey) ?? []).map(({ endpoint }) => endpoint),
      trial: this.#plan.trialOf(publicKey),
      relay: this.#relayOf(publicKey),
    };
  }

  /** Where registries relay, as text. */
  get relays(): ReadonlySet<string> {
    return new Set([...this.#relays.values()].map(formatHostPort));
  }

  /** Tells what one look, for which servers have answered or not, has found: a line for each peer that is down, and one of all. */
  tellLook({ peers }: Device, isAnswered: boolean, now: Now): void {
    const down = peers.filter((peer) => !this.isAlive(peer, now));
    this.#states.tellDown(
      down.map((peer) => {
        const at = this.#handshakes.at(peer.publicKey);
        return [peer, at === undefined ? undefined : now.mono - at];
      }),
      this.#candidates,
      isAnswered,
    );
    this.#notes.event("info", "looked", { peers: peers.length, down: down.length });
  }

  /** How one look ends. */
  status({ peers }: Device, answer: QueryResult, now: Now): ExitStatus {
    if (answer.status !== EXIT.ok) return answer.status;
    const failed = peers.some((peer) =>
      !this.isAlive(peer, now) && !this.#candidates.has(peer.publicKey)
    );
    return failed ? EXIT.somePeersFailed : EXIT.ok;
  }

  /** When servers heard a peer last, as far as they have said. */
  #heardAt(publicKey: string): number {
    const all = this.#candidates.get(publicKey) ?? [];
    return Math.max(-Infinity, ...all.map(({ seenAt = -Infinity }) => seenAt));
  }

  #candidatesOf(device: Device, answer: QueryResult, { mono }: Now): Candidates {
    const { trustedZones, lease } = this.#options;
    const trust = { zones: trustedZones, leases: lease?.isTrusted === true };
    const believed = new BelievedEndpoints(device);
    const candidates = candidatesOf(answer, this.#news, trust, believed, mono);
    // A question from another port doesn't tell where WireGuard's is relayed.
    if (answer.registered) this.#relays = relaysOf(answer);
    return withRelays(candidates, answer, this.#relays, (key) => this.#relayOf(key));
  }

  #newPlan(): SyncPlan {
    const { persistentKeepalive } = this.#options;
    return new SyncPlan({ alive: ALIVE, trial: TRIAL, pause: PAUSE, persistentKeepalive });
  }
}

function answers({ sightings }: QueryResult, publicKey: string): boolean {
  return sightings.get(publicKey)?.some(({ probes }) => probes === true) === true;
}

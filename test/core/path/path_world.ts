/**
 * Two hosts with WireGuard behind NATs of several kinds, a registry that relays, and a clock that
 * jumps from one event to the next: what two {@linkcode PathFinder}s make of each other.
 *
 * @module
 */

import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { ExchangeKey } from "../../../lib/wire/crypto/exchange_key.ts";
import { DatagramBatch } from "../../../lib/core/net/datagram_batch.ts";
import type { Device } from "../../../lib/core/net/device.ts";
import { formatHostPort, type HostPort } from "../../../lib/core/net/host_port.ts";
import { parseAddress } from "../../../lib/core/net/ip_address.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import type { Place } from "../../../lib/core/path/path.ts";
import type { Now } from "../../../lib/core/net/clock.ts";
import type { RandomSource } from "../../../lib/core/net/random.ts";
import type { FoundPath, PathFinderOptions } from "../../../lib/core/path/finder_step.ts";
import { PathFinder } from "../../../lib/core/path/path_finder.ts";
import type { NatKind } from "../../../lib/core/ask/own_reach.ts";
import type { RelayMode } from "../../../lib/core/path/relay_wish.ts";
import { seededNumbers, seededRandom } from "../../support/seeded_random.ts";

/**
 * How a NAT of the world maps and filters. `seq` counts its ports up, `random` draws them; of `sym`,
 * which counts, nobody is told so. `blocked` lets nothing through but to the registry.
 */
export type WorldNat = "none" | "cone" | "restricted" | "sym" | "seq" | "random" | "blocked";

const TOLD: Readonly<Record<WorldNat, NatKind>> = {
  none: "easy",
  cone: "easy",
  restricted: "easy",
  sym: "unknown",
  seq: "sequential",
  random: "hard",
  blocked: "easy",
};

export const WG_PORT = 51820;
export const REGISTRY: HostPort = { host: "203.0.113.10", port: 1223 };
const HARD = { isOn: true, mappings: 256, probes: 1024, rate: 500 };
const TUNNEL_PAUSE = 0.05;
const HANDSHAKE_AGAIN = 5;

/** A NAT: one public address, mappings by what they were made for. */
class Nat {
  readonly kind: WorldNat;
  address: string;
  #shift = 0;
  #next: number;
  readonly #mappings = new Map<string, { inside: number; outside: number; peers: Set<string> }>();

  readonly #chance: () => number;

  constructor(kind: WorldNat, address: string, firstPort: number, seed: number) {
    this.#chance = seededNumbers(seed);
    this.kind = kind;
    this.address = address;
    this.#next = firstPort;
  }

  get isSymmetric(): boolean {
    return this.kind === "sym" || this.kind === "seq" || this.kind === "random";
  }

  /** Some other flow has its mapping. */
  count(): void {
    this.#next++;
  }

  #newPort(inside: number): number {
    if (this.kind === "random") return 1024 + Math.floor(this.#chance() * 64_512);
    return this.isSymmetric ? this.#next++ : inside + this.#shift;
  }

  /** The port that a datagram leaves from; undefined where it doesn't. */
  out(inside: number, to: HostPort): number | undefined {
    const text = formatHostPort(to);
    if (this.kind === "blocked" && text !== formatHostPort(REGISTRY)) return undefined;
    if (this.kind === "none") return inside;
    const key = this.isSymmetric ? `${inside} ${text}` : `${inside}`;
    const known = this.#mappings.get(key);
    const mapping = known ?? { inside, outside: this.#newPort(inside), peers: new Set() };
    mapping.peers.add(text);
    this.#mappings.set(key, mapping);
    return mapping.outside;
  }

  /** The inside port that a datagram reaches; undefined where it is dropped. */
  in(outside: number, from: HostPort): number | undefined {
    const text = formatHostPort(from);
    if (this.kind === "none") return outside;
    if (this.kind === "blocked" && text !== formatHostPort(REGISTRY)) return undefined;
    for (const { outside: port, inside, peers } of this.#mappings.values()) {
      if (port === outside && (this.kind === "cone" || peers.has(text))) return inside;
    }
    return undefined;
  }

  /** It was restarted: its ports, and maybe its address, are others. */
  forget(address = this.address): void {
    this.#mappings.clear();
    this.address = address;
    this.#shift++;
  }
}

/** What WireGuard has of the other. */
interface Tunnel {
  endpoint: HostPort | undefined;
  handshakeAt: number | undefined;
  received: number;
  sent: number;
  /** When it last began a handshake, whether or not that was sent. */
  triedAt: number;
  sentAt: number;
}

/** A host. */
export class WorldPeer {
  finder: PathFinder;
  readonly key: ExchangeKey;
  readonly publicKey: string;
  readonly nat: Nat;
  readonly lan: string;
  readonly tunnel: Tunnel = {
    endpoint: undefined,
    handshakeAt: undefined,
    received: 0,
    sent: 0,
    triedAt: -Infinity,
    sentAt: -Infinity,
  };
  readonly found: FoundPath[] = [];
  other!: WorldPeer;
  /** Where the registry sees it. */
  seen: HostPort | undefined;
  /** Whom the registry was told of. */
  relays = false;
  readonly extra: Place[] = [];
  /** Whether its program runs. */
  isRunning = true;
  sets = 0;
  probes = 0;
  reads = 0;
  wakesAt = 0;
  /** Ports that are heard besides WireGuard's. */
  heard: readonly [first: number, count: number] = [0, 0];
  /** WireGuard's datagrams to these endpoints leave through another port. */
  readonly moves = new Map<string, number>();
  /** Neither its program nor its WireGuard does anything. */
  isAsleep = false;
  readonly #random: RandomSource;
  #relay: RelayMode;

  constructor(nat: Nat, seed: number, lan: string, relay: RelayMode) {
    const random = seededRandom(seed);
    const bytes = new Uint8Array(32);
    random(bytes);
    this.key = new ExchangeKey(bytes, PORTABLE);
    this.publicKey = formatKey(this.key.publicKey.bytes);
    this.#random = random;
    this.#relay = relay;
    this.finder = this.#newFinder();
    this.nat = nat;
    this.lan = lan;
  }

  /** Its program ends, and another one begins. */
  restart(): void {
    this.finder = this.#newFinder();
    this.heard = [0, 0];
    this.moves.clear();
    this.wakesAt = 0;
  }

  /** SIGHUP. */
  setRelay(relay: RelayMode, now: Now): void {
    this.#relay = relay;
    this.finder.configure(this.#options, now);
  }

  get relay(): RelayMode {
    return this.#relay;
  }

  get #options(): PathFinderOptions {
    const relay = this.#relay;
    return { relayOf: () => relay, persistentKeepalive: 25, hard: HARD };
  }

  #newFinder(): PathFinder {
    return new PathFinder(this.#options, this.#random, PORTABLE);
  }
}

interface Event {
  readonly at: number;
  readonly run: () => void;
}

/** All of it. */
export class PathWorld {
  readonly a: WorldPeer;
  readonly b: WorldPeer;
  mono = 0;
  hasRelay = true;
  isRegistryUp = true;
  /** Whether the hosts share their NAT, which lets nothing in from inside. */
  readonly isShared: boolean;
  /** Of what goes directly, WireGuard's is dropped, and probes aren't. */
  isFiltered = false;
  /** Nobody uses the tunnel, and there are no keepalives. */
  isQuiet = false;
  /** Nothing goes directly from one to the other. */
  isCut = false;
  readonly delay: number;
  readonly pings: { readonly at: number; answered: boolean }[] = [];
  /** Until when the registry relays nothing. */
  stoppedUntil = -Infinity;
  readonly #events: Event[] = [];
  readonly #chance: () => number;
  loss = 0;

  constructor(
    [a, b]: readonly [WorldNat, WorldNat],
    { shared = false, relay = "auto", delay = 0.01, seed = 1 }: {
      shared?: boolean;
      relay?: RelayMode;
      delay?: number;
      seed?: number;
    } = {},
  ) {
    this.#chance = seededNumbers(seed);
    this.isShared = shared;
    this.delay = delay;
    const natA = new Nat(a, "198.51.100.1", 20_000, 3 * seed);
    const natB = shared ? natA : new Nat(b, "198.51.100.2", 30_000, 5 * seed);
    this.a = new WorldPeer(natA, 2 * seed, "192.168.1.2", relay);
    this.b = new WorldPeer(natB, 2 * seed + 1, shared ? "192.168.1.3" : "192.168.2.2", relay);
    this.a.other = this.b;
    this.b.other = this.a;
  }

  get now() {
    return { mono: this.mono, unix: 1.8e9 + this.mono };
  }

  /** Both register, one after the other, and are told of each other. */
  start(): void {
    this.at(0, () => this.register(this.a));
    this.at(0.3, () => this.register(this.b));
    for (const peer of [this.a, this.b]) this.at(0, () => this.#look(peer));
    this.at(0.3, () => this.#ping());
  }

  at(at: number, run: () => void): void {
    this.#events.push({ at, run });
  }

  after(seconds: number, run: () => void): void {
    this.at(this.mono + seconds, run);
  }

  /** Runs until something holds. @returns When, or undefined if it doesn't by then. */
  until(holds: () => boolean, limit: number): number | undefined {
    const end = this.mono + limit;
    while (!holds()) {
      let first: Event | undefined;
      for (const event of this.#events) {
        if (first === undefined || event.at < first.at) first = event;
      }
      if (first === undefined || first.at > end) {
        this.mono = end;
        return undefined;
      }
      this.#events.splice(this.#events.indexOf(first), 1);
      this.mono = Math.max(this.mono, first.at);
      first.run();
      for (const peer of [this.a, this.b]) this.#drive(peer);
    }
    return this.mono;
  }

  run(seconds: number): void {
    this.until(() => false, seconds);
  }

  /** What registers a host, and tells both. */
  register(peer: WorldPeer): void {
    if (!peer.isRunning || peer.isAsleep) return;
    if (!this.isRegistryUp) return this.#tell(peer);
    const port = peer.nat.out(WG_PORT, REGISTRY);
    const before = peer.seen && formatHostPort(peer.seen);
    if (port !== undefined) peer.seen = { host: peer.nat.address, port };
    this.after(this.delay, () => {
      const { seen } = peer;
      if (before !== undefined && seen !== undefined && before !== formatHostPort(seen)) {
        peer.finder.ownMoved(this.now);
      }
      this.tell();
    });
  }

  /** Both ask the registry again and again. */
  poll(seconds = 10): void {
    for (const peer of [this.a, this.b]) this.register(peer);
    this.after(seconds, () => this.poll(seconds));
  }

  tell(): void {
    for (const peer of [this.a, this.b]) this.#tell(peer);
  }

  #tell(peer: WorldPeer): void {
    if (peer.isAsleep || !peer.isRunning) return;
    const { other } = peer;
    const { seen } = other;
    if (seen === undefined || peer.seen === undefined) return;
    const isNear = peer.nat.address === other.nat.address;
    const places: Place[] = [{ endpoint: seen, kind: "seen" }, ...other.extra];
    if (isNear) places.push({ endpoint: { host: other.lan, port: WG_PORT }, kind: "lan" });
    peer.finder.setOwn({ nat: TOLD[peer.nat.kind], seen: formatHostPort(peer.seen) });
    const relays = this.hasRelay && this.isRegistryUp ? [REGISTRY] : [];
    peer.finder.tell(
      new Map([[other.publicKey, { places, relays, nat: TOLD[other.nat.kind] }]]),
      this.now,
    );
  }

  /** Whether a ping was answered since. */
  pinged(since = 0): boolean {
    return this.pings.some(({ at, answered }) => at >= since && answered);
  }

  lost(from: number, to: number): number {
    return this.pings.filter(({ at, answered }) => at >= from && at < to && !answered).length;
  }

  deviceOf(peer: WorldPeer): Device {
    const { endpoint, handshakeAt, received, sent } = peer.tunnel;
    return {
      publicKey: peer.publicKey,
      listenPort: WG_PORT,
      mark: 0,
      peers: [{
        publicKey: peer.other.publicKey,
        endpoint,
        allowedIps: [],
        latestHandshake: handshakeAt === undefined ? 0 : 1.8e9 + handshakeAt,
        received,
        sent,
        persistentKeepalive: 25,
      }],
    };
  }

  see(peer: WorldPeer): void {
    const { handshakeAt } = peer.tunnel;
    const isAlive = handshakeAt !== undefined && this.mono - handshakeAt < 135;
    peer.finder.see(this.deviceOf(peer), () => isAlive, this.now);
  }

  #look(peer: WorldPeer): void {
    if (peer.isRunning && !peer.isAsleep) this.see(peer);
    this.after(1, () => this.#look(peer));
  }

  #drive(peer: WorldPeer): void {
    if (!peer.isRunning || peer.isAsleep) return;
    for (let i = 0; i < 1000; i++) {
      const step = peer.finder.next(this.now);
      switch (step.kind) {
        case "wait":
          if (step.until < Infinity && step.until !== peer.wakesAt) {
            peer.wakesAt = step.until;
            this.at(step.until, () => {});
          }
          return;
        case "agree":
          peer.finder.agree(peer.key, this.now);
          break;
        case "read":
          peer.reads++;
          this.after(0.005, () => this.see(peer));
          break;
        case "tell":
          this.after(2 * this.delay, () => this.#toldBy(peer));
          break;
        case "set":
          peer.sets++;
          peer.tunnel.endpoint = step.path.endpoint;
          peer.moves.clear();
          if (step.path.from !== undefined) {
            peer.moves.set(formatHostPort(step.path.endpoint), step.path.from);
          }
          this.#handshake(peer);
          break;
        case "unmove":
          peer.moves.clear();
          break;
        case "hear":
          peer.heard = [step.first, step.count];
          break;
        case "send": {
          peer.probes++;
          const bytes = step.bytes.slice();
          const port = step.from ?? peer.moves.get(formatHostPort(step.to)) ?? WG_PORT;
          if (step.hops !== undefined) peer.nat.out(port, step.to);
          else {
            this.#send(
              peer,
              port,
              step.to,
              (from, port) => this.#receive(peer.other, bytes, from, port),
            );
          }
        }
      }
    }
    throw new Error("it never waits");
  }

  #toldBy(peer: WorldPeer): void {
    if (this.isRegistryUp) {
      peer.relays = peer.finder.relays.length > 0;
      if (peer.finder.directs.length > 0) this.stoppedUntil = this.mono + 1;
    }
    this.after(this.delay, () => {
      peer.finder.toldRegistries(this.isRegistryUp, this.now);
      this.#drive(peer);
    });
  }

  #receive(peer: WorldPeer, bytes: Uint8Array, from: HostPort, to: number): void {
    // What comes to a moved port is WireGuard's.
    const port = peer.moves.get(formatHostPort(from)) === to ? WG_PORT : to;
    const [first, count] = peer.heard;
    if (port !== WG_PORT && (port < first || port >= first + count)) return;
    if (!peer.isRunning || peer.isAsleep) return;
    const batch = new DatagramBatch();
    batch.count = 1;
    batch.payloads.bytes.set(bytes);
    batch.lengths[0] = bytes.length;
    parseAddress(from.host, batch.sources, 0);
    batch.setSourcePort(0, from.port);
    peer.finder.receive(batch, Uint16Array.of(port), WG_PORT, this.now);
  }

  /** Takes something to the other host, if NATs let it. */
  #send(
    peer: WorldPeer,
    port: number,
    to: HostPort,
    arrived: (from: HostPort, port: number) => void,
  ): void {
    if (this.isCut || peer.isAsleep || this.#chance() < this.loss) return;
    const { other } = peer;
    if (to.host === other.lan) {
      if (this.isShared) {
        this.after(this.delay / 4, () => arrived({ host: peer.lan, port }, WG_PORT));
      }
      return;
    }
    const outside = peer.nat.out(port, to);
    // Without hairpin, a NAT lets nothing in from inside.
    if (outside === undefined || this.isShared || to.host !== other.nat.address) return;
    const from = { host: peer.nat.address, port: outside };
    this.after(this.delay, () => {
      const inside = other.nat.in(to.port, from);
      if (inside !== undefined) arrived(from, inside);
    });
  }

  /** The same of WireGuard's own datagrams, also through the relay. */
  #tunnelled(peer: WorldPeer, arrived: (from: HostPort) => void): void {
    const { endpoint } = peer.tunnel;
    if (endpoint === undefined || peer.isAsleep) return;
    if (formatHostPort(endpoint) !== formatHostPort(REGISTRY)) {
      if (this.isFiltered) return;
      const port = peer.moves.get(formatHostPort(endpoint)) ?? WG_PORT;
      return this.#send(peer, port, endpoint, (from, to) => {
        const { other } = peer;
        if (other.isAsleep) return;
        if (to === WG_PORT || other.moves.get(formatHostPort(from)) === to) arrived(from);
      });
    }
    const from = peer.nat.out(WG_PORT, REGISTRY);
    if (!this.isRegistryUp || !(peer.relays || peer.other.relays)) return;
    // Nothing is relayed but from and to where peers are registered.
    if (peer.seen?.port !== from || peer.seen?.host !== peer.nat.address) return;
    if (this.#chance() < this.loss) return;
    this.after(this.delay, () => {
      if (this.mono < this.stoppedUntil) return;
      const { other } = peer;
      const to = other.seen;
      if (to?.host !== other.nat.address || other.nat.in(to.port, REGISTRY) !== WG_PORT) return;
      this.after(this.delay, () => {
        if (!other.isAsleep) arrived(REGISTRY);
      });
    });
  }

  #handshake(peer: WorldPeer): void {
    const { tunnel, other } = peer;
    const isFresh = tunnel.handshakeAt !== undefined;
    if (isFresh || this.mono - tunnel.triedAt < HANDSHAKE_AGAIN) return;
    tunnel.triedAt = this.mono;
    if (tunnel.endpoint === undefined) return;
    tunnel.sent += 148;
    tunnel.sentAt = this.mono;
    this.#tunnelled(peer, (from) => {
      // Each has begun one: both are dropped.
      if (this.mono - other.tunnel.sentAt < 2.5 * this.delay) return;
      other.tunnel.endpoint = from;
      this.#tunnelled(other, (back) => {
        tunnel.endpoint = back;
        tunnel.handshakeAt = other.tunnel.handshakeAt = this.mono;
      });
    });
  }

  /** WireGuard's own keepalives. */
  keepalive(): void {
    this.after(10, () => this.keepalive());
    for (const peer of [this.a, this.b]) {
      if (peer.tunnel.handshakeAt === undefined) continue;
      peer.tunnel.sent += 32;
      this.#tunnelled(peer, (from) => {
        peer.other.tunnel.endpoint = from;
        peer.other.tunnel.received += 32;
      });
    }
  }

  #ping(): void {
    this.after(TUNNEL_PAUSE, () => this.#ping());
    if (this.isQuiet) return;
    const ping = { at: this.mono, answered: false };
    this.pings.push(ping);
    const { a, b } = this;
    if (a.tunnel.handshakeAt === undefined) return this.#handshake(a);
    a.tunnel.sent += 100;
    this.#tunnelled(a, (from) => {
      b.tunnel.endpoint = from;
      b.tunnel.received += 100;
      b.tunnel.sent += 100;
      this.#tunnelled(b, (from) => {
        a.tunnel.endpoint = from;
        a.tunnel.received += 100;
        ping.answered = true;
        // WireGuard renews its session every 2 minutes.
        if (this.mono - (a.tunnel.handshakeAt ?? 0) > 120) {
          a.tunnel.handshakeAt = b.tunnel.handshakeAt = this.mono;
        }
      });
    });
  }
}

/**
 * Hosts behind NATs, their WireGuard interfaces, and registries, all in one thread: what the lab has,
 * on a clock that a test moves.
 *
 * A NAT gives its host one public endpoint, and lets in what comes from where the host has sent to.
 * WireGuard begins a handshake where there is none or an old one, again every 5 s, sends a keepalive
 * through a session every so many seconds, and follows a peer to where something valid comes from.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { Now } from "../../../lib/core/net/clock.ts";
import type { Device } from "../../../lib/core/net/device.ts";
import { formatHostPort, type HostPort, parseHostPort } from "../../../lib/core/net/host_port.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import type { Sighting } from "../../../lib/core/ask/sighting.ts";
import type { QueryResult, ServerOutcome } from "../../../lib/core/query/query_result.ts";
import { EXIT, type ExitStatus, UserError } from "../../../lib/core/settings/user_error.ts";
import type {
  SyncAction,
  SyncQuestion,
  SyncResult,
  SyncStep,
} from "../../../lib/core/sync/actions.ts";
import { SyncMachine } from "../../../lib/core/sync/machine.ts";
import { PathFinder } from "../../../lib/core/path/path_finder.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import type { SyncOptions } from "../../../lib/core/sync/options.ts";
import type { Clock } from "../../../lib/host/clock.ts";
import type { Outputs } from "../../../lib/host/output.ts";
import type { Processes } from "../../../lib/host/processes.ts";
import { SyncReport } from "../../../lib/service/log/sync_report.ts";
import { idOf } from "../../support/fake_random.ts";
import { MemoryOutput } from "../../support/memory_host.ts";
import { seededRandom } from "../../support/seeded_random.ts";

export const START = 1_800_000_000;
export const WIREGUARD_PORT = 51_820;
const TICK = 0.05;
const LONGEST_TICK = 1;
/** How long an action takes, and a question that is answered. */
const ACTION = 0.01;
const ROUND_TRIP = 0.05;
/** A question that nobody answers. */
const TIMEOUT = 3;
const HANDSHAKE_RETRY = 5;
const HANDSHAKE_RENEWED = 120;
const SESSION = 180;
/** How long a NAT keeps a mapping that nothing refreshes. */
const MAPPING = 120;
/** How far a clock may be off. */
const WINDOW = 60;
/** More than so many actions without a wait is a machine that runs wild. */
const MOST_ACTIONS = 1000;

export const OPTIONS: SyncOptions = {
  interface: "wg0",
  servers: [{ scheme: "wgsig", host: "registry", port: 1223 }],
  register: "raw",
  relay: "auto",
  hard: { isOn: false, mappings: 1, probes: 1, rate: 1 },
  interval: 25,
  once: false,
  dryRun: false,
  addPeers: false,
  persistentKeepalive: 25,
  lease: undefined,
  untilGone: false,
  trustedZones: [],
  trustRegistry: undefined,
  addRoutes: false,
  mendRoutes: false,
  movePort: false,
  portMap: false,
  peers: new Map(),
};

/** A finder of ways that finds none: nobody answers probes here. */
export function newFinder(seed: number): PathFinder {
  const relayOf = () => "auto" as const;
  const hard = { isOn: false, mappings: 1, probes: 1, rate: 1 };
  const options = { relayOf, persistentKeepalive: 25, hard };
  return new PathFinder(options, seededRandom(seed), PORTABLE);
}

/** A peer of an interface in the world. */
export interface WorldPeer {
  endpoint: HostPort | undefined;
  /** By the wall clock of the host, which may be wrong. */
  latestHandshake: number;
  /** The same by the clock that WireGuard goes by. */
  handshakeAt: number;
  received: number;
  persistentKeepalive: number;
  allowedIps: readonly string[];
  triedAt: number;
  sentAt: number;
}

export function newPeer(endpoint?: string, persistentKeepalive = 0): WorldPeer {
  return {
    endpoint: endpoint === undefined ? undefined : parseHostPort(endpoint),
    latestHandshake: 0,
    handshakeAt: -Infinity,
    received: 0,
    persistentKeepalive,
    allowedIps: [],
    triedAt: -Infinity,
    sentAt: -Infinity,
  };
}

/** What a registry knows. */
class Registry {
  isUp = true;
  readonly records = new Map<string, { readonly endpoint: HostPort; readonly seconds: number }>();

  constructor(readonly name: string) {}
}

/** Registries, hosts, a clock. */
export class World {
  now: Now = { unix: START, mono: 77 };
  readonly registries: Registry[];
  readonly hosts: WorldHost[] = [];
  /** Whether the registries have proofs of what they know, and push what changes. */
  pushes = false;
  /** What has been pushed, and is under way. */
  #pushed: { readonly at: number; readonly to: WorldHost; readonly question: SyncQuestion }[] = [];
  readonly #subscribed = new Map<WorldHost, SyncQuestion>();

  constructor(registries: readonly string[] = ["registry:1223"]) {
    this.registries = registries.map((name) => new Registry(name));
  }

  /** Seconds since the start. */
  get second(): number {
    return this.now.mono - 77;
  }

  host(address: string, options: Partial<SyncOptions> = {}): WorldHost {
    const host = new WorldHost(this, this.hosts.length + 1, address, options);
    this.hosts.push(host);
    return host;
  }

  /** A host with another's key. */
  copyOf(of: WorldHost, address: string, options: Partial<SyncOptions> = {}): WorldHost {
    const host = new WorldHost(this, this.hosts.indexOf(of) + 1, address, options);
    this.hosts.push(host);
    return host;
  }

  /** Two hosts that know each other, whose interfaces are there. */
  pair(a: Partial<SyncOptions> = {}, b: Partial<SyncOptions> = a): [WorldHost, WorldHost] {
    const hosts: [WorldHost, WorldHost] = [
      this.host("203.0.113.21:51820", a),
      this.host("203.0.113.22:35436", b),
    ];
    const [one, other] = hosts;
    one.peers.set(other.key, newPeer());
    other.peers.set(one.key, newPeer());
    for (const host of hosts) host.isThere = true;
    return hosts;
  }

  /** Lets time pass. */
  run(seconds: number): void {
    const end = this.second + seconds;
    while (this.second < end - TICK / 2) this.tick(end - this.second);
  }

  /** Lets time pass until something is so. @returns The seconds that it took. */
  until(what: () => boolean, limit: number): number {
    const start = this.second;
    while (!what()) {
      if (this.second - start > limit) {
        const logs = this.hosts.map(({ log }) => log.join("\n")).join("\n\n");
        throw new Error(`not within ${limit} s:\n${logs}`);
      }
      this.tick();
    }
    return this.second - start;
  }

  /** Does what is due, and lets the time pass in which nothing is; at most so many seconds. */
  tick(most = LONGEST_TICK): void {
    this.#arrive();
    for (const host of this.hosts) host.sync();
    for (const host of this.hosts) host.wireGuard();
    const dueAt = Math.min(
      ...this.hosts.map((host) => host.dueAt()),
      ...this.#pushed.map(({ at }) => at),
    );
    const idle = Math.min(dueAt - this.now.mono, most, LONGEST_TICK);
    const passed = TICK * Math.max(1, Math.floor(idle / TICK));
    this.now = { unix: this.now.unix + passed, mono: this.now.mono + passed };
  }

  /** Whether what each of them sends reaches the other. */
  works(a: WorldHost, b: WorldHost): boolean {
    return this.#reaches(a, b) && this.#reaches(b, a);
  }

  #reaches(from: WorldHost, to: WorldHost): boolean {
    const endpoint = from.peers.get(to.key)?.endpoint;
    return from.isThere && endpoint !== undefined && this.deliver(from, endpoint) === to &&
      to.peers.has(from.key);
  }

  /** Sends something from WireGuard's port. @returns Who gets it. */
  deliver(from: WorldHost, to: HostPort): WorldHost | undefined {
    if (from.isStuckTo(formatHostPort(to))) return undefined;
    from.useMapping();
    from.opened.add(formatHostPort(to));
    const target = this.hosts.find((host) => host.publicEndpoint === formatHostPort(to));
    return target?.isThere && target.opened.has(from.publicEndpoint) ? target : undefined;
  }

  /** Tells all others that have asked before. */
  #push(from: WorldHost): void {
    for (const [to, question] of this.#subscribed) {
      if (to !== from) this.#pushed.push({ at: this.now.mono + ROUND_TRIP / 2, to, question });
    }
  }

  #arrive(): void {
    const arrived = this.#pushed.filter(({ at }) => at <= this.now.mono);
    this.#pushed = this.#pushed.filter(({ at }) => at > this.now.mono);
    for (const { to, question } of arrived) {
      const [, answer] = this.ask(to, { ...question, way: "unregistered" });
      to.machine.heard({ kind: "told", answer }, to.now());
    }
  }

  /** Asks all registries. @returns How long that takes, and what they say. */
  ask(host: WorldHost, question: SyncQuestion): readonly [number, QueryResult] {
    const registered = question.way !== "unregistered";
    if (registered) host.useMapping();
    const now = host.now();
    const key = formatKey(question.id);
    const sightings = new Map<string, Sighting[]>();
    const isProved = this.pushes;
    if (this.pushes) this.#subscribed.set(host, question);
    const servers = this.registries.map(({ name, isUp, records }, i): ServerOutcome => {
      const isAnswered = isUp && Math.abs(now.unix - this.now.unix) < WINDOW;
      const text = host.seenBy[i] ?? host.publicEndpoint;
      const seen = parseHostPort(text);
      const isStuck = registered && host.isStuckTo(name);
      if (!isAnswered || isStuck || seen === undefined) {
        // As the real ones, it holds the time.
        return { ...outcome(name, "no-answer"), warning: `no answer (clock ${now.unix})` };
      }
      const before = records.get(key)?.endpoint;
      if (registered) records.set(key, { endpoint: seen, seconds: Math.floor(this.now.unix) });
      const hasMoved = registered && text !== (before && formatHostPort(before));
      if (this.pushes && hasMoved) this.#push(host);
      for (const [publicKey, { endpoint: { host: address, port }, seconds }] of records) {
        const sighting = { publicKey, address, port, seconds, nanoseconds: 0, isProved };
        sightings.set(publicKey, [...sightings.get(publicKey) ?? [], sighting]);
      }
      return outcome(name, "ok", registered ? records.get(key)?.endpoint : undefined);
    });
    for (const all of sightings.values()) all.sort((a, b) => (b.seconds ?? 0) - (a.seconds ?? 0));
    const isAnswered = servers.some(({ status }) => status === "ok");
    if (registered && isAnswered) this.#open(host, question, sightings);
    const isWhole = servers.every(({ status }) => status === "ok");
    return [isWhole ? ROUND_TRIP : TIMEOUT, {
      servers,
      publicKey: key,
      port: question.port,
      registered,
      peers: [...sightings.values()].flatMap(([newest]) => newest ?? []),
      sightings,
      unix: now.unix,
      status: isAnswered ? EXIT.ok : EXIT.timedOut,
      warnings: servers.flatMap(({ warning }) => warning ?? []),
      notes: [],
    }];
  }

  #open(
    host: WorldHost,
    { openTo }: SyncQuestion,
    sightings: ReadonlyMap<string, readonly Sighting[]>,
  ): void {
    for (const { publicKey, address, port } of [...sightings.values()].flat()) {
      const found = openTo.get(publicKey);
      const to = `${address}:${port}`;
      if (!openTo.has(publicKey)) continue;
      if (found === undefined || formatHostPort(found) !== to) {
        if (!host.isStuckTo(to)) host.opened.add(to);
      }
    }
  }
}

function outcome(
  server: string,
  status: ServerOutcome["status"],
  ownEndpoint?: HostPort,
): ServerOutcome {
  const received = status === "ok" ? 1 : 0;
  return { server, status, received, expected: received || undefined, ownEndpoint };
}

/** An action that is under way. */
interface Doing {
  readonly at: number;
  readonly finish: () => SyncResult;
}

/** A host with an interface, and a machine that looks after it. */
export class WorldHost {
  readonly #world: World;
  readonly #report: SyncReport;
  readonly #out = new MemoryOutput();
  readonly machine: SyncMachine;
  readonly id: Uint8Array;
  readonly key: string;
  readonly peers = new Map<string, WorldPeer>();
  /** The actions that were begun, with the second. */
  readonly done: { readonly second: number; readonly action: SyncAction }[] = [];
  /** Where its packets seem to come from. */
  publicEndpoint: string;
  /** Where each registry sees it, where that is another endpoint. */
  seenBy: readonly string[] = [];
  /** After so many seconds without a datagram, the NAT forgets the mapping, and makes another one. */
  mappingLife = Infinity;
  #usedAt = Infinity;
  /** What the NAT lets in. */
  opened = new Set<string>();
  /** By destination, when an old mapping that the NAT keeps was used last. */
  readonly #stuck = new Map<string, number>();
  isThere = false;
  hasKey = true;
  /** Whether the interface tells its key; and what the settings name. */
  tellsKey = true;
  namedKey: string | undefined;
  listenPort = WIREGUARD_PORT;
  /** What a killed run has borrowed. */
  borrowed: number | undefined;
  routes: string[] = [];
  /** How far its wall clock is off. */
  clockError = 0;
  /** Whether another process takes care of the interface. */
  isBusy = false;
  /** What can't be kept on its disk. */
  notKept: string | undefined;
  /** Why an action fails. */
  fails: (action: SyncAction) => unknown = () => undefined;
  /** How it ended. */
  ended: Extract<SyncStep, { kind: "end" | "fail" }> | undefined;
  #doing: Doing | undefined;
  /** Until when the machine waits. */
  #until = -Infinity;

  constructor(world: World, number: number, endpoint: string, options: Partial<SyncOptions>) {
    this.#world = world;
    this.publicEndpoint = endpoint;
    this.id = idOf(number);
    this.key = formatKey(this.id);
    const host: Outputs & Clock & Processes = {
      out: this.#out,
      err: this.#out,
      now: () => this.now(),
      after: () => () => {},
      run: () => Promise.reject(new Error("no programs")),
    };
    const log = { format: "text", verbosity: "normal" } as const;
    this.#report = new SyncReport(host, { log, hook: undefined });
    const all = { ...OPTIONS, ...options };
    this.machine = new SyncMachine(all, seededRandom(number), newFinder(number), this.now());
  }

  now(): Now {
    const { unix, mono } = this.#world.now;
    return { unix: unix + this.clockError, mono };
  }

  /** What was told, without the time. */
  get log(): string[] {
    return this.#out.text.split("\n").filter((line) => line !== "")
      .map((line) => line.split(" ").slice(1).join(" "));
  }

  /** The events that were told. */
  get events(): string[] {
    return this.log.map((line) => line.split(" ")[1] ?? "");
  }

  /** The kinds of the actions that were begun since a second. */
  kinds(since = 0): string[] {
    return this.done.filter(({ second }) => second >= since).map(({ action }) => action.kind);
  }

  /** The actions of a kind that were begun. */
  all<K extends SyncAction["kind"]>(kind: K): Extract<SyncAction, { kind: K }>[] {
    return this.done.flatMap(({ action }) => isOf(action, kind) ? [action] : []);
  }

  endpointOf(other: WorldHost): string | undefined {
    const endpoint = this.peers.get(other.key)?.endpoint;
    return endpoint === undefined ? undefined : formatHostPort(endpoint);
  }

  /** The NAT is replaced, or gets another address: nothing is open any more. */
  move(endpoint: string): void {
    this.publicEndpoint = endpoint;
    this.opened = new Set();
    this.#stuck.clear();
  }

  /** Something is sent from WireGuard's port. */
  useMapping(): void {
    const { mono } = this.#world.now;
    const isGone = mono - this.#usedAt > this.mappingLife;
    this.#usedAt = mono;
    if (!isGone) return;
    const { host, port } = parseHostPort(this.publicEndpoint) ?? { host: "", port: 0 };
    this.move(`${host}:${port + 1}`);
  }

  /** The NAT gets another address, and keeps the old one for what goes on: nothing comes back. */
  moveStuck(endpoint: string): void {
    const { now: { mono }, registries } = this.#world;
    const flows = [...this.opened, ...registries.map(({ name }) => name)];
    this.move(endpoint);
    for (const to of flows) this.#stuck.set(to, mono);
  }

  /** Whether what is sent there from WireGuard's port takes an old mapping, which that refreshes. */
  isStuckTo(to: string): boolean {
    const { now: { mono } } = this.#world;
    const usedAt = this.#stuck.get(to) ?? -Infinity;
    if (mono - usedAt < MAPPING) this.#stuck.set(to, mono);
    else this.#stuck.delete(to);
    return this.#stuck.has(to);
  }

  /** The interface goes away, and all that WireGuard knew. */
  stop(): void {
    this.isThere = false;
    for (const peer of this.peers.values()) {
      Object.assign(peer, { ...newPeer(), allowedIps: peer.allowedIps });
    }
  }

  /** The first action or wait now, as a driver would get it. */
  sync(): void {
    if (this.ended !== undefined) return;
    const { now: { mono } } = this.#world;
    for (let count = 0;; count++) {
      if (count > MOST_ACTIONS) throw new Error("it runs wild");
      if (this.#doing !== undefined) {
        if (this.#doing.at > mono) return;
        const result = this.#doing.finish();
        this.#doing = undefined;
        this.machine.told(result, this.now());
      }
      const step = this.machine.next(this.now());
      for (const note of this.machine.takeNotes()) {
        if (note.kind !== "device" && note.kind !== "path-port") this.#report.tell(note);
      }
      if (step.kind === "wait") {
        this.#until = step.until;
        return;
      }
      if (step.kind === "end" || step.kind === "fail") {
        this.ended = step;
        return;
      }
      this.done.push({ second: this.#world.second, action: step });
      this.#doing = this.#begin(step, mono);
    }
  }

  #begin(action: SyncAction, mono: number): Doing {
    const at = mono + ACTION;
    const error = this.fails(action);
    if (error !== undefined) {
      const why = error instanceof Error ? error.message : String(error);
      return { at, finish: () => ({ kind: "failed", error, why }) };
    }
    switch (action.kind) {
      case "ask": {
        // Another port than WireGuard's has another mapping, and registers nothing.
        const { question } = action;
        const asksBeside = question.beside && question.way !== "unregistered";
        const [seconds, answer] = this.#world.ask(this, question);
        const [, beside] = asksBeside
          ? this.#world.ask(this, { ...question, way: "unregistered" })
          : [];
        const { notKept } = this;
        return { at: mono + seconds, finish: () => ({ kind: "answer", answer, beside, notKept }) };
      }
      case "take-lock":
        return { at, finish: () => ({ kind: "lock", isTaken: !this.isBusy }) };
      case "read-device":
        return { at, finish: () => ({ kind: "device", device: this.#device() }) };
      case "read-key":
        return { at, finish: () => ({ kind: "key", publicKey: this.namedKey }) };
      case "mend-port":
        return { at, finish: () => ({ kind: "port", port: this.#mend() }) };
      case "read-addresses":
        return {
          at,
          finish: () => ({ kind: "addresses", addresses: ["192.168.1.2"], tunnel: [] }),
        };
      case "find-route": {
        const route = this.routes.find((each) => each.startsWith(`${action.address} `));
        return { at, finish: () => ({ kind: "route", route }) };
      }
      case "find-tunnel-route": {
        const route = this.routes.find((each) => each === `${action.prefix} dev wg0`);
        return { at, finish: () => ({ kind: "route", route }) };
      }
      case "add-route":
        this.routes.push(`${action.prefix} dev wg0`);
        break;
      case "remove-route":
        this.routes = this.routes.filter((each) => each !== action.route);
        break;
      case "set-peer": {
        const { publicKey, endpoint, persistentKeepalive, allowedIps, replaces } = action;
        assertEquals(replaces, !this.tellsKey && this.peers.has(publicKey));
        const peer = this.peers.get(publicKey) ?? newPeer();
        peer.endpoint = endpoint;
        if (persistentKeepalive !== undefined) peer.persistentKeepalive = persistentKeepalive;
        if (allowedIps !== undefined) peer.allowedIps = allowedIps;
        this.peers.set(publicKey, peer);
        break;
      }
      case "nudge-peer": {
        const peer = this.peers.get(action.publicKey);
        if (peer !== undefined) {
          Object.assign(peer, {
            sentAt: -Infinity,
            persistentKeepalive: action.persistentKeepalive,
          });
        }
        break;
      }
      case "move-port":
        this.listenPort++;
        this.move(this.publicEndpoint.replace(/\d+$/, `${this.listenPort}`));
        break;
      case "try-raw":
        break;
    }
    return { at, finish: () => ({ kind: "done" }) };
  }

  #device(): Device | undefined {
    if (!this.isThere) return undefined;
    return {
      publicKey: this.hasKey && this.tellsKey ? this.key : undefined,
      listenPort: this.borrowed === undefined ? this.listenPort : 40_000,
      mark: 0,
      peers: [...this.peers].map(([publicKey, peer]) => ({ publicKey, sent: 0, ...peer })),
    };
  }

  #mend(): number | undefined {
    const port = this.borrowed;
    this.borrowed = undefined;
    return port;
  }

  /** When there is something to do next. */
  dueAt(): number {
    const { mono } = this.#world.now;
    const own = this.ended !== undefined ? Infinity : this.#doing?.at ?? this.#until;
    const peers = this.isThere ? [...this.peers.values()] : [];
    return Math.min(
      own,
      ...peers.map(({ endpoint, persistentKeepalive, handshakeAt, triedAt, sentAt }) => {
        if (endpoint === undefined || persistentKeepalive === 0) return Infinity;
        const keepalive = mono - handshakeAt < SESSION ? sentAt + persistentKeepalive : Infinity;
        return Math.min(
          keepalive,
          Math.max(handshakeAt + HANDSHAKE_RENEWED, triedAt + HANDSHAKE_RETRY),
        );
      }),
    );
  }

  /** What WireGuard does by itself now. */
  wireGuard(): void {
    if (!this.isThere) return;
    const { mono } = this.#world.now;
    for (const [key, peer] of this.peers) {
      const { endpoint, persistentKeepalive } = peer;
      if (endpoint === undefined || persistentKeepalive === 0) continue;
      const age = mono - peer.handshakeAt;
      if (age > HANDSHAKE_RENEWED && mono - peer.triedAt >= HANDSHAKE_RETRY) {
        peer.triedAt = mono;
        const other = this.#send(endpoint, key);
        const back = other?.peers.get(this.key);
        if (other !== undefined && back !== undefined) {
          other.opened.add(this.publicEndpoint);
          for (const [host, each, size] of [[this, peer, 92], [other, back, 148]] as const) {
            each.latestHandshake = Math.floor(host.now().unix);
            each.handshakeAt = mono;
            each.received += size;
          }
        }
      }
      if (age < SESSION && mono - peer.sentAt >= persistentKeepalive) {
        peer.sentAt = mono;
        this.#send(endpoint, key);
      }
    }
  }

  /** Sends a peer something valid. @returns The peer, where it gets it. */
  #send(endpoint: HostPort, key: string): WorldHost | undefined {
    const other = this.#world.deliver(this, endpoint);
    const back = other?.peers.get(this.key);
    if (other?.key !== key || back === undefined) return undefined;
    back.endpoint = parseHostPort(this.publicEndpoint);
    back.received += 32;
    return other;
  }
}

function isOf<K extends SyncAction["kind"]>(
  action: SyncAction,
  kind: K,
): action is Extract<SyncAction, { kind: K }> {
  return action.kind === kind;
}

/** What a single look ended with. */
export function statusOf(host: WorldHost): ExitStatus | string | undefined {
  const { ended } = host;
  if (ended?.kind !== "fail") return ended?.status;
  return ended.error instanceof UserError ? ended.error.message : String(ended.error);
}

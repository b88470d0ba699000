/**
 * `wgsig sync`: keeps the endpoints of a WireGuard interface right. Registers, asks, plans, applies,
 * and looks again.
 *
 * @module
 */

import { formatHostPort, type HostPort } from "../core/host_port.ts";
import type { Now } from "../core/registry.ts";
import { type Candidate, type PlannedChange, SyncPlan } from "../core/sync_plan.ts";
import { EXIT, type ExitStatus, UserError } from "../core/user_error.ts";
import { parseKey } from "../core/peer_key.ts";
import { explain, type Host } from "../host/host.ts";
import { nudgePeer, readDevice, setPeer } from "../wireguard/device.ts";
import type { Device } from "../wireguard/dump.ts";
import { findHostRoute, removeHostRoute } from "../wireguard/host_route.ts";
import { mendBorrowedPort } from "./borrowed_port.ts";
import type { QueryConfig, QueryResult } from "./query.ts";
import { type Question, type RegisterMode, Registration } from "./registration.ts";
import { SyncReport, type SyncReportOptions } from "./sync_report.ts";

/** What the settings know of a peer. */
export interface SyncedPeer {
  readonly name: string | undefined;
  readonly allowedIps: readonly string[] | undefined;
}

/** What `sync` is to do. */
export interface SyncConfig
  extends Pick<QueryConfig, "servers" | "secret" | "group" | "encrypt" | "maxAge" | "timeout"> {
  /** The name of the interface. */
  readonly interface: string;
  readonly register: RegisterMode;
  /** Seconds between two looks at an interface whose peers are all alive. */
  readonly interval: number;
  /** One look, without waiting for the interface. */
  readonly once: boolean;
  /** Say what would be done, and do nothing. */
  readonly dryRun: boolean;
  /** Add peers that the settings know with their AllowedIPs. */
  readonly addPeers: boolean;
  /** Seconds to set where a peer has none; 0 leaves it. */
  readonly persistentKeepalive: number;
  /** Remove the host route to an endpoint that a peer has left; else it is only named. */
  readonly mendRoutes: boolean;
  /** By public key. */
  readonly peers: ReadonlyMap<string, SyncedPeer>;
  readonly report: SyncReportOptions;
}

/** A handshake is renewed after 120 s at the latest while there is traffic; then 15 s of retries. */
const ALIVE = 135;
/** WireGuard sends a handshake every 5 s: two of them. */
const TRIAL = 6;
const PAUSE = 60;
/** Between two looks while a peer is not alive. */
const FAST_INTERVAL = 1;
/** For how long that goes on after something has changed. */
const FAST_FOR = 600;
const LONGEST_BACKOFF = 60;
const JITTER = 0.1;
/** Nobody's clock was right before this program was written. */
const EARLIEST_TIME = Date.UTC(2026, 0, 1) / 1000;

/** Synchronises until a signal ends it, or once. */
export async function sync(host: Host, config: SyncConfig): Promise<ExitStatus> {
  return await new Sync(host, config).run();
}

class Sync {
  readonly #host: Host;
  readonly #config: SyncConfig;
  readonly #report: SyncReport;
  readonly #registration: Registration;
  readonly #addresses = new Map<string, string[]>();
  #plan: SyncPlan;
  #device: Device | undefined;
  #ownEndpoint: string | undefined;
  #ending = false;
  #wake: () => void = () => {};
  #changedAt: number;
  #registeredAt = -Infinity;
  #failures = 0;
  /** The hosts of the peers' endpoints at the last look. */
  #endpointHosts = new Set<string>();
  readonly #alive = new Set<string>();
  /** Peers of which nothing came since the own endpoint moved, with the bytes received until then. */
  readonly #doubted = new Map<string, number>();
  readonly #unknown = new Set<string>();

  constructor(host: Host, config: SyncConfig) {
    // Names are looked up anew for each question; if that fails, the last addresses still hold.
    this.#host = { ...host, resolve: (name) => this.#resolve(host, name) };
    this.#config = config;
    this.#report = new SyncReport(host, config.report);
    this.#registration = new Registration(this.#host, config.interface, config.register);
    this.#plan = this.#newPlan();
    this.#changedAt = this.#now().mono;
  }

  async run(): Promise<ExitStatus> {
    const { once } = this.#config;
    const end = () => {
      this.#ending = true;
      this.#report.abandon();
      this.#wake();
    };
    for (const signal of ["SIGTERM", "SIGINT"] as const) this.#host.onSignal(signal, end);
    for (const signal of ["SIGHUP", "SIGUSR1"] as const) {
      this.#host.onSignal(signal, () => this.#wake());
    }
    this.#checkClock();
    let status: ExitStatus = EXIT.ok;
    while (!this.#ending) {
      try {
        const device = await this.#readDevice();
        if (device === undefined && once) this.#failNoDevice();
        status = device === undefined ? EXIT.failed : await this.#look(device);
        if (device !== undefined) this.#report.forget("not-done");
      } catch (error) {
        // What fails now may work at the next look: the interface may just be going, say.
        if (once) throw error;
        this.#failures++;
        const why = error instanceof UserError ? error.message : explain(error);
        this.#report.once("warn", "not-done", { why });
      }
      if (once) break;
      await this.#sleep(this.#device === undefined ? FAST_INTERVAL : this.#pause());
    }
    await this.#report.finish();
    return once ? status : EXIT.ok;
  }

  async #readDevice(): Promise<Device | undefined> {
    const device = await readDevice(this.#host, this.#config.interface);
    if (device !== undefined) return await this.#mend(device);
    if (!this.#config.once) this.#deviceGone();
    return undefined;
  }

  /** One round: ask, plan, apply. */
  async #look(device: Device): Promise<ExitStatus> {
    await this.#meet(device);
    const id = device.publicKey === undefined ? undefined : parseKey(device.publicKey);
    if (id === undefined) {
      const name = this.#config.interface;
      if (this.#config.once) {
        throw new UserError(`WireGuard interface ${name} has no private key yet`, EXIT.failed);
      }
      this.#report.once("warn", "no-private-key", { interface: name });
      return EXIT.failed;
    }
    this.#tellAlive(device);
    this.#lookAtDoubted(device);
    await this.#lookAtRoutes(device);
    const result = await this.#ask(device, id);
    if (result === undefined) return EXIT.failed;
    const candidates = candidatesOf(result);
    const now = this.#now();
    for (const change of this.#plan.step(device.peers, candidates, now)) await this.#apply(change);
    await this.#nudgeDoubted(device);
    await this.#lookAtUnknown(device, candidates);
    if (result.status !== EXIT.ok) return result.status;
    const failed = device.peers.some((peer) =>
      !this.#plan.isAlive(peer, now) && !candidates.has(peer.publicKey)
    );
    return failed ? EXIT.somePeersFailed : EXIT.ok;
  }

  async #ask(device: Device, id: Uint8Array): Promise<QueryResult | undefined> {
    const { servers, secret, group, encrypt, maxAge, timeout, interval, once } = this.#config;
    const byKey = new Map(device.peers.map((peer) => [peer.publicKey, peer]));
    const question: Question = {
      servers,
      secret,
      group,
      encrypt,
      maxAge,
      timeout,
      id,
      opensTo: ({ publicKey, address, port }) => {
        const peer = byKey.get(publicKey);
        if (peer === undefined) return false;
        const there = peer.endpoint !== undefined &&
          formatHostPort(peer.endpoint) === `${address}:${port}`;
        return !there || this.#doubted.has(publicKey) || !this.#plan.isAlive(peer, this.#now());
      },
    };
    const { mono } = this.#now();
    const quietly = this.#config.dryRun ||
      (this.#registration.disturbs && mono - this.#registeredAt < interval * (1 - 2 * JITTER));
    try {
      const result = await this.#registration.ask(device, question, quietly);
      if (result.registered) this.#registeredAt = mono;
      this.#failures = result.status === EXIT.ok ? 0 : this.#failures + 1;
      for (const { server, status } of result.servers) this.#report.server(server, status);
      for (const warning of result.warnings) this.#report.once("warn", "server", { why: warning });
      if (result.status === EXIT.ok) this.#report.forget("server");
      if (result.registered) this.#noteOwnEndpoint(result);
      return result;
    } catch (error) {
      if (once || !(error instanceof UserError)) throw error;
      this.#failures++;
      this.#report.once("warn", "not-asked", { why: error.message });
      return undefined;
    }
  }

  /** An interface that is new, that came back, or that was made anew. */
  async #meet(device: Device): Promise<void> {
    const before = this.#device;
    this.#device = device;
    const same = before !== undefined && before.publicKey === device.publicKey &&
      before.listenPort === device.listenPort;
    if (same) return;
    this.#changed();
    this.#ownEndpoint = undefined;
    this.#plan = this.#newPlan();
    this.#registeredAt = -Infinity;
    const { mode, why } = await this.#registration.settle(device);
    this.#report.event("info", before === undefined ? "interface-found" : "interface-changed", {
      interface: this.#config.interface,
      port: device.listenPort,
      register: mode,
      why,
    });
  }

  #deviceGone(): void {
    this.#device = undefined;
    this.#report.once("info", "waiting", { interface: this.#config.interface });
  }

  #failNoDevice(): never {
    const name = this.#config.interface;
    throw new UserError(
      `there is no WireGuard interface ${name}; bring it up first, or leave --once out to wait`,
      EXIT.failed,
    );
  }

  #noteOwnEndpoint(result: QueryResult): void {
    const { peers, publicKey } = result;
    const own = peers.find((peer) => peer.publicKey === publicKey);
    if (own === undefined) return;
    const endpoint = `${own.address}:${own.port}`;
    const before = this.#ownEndpoint;
    if (endpoint === before) return;
    // Behind a symmetric NAT, each registry sees another one: that is no move.
    const seen = result.servers.flatMap(({ ownEndpoint }) => ownEndpoint ?? []);
    if (before !== undefined && seen.some((each) => formatHostPort(each) === before)) return;
    this.#ownEndpoint = endpoint;
    this.#report.change("own-endpoint", { endpoint, ...(before === undefined ? {} : { before }) });
    if (before === undefined) return;
    for (const { publicKey, received } of this.#device?.peers ?? []) {
      this.#doubted.set(publicKey, received);
    }
    this.#plan.ownEndpointMoved(this.#now());
    this.#changed();
  }

  /** What has been heard of a peer since says that it has found the new own endpoint. */
  #lookAtDoubted(device: Device): void {
    const received = new Map(device.peers.map((peer) => [peer.publicKey, peer.received]));
    for (const [key, before] of this.#doubted) {
      if (received.get(key) !== before) this.#doubted.delete(key);
    }
  }

  /**
   * Peers follow the own endpoint only when WireGuard sends something, and on its own it would do so
   * when the next keepalive is due: switching keepalives off and on sends one at once.
   */
  async #nudgeDoubted(device: Device): Promise<void> {
    const now = this.#now();
    for (const peer of device.peers) {
      const { publicKey, persistentKeepalive } = peer;
      if (!this.#doubted.has(publicKey) || persistentKeepalive === 0) continue;
      if (this.#config.dryRun || !this.#plan.isAlive(peer, now)) continue;
      await nudgePeer(this.#host, this.#config.interface, publicKey, persistentKeepalive);
    }
  }

  async #apply(change: PlannedChange): Promise<void> {
    const { publicKey, endpoint, persistentKeepalive, from, why } = change;
    const { dryRun } = this.#config;
    if (!dryRun) {
      await setPeer(this.#host, this.#config.interface, publicKey, {
        endpoint,
        persistentKeepalive,
      });
    }
    this.#changed();
    this.#report.change(why === "restore" ? "endpoint-restored" : "endpoint-set", {
      ...this.#named(publicKey),
      endpoint: formatHostPort(endpoint),
      ...(from === undefined ? {} : { before: formatHostPort(from) }),
      ...(persistentKeepalive === undefined ? {} : { persistentKeepalive }),
      ...(dryRun ? { dryRun } : {}),
    });
  }

  /** Peers that a registry knows and the interface doesn't. */
  async #lookAtUnknown(
    device: Device,
    candidates: ReadonlyMap<string, readonly Candidate[]>,
  ): Promise<void> {
    const present = new Set(device.peers.map(({ publicKey }) => publicKey));
    for (const [publicKey, [newest]] of candidates) {
      if (newest === undefined || publicKey === device.publicKey || present.has(publicKey)) {
        continue;
      }
      const allowedIps = this.#config.peers.get(publicKey)?.allowedIps;
      const { endpoint } = newest;
      const fields = { ...this.#named(publicKey), endpoint: formatHostPort(endpoint) };
      if (this.#config.addPeers && allowedIps !== undefined) {
        if (this.#config.dryRun && this.#unknown.has(publicKey)) continue;
        this.#unknown.add(publicKey);
        await this.#add(publicKey, endpoint, allowedIps);
        this.#report.change("peer-added", {
          ...fields,
          allowedIps: allowedIps.join(","),
          ...(this.#config.dryRun ? { dryRun: true } : {}),
        });
      } else if (!this.#unknown.has(publicKey)) {
        this.#unknown.add(publicKey);
        const hint = !this.#config.addPeers
          ? "not on the interface; --add-peers adds those that the settings know"
          : "not on the interface, and the settings name no allowed-ips for it";
        this.#report.event("info", "peer-unknown", { ...fields, hint });
      }
    }
  }

  async #add(publicKey: string, endpoint: HostPort, allowedIps: readonly string[]): Promise<void> {
    if (this.#config.dryRun) return;
    const { persistentKeepalive } = this.#config;
    await setPeer(this.#host, this.#config.interface, publicKey, {
      endpoint,
      allowedIps,
      persistentKeepalive: persistentKeepalive > 0 ? persistentKeepalive : undefined,
    });
    this.#changed();
  }

  #tellAlive(device: Device): void {
    const now = this.#now();
    for (const peer of device.peers) {
      const alive = this.#plan.isAlive(peer, now);
      if (alive === this.#alive.has(peer.publicKey)) continue;
      if (alive) this.#alive.add(peer.publicKey);
      else this.#alive.delete(peer.publicKey);
      if (!alive) this.#changed();
      this.#report.change(alive ? "peer-alive" : "peer-lost", {
        ...this.#named(peer.publicKey),
        ...(peer.endpoint === undefined ? {} : { endpoint: formatHostPort(peer.endpoint) }),
      });
    }
  }

  /** A host route to an endpoint that a peer has left sends its traffic astray when it comes back. */
  async #lookAtRoutes(device: Device): Promise<void> {
    const hosts = new Set(device.peers.flatMap(({ endpoint }) => endpoint?.host ?? []));
    for (const left of this.#endpointHosts) {
      if (hosts.has(left)) continue;
      const route = await findHostRoute(this.#host, left);
      if (route === undefined) continue;
      const { mendRoutes, dryRun } = this.#config;
      const removed = mendRoutes && !dryRun && await removeHostRoute(this.#host, route);
      this.#report.event("warn", removed ? "route-removed" : "stale-route", {
        route,
        ...(removed ? {} : { hint: `no peer is there any more; remove it: ip route del ${route}` }),
      });
    }
    this.#endpointHosts = hosts;
  }

  #named(publicKey: string): { key: string; name?: string } {
    const name = this.#config.peers.get(publicKey)?.name;
    return { key: publicKey, ...(name === undefined ? {} : { name }) };
  }

  /** How long until the next look, in seconds. */
  #pause(): number {
    const { interval } = this.#config;
    const jitter = 1 + JITTER * (2 * this.#dice() - 1);
    if (this.#failures > 0) {
      const backoff = FAST_INTERVAL * 2 ** Math.min(this.#failures - 1, 16);
      return Math.min(backoff, Math.max(interval, LONGEST_BACKOFF)) * jitter;
    }
    const now = this.#now();
    const waiting = this.#plan.isSearching || this.#doubted.size > 0 ||
      (this.#device?.peers ?? []).some((peer) => !this.#plan.isAlive(peer, now));
    const fast = waiting && now.mono - this.#changedAt < FAST_FOR;
    return fast ? Math.min(FAST_INTERVAL, interval) : interval * jitter;
  }

  /** An interface that is met may lack the port that a killed run has borrowed. */
  async #mend(device: Device): Promise<Device | undefined> {
    if (this.#device !== undefined || this.#config.dryRun) return device;
    const port = await mendBorrowedPort(this.#host, this.#config.interface);
    if (port === undefined) return device;
    this.#report.event("warn", "port-mended", { interface: this.#config.interface, port });
    return await readDevice(this.#host, this.#config.interface);
  }

  #checkClock(): void {
    if (this.#now().unix >= EARLIEST_TIME) return;
    const clock = new Date(this.#host.now()).toISOString();
    this.#report.event("error", "clock-wrong", {
      clock,
      hint: "registries drop requests whose time is off; set the clock",
    });
  }

  async #resolve(host: Host, name: string): Promise<string[]> {
    try {
      const found = await host.resolve(name);
      const before = this.#addresses.get(name);
      this.#addresses.set(name, found);
      if (before !== undefined && !found.some((address) => before.includes(address))) {
        this.#report.event("info", "server-moved", { server: name, address: found.join(",") });
        this.#changed();
      }
      return found;
    } catch (error) {
      const before = this.#addresses.get(name);
      if (before === undefined) throw error;
      return before;
    }
  }

  #changed(): void {
    this.#changedAt = this.#now().mono;
  }

  #newPlan(): SyncPlan {
    const { persistentKeepalive } = this.#config;
    return new SyncPlan({ alive: ALIVE, trial: TRIAL, pause: PAUSE, persistentKeepalive });
  }

  #now(): Now {
    return { unix: this.#host.now() / 1000, mono: this.#host.mono() / 1000 };
  }

  #dice(): number {
    const byte = new Uint8Array(1);
    this.#host.random(byte);
    return byte[0]! / 255;
  }

  #sleep(seconds: number): Promise<void> {
    if (this.#ending) return Promise.resolve();
    return new Promise((done) => {
      const cancel = this.#host.timer(seconds * 1000, done);
      this.#wake = () => {
        cancel();
        done();
      };
    });
  }
}

function candidatesOf({ sightings, publicKey }: QueryResult): Map<string, Candidate[]> {
  const candidates = new Map<string, Candidate[]>();
  for (const [key, seen] of sightings) {
    if (key === publicKey) continue;
    candidates.set(
      key,
      seen.map(({ address, port, seconds }) => ({
        endpoint: { host: address, port },
        seenAt: seconds,
      })),
    );
  }
  return candidates;
}

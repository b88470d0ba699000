/**
 * `wgsig sync`: keeps the endpoints of a WireGuard interface right. Registers, asks, plans, applies,
 * and looks again.
 *
 * @module
 */

import { formatHostPort } from "../../core/net/host_port.ts";
import { explainUnreachable, judgeNat, type NatVerdict } from "../../core/ask/nat_verdict.ts";
import type { Now } from "../../core/net/clock.ts";
import { type PlannedChange, SyncPlan } from "../../core/sync/plan.ts";
import { EXIT, type ExitStatus, UserError } from "../../core/settings/user_error.ts";
import { parseKey } from "../../core/net/peer_key.ts";
import { isoTime } from "../../host/clock.ts";
import type { Host } from "../../host/host.ts";
import { readDevice, setPeer } from "../../wireguard/device.ts";
import type { Device } from "../../core/net/device.ts";
import { inWords } from "../log/in_words.ts";
import { mendBorrowedPort } from "./borrowed_port.ts";
import { type Candidates, candidatesOf, whereaboutsOf } from "./candidates.ts";
import { DoubtedPeers } from "./doubted_peers.ts";
import { LeaseRunner } from "../lease/client/runner.ts";
import { LeftRoutes } from "./left_routes.ts";
import type { QueryResult } from "../../core/query/query_result.ts";
import { type Question, Registration } from "./registration.ts";
import { RememberedNames } from "./remembered_names.ts";
import { SyncReport } from "../log/sync_report.ts";
import type { SyncConfig } from "./config.ts";
import { UnknownPeers } from "./unknown_peers.ts";

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
/** While the clock of this host is wrong: it may be set any moment. */
const CLOCK_BACKOFF = 2;
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
  #plan: SyncPlan;
  #device: Device | undefined;
  #ownEndpoint: string | undefined;
  #ending = false;
  #wake: () => void = () => {};
  #changedAt: number;
  #registeredAt = -Infinity;
  #failures = 0;
  #clockIsWrong = false;
  readonly #alive = new Set<string>();
  readonly #doubted: DoubtedPeers;
  readonly #routes: LeftRoutes;
  readonly #lease: LeaseRunner | undefined;
  readonly #unknown: UnknownPeers;
  /** What the NAT makes of WireGuard's port, where two servers have seen it. */
  #nat: NatVerdict | undefined;
  /** Peers of which it was said that they can't be reached. */
  readonly #unreachable = new Set<string>();
  /** Where the interface's peers are, as the servers said last. */
  #whereabouts = "";
  /** Whether the servers alone are asked next, half an interval after the last look. */
  #glancing = false;

  constructor(host: Host, config: SyncConfig) {
    const names = new RememberedNames((name) => host.resolve(name), (server, addresses) => {
      this.#report.event("info", "server-moved", { server, address: addresses.join(",") });
      this.#changed();
    });
    this.#host = { ...host, resolve: (name) => names.resolve(name) };
    this.#config = config;
    this.#report = new SyncReport(host, config.report);
    const hasRegistry = config.servers.some(({ scheme }) => scheme !== "dns");
    const { interface: name, register } = config;
    this.#registration = new Registration(this.#host, name, register, hasRegistry);
    this.#routes = new LeftRoutes(this.#host, this.#report, config.mendRoutes && !config.dryRun);
    this.#doubted = new DoubtedPeers(this.#host, config.interface);
    this.#unknown = new UnknownPeers(this.#host, this.#report, config);
    this.#lease = config.lease === undefined || config.dryRun
      ? undefined
      : new LeaseRunner(this.#host, this.#report, {
        interface: config.interface,
        acceptRoutes: config.lease.acceptRoutes,
        addsPeers: config.addPeers,
      });
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
      this.#host.onSignal(signal, () => {
        this.#glancing = false;
        this.#wake();
      });
    }
    let status: ExitStatus = EXIT.ok;
    while (!this.#ending) {
      this.#checkClock();
      try {
        const news = this.#glancing ? await this.#glance() : undefined;
        if (!this.#glancing || news !== undefined) status = await this.#readAndLook(news);
      } catch (error) {
        // What fails now may work at the next look: the interface may just be going, say.
        if (once) throw error;
        this.#failures++;
        this.#report.once("warn", "not-done", { why: inWords(error) });
      }
      if (once) break;
      await this.#sleep(this.#device === undefined ? FAST_INTERVAL : this.#pause());
    }
    await this.#lease?.end();
    await this.#report.finish();
    return once ? status : EXIT.ok;
  }

  async #readDevice(): Promise<Device | undefined> {
    const device = await readDevice(this.#host, this.#config.interface);
    if (device !== undefined) return await this.#mend(device);
    if (!this.#config.once) this.#deviceGone();
    return undefined;
  }

  async #readAndLook(news: QueryResult | undefined): Promise<ExitStatus> {
    const device = await this.#readDevice();
    if (device === undefined) {
      if (this.#config.once) this.#failNoDevice();
      return EXIT.failed;
    }
    const status = await this.#look(device, news);
    this.#report.forget("not-done");
    return status;
  }

  /**
   * Asks the servers without a look at the interface: so a peer's move is known after half an
   * interval, and costs no process while nothing moves.
   *
   * @returns What they said, if it is another thing than before.
   */
  async #glance(): Promise<QueryResult | undefined> {
    const device = this.#device;
    const id = device?.publicKey === undefined ? undefined : parseKey(device.publicKey);
    if (device === undefined || id === undefined) return undefined;
    const before = this.#ownEndpoint;
    const result = await this.#ask(device, id);
    if (result === undefined) return undefined;
    const same = this.#ownEndpoint === before &&
      whereaboutsOf(device, this.#candidates(result)) === this.#whereabouts;
    return same ? undefined : result;
  }

  /**
   * One round: ask, plan, apply.
   *
   * @param news What the servers have just said; they are asked where it is left out.
   */
  async #look(device: Device, news: QueryResult | undefined): Promise<ExitStatus> {
    const isNew = await this.#meet(device);
    this.#lease?.see(device);
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
    this.#doubted.look(device, news !== undefined);
    await this.#routes.look(device);
    const result = isNew || news === undefined ? await this.#ask(device, id) : news;
    if (result === undefined) return EXIT.failed;
    const candidates = this.#candidates(result);
    this.#whereabouts = whereaboutsOf(device, candidates);
    const now = this.#now();
    for (const change of this.#plan.step(device.peers, candidates, now)) await this.#apply(change);
    this.#tellUnreachable(candidates);
    if (!this.#config.dryRun) {
      await this.#doubted.nudge(device, (peer) => this.#plan.isAlive(peer, this.#now()));
    }
    if (await this.#unknown.look(device, candidates)) this.#changed();
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
      // Who is not on the interface is asked for only to be added.
      keys: this.#config.addPeers ? undefined : [...byKey.keys()],
      known: [...byKey.keys()],
      opensTo: ({ publicKey, address, port }) => {
        const peer = byKey.get(publicKey);
        if (peer === undefined) return false;
        const there = peer.endpoint !== undefined &&
          formatHostPort(peer.endpoint) === `${address}:${port}`;
        return !there || this.#doubted.has(publicKey) || !this.#plan.isAlive(peer, this.#now());
      },
    };
    const { mono } = this.#now();
    if (servers.length === 0) return nothingAsked(device, this.#now().unix);
    const quietly = this.#config.dryRun ||
      (this.#registration.disturbs && mono - this.#registeredAt < interval * (1 - 2 * JITTER));
    try {
      const result = await this.#registration.ask(device, question, quietly);
      if (result.registered) this.#registeredAt = mono;
      this.#failures = result.status === EXIT.ok ? 0 : this.#failures + 1;
      for (const { server, status } of result.servers) this.#report.server(server, status);
      for (const warning of result.warnings) this.#report.once("warn", "server", { why: warning });
      if (result.status === EXIT.ok) this.#report.forget("server");
      if (result.registered) {
        this.#noteOwnEndpoint(result);
        this.#noteNat(result);
      }
      return result;
    } catch (error) {
      if (once || !(error instanceof UserError)) throw error;
      this.#failures++;
      this.#report.once("warn", "not-asked", { why: error.message });
      return undefined;
    }
  }

  /** Whether the interface is new, came back, or was made anew. */
  async #meet(device: Device): Promise<boolean> {
    const before = this.#device;
    this.#device = device;
    const same = before !== undefined && before.publicKey === device.publicKey &&
      before.listenPort === device.listenPort;
    if (same) return false;
    this.#changed();
    this.#ownEndpoint = undefined;
    this.#unreachable.clear();
    this.#plan = this.#newPlan();
    this.#registeredAt = -Infinity;
    const { mode, why } = await this.#registration.settle(device);
    this.#report.event("info", before === undefined ? "interface-found" : "interface-changed", {
      interface: this.#config.interface,
      port: device.listenPort,
      register: mode,
      why,
    });
    return true;
  }

  #deviceGone(): void {
    this.#lease?.see(undefined);
    if (this.#config.untilGone && this.#device !== undefined) {
      this.#report.event("info", "interface-gone", { interface: this.#config.interface });
      this.#ending = true;
      return;
    }
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
    if (this.#device !== undefined) this.#doubted.doubt(this.#device);
    this.#plan.ownEndpointMoved(this.#now());
    this.#changed();
  }

  /** What two servers see of one port tells what kind of NAT is in between. */
  #noteNat({ port, servers }: QueryResult): void {
    const seen = new Map(
      servers.flatMap(({ server, ownEndpoint }) =>
        ownEndpoint === undefined ? [] : [[server, ownEndpoint]]
      ),
    );
    if (seen.size < 2) return;
    this.#nat = judgeNat(port, this.#host.localAddresses(), [...seen.values()]);
    this.#report.once("info", "nat", { ...this.#nat });
  }

  /** A peer that the servers hear, and that no endpoint reaches: says so once, and what helps. */
  #tellUnreachable(candidates: Candidates): void {
    for (const key of this.#plan.unreachable(candidates)) {
      const [newest] = candidates.get(key) ?? [];
      if (newest === undefined || this.#unreachable.has(key)) continue;
      this.#unreachable.add(key);
      this.#report.event("warn", "peer-unreachable", {
        ...this.#named(key),
        endpoint: formatHostPort(newest.endpoint),
        ...(this.#nat === undefined ? {} : { nat: this.#nat.mapping }),
        hint: explainUnreachable(this.#nat),
      });
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

  #tellAlive(device: Device): void {
    const now = this.#now();
    for (const peer of device.peers) {
      const alive = this.#plan.isAlive(peer, now);
      if (alive === this.#alive.has(peer.publicKey)) continue;
      this.#unreachable.delete(peer.publicKey);
      if (alive) this.#alive.add(peer.publicKey);
      else this.#alive.delete(peer.publicKey);
      if (!alive) this.#changed();
      this.#report.change(alive ? "peer-alive" : "peer-lost", {
        ...this.#named(peer.publicKey),
        ...(peer.endpoint === undefined ? {} : { endpoint: formatHostPort(peer.endpoint) }),
      });
    }
  }

  #named(publicKey: string): { key: string; name?: string } {
    const name = this.#config.peers.get(publicKey)?.name;
    return { key: publicKey, ...(name === undefined ? {} : { name }) };
  }

  /** How long until the servers are asked again, in seconds. */
  #pause(): number {
    const { interval } = this.#config;
    const glanced = this.#glancing;
    this.#glancing = false;
    if (this.#failures > 0) {
      const backoff = FAST_INTERVAL * 2 ** Math.min(this.#failures - 1, 16);
      const jitter = 1 + JITTER * (2 * this.#dice() - 1);
      const longest = this.#clockIsWrong ? CLOCK_BACKOFF : Math.max(interval, LONGEST_BACKOFF);
      return Math.min(backoff, longest) * jitter;
    }
    const now = this.#now();
    const waiting = this.#plan.isSearching || this.#doubted.count > 0 ||
      (this.#device?.peers ?? []).some((peer) => !this.#plan.isAlive(peer, now));
    if (waiting && now.mono - this.#changedAt < FAST_FOR) return Math.min(FAST_INTERVAL, interval);
    this.#glancing = !glanced;
    return interval / 2 * (1 - JITTER * this.#dice());
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
    const wrong = this.#now().unix < EARLIEST_TIME;
    if (wrong === this.#clockIsWrong) return;
    this.#clockIsWrong = wrong;
    const clock = isoTime(this.#now().unix);
    if (wrong) {
      const hint = "registries drop requests whose time is off; set the clock";
      this.#report.event("error", "clock-wrong", { clock, hint });
    } else {
      this.#report.event("info", "clock-set", { clock });
    }
  }

  #candidates(result: QueryResult): Candidates {
    const { trustedZones, lease } = this.#config;
    const trust = { zones: trustedZones, leases: lease?.isTrusted === true };
    return candidatesOf(result, this.#lease?.peers ?? [], trust);
  }

  #changed(): void {
    this.#changedAt = this.#now().mono;
  }

  #newPlan(): SyncPlan {
    const { persistentKeepalive } = this.#config;
    return new SyncPlan({ alive: ALIVE, trial: TRIAL, pause: PAUSE, persistentKeepalive });
  }

  #now(): Now {
    return this.#host.now();
  }

  #dice(): number {
    const byte = new Uint8Array(1);
    this.#host.random(byte);
    return byte[0]! / 255;
  }

  #sleep(seconds: number): Promise<void> {
    if (this.#ending) return Promise.resolve();
    return new Promise((done) => {
      const cancel = this.#host.after(seconds, done);
      this.#wake = () => {
        cancel();
        done();
      };
    });
  }
}

/** What is known where there is no server to ask. */
function nothingAsked({ publicKey }: Device, unix: number): QueryResult {
  const nothing = { servers: [], peers: [], sightings: new Map(), warnings: [] };
  return { ...nothing, publicKey, port: 0, registered: false, unix, status: EXIT.ok };
}

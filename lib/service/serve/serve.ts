/**
 * `wgsig serve`: the registry on its sockets, with its settings, its state file and its signals.
 *
 * @module
 */

import type { DatagramBatch, ReplyBatch } from "../../core/net/datagram_batch.ts";
import { formatHostPort, type HostPort } from "../../core/net/host_port.ts";
import { NonceSource } from "../../core/net/random.ts";
import type { Now } from "../../core/net/clock.ts";
import { Registry, type RegistryOptions } from "../../core/registry/registry.ts";
import { encodeState, MAX_STATE_SIZE, restoreState } from "../../core/registry/state_file.ts";
import type { UdpSocket } from "../../host/udp.ts";
import { errorCode, explain } from "../../host/error.ts";
import type { Host } from "../../host/host.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { checkZones, type DnsConfig } from "../zone/server/zones.ts";
import { DnsService } from "../zone/server/service.ts";
import type { ServiceContext } from "../context.ts";
import { readAllowList, readSecret } from "../files/files.ts";
import { type LeaseConfig, LeaseService } from "../lease/server/service.ts";
import { listenProblem } from "../log/listen_problem.ts";
import { Log, type LogOptions } from "../log/log.ts";
import { PunchService } from "../punch/service.ts";
import { applySettings, type GroupSettings } from "./registry_settings.ts";
import { TrafficLog } from "./traffic_log.ts";
import { TunnelFeed } from "./tunnel_feed.ts";
import { EXIT, type ExitStatus, UserError } from "../../core/settings/user_error.ts";

/** A group as it is configured. */
export interface ServedGroup {
  readonly id: number;
  readonly secretFile: string;
  readonly allowFile: string | undefined;
  /** A WireGuard interface of this host, whose peers are offered to the group. */
  readonly interface: string | undefined;
}

/** What `serve` is to do. */
export interface ServeConfig extends RegistryOptions {
  readonly listen: readonly HostPort[];
  /** Whether an address that this host doesn't have at all is passed over: the defaults are. */
  readonly skipMissingAddresses: boolean;
  /** Without one, the wgsig protocol is not served. */
  readonly groups: readonly ServedGroup[];
  readonly state: string | undefined;
  readonly maxPeers: number;
  readonly maxAnswer: number;
  /** In seconds. */
  readonly maxAge: number;
  /** The addresses that are leased, if any are. */
  readonly lease: LeaseConfig | undefined;
  /** The zones that are served, if any are. */
  readonly dns: DnsConfig | undefined;
  /** Where WireGuard's hole-punching example is answered, if it is. */
  readonly punch: HostPort | undefined;
  readonly log: LogOptions;
}

/** State is saved this long after the first change, so that at most 5 s are lost with the write. */
const SAVE_DELAY = 2;
const STATE_MODE = 0o600;
/** Seconds between two looks at which records have become too old. */
const EXPIRY_INTERVAL = 0.5;
const INTERFACE_INTERVAL = 2;

/**
 * Serves until a signal ends it.
 *
 * @param load Reads settings; called again on SIGHUP.
 */
export async function serve(host: Host, load: () => Promise<ServeConfig>): Promise<ExitStatus> {
  const config = await load();
  const service = new Service(host, config);
  await service.configure(config);
  await service.restore();
  await service.listen();
  await service.listenDns();
  await service.listenPunch();
  await service.lease();
  return await service.run(load);
}

class Service {
  readonly #host: Host;
  readonly #log: Log;
  readonly #registry: Registry;
  readonly #nonces: NonceSource;
  readonly #sockets: UdpSocket[] = [];
  #config: ServeConfig;
  #now: Now = { unix: 0, mono: 0 };
  readonly #tunnels: TunnelFeed;
  #dns: DnsService | undefined;
  #leases: LeaseService | undefined;
  #punch: PunchService | undefined;
  readonly #dnsListen: string | undefined;
  readonly #leaseInterface: string | undefined;
  readonly #punchListen: string | undefined;
  #watching = false;
  #ended = false;
  #unsaved = false;
  #expiredAt = 0;
  #cancelSave: (() => void) | undefined;
  #saving: Promise<void> = Promise.resolve();
  #reloading: Promise<void> = Promise.resolve();

  constructor(host: Host, config: ServeConfig) {
    this.#host = host;
    this.#config = config;
    this.#dnsListen = JSON.stringify(config.dns?.listen);
    this.#leaseInterface = config.lease?.interface;
    this.#punchListen = JSON.stringify(config.punch);
    this.#log = new Log(host, config.log);
    this.#nonces = new NonceSource((bytes) => host.random(bytes));
    const traffic = new TrafficLog(this.#log, () => this.#now.mono);
    this.#registry = new Registry(config, traffic);
    this.#tunnels = new TunnelFeed(host, this.#log, traffic, this.#registry.counters);
    this.#tick();
  }

  /** Applies settings: nothing is changed unless all of their files are sound. */
  async configure(config: ServeConfig): Promise<void> {
    const groups: GroupSettings[] = [];
    for (const { id, secretFile, allowFile } of config.groups) {
      if (groups.some((group) => group.id === id)) {
        throw new UserError(`group ${id} is configured twice; give each group another id`);
      }
      const secret = await readSecret(this.#host, secretFile, "registry");
      const allowed = allowFile === undefined
        ? undefined
        : await readAllowList(this.#host, allowFile);
      groups.push({ id, secret, allowed, maxAge: config.maxAge, seed: this.#seed() });
    }
    if (config.dns !== undefined) checkZones(config.dns, groups.map(({ id }) => id));
    const settings = { ...config, groups, primitives: this.#host.primitives };
    applySettings(this.#registry, settings, this.#nonces, this.#tick().mono);
    // What is bound or in use stays until a restart.
    const { listen, maxPeers, maxAnswer, state } = this.#config;
    this.#config = { ...config, listen, maxPeers, maxAnswer, state };
    this.#log.configure(config.log);
    if (config.dns !== undefined) this.#dns?.configure(config.dns, this.#registry.groups);
    if (config.lease !== undefined) this.#leases?.configure(config.lease);
  }

  #context(): ServiceContext {
    return {
      host: this.#host,
      log: this.#log,
      counters: this.#registry.counters,
      tick: () => {
        const now = this.#tick();
        this.#expire(now);
        return now;
      },
      seed: () => this.#seed(),
    };
  }

  /** Takes over the peers of the state file, and sees to it that it can be written. */
  async restore(): Promise<void> {
    const { state } = this.#config;
    if (state === undefined) return;
    let isThere = false;
    try {
      const { bytes } = await this.#host.readFile(state, MAX_STATE_SIZE, { regular: true });
      const peers = restoreState(bytes, this.#registry, this.#tick());
      this.#log.write("info", "state-restored", { file: state, peers });
      isThere = true;
    } catch (error) {
      if (error instanceof SyntaxError) {
        this.#checkIsNoOtherFile(state);
        const aside = `${state}.damaged`;
        await this.#host.renameFile(state, aside);
        this.#log.write("warn", "state-damaged", { file: state, why: error.message, kept: aside });
      } else if (errorCode(error) !== "ENOENT") {
        throw new UserError(`cannot read state file ${state}: ${explain(error)}`, EXIT.failed);
      }
    }
    try {
      if (isThere) await this.#tryFolder(state);
      else await this.#write(state);
    } catch (error) {
      throw new UserError(`cannot write state file ${state}: ${explain(error)}`, EXIT.failed);
    }
  }

  /** Whether a file can be replaced, without writing all of it again. */
  async #tryFolder(path: string): Promise<void> {
    const probe = `${path}.probe`;
    await this.#host.writeFile(probe, new Uint8Array(0), { mode: STATE_MODE });
    await this.#host.removeFile(probe);
  }

  /** A secret that was named as the state file by mistake must stay where it is. */
  #checkIsNoOtherFile(state: string): void {
    for (const { secretFile, allowFile } of this.#config.groups) {
      if (state !== secretFile && state !== allowFile) continue;
      throw new UserError(`${state} is another file of a group; choose another one with --state`);
    }
  }

  /** Opens the sockets. */
  async listen(): Promise<void> {
    if (this.#config.groups.length === 0) return;
    let problem = "no address to listen on";
    for (const address of this.#config.listen) {
      try {
        const socket = await this.#host.udp({
          address: address.host,
          port: address.port,
          onBatch: (batch, replies) => this.#answer(batch, replies),
          onSendError: () => this.#registry.counters.add("send-failed"),
          onOverload: (count) => this.#registry.counters.add("overload", count),
        });
        this.#sockets.push(socket);
        const bound = formatHostPort({ host: address.host, port: socket.port });
        this.#log.write("info", "listening", { address: bound });
      } catch (error) {
        const code = errorCode(error);
        problem = listenProblem(address, error, "--listen");
        const absent = code === "EAFNOSUPPORT" || code === "EADDRNOTAVAIL";
        if (!(this.#config.skipMissingAddresses && absent)) this.#fail(problem);
      }
    }
    if (this.#sockets.length === 0) this.#fail(problem);
  }

  /** Opens the sockets of the zones, if there are any. */
  async listenDns(): Promise<void> {
    const { dns } = this.#config;
    if (dns === undefined) return;
    try {
      this.#dns = new DnsService(this.#context(), dns);
      this.#dns.configure(dns, this.#registry.groups);
      await this.#dns.listen(dns);
    } catch (error) {
      for (const socket of this.#sockets) socket.close();
      throw error;
    }
  }

  /** Opens the socket for the hole-punching example, if it is answered. */
  async listenPunch(): Promise<void> {
    const { punch } = this.#config;
    if (punch === undefined) return;
    this.#punch = new PunchService(this.#context(), this.#registry.groups);
    await this.#punch.listen(punch);
  }

  /** Begins to lease addresses, if there are any. */
  async lease(): Promise<void> {
    const { lease } = this.#config;
    if (lease === undefined) return;
    const { counters } = this.#registry;
    this.#leases = new LeaseService({ host: this.#host, log: this.#log, counters }, lease);
    await this.#leases.start();
  }

  /** Begins to look at the interfaces of the groups, if there are any. */
  #watch(): void {
    if (this.#watching || !this.#hasInterfaces) return;
    this.#watching = true;
    void this.#watchInterfaces();
  }

  get #hasInterfaces(): boolean {
    return this.#config.groups.some((group) => group.interface !== undefined);
  }

  /** Looks at the interfaces, again and again. */
  async #watchInterfaces(): Promise<void> {
    for (const { id, interface: name } of this.#config.groups) {
      const group = this.#registry.groups.get(id);
      if (name !== undefined && group !== undefined) await this.#tunnels.look(name, group);
    }
    this.#watching = !this.#ended && this.#hasInterfaces;
    if (!this.#watching) return;
    this.#saveSoon();
    this.#host.after(INTERFACE_INTERVAL, () => void this.#watchInterfaces());
  }

  /** Answers until a signal ends it. */
  async run(load: () => Promise<ServeConfig>): Promise<ExitStatus> {
    this.#watch();
    const signal = await new Promise<string>((end) => {
      this.#host.onSignal("SIGTERM", () => end("SIGTERM"));
      this.#host.onSignal("SIGINT", () => end("SIGINT"));
      this.#host.onSignal("SIGHUP", () => this.#reload(load));
      this.#host.onSignal("SIGUSR1", () => this.#logCounters());
      this.#host.onSignal("SIGUSR2", () => this.#logCounters());
      const { groups } = this.#registry;
      const zones = this.#config.dns?.zones ?? [];
      this.#log.write("info", "ready", {
        runtime: this.#host.runtime,
        ...(groups.size > 0 ? { groups: [...groups.keys()].join(",") } : {}),
        ...(zones.length > 0 ? { zones: zones.map(({ name }) => name).join(",") } : {}),
      });
    });
    this.#ended = true;
    for (const socket of this.#sockets) socket.close();
    this.#dns?.close();
    this.#punch?.close();
    await this.#leases?.close();
    this.#cancelSave?.();
    this.#cancelSave = undefined;
    await this.#saving;
    await this.#save();
    this.#logCounters();
    this.#log.write("info", "stopped", { signal });
    return EXIT.ok;
  }

  #answer(batch: DatagramBatch, replies: ReplyBatch): void {
    const now = this.#tick();
    this.#expire(now);
    this.#registry.answer(batch, now, replies);
    this.#saveSoon();
  }

  /** Discards records that are too old. */
  #expire(now: Now): void {
    if (now.mono - this.#expiredAt < EXPIRY_INTERVAL) return;
    this.#expiredAt = now.mono;
    this.#registry.expire(now);
  }

  /** The clocks, read once per batch. */
  #tick(): Now {
    this.#now = this.#host.now();
    return this.#now;
  }

  #saveSoon(): void {
    if (this.#config.state !== undefined && this.#cancelSave === undefined) this.#scheduleSave();
  }

  #scheduleSave(): void {
    if (![...this.#registry.groups.values()].some(({ changed }) => changed)) return;
    this.#cancelSave = this.#host.after(SAVE_DELAY, () => {
      this.#saving = this.#save().then(() => {
        this.#cancelSave = undefined;
        // While that was being written, more may have changed.
        if (!this.#ended) this.#scheduleSave();
      });
    });
  }

  /** Saves the state. The service goes on without it when that fails, says so, and tries again. */
  async #save(): Promise<void> {
    const { state } = this.#config;
    if (state === undefined) return;
    try {
      await this.#write(state);
      if (this.#unsaved) this.#log.write("info", "state-saved-again", { file: state });
      this.#unsaved = false;
    } catch (error) {
      for (const group of this.#registry.groups.values()) group.changed = true;
      if (this.#unsaved) return;
      this.#unsaved = true;
      this.#log.write("error", "state-not-saved", { file: state, why: explain(error) });
    }
  }

  async #write(path: string): Promise<void> {
    const now = this.#tick();
    this.#expire(now);
    for (const group of this.#registry.groups.values()) group.changed = false;
    const bytes = encodeState(this.#registry, now);
    await this.#host.writeFile(path, bytes, { mode: STATE_MODE });
  }

  /** Reads the settings again, once what an earlier signal asked for is done. */
  #reload(load: () => Promise<ServeConfig>): void {
    this.#reloading = this.#reloading.then(() => this.#reloadNow(load));
  }

  async #reloadNow(load: () => Promise<ServeConfig>): Promise<void> {
    try {
      const config = await load();
      await this.configure(config);
      this.#watch();
      this.#log.write("info", "reloaded", { groups: [...this.#registry.groups.keys()].join(",") });
      const kept: string[] = (["listen", "maxPeers", "maxAnswer", "state"] as const)
        .filter((key) => JSON.stringify(config[key]) !== JSON.stringify(this.#config[key]));
      if (JSON.stringify(config.dns?.listen) !== this.#dnsListen) kept.push("dns");
      if (config.lease?.interface !== this.#leaseInterface) kept.push("lease");
      if (JSON.stringify(config.punch) !== this.#punchListen) kept.push("punch");
      if (kept.length > 0) {
        this.#log.write("warn", "restart-needed", { changed: kept.join(",") });
      }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#log.write("error", "not-reloaded", {
        why,
        effect: "the settings before stay in force",
      });
    }
  }

  #logCounters(): void {
    const peers = [...this.#registry.groups.values()]
      .reduce((sum, { table }) => sum + table.count, 0);
    this.#log.always("info", "counters", {
      peers,
      ...this.#registry.counters.snapshot(),
      ...this.#punch?.counters,
    });
  }

  /** 53 random bits. */
  #seed(): number {
    const bytes = new Uint8Array(8);
    this.#host.random(bytes);
    const { view } = new WireBuffer(bytes);
    return (view.getUint32(0) >>> 11) * 2 ** 32 + view.getUint32(4);
  }

  #fail(problem: string): never {
    for (const socket of this.#sockets) socket.close();
    throw new UserError(problem, EXIT.failed);
  }
}

/**
 * The registry of `wgsig serve`, as its first thread uses it: alone, or the same as its workers'.
 *
 * @module
 */

import { Counters } from "../core/counters.ts";
import type { DatagramBatch, ReplyBatch } from "../core/datagram_batch.ts";
import type { HostPort } from "../core/host_port.ts";
import { NonceSource } from "../core/nonce_source.ts";
import { type Now, Registry, type RegistryOptions } from "../core/registry.ts";
import { Replica } from "../core/replica.ts";
import { restoreState } from "../core/state_file.ts";
import { errorCode, type Host, type UdpOptions, type UdpSocket } from "../host/host.ts";
import type { Log, Verbosity } from "./log.ts";
import {
  applySettings,
  forgetSecrets,
  type PreparedSettings,
  prepareSettings,
  type RegistrySettings,
} from "./registry_settings.ts";
import type { TrafficLog } from "./traffic_log.ts";
import type { Observe } from "./tunnel_feed.ts";
import { type PoolEvents, type PoolStart, WorkerPool } from "./worker_pool.ts";

/** Seconds between two looks at which records have become too old. */
const EXPIRY_INTERVAL = 0.5;
/** The time that others get to do their part before something is tried again, and how often. */
const PAUSE_MS = 20;
const CLOSING_TRIES = 10;

/** What a served registry needs. */
export interface ServedOptions extends PoolEvents {
  readonly host: Host;
  readonly log: Log;
  readonly traffic: TrafficLog;
  /** Reads the clocks. */
  tick(): Now;
}

/** A registry, and the threads that serve it. */
export class ServedRegistry {
  /** Its groups and peers, as this thread knows them; see {@linkcode sync}. */
  readonly registry: Registry;
  readonly #options: ServedOptions;
  readonly #nonces: NonceSource;
  #expiredAt = 0;
  /** The other threads, if there are any, and what this one shares with them. */
  #pool: WorkerPool | undefined;
  #replica: Replica | undefined;
  /** What is in force, or comes into force next, and its number. */
  #current: { readonly number: number; readonly prepared: PreparedSettings } | undefined;
  /** What workers that are started need as well. */
  #restored: PoolStart["state"];

  constructor(settings: RegistryOptions, options: ServedOptions) {
    const { host } = options;
    this.#options = options;
    this.registry = new Registry(settings, options.traffic);
    this.#nonces = new NonceSource((bytes) => host.random(bytes));
  }

  /** Has so many threads serve it, where there can be several. To be called before all else. */
  share(workers: number): void {
    const { host, log } = this.#options;
    const { startThread, processors = workers } = host;
    if (startThread === undefined) return this.#shareNothing(workers);
    if (workers > processors) {
      log.write("warn", "more-workers-than-processors", { workers, processors });
    }
    this.#pool = new WorkerPool(host, log, workers, {
      onChange: () => this.#options.onChange(),
      onBroken: (why) => this.#options.onBroken(why),
    });
  }

  #shareNothing(workers: number): void {
    const why = "there are no threads here that could share a port";
    this.#options.log.write("warn", "workers-not-available", { workers, serving: 1, why });
    this.#pool = undefined;
    this.#replica = undefined;
    this.registry.keepJournal(undefined);
  }

  /** How many threads serve it. */
  get workers(): number {
    return this.#pool?.count ?? 1;
  }

  /**
   * Has settings come into force, for all threads at once when all have them.
   *
   * @param settings Kept until then; the secrets are overwritten.
   */
  async configure(settings: RegistrySettings, verbosity: Verbosity): Promise<void> {
    const prepared = prepareSettings(settings);
    const number = (this.#current?.number ?? 0) + 1;
    const [pool, replica] = [this.#pool, this.#replica];
    if (pool === undefined || replica === undefined) {
      this.#current = { number, prepared };
      this.#apply(this.#options.tick().mono);
      // Workers that are started soon need them.
      if (pool === undefined) forgetSecrets(settings);
      return;
    }
    await pool.prepare({ number, settings, verbosity });
    this.#current = { number, prepared };
    while (!replica.configure(number, this.#options.tick())) {
      pool.wake();
      await this.#pause();
    }
    pool.wake(true);
    forgetSecrets(settings);
  }

  #apply(mono: number): void {
    if (this.#current === undefined) return;
    applySettings(this.registry, this.#current.prepared, this.#nonces, mono);
  }

  /**
   * Takes over the peers of a state file.
   *
   * @returns How many there are.
   * @throws {SyntaxError} If it is damaged.
   */
  restore(bytes: Uint8Array): number {
    const now = this.#options.tick();
    const peers = restoreState(bytes, this.registry, now);
    if (this.#pool !== undefined) this.#restored = { bytes, now };
    return peers;
  }

  /** Opens a socket of the registry, whose port the other threads can have as well. */
  async open(options: UdpOptions): Promise<UdpSocket> {
    const { host, traffic } = this.#options;
    const pool = this.#pool;
    if (pool === undefined) return await host.udp(options);
    // Another server of the same user must not get half of what comes, and nobody know of it.
    if (options.port !== 0) (await host.udp(options)).close();
    const isFirst = this.#replica === undefined;
    this.#replica ??= new Replica(this.registry, pool.log, {
      observer: traffic,
      configured: (_number, mono) => this.#apply(mono),
    });
    for (let tries = CLOSING_TRIES;; tries--) {
      try {
        return await host.udp({ ...options, sharePort: true });
      } catch (error) {
        // Deno needs a moment to close what was opened before.
        if (errorCode(error) === "EADDRINUSE" && tries > 1) await this.#pause();
        else if (errorCode(error) === "ENOSYS" && isFirst) break;
        else throw error;
      }
    }
    this.#shareNothing(pool.count);
    return await host.udp(options);
  }

  /**
   * Starts the workers, if there are to be any, and waits until they listen at `addresses` as well.
   *
   * @throws {Error} Where one of them can't.
   */
  async start(addresses: readonly HostPort[], verbosity: Verbosity): Promise<void> {
    if (this.#current === undefined) return;
    const { number, prepared: { settings } } = this.#current;
    await this.#pool?.start({ number, settings, verbosity, addresses, state: this.#restored });
    forgetSecrets(settings);
    this.#restored = undefined;
  }

  /** See {@linkcode Registry.answer}. */
  answer(batch: DatagramBatch, now: Now, replies: ReplyBatch): void {
    const replica = this.#replica;
    if (replica === undefined) {
      this.sync(now);
      this.registry.answer(batch, now, replies);
      return;
    }
    try {
      replica.answer(batch, now, replies);
      this.#pool?.wake();
    } catch (error) {
      this.#break(error);
    }
  }

  /** Discards records that are too old, and brings this thread's registry up to date. */
  sync(now: Now): void {
    if (this.#replica !== undefined) {
      try {
        return this.#replica.sync(now);
      } catch (error) {
        return this.#break(error);
      }
    }
    if (now.mono - this.#expiredAt < EXPIRY_INTERVAL) return;
    this.#expiredAt = now.mono;
    this.registry.expire(now);
  }

  /** See `RegistryGroup.observe`. */
  readonly observe: Observe = (group, ...seen) =>
    this.#replica?.observe(group, ...seen) ?? group.observe(...seen, this.registry.counters);

  /** What all threads have counted together, and how much came to each. */
  counts(): Readonly<Record<string, number>> {
    try {
      return this.#replica?.atRest(() => this.#count()) ?? this.#count();
    } catch (error) {
      this.#break(error);
      return this.#count();
    }
  }

  #count(): Readonly<Record<string, number>> {
    const peers = [...this.registry.groups.values()]
      .reduce((sum, { table }) => sum + table.count, 0);
    const each = [this.registry.counters, ...this.#pool?.counters ?? []];
    const all = new Counters();
    for (const counters of each) all.addAll(counters);
    const received = each.map((counters, i) => [`worker-${i}-received`, counters.get("received")]);
    return {
      peers,
      ...all.snapshot(),
      ...(each.length > 1 ? Object.fromEntries(received) : {}),
    };
  }

  /** Has the workers close their sockets, and waits for it. */
  async stop(): Promise<void> {
    await this.#pool?.stop();
  }

  /** Ends the workers at once. */
  end(): void {
    this.#pool?.end();
  }

  /** A replica fails only if another thread is stuck, or if what can't be has happened. */
  #break(error: unknown): void {
    this.#options.onBroken(error instanceof Error ? error.message : String(error));
  }

  #pause(): Promise<void> {
    return new Promise((done) => void this.#options.host.timer(PAUSE_MS, done));
  }
}

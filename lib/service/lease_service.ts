/**
 * Addresses for peers, from inside the tunnel (wg-dynamic): the server on `[fe80::%IF]:970`.
 *
 * @module
 */

import type { Counters } from "../core/counters.ts";
import { formatHostPort } from "../core/host_port.ts";
import { LeaseBook, type LeaseBookOptions, type LeaseChange } from "../core/lease_book.ts";
import type { LeaseNews } from "../core/lease_news.ts";
import { LeaseSession } from "../core/lease_session.ts";
import type { Now } from "../core/registry.ts";
import { UserError } from "../core/user_error.ts";
import type { Host, TcpConnection, TcpEvents, TcpListener } from "../host/host.ts";
import { explain } from "../host/host.ts";
import { LEASE_SERVER_ADDRESS, LeaseDevice } from "./lease_device.ts";
import { LeaseStore } from "./lease_store.ts";
import type { Log } from "./log.ts";

/** Both ends speak from this TCP port. */
export const LEASE_PORT = 970;

/** What is leased. */
export interface LeaseConfig {
  /** The WireGuard interface. */
  readonly interface: string;
  readonly pools: readonly string[];
  readonly reserved: readonly string[];
  /** Addresses of certain peers, by public key. */
  readonly fixed: ReadonlyMap<string, readonly string[]>;
  /** Seconds. */
  readonly leaseTime: number;
  /** Prefixes that clients that ask for it are told to send through the tunnel. */
  readonly routes: readonly string[];
  readonly state: string | undefined;
  /** Whether to do what is missing on the interface; else it is only said. */
  readonly configure: boolean;
}

/** What the service needs of the one that it is a part of. */
export interface LeaseSurroundings {
  readonly host: Host;
  readonly log: Log;
  readonly counters: Counters;
}

/** More connections at once are refused. */
const MAX_CONNECTIONS = 1024;
const MAX_LEASES = 100_000;
const WATCH_MS = 2000;
/** A connection is closed so long after the lease that it brought has ended, in seconds. */
const IDLE_AFTER = 60;

/** Leases addresses. */
export class LeaseService {
  readonly #host: Host;
  readonly #log: Log;
  readonly #counters: Counters;
  readonly #device: LeaseDevice;
  readonly #book: LeaseBook;
  readonly #store: LeaseStore;
  #config: LeaseConfig;
  #listener: TcpListener | undefined;
  /** Changes are made one after the other. */
  #work: Promise<unknown> = Promise.resolve();
  #cancelWatch: () => void = () => {};
  #ended = false;
  #problem = "";
  #reserved = "";
  readonly #connections = new Map<string, TcpConnection>();

  constructor({ host, log, counters }: LeaseSurroundings, config: LeaseConfig) {
    this.#host = host;
    this.#log = log;
    this.#counters = counters;
    this.#config = config;
    this.#device = new LeaseDevice(host, config.interface);
    this.#book = newBook(config, (bytes) => host.random(bytes));
    this.#store = new LeaseStore(host, log, config.state, this.#book);
  }

  /** Takes over what was saved, and begins. */
  async start(): Promise<void> {
    await this.#store.restore();
    await this.#watch();
  }

  /** Takes other settings over; another interface or file needs a restart. */
  configure(config: LeaseConfig): void {
    const { interface: name, state } = this.#config;
    this.#config = { ...config, interface: name, state };
    this.#reserved = "";
    void this.#queue(() => this.#lookAtDevice());
  }

  /** Ends it: leases stay what they are. */
  async close(): Promise<void> {
    this.#ended = true;
    this.#cancelWatch();
    this.#listener?.close();
    await this.#work;
    await this.#store.save();
  }

  /** Looks again and again: at what has expired, and whether the device is there. */
  async #watch(): Promise<void> {
    await this.#queue(() => this.#lookAtDevice());
    if (this.#ended) return;
    this.#cancelWatch = this.#host.timer(WATCH_MS, () => void this.#watch());
  }

  async #lookAtDevice(): Promise<void> {
    try {
      if (!await this.#device.read()) return this.#stop("there is no such interface yet");
      this.#reserve();
      this.#book.expire(this.#now().mono);
      await this.#settle();
      // Renewals need not be saved before they are answered.
      await this.#store.save();
      // What was made anew has lost what leases had brought.
      for (const { publicKey, allowedIps } of this.#device.peers) {
        const addresses = this.#book.addressesOf(publicKey);
        if (addresses.every((each) => allowedIps.includes(each))) continue;
        await this.#device.apply({ publicKey, addresses, gone: [] });
      }
      if (this.#listener === undefined) await this.#listen();
    } catch (error) {
      this.#stop(error instanceof UserError ? error.message : explain(error));
    }
  }

  /** Nothing is leased that the admin gave to a peer. */
  #reserve(): void {
    const reserved = [...this.#config.reserved, ...this.#device.staticPrefixes(this.#book)];
    if (reserved.join() === this.#reserved) return;
    this.#reserved = reserved.join();
    const taken = this.#book.configure(bookOptions(this.#config, reserved));
    if (taken > 0) this.#log.write("warn", "leases-taken-back", { addresses: taken });
  }

  async #listen(): Promise<void> {
    const name = this.#config.interface;
    const missing = await this.#device.missing();
    for (const { command, run } of missing) {
      if (!this.#config.configure) continue;
      await run();
      this.#log.write("info", "lease-configured", { command });
    }
    if (missing.length > 0 && !this.#config.configure) {
      const commands = missing.map(({ command }) => command).join(" && ");
      this.#tell(`run: ${commands} (or serve with --configure)`);
      // A missing route keeps one client away, a missing address all of them.
      if (commands.includes("addr add")) return;
    }
    this.#listener = await this.#host.tcpListen({
      address: `${LEASE_SERVER_ADDRESS}%${name}`,
      port: LEASE_PORT,
      maxConnections: MAX_CONNECTIONS,
      onConnection: (connection) => this.#welcome(connection),
      onRefused: () => this.#counters.add("lease-refused"),
    });
    const at = formatHostPort({ host: `${LEASE_SERVER_ADDRESS}%${name}`, port: LEASE_PORT });
    this.#log.write("info", "lease-listening", { address: at, leases: this.#book.count });
    if (missing.length === 0 || this.#config.configure) this.#problem = "";
  }

  #stop(why: string): void {
    this.#listener?.close();
    this.#listener = undefined;
    this.#tell(why);
  }

  /** Tells of a problem once until it is another. */
  #tell(why: string): void {
    if (why === this.#problem) return;
    this.#problem = why;
    this.#log.write("warn", "lease-waiting", { interface: this.#config.interface, why });
  }

  #welcome(connection: TcpConnection): TcpEvents {
    const { host, port } = connection.remote;
    const refuse = (why: "lease-refused"): TcpEvents => {
      this.#counters.add(why);
      connection.abort();
      return { onData() {}, onEnd() {}, onClose() {} };
    };
    if (port !== LEASE_PORT) return refuse("lease-refused");
    this.#counters.add("lease-connections");
    // The same address can only come back when its old connection is gone.
    this.#connections.get(host)?.abort();
    this.#connections.set(host, connection);
    let session: LeaseSession | undefined;
    let cancelIdle = () => {};
    const stayAwake = () => {
      cancelIdle();
      const ms = (this.#book.leaseTime + IDLE_AFTER) * 1000;
      cancelIdle = this.#host.timer(Math.min(ms, 0x7fff_ffff), () => connection.abort());
    };
    stayAwake();
    return {
      onData: (bytes) => {
        const copy = bytes.slice();
        stayAwake();
        connection.pause();
        void this.#queue(async () => {
          session ??= await this.#meet(host);
          if (session === undefined) {
            this.#counters.add("lease-stranger");
            return connection.abort();
          }
          await this.#answer(session, copy, connection);
        });
      },
      onEnd: () => void this.#queue(() => Promise.resolve(connection.end())),
      onClose: () => {
        cancelIdle();
        if (this.#connections.get(host) === connection) this.#connections.delete(host);
      },
    };
  }

  /** Who speaks from an address: known by all of its 128 bits, and only where it is link-local. */
  async #meet(address: string): Promise<LeaseSession | undefined> {
    await this.#device.renew(this.#now().mono);
    const publicKey = this.#device.peerAt(address);
    if (publicKey === undefined) return undefined;
    return new LeaseSession(publicKey, this.#book, (key) => this.#newsFor(key));
  }

  async #answer(
    session: LeaseSession,
    bytes: Uint8Array,
    connection: TcpConnection,
  ): Promise<void> {
    const answer = session.receive(bytes, this.#now());
    if (!await this.#settle()) return connection.abort();
    this.#counters.add("lease-answered");
    connection.write(answer.bytes);
    if (answer.close) connection.end();
    else connection.resume();
  }

  /**
   * Brings the device in line with the book. What is granted is on the disk first; what is taken
   * back is off the device first.
   *
   * @returns Whether all of it could be done.
   */
  async #settle(): Promise<boolean> {
    const changes = this.#book.takeChanges();
    if (changes.some(({ addresses }) => addresses.length > 0)) await this.#store.save();
    let done = true;
    for (const change of changes) done = await this.#apply(change) && done;
    if (changes.length > 0) await this.#store.save();
    return done;
  }

  async #apply(change: LeaseChange): Promise<boolean> {
    const { publicKey: key, addresses, gone } = change;
    try {
      if (await this.#device.apply(change)) {
        const fields = { key, addresses: addresses.join(","), gone: gone.join(",") };
        this.#log.write("info", "lease-changed", fields);
        return true;
      }
      // The admin has removed the peer: it is not to come back through us.
      this.#book.forget(key);
      this.#log.write("info", "lease-forgotten", { key, why: "the peer is gone" });
      return false;
    } catch (error) {
      const why = error instanceof UserError ? error.message : explain(error);
      this.#book.forget(key);
      this.#log.write("error", "lease-not-applied", { key, why });
      return false;
    }
  }

  /** What a client that asks for it is told of the others. */
  #newsFor(publicKey: string): LeaseNews {
    const peers = this.#device.peers
      .filter((peer) => peer.publicKey !== publicKey)
      .map(({ publicKey, endpoint }) => ({
        publicKey,
        endpoint,
        allowedIps: this.#book.addressesOf(publicKey),
      }))
      .filter(({ endpoint, allowedIps }) => endpoint !== undefined || allowedIps.length > 0);
    return { routes: this.#config.routes, peers };
  }

  #queue<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#work.then(work);
    this.#work = next.catch(() => {});
    return next;
  }

  #now(): Now {
    return { unix: this.#host.now() / 1000, mono: this.#host.mono() / 1000 };
  }
}

/** Looks for what is wrong with settings. */
export function checkLeases(config: LeaseConfig): void {
  newBook(config, (bytes) => bytes.fill(0));
}

function newBook(config: LeaseConfig, random: (bytes: Uint8Array) => void): LeaseBook {
  try {
    return new LeaseBook(bookOptions(config, config.reserved), random);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UserError(`leases: ${error.message}`);
  }
}

function bookOptions(
  { pools, fixed, leaseTime }: LeaseConfig,
  reserved: readonly string[],
): LeaseBookOptions {
  return { pools, reserved, fixed, leaseTime, maxLeases: MAX_LEASES };
}

/**
 * Addresses for peers, from inside the tunnel (wg-dynamic): the server on `[fe80::%IF]:970`.
 *
 * @module
 */

import type { Counters } from "../../../core/net/counters.ts";
import type { ServiceContext } from "../../context.ts";
import { formatHostPort } from "../../../core/net/host_port.ts";
import { LeaseBook } from "../../../core/lease/server/book.ts";
import { LeaseBudgets } from "../../../core/lease/server/budget.ts";
import { type LeaseNews, MAX_NEWS_PEERS, type PeerNews } from "../../../core/lease/news.ts";
import type { LeaseBookOptions } from "../../../core/lease/server/options.ts";
import { LeaseSession } from "../../../core/lease/server/session.ts";
import type { Now } from "../../../core/net/clock.ts";
import { UserError } from "../../../core/settings/user_error.ts";
import { type Clock, pause } from "../../../host/clock.ts";
import type { TcpListener, TcpListening, TcpListenOptions } from "../../../host/tcp.ts";
import { errorCode } from "../../../host/error.ts";
import type { Files } from "../../../host/files.ts";
import type { LocalAddresses } from "../../../host/names.ts";
import type { Processes } from "../../../host/processes.ts";
import type { Random } from "../../../host/random.ts";
import { readLink } from "../../../wireguard/addresses.ts";
import { inWords } from "../../log/in_words.ts";
import { LEASE_PORT, LEASE_SERVER_ADDRESS } from "../../../wire/lease/message.ts";
import { LeaseConnections, MAX_LEASE_CONNECTIONS } from "./connections.ts";
import { RequestBatcher } from "./request_batcher.ts";
import { LeaseDevice } from "./device.ts";
import { LeaseReconciler } from "./reconciler.ts";
import type { IndexedPeer } from "../../../core/lease/server/peer_index.ts";
import { LeaseStore } from "./store.ts";
import type { Log } from "../../log/log.ts";

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

const MAX_LEASES = 100_000;
const WATCH = 2;
/** For a moment after it was added, an IPv6 address can't be listened on: so often it is tried. */
const NEW_ADDRESS_TRIES = 10;
const NEW_ADDRESS = 0.05;
/** So many leases are looked through for peers to tell of, where too few have an endpoint. */
const MOST_LOOKED_THROUGH = 1024;

/** Leases addresses. */
export class LeaseService {
  readonly #host: Clock & Random & Files & Processes & LocalAddresses & TcpListening;
  readonly #log: Log;
  readonly #counters: Counters;
  readonly #device: LeaseDevice;
  readonly #book: LeaseBook;
  readonly #store: LeaseStore;
  readonly #reconciler: LeaseReconciler;
  readonly #connections: LeaseConnections;
  #config: LeaseConfig;
  #listener: TcpListener | undefined;
  /** The system's number of the interface that is listened on. */
  #index: number | undefined;
  /** Changes are made one after the other. */
  #work: Promise<unknown> = Promise.resolve();
  #cancelWatch: () => void = () => {};
  #ended = false;
  #restored = false;
  /** What was found out of the peers that are told, as long as it is right. */
  #news: { readonly version: string; readonly peers: readonly PeerNews[] } = {
    version: "",
    peers: [],
  };
  #problem = "";

  constructor(
    { host, log, counters }: Pick<ServiceContext, "host" | "log" | "counters">,
    config: LeaseConfig,
  ) {
    this.#host = host;
    this.#log = log;
    this.#counters = counters;
    this.#config = config;
    this.#device = new LeaseDevice(host, config.interface);
    this.#book = newBook(config, (bytes) => host.random(bytes));
    this.#store = new LeaseStore(host, log, config.state, this.#book);
    const book = this.#book;
    const store = this.#store;
    const device = this.#device;
    this.#reconciler = new LeaseReconciler({ host, log, book, store, device });
    const budgets = new LeaseBudgets();
    const handler = new RequestBatcher({
      host,
      counters,
      device,
      reconciler: this.#reconciler,
      session: (key) => new LeaseSession(key, book, () => this.#newsFor(key), budgets),
      queue: (work) => void this.#queue(() => this.#ended ? Promise.resolve() : work()),
      now: () => this.#now(),
    });
    this.#connections = new LeaseConnections(host, counters, {
      get leaseTime() {
        return book.leaseTime;
      },
      ask: (visitor, bytes) => handler.ask(visitor, bytes),
    });
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
    this.#reconciler.configured();
    void this.#queue(() => this.#look());
  }

  /** Ends it: leases stay what they are. */
  async close(): Promise<void> {
    this.#ended = true;
    this.#cancelWatch();
    this.#unlisten();
    await this.#work;
    await this.#store.close();
  }

  /** Looks again and again: at what has expired, and whether the device is there. */
  async #watch(): Promise<void> {
    await this.#queue(() => this.#look());
    if (this.#ended) return;
    this.#cancelWatch = this.#host.after(WATCH, () => void this.#watch());
  }

  async #look(): Promise<void> {
    if (this.#ended) return;
    try {
      const isThere = await this.#device.read();
      if (!isThere) {
        // Also where nobody can be told, what has ended has ended.
        this.#book.expire(this.#now().mono, MOST_LOOKED_THROUGH);
        return this.#wait("there is no such interface yet");
      }
      await this.#restoreRun();
      const { pools, reserved } = this.#config;
      await this.#reconciler.reserve(
        pools,
        (ranges) => bookOptions(this.#config, [...reserved, ...ranges]),
      );
      this.#reconciler.beginToMend();
      await this.#tidy();
      // Renewals need not be saved before they are answered.
      await this.#store.save();
      await this.#setUp();
    } catch (error) {
      this.#wait(inWords(error));
    }
  }

  /** Where no file was named, one that is the interface's own. */
  async #restoreRun(): Promise<void> {
    const { publicKey } = this.#device.peers;
    if (this.#restored || publicKey === undefined) return;
    this.#restored = true;
    await this.#store.restoreRun(this.#config.interface, publicKey);
  }

  /** What is to be done with many peers is done in pieces, between which requests are answered. */
  async #tidy(): Promise<void> {
    if (this.#ended || !await this.#reconciler.tidy(this.#now().mono)) return;
    void this.#queue(() => this.#tidy());
  }

  /** Says or does what is missing on the interface, and listens. */
  async #setUp(): Promise<void> {
    const name = this.#config.interface;
    let link = await readLink(this.#host, name);
    let missing = await this.#device.missing(link);
    if (missing.length > 0 && this.#config.configure) {
      for (const { command, run } of missing) {
        await run();
        this.#log.write("info", "lease-configured", { command });
      }
      missing = [];
      link = await readLink(this.#host, name);
    }
    if (missing.length > 0) {
      const commands = missing.map(({ command }) => command).join(" && ");
      this.#tell(`run: ${commands} (or serve with --configure)`);
    } else this.#problem = "";
    const isReady = missing.every(({ needed }) => !needed);
    // A socket on an interface that was made anew hears nothing.
    if (!isReady || link.index !== this.#index) this.#unlisten();
    if (isReady && this.#listener === undefined && !this.#ended) await this.#listen(link.index);
  }

  async #listen(index: number | undefined): Promise<void> {
    const at = { host: `${LEASE_SERVER_ADDRESS}%${this.#config.interface}`, port: LEASE_PORT };
    const listener = await this.#open({
      address: at.host,
      port: at.port,
      maxConnections: MAX_LEASE_CONNECTIONS,
      onConnection: (connection) => this.#connections.welcome(connection),
      onRefused: () => this.#counters.add("lease-refused"),
    });
    if (this.#ended) return listener.close();
    this.#listener = listener;
    this.#index = index;
    const fields = { address: formatHostPort(at), leases: this.#book.count };
    this.#log.write("info", "lease-listening", fields);
  }

  async #open(options: TcpListenOptions): Promise<TcpListener> {
    for (let tries = 1;; tries++) {
      try {
        return await this.#host.tcpListen(options);
      } catch (error) {
        const mayComeYet = errorCode(error) === "EADDRNOTAVAIL" && tries < NEW_ADDRESS_TRIES;
        if (!mayComeYet || this.#ended) throw error;
      }
      await pause(this.#host, NEW_ADDRESS);
    }
  }

  #unlisten(): void {
    this.#listener?.close();
    this.#listener = undefined;
  }

  #wait(why: string): void {
    this.#unlisten();
    this.#tell(why);
  }

  /** Tells of a problem once until it is another. */
  #tell(why: string): void {
    if (why === this.#problem) return;
    this.#problem = why;
    this.#log.write("warn", "lease-waiting", { interface: this.#config.interface, why });
  }

  /** What a client that asks for it is told of the others: as many of them as it may be told. */
  #newsFor(ownKey: string): LeaseNews {
    const { routes } = this.#config;
    const version = `${this.#device.peers.version} ${this.#book.version}`;
    if (this.#news.version !== version) this.#news = { version, peers: this.#toldPeers() };
    return { routes, peers: this.#news.peers.filter(({ publicKey }) => publicKey !== ownKey) };
  }

  /** The peers that are told, and one more: nobody is told of itself. */
  #toldPeers(): PeerNews[] {
    const index = this.#device.peers;
    const peers: PeerNews[] = [];
    const isFull = () => peers.length > MAX_NEWS_PEERS;
    for (const peer of index.placed()) {
      if (isFull()) return peers;
      peers.push(this.#newsOf(peer));
    }
    // Who has not been heard since the interface was made has a lease at most.
    let left = MOST_LOOKED_THROUGH;
    const told = new Set(peers.map(({ publicKey }) => publicKey));
    for (const { publicKey } of this.#book.leases()) {
      if (isFull() || left-- === 0) break;
      const peer = index.peer(publicKey);
      if (told.has(publicKey) || peer === undefined) continue;
      told.add(publicKey);
      peers.push(this.#newsOf(peer));
    }
    return peers;
  }

  #newsOf({ publicKey, endpoint }: IndexedPeer): PeerNews {
    return { publicKey, endpoint, allowedIps: this.#book.addressesOf(publicKey) };
  }

  #queue(work: () => Promise<void>): Promise<void> {
    const next = this.#work.then(work);
    this.#work = next.catch(() => {});
    return next;
  }

  #now(): Now {
    return this.#host.now();
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

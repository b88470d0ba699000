/**
 * Addresses for peers, from inside the tunnel (wg-dynamic): the server on `[fe80::%IF]:970`.
 *
 * @module
 */

import type { Counters } from "../core/counters.ts";
import { formatHostPort } from "../core/host_port.ts";
import { parseLeaseAddress } from "../core/lease_address.ts";
import { LeaseBook, type LeaseBookOptions, type LeaseChange } from "../core/lease_book.ts";
import type { LeaseNews } from "../core/lease_news.ts";
import { LeaseSession } from "../core/lease_session.ts";
import type { Now } from "../core/registry.ts";
import { UserError } from "../core/user_error.ts";
import type { Host, TcpListener } from "../host/host.ts";
import { readLink } from "../wireguard/addresses.ts";
import { inWords } from "./in_words.ts";
import { LEASE_PORT, LeaseConnections, MAX_LEASE_CONNECTIONS } from "./lease_connections.ts";
import { LEASE_SERVER_ADDRESS, LeaseDevice } from "./lease_device.ts";
import { LeaseStore } from "./lease_store.ts";
import type { Log } from "./log.ts";

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

const MAX_LEASES = 100_000;
const WATCH_MS = 2000;

/** Leases addresses. */
export class LeaseService {
  readonly #host: Host;
  readonly #log: Log;
  readonly #counters: Counters;
  readonly #device: LeaseDevice;
  readonly #book: LeaseBook;
  readonly #store: LeaseStore;
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
  #problem = "";
  /** What the book has for reserved; undefined where it has old settings. */
  #reserved: string | undefined;
  /** By public key: addresses that could not be taken off yet. */
  readonly #leftOver = new Map<string, Set<string>>();

  constructor({ host, log, counters }: LeaseSurroundings, config: LeaseConfig) {
    this.#host = host;
    this.#log = log;
    this.#counters = counters;
    this.#config = config;
    this.#device = new LeaseDevice(host, config.interface);
    this.#book = newBook(config, (bytes) => host.random(bytes));
    this.#store = new LeaseStore(host, log, config.state, this.#book);
    const book = this.#book;
    this.#connections = new LeaseConnections(host, counters, {
      get leaseTime() {
        return book.leaseTime;
      },
      queue: (work) => void this.#queue(() => this.#ended ? Promise.resolve() : work()),
      identify: (address) => this.#device.peerAt(address),
      session: (key) => new LeaseSession(key, book, () => this.#newsFor(key)),
      answer: (key, session, bytes) => this.#answer(key, session, bytes),
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
    this.#reserved = undefined;
    void this.#queue(() => this.#look());
  }

  /** Ends it: leases stay what they are. */
  async close(): Promise<void> {
    this.#ended = true;
    this.#cancelWatch();
    this.#unlisten();
    await this.#work;
    await this.#store.save();
  }

  /** Looks again and again: at what has expired, and whether the device is there. */
  async #watch(): Promise<void> {
    await this.#queue(() => this.#look());
    if (this.#ended) return;
    this.#cancelWatch = this.#host.timer(WATCH_MS, () => void this.#watch());
  }

  async #look(): Promise<void> {
    if (this.#ended) return;
    try {
      const isThere = await this.#device.read();
      // Also where nobody can be told, what has ended has ended.
      this.#book.expire(this.#now().mono);
      if (!isThere) return this.#wait("there is no such interface yet");
      await this.#restoreRun();
      this.#reserve();
      await this.#settle();
      // Renewals need not be saved before they are answered.
      await this.#store.save();
      await this.#mend();
      await this.#setUp();
    } catch (error) {
      this.#wait(inWords(error));
    }
  }

  /** Where no file was named, one that is the interface's own. */
  async #restoreRun(): Promise<void> {
    const { publicKey } = this.#device;
    if (this.#restored || publicKey === undefined) return;
    this.#restored = true;
    await this.#store.restoreRun(this.#config.interface, publicKey);
  }

  /** Nothing is leased that the admin gave to a peer, or that is this host's own. */
  #reserve(): void {
    const { reserved, pools } = this.#config;
    const all = [
      ...reserved,
      ...this.#host.localAddresses().filter((each) => parseLeaseAddress(each) !== undefined),
      ...this.#device.staticPrefixes(this.#book, pools, this.#leftOver),
    ];
    const text = all.toSorted().join();
    if (text === this.#reserved) return;
    const taken = this.#book.configure(bookOptions(this.#config, all));
    this.#reserved = text;
    if (taken > 0) this.#log.write("warn", "leases-taken-back", { addresses: taken });
  }

  /**
   * Does again what could not be done: a device that was made anew has lost what leases had brought,
   * and what has ended may still be there.
   */
  async #mend(): Promise<void> {
    for (const { publicKey } of this.#device.peers) {
      const isClean = this.#device.has(publicKey, this.#book.addressesOf(publicKey)) &&
        !this.#leftOver.has(publicKey);
      if (!isClean) await this.#apply({ publicKey, gone: [] });
    }
    for (const publicKey of [...this.#leftOver.keys()]) {
      if (!this.#device.hasPeer(publicKey)) this.#leftOver.delete(publicKey);
    }
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
    const listener = await this.#host.tcpListen({
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

  async #answer(key: string, session: LeaseSession, bytes: Uint8Array) {
    const answer = session.receive(bytes, this.#now());
    await this.#settle();
    // No answer before what it says is true.
    const isTrue = this.#device.has(key, this.#book.addressesOf(key)) && !this.#leftOver.has(key);
    if (!isTrue && !await this.#apply({ publicKey: key, gone: [] })) return undefined;
    if (answer.bytes.length > 0) this.#counters.add("lease-answered");
    return answer;
  }

  /**
   * Brings the device in line with the book. What is granted is on the disk first; what is taken
   * back is off the device first.
   */
  async #settle(): Promise<void> {
    const changes = this.#book.takeChanges();
    if (changes.some(({ addresses }) => addresses.length > 0)) await this.#store.save();
    for (const change of changes) await this.#apply(change);
    if (changes.length > 0) await this.#store.save();
  }

  /** Gives a peer what it holds, and takes off the rest. Returns whether that could be done. */
  async #apply({ publicKey, gone }: Pick<LeaseChange, "publicKey" | "gone">): Promise<boolean> {
    const key = publicKey;
    const addresses = this.#book.addressesOf(key);
    const before = this.#leftOver.get(key);
    const leftOver = new Set(
      [...before ?? [], ...gone].filter((each) => !addresses.includes(each)),
    );
    this.#leftOver.set(key, leftOver);
    try {
      const applied = await this.#device.apply({ publicKey, addresses, gone: [...leftOver] });
      // It is made up for when the device comes back.
      if (applied === "no-device") return false;
      this.#leftOver.delete(key);
      if (applied === "done") {
        const fields = { key, addresses: addresses.join(","), gone: [...leftOver].join(",") };
        this.#log.write("info", "lease-changed", fields);
        return true;
      }
      // The admin has removed the peer: it is not to come back through us.
      this.#book.forget(key);
      this.#log.write("info", "lease-forgotten", { key, why: "the peer is gone" });
    } catch (error) {
      if (before === undefined) {
        this.#log.write("error", "lease-not-applied", { key, why: inWords(error) });
      }
    }
    return false;
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

  #queue(work: () => Promise<void>): Promise<void> {
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

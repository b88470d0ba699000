/**
 * Addresses for this host, from inside the tunnel (wg-dynamic): the client beside `sync`.
 *
 * @module
 */

import { LeaseClient, type LeaseEvent } from "../core/lease_client.ts";
import type { PeerNews } from "../core/lease_news.ts";
import { UserError } from "../core/user_error.ts";
import { explain, type Host, type TcpConnection } from "../host/host.ts";
import {
  addAddress,
  addRoute,
  readAddresses,
  readIpv6Routes,
  removeAddress,
  removeRoute,
} from "../wireguard/addresses.ts";
import type { Device } from "../wireguard/dump.ts";
import { HeldAddresses } from "./held_addresses.ts";
import { LEASE_SERVER_ADDRESS } from "./lease_device.ts";
import { LEASE_PORT } from "./lease_service.ts";
import type { SyncReport } from "./sync_report.ts";

const SERVER_PREFIX = `${LEASE_SERVER_ADDRESS}/128`;
const OWN_LINK_LOCAL = /^(fe[89ab][0-9a-f]:.*)\/128$/i;
/** Prefixes of AllowedIPs and of routes in which the server's address lies. */
const COVERS_SERVER = new Set([SERVER_PREFIX, "fe80::/64", "fe80::/10", "::/0"]);
const CONNECT_TIMEOUT_MS = 5000;
/** What timers can count to. */
const LONGEST_TIMER_MS = 0x7fff_ffff;
/** While something is missing on the interface. */
const SETUP_RETRY = 5;
/** The release has gone when the program ends. */
const RELEASE_MS = 200;

/** What a lease client does besides holding addresses. */
export interface LeaseRunnerOptions {
  readonly interface: string;
  /** Whether routes that the server tells of are set. */
  readonly acceptRoutes: boolean;
  /** Whether other peers are asked for. */
  readonly wantsPeers: boolean;
}

/** Holds a lease for an interface. */
export class LeaseRunner {
  readonly #host: Host;
  readonly #report: SyncReport;
  readonly #options: LeaseRunnerOptions;
  readonly #held: HeldAddresses;
  #client: LeaseClient | undefined;
  #connection: TcpConnection | undefined;
  #device: Device | undefined;
  #stir: () => void = () => {};
  /** Whether something came since the last step. */
  #woken = false;
  #work: Promise<void> = Promise.resolve();
  #running: Promise<void> | undefined;
  #ended = false;
  #routes: readonly string[] = [];
  #peers: readonly PeerNews[] = [];

  constructor(host: Host, report: SyncReport, options: LeaseRunnerOptions) {
    this.#host = host;
    this.#report = report;
    this.#options = options;
    this.#held = new HeldAddresses(host, options.interface);
  }

  /** What the server said last of other peers. */
  get peers(): readonly PeerNews[] {
    return this.#peers;
  }

  /** Says what the interface is, undefined where it is gone. Never fails. */
  see(device: Device | undefined): void {
    const isNew = this.#device === undefined && device !== undefined;
    this.#device = device;
    if (device === undefined) {
      // Its addresses went with it; they are asked for again.
      this.#hangUp();
      this.#client = undefined;
      this.#routes = [];
    }
    if (isNew && !this.#ended) {
      this.#running ??= this.#run().finally(() => this.#running = undefined);
    }
    this.#wake();
  }

  /** Gives the addresses back, and takes them off. */
  async end(): Promise<void> {
    this.#ended = true;
    const release = this.#client?.end() ?? new Uint8Array(0);
    if (release.length > 0 && this.#device !== undefined) {
      const connection = this.#connection ?? await this.#connect();
      connection?.write(release);
      connection?.end();
      await new Promise<void>((done) => void this.#host.timer(RELEASE_MS, done));
    }
    await this.#takeEvents();
    this.#hangUp();
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#ended && this.#device !== undefined) {
      try {
        const seconds = await this.#step(this.#device);
        if (seconds > 0) await this.#sleep(seconds);
      } catch (error) {
        const why = error instanceof UserError ? error.message : explain(error);
        this.#report.once("warn", "lease-not-done", { why });
        await this.#sleep(SETUP_RETRY);
      }
    }
  }

  /** Does what is next; returns for how long to wait then, in seconds. */
  async #step(device: Device): Promise<number> {
    const { wantsPeers, acceptRoutes } = this.#options;
    const missing = await this.#missing(device);
    if (missing !== undefined) {
      this.#report.once("warn", "lease-setup", { hint: missing });
      return SETUP_RETRY;
    }
    this.#report.forget("lease-setup");
    this.#client ??= new LeaseClient({
      wants: { routes: acceptRoutes, peers: wantsPeers },
      held: await this.#held.read(),
    });
    const step = this.#client.next(this.#mono());
    await this.#takeEvents();
    switch (step.kind) {
      case "hang-up":
        this.#hangUp();
        return 0;
      case "ask": {
        this.#connection ??= await this.#connect();
        this.#connection?.write(step.bytes);
        return 0;
      }
      case "wait":
        return Math.max(0.01, step.until - this.#mono());
    }
  }

  /** What is missing on the interface, in words, or undefined. */
  async #missing(device: Device): Promise<string | undefined> {
    const name = this.#options.interface;
    const own = ownAddresses(await readAddresses(this.#host, name));
    if (own.length !== 1) {
      return own.length === 0
        ? `${name} has no link-local address of its own; add the one that the server knows for ` +
          `this peer: ip -6 addr add fe80::…/128 dev ${name}`
        : `${name} has ${own.length} link-local addresses (${
          own.join(", ")
        }); leave only the one ` +
          "that the server knows for this peer";
    }
    if (
      !device.peers.some(({ allowedIps }) => allowedIps.some((each) => COVERS_SERVER.has(each)))
    ) {
      return `no peer of ${name} has ${SERVER_PREFIX} in its AllowedIPs; add it to the server's: ` +
        `wg set ${name} peer KEY allowed-ips +${SERVER_PREFIX} (or in the configuration)`;
    }
    const routes = await readIpv6Routes(this.#host, name);
    if (routes.some((route) => COVERS_SERVER.has(route))) return undefined;
    return `there is no route to the server; add it: ip -6 route add ${SERVER_PREFIX} dev ${name}`;
  }

  async #connect(): Promise<TcpConnection | undefined> {
    const name = this.#options.interface;
    const [own = ""] = ownAddresses(await readAddresses(this.#host, name));
    try {
      const connection = await this.#host.tcpConnect({
        to: { host: `${LEASE_SERVER_ADDRESS}%${name}`, port: LEASE_PORT },
        from: { host: `${own}%${name}`, port: LEASE_PORT },
        timeout: CONNECT_TIMEOUT_MS,
      }, {
        onData: (bytes) => {
          this.#client?.receive(bytes, this.#mono());
          this.#wake();
        },
        onEnd: () => connection.abort(),
        onClose: () => {
          if (this.#connection !== connection) return;
          this.#connection = undefined;
          this.#client?.lost(this.#mono());
          this.#wake();
        },
      });
      return connection;
    } catch (error) {
      this.#report.once("info", "lease-no-server", { why: explain(error) });
      this.#client?.lost(this.#mono());
      return undefined;
    }
  }

  #hangUp(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.abort();
  }

  /** Does what came of the last answers, in order. */
  #takeEvents(): Promise<void> {
    const events = this.#client?.takeEvents() ?? [];
    this.#work = this.#work.then(async () => {
      for (const event of events) await this.#take(event);
    });
    return this.#work;
  }

  async #take(event: LeaseEvent): Promise<void> {
    const name = this.#options.interface;
    switch (event.kind) {
      case "addresses": {
        const { addresses, gone, why } = event;
        for (const address of gone) await removeAddress(this.#host, name, address);
        for (const address of addresses) await addAddress(this.#host, name, address);
        await this.#held.write(addresses);
        const fields = { addresses: addresses.join(","), gone: gone.join(","), why };
        this.#report.change("lease-addresses", fields);
        return;
      }
      case "leased":
        this.#report.forget("lease-no-server");
        this.#report.forget("lease-refused");
        this.#report.once("info", "leased", { seconds: event.leaseTime });
        return;
      case "routes":
        return await this.#setRoutes(event.routes);
      case "peers":
        this.#peers = event.peers;
        return;
      case "refused": {
        const { errno, message } = event;
        return this.#report.once("warn", "lease-refused", { errno, message });
      }
      case "no-answer":
        return this.#report.once("info", "lease-no-server", { why: "no answer" });
      case "bad-reply":
        return this.#report.once("warn", "lease-bad-reply", { why: "the answer was none" });
    }
  }

  async #setRoutes(routes: readonly string[]): Promise<void> {
    const name = this.#options.interface;
    if (!this.#options.acceptRoutes) return;
    for (const route of this.#routes) {
      if (!routes.includes(route)) await removeRoute(this.#host, name, route);
    }
    for (const route of routes) await addRoute(this.#host, name, route);
    this.#routes = routes;
    this.#report.change("lease-routes", { routes: routes.join(",") });
  }

  #mono(): number {
    return this.#host.mono() / 1000;
  }

  #wake(): void {
    this.#woken = true;
    this.#stir();
  }

  #sleep(seconds: number): Promise<void> {
    if (this.#woken) {
      this.#woken = false;
      return Promise.resolve();
    }
    return new Promise((done) => {
      const cancel = this.#host.timer(Math.min(seconds * 1000, LONGEST_TIMER_MS), done);
      this.#stir = () => {
        this.#woken = false;
        cancel();
        done();
      };
    });
  }
}

/** The link-local addresses that are this host's alone. */
function ownAddresses(addresses: readonly string[]): string[] {
  return addresses.flatMap((each) => OWN_LINK_LOCAL.exec(each)?.[1] ?? [])
    .filter((address) => address !== LEASE_SERVER_ADDRESS);
}

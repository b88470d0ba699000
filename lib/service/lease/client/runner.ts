/**
 * Addresses for this host, from inside the tunnel (wg-dynamic): the client beside `sync`.
 *
 * @module
 */

import { hasOthers } from "../../../core/lease/client/bounds.ts";
import { LeaseClient, type LeaseEvent } from "../../../core/lease/client/client.ts";
import type { LeaseReport } from "../../../core/status/report.ts";
import { elapsed } from "../../../core/status/rounded.ts";
import type { PeerNews } from "../../../core/lease/news.ts";
import type { TcpConnecting, TcpConnection } from "../../../host/tcp.ts";
import type { Clock } from "../../../host/clock.ts";
import type { Files } from "../../../host/files.ts";
import type { Processes } from "../../../host/processes.ts";
import { readLink } from "../../../wireguard/addresses.ts";
import type { Device } from "../../../core/net/device.ts";
import { inWords } from "../../log/in_words.ts";
import { LEASE_PORT, LEASE_SERVER_ADDRESS } from "../../../wire/lease/message.ts";
import { LeaseLink, ownAddresses } from "./link.ts";
import type { SyncReport } from "../../log/sync_report.ts";

const CONNECT_TIMEOUT = 5;
/** While something is missing on the interface, or can't be done. */
const SETUP_RETRY = 5;
/** So long the end waits for what is under way, and for the server's word on the release. */
const END = 1;
const NOTHING = new Uint8Array(0);

/** What a lease client does besides holding addresses. */
export interface LeaseRunnerOptions {
  readonly interface: string;
  /** Whether routes that the server tells of are set. */
  readonly acceptRoutes: boolean;
  /** Whether peers that the interface doesn't have are of use. */
  readonly addsPeers: boolean;
  /** Is told what the server says of other peers. */
  readonly onPeers: (peers: readonly PeerNews[]) => void;
}

/** Holds a lease for an interface. */
export class LeaseRunner {
  readonly #host: Clock & Files & Processes & TcpConnecting;
  readonly #report: SyncReport;
  readonly #options: LeaseRunnerOptions;
  readonly #link: LeaseLink;
  #client: LeaseClient | undefined;
  #connection: TcpConnection | undefined;
  #connecting = false;
  #device: Device | undefined;
  #stir: () => void = () => {};
  /** Whether something came since the last step. */
  #woken = false;
  #running: Promise<void> | undefined;
  #ended = false;
  /** Tells what is done, once it is done. */
  #news: (() => void)[] = [];

  /** Does nothing until it sees the interface. */
  constructor(
    host: Clock & Files & Processes & TcpConnecting,
    report: SyncReport,
    options: LeaseRunnerOptions,
  ) {
    this.#host = host;
    this.#report = report;
    this.#options = options;
    this.#link = new LeaseLink(host, report, options.interface);
  }

  /** Says what the interface is, undefined where it is gone. Never fails. */
  see(device: Device | undefined): void {
    this.#device = device;
    if (device === undefined) {
      // Its addresses went with it; they are asked for again.
      this.#hangUp();
      this.#client = undefined;
      this.#news = [];
    }
    this.#start();
    this.#wake();
  }

  /** What is held now. */
  report(): LeaseReport {
    const endsAt = this.#client?.endsAt;
    return {
      addresses: this.#client?.addresses ?? [],
      endsIn: endsAt === undefined ? null : elapsed(endsAt - this.#host.now().mono),
    };
  }

  /** Gives the addresses back, and takes them off. It takes some seconds at most. */
  async end(): Promise<void> {
    this.#ended = true;
    this.#wake();
    await this.#atMost(END, this.#running);
    const release = this.#client?.end() ?? new Uint8Array(0);
    const connection = this.#connection;
    if (release.length > 0 && this.#device !== undefined && !this.#connecting) {
      await this.#release(release);
    }
    this.#takeEvents();
    try {
      const link = await this.#link.read();
      if (link.index !== undefined) await this.#link.bringAbout(link);
      this.#tellNews();
    } catch (error) {
      this.#report.once("warn", "lease-not-done", { why: inWords(error) });
    }
    connection?.end();
    this.#hangUp();
  }

  /** Sends the release, and waits for the answer: then the server has it. */
  async #release(release: Uint8Array): Promise<void> {
    this.#connection ??= await this.#connect(END);
    const connection = this.#connection;
    if (connection === undefined) return;
    await this.#atMost(
      END,
      new Promise((done) => {
        this.#stir = done;
        connection.write(release);
      }),
    );
    connection.end();
  }

  /** Waits for `work`, but no longer than so many seconds. */
  async #atMost(seconds: number, work: Promise<void> | undefined): Promise<void> {
    if (work === undefined) return;
    let cancel = () => {};
    const late = new Promise<void>((done) => cancel = this.#host.after(seconds, done));
    await Promise.race([work, late]);
    cancel();
  }

  #start(): void {
    if (this.#running !== undefined || this.#ended || this.#device === undefined) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      // The interface may have come back just now.
      this.#start();
    });
  }

  async #run(): Promise<void> {
    while (!this.#ended && this.#device !== undefined) {
      try {
        const seconds = await this.#step(this.#device);
        if (seconds > 0) await this.#sleep(seconds);
      } catch (error) {
        this.#report.once("warn", "lease-not-done", { why: inWords(error) });
        await this.#sleep(SETUP_RETRY);
      }
    }
  }

  /** Does what is next; returns for how long to wait then, in seconds. */
  async #step(device: Device): Promise<number> {
    const { addsPeers, acceptRoutes } = this.#options;
    // News of peers tell where those are that the interface has besides the server.
    const wants = { routes: acceptRoutes, peers: addsPeers || hasOthers(device) };
    this.#woken = false;
    const link = await this.#link.read();
    // A socket on an interface that was made anew hears nothing.
    if (link.isNew) this.#hangUp();
    if (this.#client === undefined) {
      const held = await this.#link.takeOver();
      if (this.#device === undefined) return 0;
      this.#client = new LeaseClient({ wants, held });
      // What the server has not confirmed stays, but doesn't come back.
      const { addresses } = this.#client;
      const left = addresses.filter((each) => link.addresses.includes(each));
      this.#link.want({ addresses: left, routes: [] });
    }
    this.#client.want(wants, this.#mono());
    // A lease ends also where no server can be asked.
    this.#client.receive(NOTHING, this.#mono());
    this.#takeEvents();
    await this.#link.bringAbout(link);
    this.#tellNews();
    this.#report.forget("lease-not-done");
    const missing = await this.#link.missing(link, device);
    if (missing !== undefined) {
      this.#report.once("warn", "lease-setup", { hint: missing });
      return SETUP_RETRY;
    }
    this.#report.forget("lease-setup");
    // The interface may have gone meanwhile.
    const step = this.#client?.next(this.#mono());
    switch (step?.kind) {
      case undefined:
        return 0;
      case "hang-up":
        this.#hangUp();
        return 0;
      case "ask": {
        this.#client?.bind(await this.#link.bounds(device));
        this.#connection ??= await this.#connect(CONNECT_TIMEOUT);
        if (this.#ended || this.#device === undefined) this.#hangUp();
        this.#connection?.write(step.bytes);
        return 0;
      }
      case "wait":
        if (this.#takeEvents()) return 0;
        return Math.max(0.01, step.until - this.#mono());
    }
  }

  async #connect(timeout: number): Promise<TcpConnection | undefined> {
    const name = this.#options.interface;
    this.#connecting = true;
    try {
      const [own = ""] = ownAddresses((await readLink(this.#host, name)).addresses);
      const connection = await this.#host.tcpConnect({
        to: { host: `${LEASE_SERVER_ADDRESS}%${name}`, port: LEASE_PORT },
        from: { host: `${own}%${name}`, port: LEASE_PORT },
        timeout,
      }, {
        onData: (bytes) => {
          if (this.#connection !== connection) return;
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
      this.#report.once("info", "lease-no-server", { why: inWords(error) });
      this.#client?.lost(this.#mono());
      return undefined;
    } finally {
      this.#connecting = false;
    }
  }

  #hangUp(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.abort();
    if (connection !== undefined) this.#client?.lost(this.#mono());
  }

  /** Notes what came of the last answers; returns whether there was something. */
  #takeEvents(): boolean {
    const events = this.#client?.takeEvents() ?? [];
    for (const event of events) this.#take(event);
    return events.length > 0;
  }

  #take(event: LeaseEvent): void {
    const report = this.#report;
    switch (event.kind) {
      case "addresses":
        return this.#want(event.addresses, event.gone, event.why);
      case "leased": {
        // Those of a lease before a restart have come to stay.
        const addresses = this.#client?.addresses ?? [];
        if (addresses.some((each) => !this.#link.wants(each))) this.#want(addresses, [], "leased");
        this.#news.push(() => {
          report.forget("lease-no-server");
          report.forget("lease-refused");
          report.once("info", "leased", { seconds: event.leaseTime });
        });
        return;
      }
      case "routes": {
        const { routes } = event;
        this.#link.want({ routes });
        this.#news.push(() => report.change("lease-routes", { routes: routes.join(",") }));
        return;
      }
      case "peers":
        return this.#options.onPeers(event.peers);
      case "refused": {
        const { errno, message } = event;
        this.#news.push(() => report.once("warn", "lease-refused", { errno, message }));
        return;
      }
      case "not-taken": {
        const { prefixes } = event;
        if (prefixes.length === 0) return report.forget("lease-not-taken");
        const hint =
          "taken is what lies in the AllowedIPs of the server's peer, and in no network " +
          "that this host reaches without it";
        return report.once("warn", "lease-not-taken", { prefixes: prefixes.join(","), hint });
      }
      case "no-answer":
        return report.once("info", "lease-no-server", { why: "no answer" });
      case "bad-reply":
        return report.once("warn", "lease-bad-reply", { why: "the answer was none" });
    }
  }

  #want(addresses: readonly string[], gone: readonly string[], why: string): void {
    this.#link.want({ addresses });
    const fields = { addresses: addresses.join(","), gone: gone.join(","), why };
    this.#news.push(() => this.#report.change("lease-addresses", fields));
  }

  #tellNews(): void {
    const news = this.#news;
    this.#news = [];
    for (const tell of news) tell();
  }

  #mono(): number {
    return this.#host.now().mono;
  }

  #wake(): void {
    this.#woken = true;
    this.#stir();
  }

  async #sleep(seconds: number): Promise<void> {
    if (this.#woken || this.#ended) return;
    await new Promise<void>((done) => {
      const cancel = this.#host.after(seconds, done);
      this.#stir = () => {
        cancel();
        done();
      };
    });
    this.#stir = () => {};
  }
}

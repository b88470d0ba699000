/**
 * `wgsig sync`: does for an interface what {@linkcode SyncMachine} decides.
 *
 * @module
 */

import { Reload } from "../../core/settings/reload.ts";
import { EXIT, type ExitStatus, UserError } from "../../core/settings/user_error.ts";
import type { SyncNews } from "../../core/sync/actions.ts";
import { Counters } from "../../core/net/counters.ts";
import { SyncMachine } from "../../core/sync/machine.ts";
import { SYNC_RULES } from "../../core/sync/reload.ts";
import type { PathFinderOptions } from "../../core/path/finder_step.ts";
import { PathFinder } from "../../core/path/path_finder.ts";
import { SyncStatus } from "../../core/sync/status.ts";
import type { InterfaceReport } from "../../core/status/report.ts";
import { isCoded } from "../../host/error.ts";
import type { Outputs } from "../../host/output.ts";
import type { Signal, Signals } from "../../host/signals.ts";
import { Notifier, type NotifierHost } from "../systemd/notifier.ts";
import { Reloader } from "../reloader.ts";
import { openSite } from "../http/open.ts";
import type { SiteHost, StatusSite } from "../http/site.ts";
import type { LeaseRunner } from "../lease/client/runner.ts";
import { inWords } from "../log/in_words.ts";
import { SyncReport } from "../log/sync_report.ts";
import { type PortMapHost, PortMapper } from "../portmap/port_mapper.ts";
import { PathDriver, type PathHost } from "../path/driver.ts";
import type { StatusPlace } from "../status/places.ts";
import { type StatusHost, StatusSocket } from "../status/socket.ts";
import { type ActingHost, SyncActor } from "./actor.ts";
import type { SyncConfig } from "./config.ts";
import { NameMoves } from "./name_moves.ts";

/** What of a host is needed to synchronise. */
export type SyncHost =
  & ActingHost
  & NotifierHost
  & Outputs
  & PathHost
  & PortMapHost
  & Signals
  & SiteHost
  & StatusHost;

/**
 * Synchronises until a signal ends it, or once.
 *
 * @param load Reads settings; called again on SIGHUP.
 */
export async function sync(
  host: SyncHost,
  load: () => Promise<SyncConfig>,
): Promise<ExitStatus> {
  const config = await load();
  return await new Sync(host, config, await leaseRunner(config)).run(load);
}

/** What leases addresses, where that is wanted: a router has no memory for it otherwise. */
async function leaseRunner(
  { lease, dryRun }: SyncConfig,
): Promise<typeof LeaseRunner | undefined> {
  return lease === undefined || dryRun
    ? undefined
    : (await import("../lease/client/runner.ts")).LeaseRunner;
}

class Sync {
  readonly #host: SyncHost;
  #config: SyncConfig;
  readonly #report: SyncReport;
  readonly #lease: LeaseRunner | undefined;
  readonly #machine: SyncMachine;
  readonly #status: SyncStatus;
  readonly #notifier: Notifier;
  readonly #actor: SyncActor;
  readonly #paths: PathDriver;
  readonly #finder: PathFinder;
  readonly #ports: PortMapper | undefined;
  readonly #statusSocket: StatusSocket;
  #site: StatusSite | undefined;
  #wake: () => void = () => {};
  /** What ends it. */
  #signal: Signal | undefined;

  constructor(host: SyncHost, config: SyncConfig, Lease: typeof LeaseRunner | undefined) {
    const { lease, dryRun, interface: name, addPeers } = config;
    const names = new NameMoves(
      (name, options) => host.resolve(name, options),
      (server, addresses) => this.#hear({ kind: "server-moved", server, addresses }),
    );
    this.#host = host;
    this.#config = config;
    this.#report = new SyncReport(host, config.report);
    const resolve = names.resolve.bind(names);
    this.#actor = new SyncActor({ ...host, resolve }, config, (news) => this.#hear(news));
    const random = (bytes: Uint8Array) => host.random(bytes);
    const finder = new PathFinder(pathOptionsOf(config), random, host.primitives);
    this.#machine = new SyncMachine(config, random, finder, host.now());
    this.#paths = new PathDriver(host, finder, {
      readPrivateKey: () => this.#actor.readPrivateKey(),
      onDevice: (device) => this.#hear({ kind: "device", device }),
      tellRegistries: () =>
        this.#actor.tellRegistries({ relays: finder.relays, directs: finder.directs }),
      onStep: () => this.#tell(),
      onFailure: (what, why) =>
        this.#report.once("warn", "not-done", { what, why }, `path-${what}`),
    });
    this.#finder = finder;
    this.#ports = dryRun || config.once
      ? undefined
      : new PortMapper(host, this.#report, (mappings) => {
        this.#hear({ kind: "mapped", endpoints: mappings.map(({ endpoint }) => endpoint) });
      });
    this.#status = new SyncStatus(name);
    this.#statusSocket = new StatusSocket(host, { status: () => this.#statusReport() });
    this.#notifier = new Notifier(
      host,
      () => this.#status.text,
      (why) => this.#report.once("warn", "systemd-not-told", { why }),
    );
    this.#lease = Lease && new Lease(host, this.#report, {
      interface: name,
      acceptRoutes: lease?.acceptRoutes === true,
      addsPeers: addPeers,
      onPeers: (peers) => this.#hear({ kind: "lease-peers", peers }),
    });
  }

  async run(load: () => Promise<SyncConfig>): Promise<ExitStatus> {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      this.#host.onSignal(signal, () => {
        this.#signal ??= signal;
        this.#report.abandon();
        this.#machine.end();
        this.#wake();
      });
    }
    const reloader = this.#reloader(load);
    this.#host.onSignal("SIGHUP", () => {
      reloader.ask();
      this.#wake();
    });
    this.#host.onSignal("SIGUSR1", () => {
      this.#machine.look();
      this.#ports?.look();
      this.#wake();
    });
    await this.#openSite();
    this.#tellSettings();
    this.#notifier.ready();
    await this.#checkKey();
    for (;;) {
      if (await reloader.run()) {
        this.#tellSettings();
        await this.#checkKey();
      }
      const step = this.#machine.next(this.#host.now());
      this.#tell();
      switch (step.kind) {
        case "wait":
          await this.#wait(step.until);
          break;
        case "end":
          await this.#end();
          return step.status;
        case "fail":
          await this.#end();
          throw isCoded(step.error) ? couldNotLook(this.#config.interface, step.error) : step.error;
        default:
          this.#machine.told(await this.#actor.do(step), this.#host.now());
          this.#paths.wake();
          // Another one that has the lock answers for the interface.
          void this.#openStatus(this.#actor.takePlace());
      }
    }
  }

  #reloader(load: () => Promise<SyncConfig>): Reloader<SyncConfig, undefined> {
    const report = this.#report;
    return new Reloader(new Reload<SyncConfig, undefined>(this.#config, SYNC_RULES), {
      notifier: this.#notifier,
      load: async () => {
        // What came of the last action comes first.
        this.#tell();
        this.#machine.look();
        return { settings: await load(), files: undefined };
      },
      apply: (config) => {
        this.#config = config;
        report.configure(config.report);
        this.#machine.configure(config);
        this.#finder.configure(pathOptionsOf(config), this.#host.now());
        this.#actor.configure(config);
        this.#site?.configure(config.site);
        this.#status.forgetServers();
      },
      event: report.event.bind(report),
      describe: () => ({ servers: this.#config.servers.length }),
    });
  }

  /** Nobody else looks at the key that the settings name before an interface doesn't tell its own. */
  async #checkKey(): Promise<void> {
    try {
      await this.#config.readKey();
    } catch (error) {
      const hint = "it is needed where the interface doesn't tell its key (boringtun)";
      this.#report.event("warn", "key-not-read", { why: inWords(error), hint });
    }
  }

  #tellSettings(): void {
    const { unused: why, doubts = [] } = this.#config;
    if (why !== undefined) this.#report.once("warn", "settings-not-used", { why });
    else this.#report.forget("settings-not-used");
    if (doubts.length > 0) {
      this.#report.once("warn", "settings-doubtful", { why: doubts.join("; ") });
    } else this.#report.forget("settings-doubtful");
  }

  async #openStatus(place: StatusPlace | undefined): Promise<void> {
    if (place === undefined || this.#config.once) return;
    const { path } = place;
    try {
      await this.#statusSocket.open(path);
    } catch (error) {
      this.#report.once("warn", "status-not-served", { why: inWords(error), path });
    }
  }

  async #openSite(): Promise<void> {
    this.#site = await openSite(this.#host, {
      report: () => this.#statusReport(),
      counters: new Counters(),
      unwritten: (file, why) => this.#report.event("warn", "metrics-not-written", { file, why }),
    }, this.#config.site);
    const address = this.#site?.address;
    if (address !== undefined) this.#report.event("info", "status-listening", { address });
  }

  async #statusReport(): Promise<InterfaceReport> {
    const device = await this.#actor.readDevice();
    if (device !== undefined) this.#hear({ kind: "device", device });
    const lease = this.#lease?.report() ?? null;
    return { ...this.#machine.report(device, this.#host.now()), lease };
  }

  #hear(news: SyncNews): void {
    this.#machine.heard(news, this.#host.now());
    this.#tell();
    this.#wake();
    this.#paths.wake();
  }

  #tell(): void {
    for (const note of this.#machine.takeNotes()) {
      this.#status.hear(note);
      if (note.kind === "device") {
        this.#lease?.see(note.device);
        const { portMap } = this.#config;
        this.#ports?.want(portMap ? note.device?.listenPort : undefined, note.device?.mark);
      } else if (note.kind === "path-port") {
        const { port } = note;
        void this.#paths.open(port && { interface: this.#config.interface, ...port });
      } else this.#report.tell(note);
    }
  }

  async #wait(until: number): Promise<void> {
    await new Promise<void>((done) => {
      const cancel = this.#host.after(Math.max(0, until - this.#host.now().mono), done);
      this.#wake = () => {
        cancel();
        done();
      };
    });
  }

  async #end(): Promise<void> {
    this.#notifier.stopping();
    this.#statusSocket.close();
    await this.#site?.close();
    await this.#paths.end();
    await this.#ports?.end();
    await this.#lease?.end();
    await this.#report.finish();
    this.#actor.end();
    const signal = this.#signal;
    if (signal !== undefined) this.#report.event("info", "stopped", { signal });
  }
}

function pathOptionsOf(config: SyncConfig): PathFinderOptions {
  const { relay, persistentKeepalive, peers, hard } = config;
  return { relayOf: (key) => peers.get(key)?.relay ?? relay, persistentKeepalive, hard };
}

function couldNotLook(name: string, error: unknown): UserError {
  return new UserError(`the look at ${name} was not done: ${inWords(error)}`, EXIT.failed);
}

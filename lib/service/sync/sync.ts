/**
 * `wgsig sync`: does for an interface what {@linkcode SyncMachine} decides.
 *
 * @module
 */

import { EXIT, type ExitStatus, UserError } from "../../core/settings/user_error.ts";
import type { SyncAction, SyncNews, SyncResult } from "../../core/sync/actions.ts";
import { SyncMachine } from "../../core/sync/machine.ts";
import { SyncStatus } from "../../core/sync/status.ts";
import { isCoded } from "../../host/error.ts";
import type { FileLocks } from "../../host/locks.ts";
import type { LocalAddresses } from "../../host/names.ts";
import type { Outputs } from "../../host/output.ts";
import type { Signals } from "../../host/signals.ts";
import { addRoute, findRouteInto } from "../../wireguard/addresses.ts";
import {
  nudgePeer,
  readDevice,
  replacePeer,
  setListenPort,
  setPeer,
} from "../../wireguard/device.ts";
import { findHostRoute, removeHostRoute } from "../../wireguard/host_route.ts";
import { Notifier, type NotifierHost } from "../systemd/notifier.ts";
import { LeaseRunner } from "../lease/client/runner.ts";
import { inWords } from "../log/in_words.ts";
import { SyncReport } from "../log/sync_report.ts";
import { type AskingHost, askServers, tryRaw } from "./asking.ts";
import { InterfaceLock } from "./interface_lock.ts";
import { mendBorrowedPort } from "./borrowed_port.ts";
import type { SyncConfig } from "./config.ts";
import { RememberedNames } from "./remembered_names.ts";

/** What of a host is needed to synchronise. */
export type SyncHost =
  & AskingHost
  & FileLocks
  & LocalAddresses
  & NotifierHost
  & Outputs
  & Signals;

/**
 * Synchronises until a signal ends it, or once.
 *
 * @param load Reads settings; called again on SIGHUP.
 */
export async function sync(
  host: SyncHost,
  load: () => Promise<SyncConfig>,
): Promise<ExitStatus> {
  return await new Sync(host, await load()).run(load);
}

class Sync {
  readonly #host: SyncHost;
  #config: SyncConfig;
  readonly #report: SyncReport;
  readonly #lease: LeaseRunner | undefined;
  readonly #machine: SyncMachine;
  readonly #status: SyncStatus;
  readonly #notifier: Notifier;
  readonly #lock: InterfaceLock;
  #wake: () => void = () => {};
  /** Whether the settings are to be read again. */
  #reloads = false;

  constructor(host: SyncHost, config: SyncConfig) {
    const { lease, dryRun, interface: name, addPeers } = config;
    const names = new RememberedNames(
      (name, options) => host.resolve(name, options),
      (server, addresses) => this.#hear({ kind: "server-moved", server, addresses }),
    );
    this.#host = { ...host, resolve: (name, options) => names.resolve(name, options) };
    this.#config = config;
    this.#report = new SyncReport(host, config.report);
    this.#lock = new InterfaceLock(host, name);
    this.#machine = new SyncMachine(config, (bytes) => host.random(bytes), host.now());
    this.#status = new SyncStatus(name);
    this.#notifier = new Notifier(
      host,
      () => this.#status.text,
      (why) => this.#report.once("warn", "systemd-not-told", { why }),
    );
    this.#lease = lease === undefined || dryRun ? undefined : new LeaseRunner(host, this.#report, {
      interface: name,
      acceptRoutes: lease.acceptRoutes,
      addsPeers: addPeers,
      onPeers: (peers) => this.#hear({ kind: "lease-peers", peers }),
    });
  }

  async run(load: () => Promise<SyncConfig>): Promise<ExitStatus> {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      this.#host.onSignal(signal, () => {
        this.#report.abandon();
        this.#machine.end();
        this.#wake();
      });
    }
    this.#host.onSignal("SIGHUP", () => {
      this.#reloads = true;
      this.#wake();
    });
    this.#host.onSignal("SIGUSR1", () => {
      this.#machine.look();
      this.#wake();
    });
    this.#notifier.ready();
    for (;;) {
      if (this.#reloads) await this.#reload(load);
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
          this.#machine.told(await this.#do(step), this.#host.now());
      }
    }
  }

  async #reload(load: () => Promise<SyncConfig>): Promise<void> {
    this.#reloads = false;
    // What came of the last action comes first.
    this.#tell();
    this.#notifier.reloading();
    this.#machine.look();
    const { interface: name, lease } = this.#config;
    try {
      const config = await load();
      const leases = (each: SyncConfig) =>
        JSON.stringify([each.lease, each.lease && each.addPeers]);
      const changed = [
        ...(config.interface === name ? [] : ["interface"]),
        ...(leases(config) === leases(this.#config) ? [] : ["lease"]),
      ];
      this.#config = { ...config, interface: name, lease: lease && { ...lease, ...config.lease } };
      this.#report.configure(config.report);
      this.#machine.configure(this.#config);
      this.#status.forgetServers();
      this.#report.event("info", "reloaded", { servers: config.servers.length });
      if (changed.length > 0) {
        this.#report.event("warn", "restart-needed", { changed: changed.join(",") });
      }
    } catch (error) {
      const effect = "the settings before stay in force";
      this.#report.event("error", "not-reloaded", { why: inWords(error), effect });
    }
    this.#notifier.ready();
  }

  /** Does one thing, and says also what stood in its way. */
  async #do(action: SyncAction): Promise<SyncResult> {
    try {
      return await this.#run(action);
    } catch (error) {
      return { kind: "failed", error, why: inWords(error) };
    }
  }

  async #run(action: SyncAction): Promise<SyncResult> {
    const host = this.#host;
    const name = this.#config.interface;
    switch (action.kind) {
      case "take-lock":
        return { kind: "lock", isTaken: await this.#lock.take() };
      case "read-device":
        return { kind: "device", device: await readDevice(host, name) };
      case "read-key":
        return { kind: "key", publicKey: await this.#config.readKey() };
      case "mend-port":
        return { kind: "port", port: await mendBorrowedPort(host, name) };
      case "move-port":
        await setListenPort(host, name, 0);
        return { kind: "done" };
      case "try-raw":
        await tryRaw(host, action.port, action.mark);
        return { kind: "done" };
      case "ask":
        return { kind: "answer", ...await askServers(host, this.#config, action.question) };
      case "read-addresses":
        return { kind: "addresses", addresses: host.localAddresses() };
      case "set-peer":
        await (action.replaces ? replacePeer : setPeer)(host, name, action.publicKey, action);
        return { kind: "done" };
      case "nudge-peer":
        await nudgePeer(host, name, action.publicKey, action.persistentKeepalive);
        return { kind: "done" };
      case "find-route":
        return { kind: "route", route: await findHostRoute(host, action.address) };
      case "find-tunnel-route":
        return { kind: "route", route: await findRouteInto(host, name, action.prefix) };
      case "add-route":
        await addRoute(host, name, action.prefix);
        return { kind: "done" };
      case "remove-route":
        if (await removeHostRoute(host, action.route)) return { kind: "done" };
        return { kind: "failed", error: undefined, why: "ip doesn't remove it" };
    }
  }

  #hear(news: SyncNews): void {
    this.#machine.heard(news, this.#host.now());
    this.#tell();
  }

  #tell(): void {
    for (const note of this.#machine.takeNotes()) {
      this.#status.hear(note);
      if (note.kind === "device") this.#lease?.see(note.device);
      else this.#report.tell(note);
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
    await this.#lease?.end();
    await this.#report.finish();
    this.#lock.release();
  }
}

function couldNotLook(name: string, error: unknown): UserError {
  return new UserError(`the look at ${name} was not done: ${inWords(error)}`, EXIT.failed);
}

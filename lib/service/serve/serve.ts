/**
 * `wgsig serve`: the registry on its sockets, with zones, leases, its state file and its signals. This
 * is wiring: each part has a file of its own.
 *
 * @module
 */

import type { Now } from "../../core/net/clock.ts";
import { formatHostPort } from "../../core/net/host_port.ts";
import { drawSeed } from "../../core/net/random.ts";
import { MemberJournal } from "../../core/registry/member_journal.ts";
import { SubscriptionJournal } from "../../core/registry/subscription_journal.ts";
import { RegistryJournal } from "../../core/registry/journal.ts";
import { Registry } from "../../core/registry/registry.ts";
import { SERVE_RULES } from "../../core/serve/reload.ts";
import { Reload } from "../../core/settings/reload.ts";
import { EXIT, type ExitStatus } from "../../core/settings/user_error.ts";
import type { Host } from "../../host/host.ts";
import type { ServiceContext } from "../context.ts";
import { Reloader } from "../reloader.ts";
import { openSite } from "../http/open.ts";
import type { StatusSite } from "../http/site.ts";
import { LeaseService } from "../lease/server/service.ts";
import { Log } from "../log/log.ts";
import { PunchService } from "../punch/service.ts";
import { Store } from "../store/store.ts";
import { Notifier } from "../systemd/notifier.ts";
import { DnsService } from "../zone/server/service.ts";
import { checkZones } from "../zone/server/zones.ts";
import type { ServeConfig } from "./config.ts";
import { type GroupFiles, GroupSettings, readGroups, wipeSecrets } from "./groups.ts";
import { RegistrySockets } from "./registry_sockets.ts";
import { keepServerKey, openServerKey, publicKeyOf, type ServerKey } from "./server_key.ts";
import { ServeStatus } from "./status.ts";
import { Summary } from "./summary.ts";
import { TrafficLog } from "./traffic_log.ts";
import { TunnelFeed } from "./tunnel_feed.ts";

/** What the name of a file of leases had more than that of the state file. */
const FORMER_LEASES = ".leases";

/** Settings, and what is in the files that they name. */
interface Loaded {
  readonly settings: ServeConfig;
  readonly files: readonly GroupFiles[];
}

/**
 * Serves until a signal ends it.
 *
 * @param load Reads settings; called again on SIGHUP.
 */
export async function serve(host: Host, load: () => Promise<ServeConfig>): Promise<ExitStatus> {
  const loadAll = async (): Promise<Loaded> => {
    const settings = await load();
    const { dns, groups } = settings;
    if (dns !== undefined) checkZones(dns, groups.map(({ id }) => id));
    return { settings, files: await readGroups(host, groups) };
  };
  const { settings, files } = await loadAll();
  let serverKey: ServerKey | undefined;
  try {
    serverKey = await openServerKey(host, settings, files);
  } catch (error) {
    wipeSecrets(files);
    throw error;
  }
  const service = new Service(host, settings, serverKey);
  await service.open(files);
  return await service.run(loadAll);
}

class Service {
  readonly #host: Host;
  readonly #log: Log;
  readonly #registry: Registry;
  readonly #groups: GroupSettings;
  readonly #first: ServeConfig;
  readonly #sockets: RegistrySockets;
  readonly #tunnels: TunnelFeed;
  readonly #dns: DnsService | undefined;
  readonly #leases: LeaseService | undefined;
  readonly #punch: PunchService | undefined;
  readonly #store: Store | undefined;
  readonly #notifier: Notifier;
  readonly #summary: Summary;
  readonly #serverKey: ServerKey | undefined;
  readonly #status: ServeStatus;
  #site: StatusSite | undefined;
  /** What holds now. */
  #settings: ServeConfig;
  #now: Now;

  constructor(host: Host, first: ServeConfig, serverKey: ServerKey | undefined) {
    const log = new Log(host, first.log);
    const traffic = new TrafficLog(log, () => this.#now.mono);
    const registry = new Registry(first, traffic);
    const { counters } = registry;
    const seed = () => drawSeed((bytes) => host.random(bytes));
    const context: ServiceContext = { host, log, counters, tick: () => this.#tick(), seed };
    this.#host = host;
    this.#log = log;
    this.#registry = registry;
    this.#first = this.#settings = first;
    this.#now = host.now();
    this.#groups = new GroupSettings(registry, host, serverKey?.key);
    this.#serverKey = serverKey;
    this.#notifier = new Notifier(
      host,
      () => this.#summary.status,
      (why) => log.write("warn", "systemd-not-told", { why }),
    );
    this.#tunnels = new TunnelFeed(host, log, traffic, registry);
    this.#sockets = new RegistrySockets(context, registry, () => this.#store?.look());
    this.#dns = first.dns && new DnsService(context, first.dns);
    this.#leases = first.lease && new LeaseService(context, first.lease);
    this.#punch = first.punch && new PunchService(context, registry.groups);
    const zones = first.dns?.zones.map(({ name }) => name) ?? [];
    this.#summary = new Summary(log, registry, zones, () => this.#punch?.counters ?? {});
    this.#store = first.state === undefined ? undefined : this.#storeAt(first.state, seed());
    this.#status = this.#newStatus();
  }

  #newStatus(): ServeStatus {
    const leases = this.#leases;
    const name = this.#first.lease?.interface;
    return new ServeStatus(this.#host, this.#log, {
      registry: this.#registry,
      leases: leases && name !== undefined ? { interface: name, book: leases.book } : undefined,
      nameOf: (key) => this.#settings.names.get(key),
      rosterOf: () => undefined,
      counters: () => this.#punch?.counters ?? {},
      tick: () => this.#tick(),
      facts: () => ({
        version: this.#settings.version,
        listen: this.#sockets.bound.map(formatHostPort),
        serverKey: this.#serverKey === undefined ? null : publicKeyOf(this.#serverKey),
        publicAddress: null,
        state: this.#settings.state ?? null,
        dns: this.#dns?.bound.map(formatHostPort) ?? [],
        zones: (this.#settings.dns?.zones ?? []).map(({ name, interface: device, group }) => {
          return { name, interface: device ?? null, group: group ?? null };
        }),
      }),
    });
  }

  /** The state file has the registry's peers, and leases that have no file of their own. */
  #storeAt(path: string, seed: number): Store {
    const own = this.#first.lease?.state;
    const leases = own === undefined || own === path ? this.#leases : undefined;
    const parts = [
      new MemberJournal(this.#registry, seed, (bytes) => this.#host.random(bytes)),
      new RegistryJournal(this.#registry, seed),
      new SubscriptionJournal(this.#registry, seed, (bytes) => this.#host.random(bytes)),
      ...leases ? [leases.journal] : [],
    ];
    const former = leases && `${path}${FORMER_LEASES}`;
    const file = { path, name: "state", what: "state file", option: "--state", former } as const;
    const store = new Store(this.#host, this.#log, file, parts);
    leases?.keepIn(store);
    return store;
  }

  /** Takes over what was saved, and opens the sockets. */
  async open(files: readonly GroupFiles[]): Promise<void> {
    const { dns, punch } = this.#first;
    this.#configure(this.#first, files, this.#tick().mono);
    wipeSecrets(files);
    await this.#store?.open();
    await this.#keepKey();
    await this.#sockets.listen(this.#first);
    try {
      if (dns !== undefined) await this.#dns?.listen(dns);
      if (punch !== undefined) await this.#punch?.listen(punch);
      await this.#openSite();
      await this.#leases?.start();
    } catch (error) {
      this.#sockets.close();
      await this.#site?.close();
      throw error;
    }
    if (this.#serverKey !== undefined && this.#serverKey.file === undefined) {
      const hint = "the next start has another one; name a file with --key, or one with --state";
      this.#log.write("info", "server-key-not-kept", { hint });
    }
    await this.#status.open(this.#name);
  }

  async #openSite(): Promise<void> {
    this.#site = await openSite(this.#host, {
      report: () => this.#status.report(),
      counters: this.#registry.counters,
      unwritten: (file, why) => this.#log.write("warn", "metrics-not-written", { file, why }),
    }, this.#first.site);
    const address = this.#site?.address;
    if (address !== undefined) this.#log.write("info", "status-listening", { address });
  }

  /** By which it is asked how it is: its first port, else the interface that it leases for. */
  get #name(): string {
    const [first] = [...this.#sockets.bound, ...this.#dns?.bound ?? []];
    const port = (first ?? this.#first.punch)?.port;
    return port === undefined ? this.#first.lease?.interface ?? "serve" : `${port}`;
  }

  /** Answers until a signal ends it. */
  async run(load: () => Promise<Loaded>): Promise<ExitStatus> {
    const log = this.#log;
    let begunAt = 0;
    const reloader = new Reloader(
      new Reload<ServeConfig, readonly GroupFiles[]>(this.#first, SERVE_RULES),
      {
        notifier: this.#notifier,
        load: () => {
          begunAt = this.#host.now().mono;
          return load();
        },
        apply: (settings, files) => {
          try {
            this.#configure(settings, files, begunAt);
            log.configure(settings.log);
            this.#site?.configure(settings.site);
            if (settings.lease !== undefined) this.#leases?.configure(settings.lease);
            this.#watch(settings);
          } finally {
            wipeSecrets(files);
          }
        },
        event: log.write.bind(log),
        describe: () => ({ "group-ids": [...this.#registry.groups.keys()].join(",") }),
      },
    );
    this.#watch(this.#first);
    const signal = await new Promise<string>((end) => {
      this.#host.onSignal("SIGTERM", () => end("SIGTERM"));
      this.#host.onSignal("SIGINT", () => end("SIGINT"));
      this.#host.onSignal("SIGHUP", () => {
        reloader.ask();
        void reloader.run();
      });
      this.#host.onSignal("SIGUSR1", () => this.#summary.logCounters());
      this.#host.onSignal("SIGUSR2", () => this.#summary.logCounters());
      this.#summary.logReady(this.#host.runtime, this.#serverKey && publicKeyOf(this.#serverKey));
      this.#notifier.ready();
    });
    this.#notifier.stopping();
    this.#status.close();
    await this.#site?.close();
    this.#sockets.close();
    this.#dns?.close();
    this.#punch?.close();
    this.#tunnels.close();
    const hasLeases = await this.#leases?.close() ?? true;
    const hasState = await this.#store?.close() ?? true;
    this.#summary.logCounters();
    this.#log.write("info", "stopped", { signal });
    return hasLeases && hasState ? EXIT.ok : EXIT.failed;
  }

  /** Makes the file of a new key before anybody is told of that. */
  async #keepKey(): Promise<void> {
    const { file } = this.#serverKey ?? {};
    if (this.#serverKey === undefined || file === undefined) return;
    if (!await keepServerKey(this.#host, this.#serverKey)) return;
    const hint = "keep a copy: peers that have pinned this key refuse another one";
    this.#log.write("info", "server-key-made", { file, hint });
  }

  #configure(settings: ServeConfig, files: readonly GroupFiles[], mono: number): void {
    const peers = this.#groups.apply(settings, files, mono);
    this.#settings = settings;
    if (peers > 0) this.#log.write("warn", "peers-forgotten", { peers });
    if (settings.dns !== undefined) this.#dns?.configure(settings.dns, this.#registry.groups);
  }

  #watch({ groups }: ServeConfig): void {
    this.#tunnels.watch(groups, () => {
      this.#store?.look();
      this.#sockets.changed();
    });
  }

  /** The clocks, read once per batch; records that are too old are gone then. */
  #tick(): Now {
    this.#now = this.#host.now();
    this.#registry.expireInTime(this.#now);
    return this.#now;
  }
}

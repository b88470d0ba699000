/**
 * `wgsig serve`: the registry on its sockets, with zones, leases, its state file and its signals. This
 * is wiring: each part has a file of its own. It is a little longer than a file should be because
 * the order in which parts are opened and closed is in one place.
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
import type { LeaseService } from "../lease/server/service.ts";
import { Log } from "../log/log.ts";
import type { PunchService } from "../punch/service.ts";
import type { SharingService } from "../shared/sharing_service.ts";
import type { RosterService } from "../roster/roster_service.ts";
import { withoutRosters } from "../roster/without_rosters.ts";
import { Store } from "../store/store.ts";
import { Notifier } from "../systemd/notifier.ts";
import type { DnsService } from "../zone/server/service.ts";
import type { ServeConfig } from "./config.ts";
import { GroupSettings } from "./groups.ts";
import type { JoinAnswers } from "./join_answers.ts";
import { type MadeSecret, makeGroupSecret } from "./group_secret.ts";
import { RegistrySockets } from "./registry_sockets.ts";
import { loadParts, type Parts } from "./parts.ts";
import { readFiles, type ServeFiles, wipeFiles } from "./serve_files.ts";
import type { ServedRosters } from "./served_rosters.ts";
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
  readonly files: ServeFiles;
}

/**
 * Serves until a signal ends it.
 *
 * @param load Reads settings; called again on SIGHUP.
 */
export async function serve(host: Host, load: () => Promise<ServeConfig>): Promise<ExitStatus> {
  const withFiles = async (settings: ServeConfig): Promise<Loaded> => ({
    settings,
    files: await readFiles(host, settings),
  });
  const first = await load();
  const madeSecret = await makeGroupSecret(host, first);
  const { settings, files } = await withFiles(first);
  let serverKey: ServerKey | undefined;
  try {
    serverKey = await openServerKey(host, settings, files.groups);
  } catch (error) {
    wipeFiles(files);
    throw error;
  }
  const parts = await loadParts(host, settings, serverKey);
  const service = new Service(host, settings, serverKey, parts);
  const signal = await service.open(files, madeSecret);
  if (signal !== undefined) return await service.close(signal);
  return await service.run(async () => await withFiles(await load()));
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
  readonly #newSharing: (() => SharingService) | undefined;
  readonly #joins: JoinAnswers | undefined;
  readonly #rosters: RosterService | undefined;
  readonly #notifier: Notifier;
  readonly #summary: Summary;
  readonly #serverKey: ServerKey | undefined;
  readonly #status: ServeStatus;
  #site: StatusSite | undefined;
  /** There once the state file is read. */
  #sharing: SharingService | undefined;
  /** Whether a reload was asked for before it could be done. */
  #isReloadAsked = false;
  /** What holds now. */
  #settings: ServeConfig;
  #now: Now;

  constructor(
    host: Host,
    first: ServeConfig,
    serverKey: ServerKey | undefined,
    { Dns, Claims, Leases, Punch, Rosters, Sharing }: Parts,
  ) {
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
    this.#sockets = new RegistrySockets(context, registry, () => {
      this.#store?.look();
      this.#joins?.look();
    });
    this.#dns = first.dns && Dns && new Dns(context, first.dns);
    const claims = first.store && Claims && new Claims(context, first.store);
    this.#leases = first.lease && Leases && new Leases(context, first.lease, claims);
    this.#punch = first.punch && Punch && new Punch(context, registry.groups);
    const zones = first.dns?.zones.map(({ name }) => name) ?? [];
    this.#summary = new Summary(log, registry, zones, {
      counters: () => this.#punch?.counters ?? {},
      trouble: () => this.#sharing?.trouble,
    });
    const rosters = serverKey && Rosters && new Rosters(context, registry, serverKey.key);
    if (first.state !== undefined) {
      this.#store = this.#storeAt(first.state, seed(), rosters);
      this.#joins = rosters?.newAnswers(this.#store, this.#sockets);
      this.#rosters = rosters?.newService(this.#store, this.#sockets);
    }
    const { store } = first;
    if (store && Sharing && serverKey) {
      this.#newSharing = () =>
        new Sharing(context, registry, serverKey.key, store, () => {
          this.#store?.look();
          this.#sockets.changed();
        });
    }
    this.#status = this.#newStatus();
  }

  #newStatus(): ServeStatus {
    const leases = this.#leases;
    const name = this.#first.lease?.interface;
    return new ServeStatus(this.#host, this.#log, {
      registry: this.#registry,
      leases: leases && name !== undefined ? { interface: name, book: leases.book } : undefined,
      nameOf: (key, group) => this.#rosters?.nameOf(key, group) ?? this.#settings.names.get(key),
      rosterOf: (group) => this.#rosters?.countsOf(group),
      counters: () => this.#punch?.counters ?? {},
      tick: () => this.#tick(),
      facts: () => ({
        version: this.#settings.version,
        listen: this.#sockets.bound.map(formatHostPort),
        serverKey: this.#serverKey === undefined ? null : publicKeyOf(this.#serverKey),
        publicAddress: this.#rosters?.shownAddress ?? null,
        state: this.#settings.state ?? null,
        store: this.#sharing?.report ?? null,
        dns: this.#dns?.bound.map(formatHostPort) ?? [],
        zones: this.#dns?.report() ?? [],
      }),
    }, this.#rosters?.answers ?? withoutRosters(this.#serverKey !== undefined));
  }

  /**
   * The state file has the registry's peers and rosters, and leases that have no file of their own. Who
   * follows a roster is taken over after that.
   */
  #storeAt(path: string, seed: number, rosters: ServedRosters | undefined): Store {
    const own = this.#first.lease?.state;
    const leases = own === undefined || own === path ? this.#leases : undefined;
    const parts = [
      ...rosters ? [rosters.journal] : [],
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

  /**
   * Takes over what was saved, and what other registries know, and opens the sockets.
   *
   * @returns The signal that has ended it before.
   */
  async open(
    files: ServeFiles,
    madeSecret: MadeSecret | undefined,
  ): Promise<string | undefined> {
    const { dns, punch } = this.#first;
    if (madeSecret !== undefined) {
      const { group, file } = madeSecret;
      const hint = "peers that join with a link are told it: wgsig invite NAME";
      this.#log.write("info", "group-secret-made", { group, file, hint });
    }
    this.#configure(this.#first, files, this.#tick().mono);
    wipeFiles(files);
    await this.#store?.open();
    this.#rosters?.configure(this.#first);
    await this.#keepKey();
    // Where it may have to wait for the store, how it is can be asked meanwhile. A port that the system
    // chooses isn't known yet.
    const isShared = this.#newSharing !== undefined;
    const isNamed = isShared && this.#portWanted > 0;
    try {
      if (isShared) await this.#openSite();
      if (isNamed) await this.#status.open(`${this.#portWanted}`);
      const signal = await this.#share();
      if (signal !== undefined) return signal;
      await this.#sockets.listen(this.#first);
      if (dns !== undefined) await this.#dns?.listen(dns);
      if (punch !== undefined) await this.#punch?.listen(punch);
      if (!isShared) await this.#openSite();
      await this.#leases?.start();
    } catch (error) {
      this.#sockets.close();
      this.#status.close();
      await this.#site?.close();
      throw error;
    }
    if (this.#serverKey !== undefined && this.#serverKey.file === undefined) {
      const hint = "the next start has another one; name a file with --key, or one with --state";
      this.#log.write("info", "server-key-not-kept", { hint });
    }
    if (!isNamed) await this.#status.open(this.#name);
    return undefined;
  }

  /** Begins to share peers with other registries. Returns the signal that has ended the wait for them. */
  async #share(): Promise<string | undefined> {
    const sharing = this.#sharing = this.#newSharing?.();
    const end = await sharing?.open(this.#notifier);
    this.#isReloadAsked = end?.isReloadAsked ?? false;
    return end?.signal;
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

  /** The port that it is asked at; 0 where there is none, or the system chooses it. */
  get #portWanted(): number {
    return this.#first.listen[0]?.port ?? 0;
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
      new Reload<ServeConfig, ServeFiles>(this.#first, SERVE_RULES),
      {
        notifier: this.#notifier,
        load: () => {
          begunAt = this.#host.now().mono;
          return load();
        },
        apply: (settings, files) => {
          try {
            this.#configure(settings, files, begunAt);
            this.#rosters?.configure(settings);
            log.configure(settings.log);
            this.#site?.configure(settings.site);
            if (settings.lease !== undefined) this.#leases?.configure(settings.lease);
            this.#watch(settings);
          } finally {
            wipeFiles(files);
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
      if (!this.#isReloadAsked) return;
      reloader.ask();
      void reloader.run();
    });
    return await this.close(signal);
  }

  /** Ends it. */
  async close(signal: string): Promise<ExitStatus> {
    this.#notifier.stopping();
    this.#status.close();
    await this.#site?.close();
    this.#sockets.close();
    this.#dns?.close();
    this.#punch?.close();
    this.#tunnels.close();
    await this.#sharing?.close();
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

  #configure(settings: ServeConfig, files: ServeFiles, mono: number): void {
    const peers = this.#groups.apply(settings, files.groups, mono);
    this.#settings = settings;
    if (peers > 0) this.#log.write("warn", "peers-forgotten", { peers });
    this.#sharing?.groupsChanged();
    const { dns } = settings;
    if (dns !== undefined) this.#dns?.configure(dns, files.zones, this.#registry.groups);
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

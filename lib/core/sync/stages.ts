/**
 * The stages of a round, each of which says what is to be done, and what follows.
 *
 * It is longer than a file should be because what follows upon what is read here in one piece.
 *
 * @module
 */

import type { Now } from "../net/clock.ts";
import { type Device, keyOf } from "../net/device.ts";
import type { QueryResult } from "../query/query_result.ts";
import { EXIT, type ExitStatus, UserError } from "../settings/user_error.ts";
import type { InterfaceReport } from "../status/report.ts";
import type { ActionQueue } from "./action_queue.ts";
import type { SyncNews, SyncQuestion } from "./actions.ts";
import { Additions } from "./additions.ts";
import { DeviceReader } from "./device_reader.ts";
import { BelievedEndpoints } from "./believed.ts";
import { HeardServers } from "./heard_servers.ts";
import { interfaceReport } from "./interface_report.ts";
import type { PathFinder } from "../path/path_finder.ts";
import type { SyncNotes } from "./notes.ts";
import type { SyncOptions } from "./options.ts";
import { OwnEndpoint } from "./own_endpoint.ts";
import type { PlannedChange } from "./plan.ts";
import { betterOf, Registration, registrationOf, type SettledMode } from "./registration.ts";
import type { Rhythm } from "./rhythm.ts";
import { nothingAsked, tellServers } from "./server_words.ts";
import { StaleRoutes } from "./stale_routes.ts";
import { MAPPING_HINT } from "./stuck_mapping.ts";
import { SyncedPaths } from "./synced_paths.ts";
import { SyncedPeers } from "./synced_peers.ts";
import type { SyncedRoster } from "./synced_roster.ts";
import { TunnelRoutes } from "./tunnel_routes.ts";

/** What goes without where the port can only be borrowed. */
const BORROW_HINT =
  "ways to peers aren't probed, and no ports are guessed or predicted: that needs " +
  "raw sockets (root, or CAP_NET_RAW)";

/** What is known of an interface, and what is done for it. */
export class SyncStages {
  #options: SyncOptions;
  readonly #queue: ActionQueue;
  readonly #notes: SyncNotes;
  readonly #rhythm: Rhythm;
  readonly #reader: DeviceReader;
  readonly #registration: Registration;
  readonly #own: OwnEndpoint = new OwnEndpoint();
  readonly #routes: StaleRoutes;
  readonly #additions: Additions;
  readonly #tunnelRoutes: TunnelRoutes;
  /** Undefined where rosters were never followed. */
  #roster: SyncedRoster | undefined;
  readonly #peers: SyncedPeers;
  readonly #paths: SyncedPaths;
  readonly #servers = new HeardServers();
  /** The interface as it was met last; undefined where there is none. */
  #device: Device | undefined;
  #hasLooked = false;
  /** Whether rosters have told something that was not acted upon yet. */
  #hasRosterNews = false;
  #isOver = false;
  #status: ExitStatus = EXIT.ok;
  #isAnswered = false;
  #failure: { readonly error: unknown } | undefined;
  /** What servers have told of without being asked, and was not looked at yet; and when it is to be. */
  #told: QueryResult | undefined;
  #toldUntil = Infinity;

  /** Knows nothing yet. */
  constructor(
    options: SyncOptions,
    queue: ActionQueue,
    notes: SyncNotes,
    rhythm: Rhythm,
    finder: PathFinder,
  ) {
    this.#options = options;
    this.#queue = queue;
    this.#notes = notes;
    this.#rhythm = rhythm;
    this.#routes = new StaleRoutes(queue, notes);
    this.#tunnelRoutes = new TunnelRoutes(queue, notes);
    this.#additions = new Additions(queue, notes, this.#tunnelRoutes);
    this.#configureRoster(options);
    this.#reader = new DeviceReader(options, queue, notes);
    this.#registration = new Registration(...registrationOf(options));
    this.#peers = new SyncedPeers(notes, options, (key, now) => this.#paths.owns(key, now));
    this.#paths = new SyncedPaths(finder, notes, (key) => this.#peers.named(key));
  }

  /** Replaces the settings. */
  configure(options: SyncOptions): void {
    this.#options = options;
    this.#peers.configure(options);
    this.#configureRoster(options);
    // The way of registering is chosen where an interface is met.
    if (this.#registration.configure(...registrationOf(options))) this.#device = undefined;
  }

  #configureRoster({ trustRegistry }: SyncOptions): void {
    this.#roster ??= trustRegistry?.follow(this.#queue, this.#notes, this.#tunnelRoutes);
    this.#roster?.configure();
  }

  /** Whether there is an interface. */
  get hasDevice(): boolean {
    return this.#device !== undefined;
  }

  /** Whether the interface is gone, and that ends it all. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** What the last look comes to. */
  get status(): ExitStatus {
    return this.#status;
  }

  /** What first stood in the way of the one look. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** The one look ends with this error, unless it ends with another that came before. */
  fail(error: unknown): void {
    this.#failure ??= { error };
  }

  /** Whether a look has come to its end since this was last called, whatever could be done. */
  takeLooked(): boolean {
    const hasLooked = this.#hasLooked;
    this.#hasLooked = false;
    return hasLooked;
  }

  /** When to look at what servers have told, on the monotonic clock. */
  get toldUntil(): number {
    return this.#toldUntil;
  }

  /** What there is to say of the interface. @param device As it was read just now, where it was. */
  report(device: Device | undefined, now: Now): Omit<InterfaceReport, "lease"> {
    const { interface: name, servers: named } = this.#options;
    const own = this.#own;
    const register = this.#registration.settled;
    const [peers, paths, servers] = [this.#peers, this.#paths, this.#servers];
    const parts = { name, register, own, peers, paths, servers, named };
    const known = this.#device;
    const publicKey = device?.publicKey ?? known?.publicKey;
    return interfaceReport(parts, known && { ...known, ...device, publicKey }, now);
  }

  /** Whether something is awaited of a peer. */
  isAwaiting(now: Now): boolean {
    if (this.#device === undefined) return false;
    return this.#roster?.isFresh === true || this.#peers.isAwaiting(this.#device, now);
  }

  /** Takes in what comes without being asked for. */
  heard(news: SyncNews, now: Now): void {
    switch (news.kind) {
      case "server-moved": {
        const { server, addresses } = news;
        this.#notes.event("info", "server-moved", { server, address: addresses.join(",") });
        return this.#rhythm.changed(now.mono);
      }
      case "lease-peers":
        return this.#peers.heard(news.peers);
      case "mapped":
        return this.#paths.takeMapped(news.endpoints);
      case "device":
        this.#peers.glance(news.device, now);
        return this.#seeWays(news.device, now);
      case "told": {
        this.#told = news.answer;
        const device = this.#device;
        if (device !== undefined) this.#takeWays(device, news.answer, now);
        const wait = device && this.#peers.holdsBack(device, news.answer, this.#paths.isOpen, now);
        this.#toldUntil = Math.min(this.#toldUntil, now.mono + (wait ?? 0));
      }
    }
  }

  /** Looks at the interface, where somebody has moved by what servers have told. */
  takeTold(now: Now): void {
    const [device, told] = [this.#device, this.#told];
    this.#told = undefined;
    this.#toldUntil = Infinity;
    if (device === undefined || told === undefined) return;
    if (this.#peers.haveMoved(device, told, now)) this.look(told);
  }

  /** Tells of ways to peers that were taken. */
  tellPaths(): void {
    this.#paths.tellFound();
  }

  /** Asks without a look at the interface: a move is known sooner, and no process is started. */
  pollServers(now: Now): void {
    const device = this.#device;
    if (device === undefined) return;
    const before = this.#own.endpoint;
    this.#ask(device, now, (answer, now) => {
      const isElsewhere = this.#own.endpoint !== before;
      if (isElsewhere || this.#hasRosterNews || this.#peers.haveMoved(device, answer, now)) {
        this.look(answer);
      }
    });
  }

  /**
   * Looks at the interface, and does what helps.
   *
   * @param news What the servers have just said; they are asked where it is left out.
   */
  look(news?: QueryResult): void {
    this.#reader.read({
      busy: () => this.#interfaceBusy(),
      gone: () => this.#interfaceGone(),
      found: (device, now) => this.#meet(device, news, now),
    });
  }

  #interfaceBusy(): void {
    const { interface: name, once } = this.#options;
    if (once) return this.#cannotLook(`another wgsig sync takes care of ${name} already`);
    const hint = "another wgsig sync takes care of it; this one waits for its end";
    this.#notes.once("warn", "interface-busy", { interface: name, hint });
  }

  #interfaceGone(): void {
    const { interface: name, once, untilGone } = this.#options;
    if (once) {
      const hint = "bring it up first, or leave --once out to wait";
      return this.#cannotLook(`there is no WireGuard interface ${name}; ${hint}`);
    }
    this.#notes.add({ kind: "device", device: undefined });
    this.#peers.heard([]);
    this.#paths.open(undefined);
    const isNews = this.#device !== undefined;
    this.#device = undefined;
    if (untilGone && isNews) {
      this.#notes.event("info", "interface-gone", { interface: name });
      this.#isOver = true;
    } else this.#notes.once("info", "waiting", { interface: name });
  }

  #cannotLook(why: string): void {
    this.fail(new UserError(why, EXIT.failed));
  }

  #meet(device: Device, news: QueryResult | undefined, now: Now): void {
    const before = this.#device;
    this.#device = device;
    this.#roster?.looked();
    const same = before !== undefined && before.publicKey === device.publicKey &&
      before.listenPort === device.listenPort;
    const fromPoll = news !== undefined;
    if (same) this.#lookAt(device, fromPoll, news, now);
    else this.#interfaceAppeared(device, before !== undefined, fromPoll, now);
  }

  /** The interface is new, came back, or was made anew: what servers have said was about another. */
  #interfaceAppeared(device: Device, hasChanged: boolean, fromPoll: boolean, now: Now): void {
    this.#rhythm.changed(now.mono);
    this.#own.forget();
    this.#peers.begin();
    this.#paths.begin();
    this.#roster?.begin();
    const settled = (mode: SettledMode, why: string, now: Now) => {
      this.#registration.settle(mode);
      this.#paths.open(
        mode === "raw" && !this.#options.dryRun && !this.#options.once ? device : undefined,
      );
      this.#notes.event("info", hasChanged ? "interface-changed" : "interface-found", {
        interface: this.#options.interface,
        port: device.listenPort,
        register: mode,
        why,
        ...(mode === "borrow" ? { hint: BORROW_HINT } : {}),
      });
      if (this.#paths.isOpen) this.#readAddresses();
      this.#lookAt(device, fromPoll, undefined, now);
    };
    const choice = this.#registration.begin();
    if (choice !== undefined) return settled(choice.mode, choice.why, now);
    this.#queue.add({ kind: "try-raw", port: device.listenPort, mark: device.mark }, {
      done: (now) => settled("raw", "raw sockets are permitted", now),
      failed: (why, now) => settled("borrow", `no raw socket: ${why}`, now),
    });
  }

  #lookAt(device: Device, fromPoll: boolean, news: QueryResult | undefined, now: Now): void {
    this.#notes.add({ kind: "device", device });
    if (keyOf(device) === undefined) {
      const { interface: name, once } = this.#options;
      const hint = `set one; or where its program doesn't tell it (boringtun), name ` +
        `private-key-file or public-key in [sync.${name}] of the settings`;
      if (once) return this.#cannotLook(`WireGuard interface ${name} has no private key; ${hint}`);
      return this.#notes.once("warn", "no-private-key", { interface: name, hint });
    }
    this.#peers.tellUnlisted(device);
    if (this.#peers.look(device, fromPoll, now)) this.#rhythm.changed(now.mono);
    this.#seeWays(device, now);
    const { mendRoutes, dryRun } = this.#options;
    this.#routes.look(device, mendRoutes && !dryRun);
    this.#queue.then((now) => {
      if (news !== undefined) return this.#plan(device, news, now);
      this.#ask(device, now, (answer, now) => this.#plan(device, answer, now));
    });
  }

  /** @param then What follows from the answer. */
  #ask(device: Device, now: Now, then: (answer: QueryResult, now: Now) => void): void {
    const { servers, addPeers, dryRun } = this.#options;
    const id = keyOf(device);
    if (id === undefined) return;
    if (servers.length === 0) return then(nothingAsked(device, now.unix), now);
    const { listenPort: port, mark } = device;
    const present = device.peers.map(({ publicKey }) => publicKey);
    const known = [...this.#options.peers.keys(), ...this.#roster?.keys ?? []];
    const question: SyncQuestion = {
      way: dryRun
        ? "unregistered"
        : this.#registration.way(port, !this.#reader.mayLackPort, now.mono),
      beside: this.#registration.asksBeside(now.mono),
      anew: this.#peers.asksAnew(now),
      port,
      mark,
      id,
      openTo: this.#peers.openTo(device, now),
      own: this.#paths.reach(device, this.#peers.toRelay(device, now)),
      // Who is not on the interface is asked for only to be added.
      keys: addPeers ? undefined : present,
      wants: addPeers ? undefined : [...new Set([...present, ...known])],
    };
    const askedAt = now.mono;
    this.#queue.add({ kind: "ask", question }, {
      answer: (answers, now) => {
        const answer = betterOf(answers);
        if (this.#registration.took(answers, askedAt, now.mono)) this.#mappingStuck(device);
        else if (!this.#registration.isStuck) this.#notes.forget("mapping-stuck");
        this.#takeAnswer(device, answer, now);
        this.#takeWays(device, answer, now);
        this.#queue.then((now) => then(answer, now));
      },
    });
  }

  #seeWays(device: Device, now: Now): void {
    this.#paths.see(device, (peer) => this.#peers.isAlive(peer, now), now);
  }

  #takeWays(device: Device, answer: QueryResult, now: Now): void {
    this.#paths.take(answer, new BelievedEndpoints(device), now);
  }

  /** Servers answer, but not WireGuard's port. */
  #mappingStuck({ listenPort: port }: Device): void {
    const { interface: name, movePort, dryRun } = this.#options;
    this.#notes.once("warn", "mapping-stuck", { port, hint: MAPPING_HINT });
    if (!movePort || dryRun || !this.#registration.takeMove()) return;
    this.#queue.add({ kind: "move-port" }, {
      done: () => {
        this.#notes.change("port-moved", { interface: name, before: port });
        this.#queue.then(() => this.look());
      },
    });
  }

  #takeAnswer(device: Device, answer: QueryResult, now: Now): void {
    tellServers(answer, this.#notes);
    if (this.#roster?.take(answer, this.#options)) {
      this.#hasRosterNews = true;
      this.#peers.name(this.#roster.names);
    }
    this.#servers.take(answer, now.mono);
    if (answer.status === EXIT.ok) this.#rhythm.answered();
    else this.#rhythm.failed();
    this.#peers.tellShared(device, answer, now);
    this.#peers.tellNoRelay(answer);
    if (!answer.registered) return;
    let hasMoved = false;
    for (const move of this.#own.take(answer)) {
      hasMoved = true;
      const { endpoint, before } = move;
      this.#notes.change("own-endpoint", { endpoint, ...(before === undefined ? {} : { before }) });
      if (before !== undefined) {
        const { nat } = this.#own.nat ?? {};
        const isEach = nat === "sequential" || nat === "hard";
        this.#peers.ownEndpointMoved(device, move, !isEach, now);
        this.#paths.ownMoved(now);
        this.#rhythm.changed(now.mono);
      }
    }
    if (hasMoved || this.#own.tellsNat) this.#readAddresses();
  }

  /** This host's addresses say where neighbours reach it, and what a NAT in between does. */
  #readAddresses(): void {
    this.#queue.add({ kind: "read-addresses" }, {
      addresses: (addresses, tunnel) => {
        this.#paths.takeAddresses(addresses, tunnel);
        // What two servers see of one port tells what kind of NAT is in between.
        if (!this.#own.tellsNat) return;
        this.#notes.once("info", "nat", { ...this.#own.judge(addresses) });
      },
    });
  }

  #plan(device: Device, answer: QueryResult, now: Now): void {
    const { once, dryRun } = this.#options;
    for (const change of this.#peers.plan(device, answer, now)) {
      const { publicKey, endpoint, persistentKeepalive } = change;
      const replaces = this.#reader.isBoringtun;
      const set = { publicKey, endpoint, persistentKeepalive, allowedIps: undefined, replaces };
      const done = (now: Now) => this.#changed(change, now);
      if (dryRun) done(now);
      else this.#queue.add({ kind: "set-peer", ...set }, { done });
    }
    this.#isAnswered = answer.status === EXIT.ok;
    if (once) this.#status = this.#peers.status(device, answer, now);
    this.#queue.then((now) => this.#nudge(device, answer, now));
  }

  #changed(change: PlannedChange, now: Now): void {
    this.#rhythm.changed(now.mono);
    const event = change.why === "restore" ? "endpoint-restored" : "endpoint-set";
    this.#notes.change(event, this.#peers.fieldsOf(change));
  }

  #nudge(device: Device, answer: QueryResult, now: Now): void {
    this.#peers.tellUnreachable(this.#own.nat);
    if (!this.#options.dryRun && !this.#reader.isBoringtun) {
      for (const { publicKey, persistentKeepalive } of this.#peers.toNudge(device, now)) {
        this.#queue.add({ kind: "nudge-peer", publicKey, persistentKeepalive });
      }
      for (const lower of this.#peers.toLower(device)) {
        const done = () => this.#peers.lowered(lower.publicKey);
        this.#queue.add({ kind: "nudge-peer", ...lower }, { done });
      }
    }
    this.#queue.then(() => this.#followRoster(device, answer));
  }

  #followRoster(device: Device, answer: QueryResult): void {
    this.#hasRosterNews = false;
    this.#roster?.apply(device, answer, this.#options, {
      endpointOf: (key) => this.#peers.endpointOf(key),
      changed: ({ mono }) => this.#rhythm.changed(mono),
      replaces: this.#reader.isBoringtun,
    });
    this.#queue.then(() => this.#add(device));
  }

  #add(device: Device): void {
    const changed = (mono: number) => this.#rhythm.changed(mono);
    const others = this.#peers.toAdd(device, new Set(this.#roster?.names.keys()));
    this.#additions.add(others, this.#options, changed);
    this.#queue.then((now) => {
      this.#hasLooked = true;
      if (this.#options.once) this.#peers.tellLook(device, this.#isAnswered, now);
    });
  }
}

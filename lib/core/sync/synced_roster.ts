/**
 * The peers that registries know by name, on the interface: added, changed and taken away as their
 * rosters say. It is loaded only where `trust-registry` is set: a router has no memory for it otherwise.
 *
 * @module
 */

import { MOST_GONE_ENTRIES } from "../../wire/wgsig2/roster.ts";
import type { ServerName } from "../ask/server_name.ts";
import type { Now } from "../net/clock.ts";
import type { Device } from "../net/device.ts";
import type { HostPort } from "../net/host_port.ts";
import { isCidr } from "../net/ip_prefix.ts";
import type { LogFields } from "../net/log_line.ts";
import type { QueryResult } from "../query/query_result.ts";
import { mergeRosters, type Roster, type RosterEntry } from "../roster/client/entry.ts";
import { type Given, type GivenPeer, NOTHING_GIVEN } from "../roster/client/given.ts";
import { planRoster, type RosterRefusal, type RosterStep } from "../roster/client/plan.ts";
import type { ActionQueue } from "./action_queue.ts";
import type { SyncNotes } from "./notes.ts";
import type { TunnelRoutes } from "./tunnel_routes.ts";

/** So many refusals are named: a registry may say a lot. */
const MOST_REFUSED = 64;
const NO_ROSTER: ReadonlyMap<string, RosterEntry> = new Map();

/** What helps where a registry's word isn't followed. */
const REFUSAL_HINT =
  "name that peer in a [[peer]] of the settings, with the allowed-ips that it has here";

/** How rosters are followed. */
export interface RosterOptions {
  /** The networks in which what peers are given must lie; undefined where rosters aren't followed. */
  readonly trustRegistry: { readonly networks: readonly string[] } | undefined;
  /** The name of the interface. */
  readonly interface: string;
  readonly servers: readonly ServerName[];
  /** By public key: what the settings know of peers. */
  readonly peers: ReadonlyMap<string, { readonly allowedIps: readonly string[] | undefined }>;
  /** Seconds to set where a peer is added; 0 sets none. */
  readonly persistentKeepalive: number;
  /** Say what would be done, and do nothing. */
  readonly dryRun: boolean;
}

/** What else is known. */
export interface RosterSurroundings {
  /** Where a peer may be, in base64. */
  readonly endpointOf: (publicKey: string) => HostPort | undefined;
  /** Something was changed. */
  readonly changed: (now: Now) => void;
  /** Whether a peer has to be removed and made anew where it is changed. */
  readonly replaces: boolean;
}

/** Follows rosters. */
export class SyncedRoster {
  readonly #queue: ActionQueue;
  readonly #notes: SyncNotes;
  readonly #routes: TunnelRoutes;
  #entries = NO_ROSTER;
  #isComplete = false;
  #isTold = false;
  /** What was put together of which revisions. */
  #revisions = "";
  /** What the interface has of rosters; undefined before that was read. */
  #given: ChangingGiven | undefined;
  /** What has been looked at, and found to be as it should. */
  #settled = "";
  readonly #refused = new Set<string>();
  /** By public key: what those are called that are there, and those that were there. */
  readonly #former = new Map<string, string>();
  /** Whether what is given now is going to be written down. */
  #isKeeping = false;
  #isFresh = false;

  /** Knows of nobody yet. */
  constructor(queue: ActionQueue, notes: SyncNotes, routes: TunnelRoutes) {
    this.#queue = queue;
    this.#notes = notes;
    this.#routes = routes;
  }

  /** The interface is another one: what it has of rosters is to be read anew. */
  begin(): void {
    this.#given = undefined;
    this.#settled = "";
  }

  /** The settings are others. */
  configure(): void {
    this.#settled = "";
  }

  /** By public key: the names of those that are there. */
  get names(): ReadonlyMap<string, string> {
    const there = [...this.#entries.values()].filter(({ isGone }) => !isGone);
    return new Map(there.map(({ publicKey, name }) => [publicKey, name]));
  }

  /** How many names are remembered, with those of peers that were there. */
  get remembered(): number {
    return this.#former.size;
  }

  /** Whether peers were added or changed since the interface was looked at: they are to be found soon. */
  get isFresh(): boolean {
    return this.#isFresh;
  }

  /** The interface was looked at. */
  looked(): void {
    this.#isFresh = false;
  }

  /** Whom registries are asked for: those that may be found somewhere. */
  get keys(): readonly string[] {
    const there = [...this.#entries.values()].filter(({ isGone, via }) => !isGone && !via);
    return there.map(({ publicKey }) => publicKey);
  }

  /** Takes in what registries have said. @returns Whether something of it is new. */
  take({ servers }: QueryResult, options: RosterOptions): boolean {
    const rosters = options.trustRegistry === undefined
      ? []
      : servers.flatMap(({ roster }): Roster[] => roster === undefined ? [] : [roster]);
    const asked = options.servers.filter(({ scheme }) => scheme === "wgsig").length;
    this.#isTold = rosters.length === asked;
    this.#isComplete = this.#isTold && rosters.every(hasForgotten);
    const revisions = servers.map(({ server, roster }) => `${server} ${roster?.revision}`).join();
    if (revisions === this.#revisions) return false;
    this.#revisions = revisions;
    this.#entries = rosters.length === 0 ? NO_ROSTER : mergeRosters(rosters);
    for (const key of this.#former.keys()) {
      if (this.#given?.peers.has(key) !== true) this.#former.delete(key);
    }
    for (const [key, name] of this.names) this.#former.set(key, name);
    return true;
  }

  /** Has the interface have what rosters say. */
  apply(
    device: Device,
    answer: QueryResult,
    options: RosterOptions,
    around: RosterSurroundings,
  ): void {
    if (options.trustRegistry === undefined || this.#entries.size === 0) return;
    const seen = this.#textOf(device);
    if (seen === this.#settled) return;
    const read = ({ peers, routes }: Given) => {
      const given = { peers: new Map(peers), routes: new Set(routes) };
      this.#given = given;
      this.#queue.add({ kind: "read-networks" }, {
        networks: (addresses, networks) =>
          this.#plan({ device, answer, options, around, given, addresses, networks, seen }),
      });
    };
    if (this.#given !== undefined) read(this.#given);
    else this.#queue.add({ kind: "read-given" }, { given: read });
  }

  #plan({ device, answer, options, around, given, addresses, networks, seen }: Scene): void {
    const { trustRegistry, peers, dryRun } = options;
    const configured = new Map(
      [...peers].flatMap(([key, { allowedIps }]) =>
        allowedIps === undefined ? [] : [[key, allowedIps] as const]
      ),
    );
    const { steps, refused } = planRoster({
      device,
      roster: this.#entries,
      isComplete: this.#isComplete,
      isTold: this.#isTold,
      configured,
      given,
      bounds: {
        trusted: trustRegistry?.networks ?? [],
        addresses,
        networks,
        registries: [
          ...answer.servers.flatMap((each) => each.address ?? []),
          ...options.servers.map(({ host }) => host),
        ].filter(isCidr),
        endpoints: device.peers.flatMap(({ endpoint }) => endpoint?.host ?? []).filter(isCidr),
      },
    });
    for (const each of refused) this.#refuse(each);
    if (steps.length === 0 || dryRun) this.#settled = seen;
    if (steps.length === 0) return;
    if (dryRun) {
      for (const step of steps) this.#tell(step, device, { dryRun });
      return;
    }
    // Whatever happens on the way, what may have been given can be taken back.
    this.#keep(() => unionOf(given, steps));
    for (const step of steps) this.#do(step, device, options, around);
  }

  #keep(given: () => Given): void {
    this.#queue.add({ kind: "keep-given", given });
  }

  /** What there is then is written down once for all that is done before. */
  #keepSoon(): void {
    if (this.#isKeeping) return;
    this.#isKeeping = true;
    this.#keep(() => {
      this.#isKeeping = false;
      return this.#given ?? NOTHING_GIVEN;
    });
  }

  #do(
    step: RosterStep,
    device: Device,
    { interface: name, persistentKeepalive: seconds }: RosterOptions,
    { endpointOf, changed, replaces }: RosterSurroundings,
  ): void {
    const { publicKey } = step;
    const before = this.#given?.peers.get(publicKey)?.allowedIps ?? new Map<string, string>();
    const after = step.kind === "remove" ? new Map<string, string>() : step.given.allowedIps;
    const done = (now: Now) => {
      changed(now);
      this.#isFresh = true;
      this.#tell(step, device, {});
      this.#note(publicKey, step.kind === "remove" ? undefined : step.given);
      for (const prefix of before.keys()) if (!after.has(prefix)) this.#endRoute(prefix, name);
      for (const prefix of after.keys()) {
        if (before.has(prefix)) continue;
        const added = () => {
          this.#noteRoute(prefix, true);
          this.#keepSoon();
        };
        this.#routes.lead(prefix, { interface: name, isSet: true, advice: "", added });
      }
      this.#keepSoon();
    };
    if (step.kind === "remove") {
      this.#queue.add({ kind: "remove-peer", publicKey }, { done });
      return;
    }
    const isNew = step.kind === "add";
    this.#queue.add({
      kind: "set-peer",
      publicKey,
      endpoint: isNew && !step.isGuest ? endpointOf(publicKey) : undefined,
      persistentKeepalive: isNew && !step.isGuest && seconds > 0 ? seconds : undefined,
      allowedIps: step.allowedIps,
      replaces: replaces && !isNew,
    }, { done });
  }

  #note(publicKey: string, peer: GivenPeer | undefined): void {
    const isSomething = peer !== undefined && (peer.isWhole || peer.allowedIps.size > 0);
    if (isSomething) this.#given?.peers.set(publicKey, peer);
    else this.#given?.peers.delete(publicKey);
  }

  #noteRoute(prefix: string, isThere: boolean): void {
    if (isThere) this.#given?.routes.add(prefix);
    else this.#given?.routes.delete(prefix);
  }

  /** A route that was there before stays, and so does one to what another peer has now. */
  #endRoute(prefix: string, name: string): void {
    const { peers, routes } = this.#given ?? NOTHING_GIVEN;
    const isHad = [...peers.values()].some(({ allowedIps }) => allowedIps.has(prefix));
    if (isHad || !routes.has(prefix)) return;
    this.#noteRoute(prefix, false);
    this.#routes.end(prefix, name);
  }

  #tell(step: RosterStep, device: Device, more: LogFields): void {
    const { publicKey: key } = step;
    const name = this.#entries.get(key)?.name || this.#former.get(key);
    const named = { key, ...(name ? { name } : {}) };
    if (step.kind === "remove") {
      this.#former.delete(key);
      return this.#notes.change("roster-peer-removed", { ...named, ...more });
    }
    const before = device.peers.find(({ publicKey }) => publicKey === key)?.allowedIps.join(",");
    this.#notes.change(step.kind === "add" ? "roster-peer-added" : "roster-peer-changed", {
      ...named,
      allowedIps: step.allowedIps.join(","),
      ...(step.kind === "add" || !before ? {} : { before }),
      ...more,
    });
  }

  #refuse({ entry: { publicKey: key, name }, prefix, why }: RosterRefusal): void {
    const text = `${key} ${prefix} ${why}`;
    if (this.#refused.has(text) || this.#refused.size >= MOST_REFUSED) return;
    this.#refused.add(text);
    const what = prefix === undefined ? {} : { prefix };
    this.#notes.event("warn", "roster-peer-refused", {
      key,
      name,
      ...what,
      why,
      hint: REFUSAL_HINT,
    });
  }

  /** All that a plan depends on, but for what moves: addresses and endpoints. */
  #textOf({ peers }: Device): string {
    const table = peers.map(({ publicKey, allowedIps }) => `${publicKey} ${allowedIps.join()}`);
    return `${this.#revisions} ${this.#isTold} ${this.#isComplete} ${table.join(" ")}`;
  }
}

/**
 * Whether a registry may have forgotten who is gone: it remembers so many. Else, who isn't there is one
 * that it has never known, or has lost with its state.
 */
function hasForgotten({ entries }: Roster): boolean {
  if (entries.size < MOST_GONE_ENTRIES) return false;
  return [...entries.values()].filter(({ isGone }) => isGone).length >= MOST_GONE_ENTRIES;
}

/** What an interface has: it changes with each step, of which there may be thousands. */
interface ChangingGiven {
  readonly peers: Map<string, GivenPeer>;
  readonly routes: Set<string>;
}

/** What a plan is made of. */
interface Scene {
  readonly device: Device;
  readonly answer: QueryResult;
  readonly options: RosterOptions;
  readonly around: RosterSurroundings;
  readonly given: Given;
  readonly addresses: readonly string[];
  readonly networks: readonly string[];
  readonly seen: string;
}

/** What there was, and what there may be. */
function unionOf({ peers, routes }: Given, steps: readonly RosterStep[]): Given {
  const all = new Map(peers);
  for (const step of steps) {
    if (step.kind === "remove") continue;
    const before = all.get(step.publicKey)?.allowedIps ?? [];
    const { isWhole, allowedIps } = step.given;
    all.set(step.publicKey, { isWhole, allowedIps: new Map([...before, ...allowedIps]) });
  }
  return { peers: all, routes };
}

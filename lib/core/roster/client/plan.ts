/**
 * What is changed of a WireGuard interface so that it has the peers of a roster.
 *
 * Only what a roster has given is ever taken back, and only where a roster says so: that a registry is
 * silent, or has lost its memory, takes nothing away. What the settings say of a peer, or somebody has
 * set by hand, stays as it is; a roster may add to it.
 *
 * @module
 */

import type { Device, DevicePeer } from "../../net/device.ts";
import { normalizePrefix } from "../../net/ip_prefix.ts";
import type { RosterEntry } from "./entry.ts";
import type { Given, GivenPeer } from "./given.ts";
import { type Claim, PrefixGate, type RosterBounds } from "./prefix_gate.ts";

/** What a plan is made of. */
export interface RosterScene {
  readonly device: Pick<Device, "publicKey" | "peers">;
  /** By public key: what the registries say, the one that is named first before others. */
  readonly roster: ReadonlyMap<string, RosterEntry>;
  /**
   * Whether that is all there is, and as many are gone as are remembered. Who isn't there was taken away
   * then, long ago, where the own key is: a registry that doesn't know this host has lost its memory.
   */
  readonly isComplete: boolean;
  /**
   * Whether no registry is silent. Who isn't there stays, and what such a peer has goes to one that is
   * there, and is to have it, where the own key is.
   */
  readonly isTold?: boolean;
  /** By public key: the AllowedIPs that the settings have for a peer. They win. */
  readonly configured: ReadonlyMap<string, readonly string[]>;
  readonly given: Given;
  readonly bounds: RosterBounds;
}

/** Something to change. */
export type RosterStep =
  /** Take the peer away. */
  | { readonly kind: "remove"; readonly publicKey: string }
  /** Give a peer, which may have to be added, these AllowedIPs in the place of all that it has. */
  | {
    readonly kind: "add" | "change";
    readonly publicKey: string;
    readonly allowedIps: readonly string[];
    /** What it has of rosters then. */
    readonly given: GivenPeer;
    /** Whether it is one that speaks no wgsig, and comes to this hub. */
    readonly isGuest: boolean;
  };

/** What a roster says, and isn't done. */
export interface RosterRefusal {
  readonly entry: RosterEntry;
  /** Undefined where that is about the peer as a whole. */
  readonly prefix: string | undefined;
  /** In words. */
  readonly why: string;
}

/** What to do. */
export interface RosterPlan {
  /** In this order: what one peer loses may be what another is given. */
  readonly steps: readonly RosterStep[];
  readonly refused: readonly RosterRefusal[];
}

/** Prefixes of a peer, and by each, the key of the entry that has it. */
type Wanted = Map<string, string>;

/** Makes a plan. */
export function planRoster(scene: RosterScene): RosterPlan {
  return new Planner(scene).plan();
}

class Planner {
  readonly #scene: RosterScene;
  readonly #gate: PrefixGate;
  readonly #isAll: boolean;
  readonly #yields: boolean;
  readonly #refused: RosterRefusal[] = [];
  /** By the key of the peer that is to have them. */
  readonly #wanted = new Map<string, Wanted>();

  constructor(scene: RosterScene) {
    this.#scene = scene;
    const { device: { peers, publicKey: own = "" }, configured, bounds, roster } = scene;
    const knowsUs = roster.get(own)?.isGone === false;
    this.#isAll = scene.isComplete && knowsUs;
    this.#yields = scene.isTold === true && knowsUs;
    const claims: Claim[] = peers.flatMap(({ publicKey, allowedIps }) => {
      const given = this.#givenTo(publicKey);
      return allowedIps.map(normalizePrefix).filter((prefix) => !given.has(prefix))
        .map((prefix) => ({ publicKey, prefix }));
    });
    for (const [publicKey, prefixes] of configured) {
      for (const prefix of prefixes) claims.push({ publicKey, prefix });
    }
    this.#gate = new PrefixGate(bounds, claims);
  }

  plan(): RosterPlan {
    if (!this.#yields) this.#keep();
    // What somebody has comes first: nobody takes it from there.
    for (const isHad of [true, false]) for (const entry of this.#others()) this.#want(entry, isHad);
    if (this.#yields) this.#keep();
    const steps = this.#steps();
    const rank = { remove: 0, change: 1, add: 2 };
    return {
      steps: steps.toSorted((a, b) => rank[a.kind] - rank[b.kind]),
      refused: this.#refused,
    };
  }

  #givenTo(publicKey: string): ReadonlyMap<string, string> {
    return this.#scene.given.peers.get(publicKey)?.allowedIps ?? new Map();
  }

  /** What was given, and of which no registry says anything now, stays. */
  #keep(): void {
    const { device } = this.#scene;
    for (const { publicKey, allowedIps } of device.peers) {
      if (this.#isGone(publicKey)) continue;
      const given = this.#givenTo(publicKey);
      for (const prefix of allowedIps.map(normalizePrefix)) {
        const source = given.get(prefix);
        if (source === undefined || this.#isSaid(source)) continue;
        if (!this.#gate.isFree(publicKey, prefix)) continue;
        this.#gate.hold(publicKey, prefix);
        this.#wantedOf(publicKey).set(prefix, source);
      }
    }
  }

  #others(): readonly RosterEntry[] {
    const { roster, device: { publicKey: own } } = this.#scene;
    return [...roster.values()].filter((each) => !each.isGone && each.publicKey !== own);
  }

  /** @param isHad Whether it is about what the entry has already, or about the rest. */
  #want(entry: RosterEntry, isHad: boolean): void {
    const { configured } = this.#scene;
    if (configured.has(entry.publicKey)) return;
    const target = this.#targetOf(entry);
    if (target === undefined) {
      if (isHad) return;
      const why = "the hub that it is reached through is no peer here";
      return void this.#refused.push({ entry, prefix: undefined, why });
    }
    for (const text of entry.allowedIps) {
      const prefix = normalizePrefix(text);
      const source = this.#givenTo(target).get(prefix);
      if ((source === entry.publicKey) !== isHad) continue;
      const why = this.#gate.refusal(target, prefix, source !== undefined);
      if (why !== undefined) this.#refused.push({ entry, prefix, why });
      else {
        this.#gate.hold(target, prefix);
        this.#wantedOf(target).set(prefix, entry.publicKey);
      }
    }
  }

  /** The peer that has an entry's addresses on this interface; undefined where there is none. */
  #targetOf({ publicKey, via }: RosterEntry): string | undefined {
    const { device: { publicKey: own, peers }, roster } = this.#scene;
    if (via === undefined || via === own) return publicKey;
    const hub = roster.get(via);
    if (hub?.isGone) return undefined;
    if (hub !== undefined) return hub.via === undefined ? via : undefined;
    return peers.some((each) => each.publicKey === via) ? via : undefined;
  }

  #wantedOf(publicKey: string): Wanted {
    let wanted = this.#wanted.get(publicKey);
    if (wanted === undefined) this.#wanted.set(publicKey, wanted = new Map());
    return wanted;
  }

  #isGone(publicKey: string): boolean {
    return this.#scene.roster.get(publicKey)?.isGone ?? this.#isAll;
  }

  /** Whether something is said of whoever has a key, be it that there is nobody. */
  #isSaid(publicKey: string): boolean {
    return this.#isAll || this.#scene.roster.has(publicKey);
  }

  #steps(): RosterStep[] {
    const { device: { peers, publicKey: own }, roster } = this.#scene;
    const steps = peers.flatMap((each) => this.#stepFor(each) ?? []);
    const present = new Set(peers.map(({ publicKey }) => publicKey));
    for (const [publicKey, allowedIps] of this.#wanted) {
      if (present.has(publicKey) || allowedIps.size === 0) continue;
      steps.push({
        kind: "add",
        publicKey,
        allowedIps: [...allowedIps.keys()],
        given: { isWhole: true, allowedIps },
        isGuest: own !== undefined && roster.get(publicKey)?.via === own,
      });
    }
    return steps;
  }

  /** What is done about a peer that is there. */
  #stepFor({ publicKey, allowedIps }: DevicePeer): RosterStep | undefined {
    const { given, configured } = this.#scene;
    const before = given.peers.get(publicKey);
    const isConfigured = configured.has(publicKey);
    const isWhole = before?.isWhole === true && !isConfigured;
    const wanted: Wanted = this.#wanted.get(publicKey) ?? new Map();
    const has = allowedIps.map(normalizePrefix);
    // What the settings say now was given before, perhaps.
    const byHand = has.filter((each) => {
      const source = before?.allowedIps.get(each);
      return source === undefined || isConfigured && source === publicKey;
    });
    const isEmpty = byHand.length === 0 && wanted.size === 0 && this.#isSaid(publicKey);
    if (isWhole && (this.#isGone(publicKey) || isEmpty)) return { kind: "remove", publicKey };
    const all = [...new Set([...byHand, ...wanted.keys()])];
    if (isSame(all, has)) return undefined;
    const rest = new Map([...wanted].filter(([each]) => !byHand.includes(each)));
    const after = { isWhole, allowedIps: rest };
    return { kind: "change", publicKey, allowedIps: all, given: after, isGuest: false };
  }
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each) => b.includes(each));
}

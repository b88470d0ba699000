/**
 * The roster of a group: the peers that its registry knows by name.
 *
 * Each change has a version, larger than all before it and than the time in milliseconds: so a version
 * that somebody was told doesn't come again where a state was lost. Who is gone is remembered for a
 * while, so that whoever knows an older version is told.
 *
 * It is longer than a file should be because what is checked of a peer, what is kept, and what is told
 * of changes go by the same maps.
 *
 * @module
 */

import { isName, type TunnelPrefix } from "../../../wire/wgsig2/name.ts";
import { MAX_ENTRY_PREFIXES, MOST_GONE_ENTRIES } from "../../../wire/wgsig2/roster.ts";
import type { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import { SHORTEST_NARROW } from "../../net/ip_prefix.ts";
import { KeySet } from "../../net/key_set.ts";
import { UserError } from "../../settings/user_error.ts";
import { formatTunnelPrefix, networkOf, overlap } from "../prefix.ts";

/** The most peers of a roster. */
export const MAX_ENTRIES = 10_000;
/** The most keys that are refused. */
const MAX_REVOKED = 10_000;
const MILLISECONDS = 1000;

/** A peer of a roster, as it is to be. */
export interface RosterPeer {
  /** Its WireGuard public key, 32 bytes. */
  readonly key: Uint8Array;
  /** See `isName`. */
  readonly name: string;
  /** Its AllowedIPs, 16 at most. */
  readonly prefixes: readonly TunnelPrefix[];
  /** The public key of the peer through which it is reached, where it can't speak wgsig. */
  readonly via?: Uint8Array | undefined;
}

/** A peer of a roster. It never changes: another one comes in its place. */
export interface RosterEntry extends RosterPeer {
  /** Its last change. */
  readonly version: number;
  /** When it came into the roster, in Unix seconds. */
  readonly addedAt: number;
}

/** A key that is no longer in the roster. */
export interface GoneEntry {
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** When it went. */
  readonly version: number;
}

/** Told of each change of a roster. */
export interface RosterKeeper {
  /** An entry is new, or another one. */
  changed(group: number, entry: RosterEntry): void;
  /** A key is gone. */
  gone(group: number, gone: GoneEntry): void;
  /** A key is refused from now on, or not any more. */
  revoked(group: number, key: Uint8Array, isRevoked: boolean): void;
  /** Addresses are given from other networks. */
  networks(group: number, networks: readonly TunnelPrefix[]): void;
}

/** What {@linkcode Roster.since} tells. */
export interface RosterNews {
  /** Entries and keys that are gone, in the order of their changes. */
  readonly changes: readonly (RosterEntry | GoneEntry)[];
  /** Whether these are all there are: what was known before is to be forgotten. */
  readonly isWhole: boolean;
}

/** The peers of a group by name. */
export class Roster {
  /** GROUP. */
  readonly group: number;
  /** Told of changes, where something is kept or follows. */
  keeper: RosterKeeper | undefined;
  #version = 0;
  /** Who knows less than this isn't told of all that are gone. */
  #floor = 0;
  /** By key: see {@linkcode textOf}. */
  readonly #entries = new Map<string, RosterEntry>();
  readonly #byName = new Map<string, RosterEntry>();
  readonly #gone = new Map<string, GoneEntry>();
  readonly #revoked = new Map<string, Uint8Array>();
  /** All changes in their order; those that came before another of the same key mean nothing. */
  #log: (RosterEntry | GoneEntry)[] = [];
  #networks: readonly TunnelPrefix[] = [];
  readonly #seed: number;
  // Asked per datagram; made when they are asked after a change.
  #members: KeySet | undefined;
  #refused: KeySet | undefined;

  /** Nobody is in it. @param seed Random, so that nobody can choose keys that collide. */
  constructor(group: number, seed: number) {
    this.group = group;
    this.#seed = seed;
  }

  /** The last change; 0 for none. */
  get version(): number {
    return this.#version;
  }

  /** How many peers there are. */
  get count(): number {
    return this.#entries.size;
  }

  /** Its peers, in the order of their last changes. */
  entries(): RosterEntry[] {
    return [...this.#entries.values()].sort((a, b) => a.version - b.version);
  }

  /** The peer with this name. */
  byName(name: string): RosterEntry | undefined {
    return this.#byName.get(name);
  }

  /** The peer with this public key, 32 bytes. */
  byKey(key: Uint8Array): RosterEntry | undefined {
    return this.#entries.get(textOf(key));
  }

  /** The networks from which addresses are given; bits behind their lengths are zero. */
  get networks(): readonly TunnelPrefix[] {
    return this.#networks;
  }

  /** The keys that are refused. */
  get revokedKeys(): readonly Uint8Array[] {
    return [...this.#revoked.values()];
  }

  /** Whether the peer whose public key is at `at` is in the roster. Nothing is made. */
  has(buffer: WireBuffer, at: number): boolean {
    if (this.#entries.size === 0) return false;
    this.#members ??= this.#setOf([...this.#entries.values()].map(({ key }) => key));
    return this.#members.has(buffer, at);
  }

  /** Whether the public key at `at` is refused. Nothing is made. */
  isRevoked(buffer: WireBuffer, at: number): boolean {
    if (this.#revoked.size === 0) return false;
    this.#refused ??= this.#setOf(this.revokedKeys);
    return this.#refused.has(buffer, at);
  }

  /** Takes addresses from other networks from now on. */
  setNetworks(networks: readonly TunnelPrefix[]): void {
    this.#networks = networks.map(networkOf);
    this.keeper?.networks(this.group, this.#networks);
  }

  /**
   * Adds a peer, or puts it in the place of the one with the same key. A key that was refused isn't
   * any more.
   *
   * @throws {UserError} If there is no room, its name or a prefix is another's, or it is none.
   */
  put(peer: RosterPeer, unix: number): RosterEntry {
    const text = textOf(peer.key);
    const known = this.#entries.get(text);
    this.check(peer);
    if (known === undefined && this.#entries.size >= MAX_ENTRIES) {
      throw new UserError(
        `the roster of group ${this.group} is full: ${MAX_ENTRIES} peers at most`,
      );
    }
    if (this.#revoked.has(text)) this.#setRevoked(peer.key, false);
    const { key, name, via } = peer;
    const prefixes = peer.prefixes.map(networkOf);
    const addedAt = known?.addedAt ?? unix;
    const entry = { key: key.slice(), name, via, prefixes, addedAt, version: this.#next(unix) };
    this.#set(text, entry);
    this.keeper?.changed(this.group, entry);
    return entry;
  }

  /** Whether {@linkcode put} would take a peer, but for room. @throws {UserError} The same. */
  check({ key, name, prefixes, via }: RosterPeer): void {
    const text = textOf(key);
    if (!isName(name)) {
      throw new UserError(
        "a name has 1 to 63 bytes, and neither control characters nor spaces around it",
      );
    }
    if (prefixes.length > MAX_ENTRY_PREFIXES) {
      throw new UserError(`a peer has ${MAX_ENTRY_PREFIXES} AllowedIPs at most`);
    }
    const namesake = this.#byName.get(name);
    if (namesake !== undefined && textOf(namesake.key) !== text) {
      throw new UserError(`there is a peer ${name} in the roster already`);
    }
    if (via !== undefined && (textOf(via) === text || !this.#entries.has(textOf(via)))) {
      throw new UserError(`${name} can only be reached via another peer that is in the roster`);
    }
    if (via !== undefined && this.#entries.get(textOf(via))?.via !== undefined) {
      throw new UserError(`the peer that ${name} is reached via is reached via another one itself`);
    }
    if (via !== undefined && this.#isHub(text)) {
      throw new UserError(
        `others are reached via ${name}, so it can't be reached via a peer itself`,
      );
    }
    this.checkPrefixes(prefixes, key);
  }

  #isHub(text: string): boolean {
    return [...this.#entries.values()].some(({ via }) => via !== undefined && textOf(via) === text);
  }

  /**
   * Whether these say where something is, and no peer but the one with this key has them.
   *
   * @throws {UserError} If not.
   */
  checkPrefixes(prefixes: readonly TunnelPrefix[], key?: Uint8Array): void {
    if (prefixes.length === 0) return;
    const wide = prefixes.find(({ length }) => length < SHORTEST_NARROW);
    if (wide !== undefined) {
      throw new UserError(
        `${
          formatTunnelPrefix(wide)
        } would send everything to one peer, which no other peer takes ` +
          `from a registry: a prefix has ${SHORTEST_NARROW} bits at least`,
      );
    }
    const own = key && textOf(key);
    for (const [text, entry] of this.#entries) {
      if (text === own) continue;
      for (const theirs of entry.prefixes) {
        const mine = prefixes.find((each) => overlap(each, theirs));
        if (mine === undefined) continue;
        throw new UserError(
          `${formatTunnelPrefix(mine)} overlaps ${formatTunnelPrefix(theirs)} of ${entry.name}`,
        );
      }
    }
  }

  /** Gives a peer another name. @throws {UserError} If there is none, or the name is taken or none. */
  rename(name: string, to: string, unix: number): RosterEntry {
    return this.put({ ...this.named(name), name: to }, unix);
  }

  /** The peer with this name. @throws {UserError} If there is none. */
  named(name: string): RosterEntry {
    const entry = this.#byName.get(name);
    if (entry === undefined) throw new UserError(`there is no peer ${name} in the roster`);
    return entry;
  }

  /**
   * Takes a peer away. Those that were reached through it are reached through nobody then.
   *
   * @param isRevoked Whether its key is refused from now on.
   * @returns Whether there was one.
   * @throws {UserError} If too many keys are refused already: nothing is changed then.
   */
  remove(key: Uint8Array, isRevoked: boolean, unix: number): boolean {
    const text = textOf(key);
    if (isRevoked) this.#setRevoked(key, true);
    const entry = this.#entries.get(text);
    if (entry === undefined) return false;
    for (const each of [...this.#entries.values()]) {
      if (each.via === undefined || textOf(each.via) !== text) continue;
      this.put({ ...each, via: undefined }, unix);
    }
    const gone = { key: entry.key, version: this.#next(unix) };
    this.#take(text, gone);
    this.keeper?.gone(this.group, gone);
    return true;
  }

  /** What has changed since a version. @param isOnward Never whole: it goes on with what was told. */
  since(version: number, isOnward: boolean, most: number): RosterNews {
    const isWhole = !isOnward &&
      (version === 0 || version > this.#version || version < this.#floor);
    const from = isWhole ? 0 : version;
    const changes: (RosterEntry | GoneEntry)[] = [];
    for (let i = this.#firstAfter(from); i < this.#log.length && changes.length < most; i++) {
      const change = this.#log[i]!;
      if (this.#isLast(change)) changes.push(change);
    }
    return { changes, isWhole };
  }

  /** Takes over an entry that was kept. What was kept last counts. */
  restore(entry: RosterEntry): void {
    const text = textOf(entry.key);
    const namesake = this.#byName.get(entry.name);
    if (namesake !== undefined) this.#entries.delete(textOf(namesake.key));
    if (!this.#entries.has(text) && this.#entries.size >= MAX_ENTRIES) return;
    this.#version = Math.max(this.#version, entry.version);
    this.#set(text, entry);
  }

  /** Takes over a key that was gone. */
  restoreGone(gone: GoneEntry): void {
    this.#version = Math.max(this.#version, gone.version);
    this.#take(textOf(gone.key), gone);
  }

  /** Takes over what was kept of a key that is refused, or not any more. */
  restoreRevoked(key: Uint8Array, isRevoked: boolean): void {
    if (!isRevoked) this.#revoked.delete(textOf(key));
    else if (this.#revoked.size < MAX_REVOKED) this.#revoked.set(textOf(key), key);
    this.#refused = undefined;
  }

  /** Takes over the networks, the last change, and from when on it is known who is gone. */
  restoreState(networks: readonly TunnelPrefix[], version: number, floor: number): void {
    this.#networks = networks;
    this.#version = Math.max(this.#version, version);
    this.#floor = Math.max(this.#floor, floor);
  }

  /** Has what was taken over in any order stand in that of its changes. */
  sort(): void {
    this.#log = this.#log.filter((each) => this.#isLast(each)).sort((a, b) =>
      a.version - b.version
    );
  }

  /** Whoever knows less than this is told everything. */
  get floor(): number {
    return this.#floor;
  }

  /** The keys that are gone, the oldest first. */
  get gone(): readonly GoneEntry[] {
    return [...this.#gone.values()];
  }

  #set(text: string, entry: RosterEntry): void {
    const known = this.#entries.get(text);
    if (known !== undefined) this.#byName.delete(known.name);
    this.#entries.set(text, entry);
    this.#byName.set(entry.name, entry);
    this.#gone.delete(text);
    this.#members = undefined;
    this.#append(entry);
  }

  #take(text: string, gone: GoneEntry): void {
    const entry = this.#entries.get(text);
    if (entry !== undefined) {
      this.#entries.delete(text);
      if (this.#byName.get(entry.name) === entry) this.#byName.delete(entry.name);
    }
    this.#members = undefined;
    this.#gone.delete(text);
    this.#gone.set(text, gone);
    if (this.#gone.size > MOST_GONE_ENTRIES) {
      const [oldest] = this.#gone;
      this.#gone.delete(oldest![0]);
      this.#floor = Math.max(this.#floor, oldest![1].version);
    }
    this.#append(gone);
  }

  #setRevoked(key: Uint8Array, isRevoked: boolean): void {
    const text = textOf(key);
    if (this.#revoked.has(text) === isRevoked) return;
    if (isRevoked && this.#revoked.size >= MAX_REVOKED) {
      throw new UserError(
        `${MAX_REVOKED} keys are refused already, and no more can be: change the group's secret`,
      );
    }
    if (isRevoked) this.#revoked.set(text, key.slice());
    else this.#revoked.delete(text);
    this.#refused = undefined;
    this.keeper?.revoked(this.group, key, isRevoked);
  }

  #next(unix: number): number {
    return this.#version = Math.max(this.#version + 1, Math.floor(unix * MILLISECONDS));
  }

  #append(change: RosterEntry | GoneEntry): void {
    this.#log.push(change);
    const most = 2 * (this.#entries.size + this.#gone.size) + 64;
    if (this.#log.length > most) this.#log = this.#log.filter((each) => this.#isLast(each));
  }

  #isLast(change: RosterEntry | GoneEntry): boolean {
    const text = textOf(change.key);
    return this.#entries.get(text) === change || this.#gone.get(text) === change;
  }

  #firstAfter(version: number): number {
    let low = 0;
    let high = this.#log.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#log[middle]!.version > version) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #setOf(keys: readonly Uint8Array[]): KeySet {
    return new KeySet(keys, this.#seed);
  }
}

/** A key as the name of an entry in a map: a character for each byte. */
function textOf(key: Uint8Array): string {
  return String.fromCharCode(...key);
}

/**
 * The peers of a WireGuard interface, kept from one look at it to the next: what has stayed the same
 * costs next to nothing.
 *
 * @module
 */

import type { HostPort } from "../../net/host_port.ts";
import { linkLocalIdentity } from "../address.ts";
import { parseDump, parsePeer } from "../../net/wg_dump.ts";

/** A peer. */
export interface IndexedPeer {
  /** In base64. */
  readonly publicKey: string;
  readonly endpoint: HostPort | undefined;
  readonly allowedIps: readonly string[];
}

interface Entry extends IndexedPeer {
  /** Its endpoint and AllowedIPs as `wg` prints them, each with a tab after it. */
  readonly text: string;
  /** When it was there last. */
  round: number;
}

/** Lines from one step to the next. */
const LINES_A_STEP = 64;

/** All peers. */
export class PeerIndex {
  #publicKey: string | undefined;
  readonly #peers = new Map<string, Entry>();
  /** By AllowedIP: WireGuard gives each to one peer. */
  readonly #owners = new Map<string, string>();
  /** By link-local address of which a peer has the /128. */
  readonly #byAddress = new Map<string, string>();
  /** Peers with an endpoint. */
  readonly #placed = new Set<string>();
  #changed = new Set<string>();
  #round = 0;
  #identities = 0;
  #version = 0;

  /** The interface's public key, or undefined where it has none. */
  get publicKey(): string | undefined {
    return this.#publicKey;
  }

  /** Another number whenever {@linkcode PeerIndex.addresses} may have changed. */
  get identities(): number {
    return this.#identities;
  }

  /** Another number whenever anything has changed. */
  get version(): number {
    return this.#version;
  }

  /** How many peers there are. */
  get size(): number {
    return this.#peers.size;
  }

  /** The link-local addresses by which peers are known. */
  get addresses(): Iterable<string> {
    return this.#byAddress.keys();
  }

  /** A peer. */
  peer(publicKey: string): IndexedPeer | undefined {
    return this.#peers.get(publicKey);
  }

  /** Peers whose endpoint is known, in no particular order. */
  *placed(): Generator<IndexedPeer> {
    for (const publicKey of this.#placed) yield this.#peers.get(publicKey)!;
  }

  /** The public key of the peer at a whole link-local address. */
  at(address: string): string | undefined {
    return this.#byAddress.get(linkLocalIdentity(address) ?? "");
  }

  /** Whether a peer has these AllowedIPs. */
  has(publicKey: string, allowedIps: readonly string[]): boolean {
    return this.#peers.has(publicKey) &&
      allowedIps.every((each) => this.#owners.get(each) === publicKey);
  }

  /** The peers whose AllowedIPs have changed since this was last called, those that went as well. */
  takeChanged(): Set<string> {
    const changed = this.#changed;
    this.#changed = new Set();
    return changed;
  }

  /** Counts all peers as changed. */
  changeAll(): void {
    for (const publicKey of this.#peers.keys()) this.#changed.add(publicKey);
  }

  /** Says that there are no peers. */
  clear(): void {
    this.#publicKey = undefined;
    for (const entry of this.#peers.values()) this.#remove(entry);
  }

  /**
   * Takes over what `wg show IF dump` prints, in steps between which the caller may rest. Where it
   * throws, some of it is taken over.
   *
   * @throws {SyntaxError} If it is no such text.
   */
  *update(dump: string): Generator<void> {
    const round = ++this.#round;
    const firstEnd = lineEnd(dump, 0);
    this.#publicKey = parseDump(dump.slice(0, firstEnd)).publicKey;
    let lines = 0;
    for (let at = firstEnd + 1; at < dump.length;) {
      const end = lineEnd(dump, at);
      this.#takeLine(dump, at, end, round);
      at = end + 1;
      if (++lines % LINES_A_STEP === 0) yield;
    }
    if (lines === this.#peers.size) return;
    for (const entry of this.#peers.values()) if (entry.round !== round) this.#remove(entry);
  }

  /** Says that a peer is gone. */
  remove(publicKey: string): void {
    const entry = this.#peers.get(publicKey);
    if (entry !== undefined) this.#remove(entry);
  }

  /** Says what AllowedIPs a peer has now: nobody else has them then. Who is not there stays so. */
  setAllowedIps(publicKey: string, allowedIps: readonly string[]): void {
    const entry = this.#peers.get(publicKey);
    if (entry === undefined || isSame(entry.allowedIps, allowedIps)) return;
    // Whatever `wg` prints next is looked at.
    this.#put({ ...entry, allowedIps, text: "" });
  }

  #takeLine(dump: string, at: number, end: number, round: number): void {
    const keyEnd = dump.indexOf("\t", at);
    const secretEnd = dump.indexOf("\t", keyEnd + 1);
    const known = this.#peers.get(dump.slice(at, keyEnd));
    if (known !== undefined && known.text !== "" && dump.startsWith(known.text, secretEnd + 1)) {
      known.round = round;
      return;
    }
    const fields = dump.slice(at, end).split("\t");
    // Nobody else may know the preshared key; and what is kept must not keep the whole dump.
    if (fields.length > 1) fields[1] = "(none)";
    const line = fields.join("\t");
    const { publicKey, endpoint, allowedIps } = parsePeer(line);
    const [, , ...rest] = line.split("\t", 4);
    this.#put({ publicKey, endpoint, allowedIps, text: `${rest.join("\t")}\t`, round });
  }

  #put(entry: Entry): void {
    const { publicKey, endpoint, allowedIps } = entry;
    const before = this.#peers.get(publicKey);
    this.#version++;
    this.#peers.set(publicKey, entry);
    if (endpoint === undefined) this.#placed.delete(publicKey);
    else this.#placed.add(publicKey);
    if (before !== undefined && isSame(before.allowedIps, allowedIps)) return;
    this.#changed.add(publicKey);
    this.#disown(before);
    for (const prefix of allowedIps) {
      const loser = this.#owners.get(prefix);
      if (loser !== undefined && loser !== publicKey) this.#lose(loser, prefix);
      this.#owners.set(prefix, publicKey);
      const address = identityOf(prefix);
      if (address === undefined) continue;
      this.#byAddress.set(address, publicKey);
      this.#identities++;
    }
  }

  /** Takes a prefix from the peer that had it. */
  #lose(publicKey: string, prefix: string): void {
    const loser = this.#peers.get(publicKey);
    if (loser === undefined) return;
    const allowedIps = loser.allowedIps.filter((each) => each !== prefix);
    this.#peers.set(publicKey, { ...loser, allowedIps, text: "" });
    this.#changed.add(publicKey);
  }

  #remove(entry: Entry): void {
    this.#version++;
    this.#peers.delete(entry.publicKey);
    this.#placed.delete(entry.publicKey);
    this.#changed.add(entry.publicKey);
    this.#disown(entry);
  }

  #disown(entry: Entry | undefined): void {
    for (const prefix of entry?.allowedIps ?? []) {
      this.#owners.delete(prefix);
      const address = identityOf(prefix);
      if (address === undefined) continue;
      this.#byAddress.delete(address);
      this.#identities++;
    }
  }
}

/** The server's own address is nobody's. */
const SERVER = "fe80::";

/** The link-local address of which a prefix is the whole. */
function identityOf(prefix: string): string | undefined {
  if (!prefix.endsWith("/128")) return undefined;
  const address = linkLocalIdentity(prefix);
  return address === SERVER ? undefined : address;
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each, i) => each === b[i]);
}

function lineEnd(text: string, at: number): number {
  const end = text.indexOf("\n", at);
  return end < 0 ? text.length : end;
}

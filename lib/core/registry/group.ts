/**
 * One group of a registry: its secrets, its peers, its ready-made answers.
 *
 * @module
 */

import type { Primitives } from "../../wire/crypto/primitives.ts";
import { readAddress, RECORD_LABEL, RECORD_PORT } from "../../wire/wgsig/record.ts";
import {
  compareLabels,
  type Label,
  LABEL_SIZE,
  NANOSECONDS_PER_SECOND,
  readNanoseconds,
  readSeconds,
  writeLabel,
} from "../../wire/wgsig/tai64n.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { CounterName, Counters } from "../net/counters.ts";
import { readIpv4 } from "../net/ip_address.ts";
import type { KeySet } from "../net/key_set.ts";
import type { NonceSource } from "../net/random.ts";
import { NONE } from "../net/none.ts";
import { verifyRequest } from "../../wire/wgsig/request.ts";
import { AnswerPages } from "./answer_pages.ts";
import { type GroupKeys, groupKeys } from "./group_keys.ts";
import type { ParsedRequest } from "./parsed_request.ts";
import { type DiskNeeds, PeerChanges } from "./peer_changes.ts";
import { PeerTable, type PeerTableOptions } from "./peer_table.ts";
import type { Now } from "../net/clock.ts";
import { UsedLabels } from "./used_labels.ts";

/** Settings of a group. */
export interface GroupOptions {
  /** GROUP, 0 to 0xffffffff. */
  readonly id: number;
  /**
   * The group's secrets, 32 bytes each: the one that it has, and while it changes the one before.
   * Whoever has one of them is heard, and answered with that. Not kept.
   */
  readonly secrets: readonly Uint8Array[];
  /** What the keys of the secrets are made with. */
  readonly primitives: Primitives;
  /** The peers that may take part; undefined lets every holder of the secret in (SC2). */
  readonly allowed: KeySet | undefined;
  /** A record that was not renewed for longer, in seconds, is discarded. */
  readonly maxAge: number;
  /** How far a label may be from the server's clock, in seconds. */
  readonly window: number;
}

/** What became of a peer's endpoint: it has one for the first time, or another than before. */
export type EndpointChange = "new" | "moved";

/** Where a WireGuard tunnel of this host sees a peer. */
export interface ObservedPeer {
  /** Its public key, 32 bytes. */
  readonly id: WireBuffer;
  /** IPv4 address as a number. */
  readonly address: number;
  /** UDP port. */
  readonly port: number;
  /** When the tunnel heard it. */
  readonly seen: Label;
}

/** Peers who share a secret. */
export class RegistryGroup {
  /** GROUP, 0 to 0xffffffff. */
  readonly id: number;
  /** Its peers. */
  readonly table: PeerTable;
  /** What is to go to the disk; undefined where nothing is kept over a restart. */
  changes: PeerChanges | undefined;
  /** What it is answered with. */
  readonly answers: AnswerPages;
  readonly #labels: UsedLabels;
  #secrets: readonly GroupKeys[];
  #allowed: KeySet | undefined;
  #maxAge: number;
  readonly #label = new WireBuffer(LABEL_SIZE);

  /**
   * Makes a group without peers.
   *
   * @throws {RangeError} If there is no secret or more than two, or one has another size.
   */
  constructor(options: GroupOptions, limits: PeerTableOptions, nonces: NonceSource) {
    this.id = options.id;
    this.table = new PeerTable(limits);
    this.#labels = new UsedLabels(this.table, limits.seed, options.window);
    this.#secrets = groupKeys(options.secrets, options.primitives);
    this.#allowed = options.allowed;
    this.#maxAge = options.maxAge;
    this.answers = new AnswerPages(options.id, this.table, this.#secrets, nonces);
  }

  /** What its secrets are used through, one or two: the first is the one that it has. */
  get secrets(): readonly GroupKeys[] {
    return this.#secrets;
  }

  /**
   * Takes over other secrets, allow-list and maximal age; the peers that are still allowed stay.
   *
   * @throws {RangeError} If there is no secret or more than two, or one has another size: nothing is
   *   changed then.
   */
  configure(options: GroupOptions, mono: number): void {
    this.#secrets = groupKeys(options.secrets, options.primitives);
    this.answers.setSecrets(this.#secrets);
    this.#allowed = options.allowed;
    this.#maxAge = options.maxAge;
    this.changes?.configure(options.maxAge);
    this.#labels.setWindow(options.window);
    for (let peer = this.table.oldest; peer !== NONE;) {
      const next = this.table.newerThan(peer);
      if (!this.allows(this.table.pages, this.table.recordAt(peer))) this.remove(peer, mono);
      peer = next;
    }
  }

  /** Notes from now on what is to go to the disk. */
  keepChanges(needs: DiskNeeds): void {
    this.changes = new PeerChanges(this.table, this.#maxAge, needs);
  }

  /**
   * Says that it is not known what labels were used before: for one window, a request whose label is
   * from before this moment changes no endpoint.
   *
   * @param mono The monotonic clock, in seconds.
   * @param former The group of the same number that there was before, where it is known.
   */
  distrustBefore(mono: number, former?: RegistryGroup): void {
    this.#labels.distrustBefore(mono, former === undefined ? undefined : former.#labels);
  }

  /**
   * Whether a request may be heard, but for its MAC (SC2 to SC4), and whose it is.
   *
   * @param window How far its label may be from the server's clock, in seconds.
   * @returns Why not, or undefined.
   */
  judge(request: ParsedRequest, now: Now, window: number): CounterName | undefined {
    const { table } = this;
    const { buffer, idAt, seconds, nanoseconds } = request;
    if (!this.allows(buffer, idAt)) return "drop-not-allowed";
    if (Number.isNaN(seconds) || nanoseconds >= NANOSECONDS_PER_SECOND) return "drop-bad-label";
    if (!(Math.abs(seconds - Math.floor(now.unix)) <= window)) return "drop-outside-window";
    const peer = table.find(buffer, idAt);
    request.peer = peer;
    return this.#labels.isReplay(peer, request, now) ? "drop-replayed" : undefined;
  }

  /**
   * Whether the request's MAC was made with one of the secrets (SC5), which `request.secret` is then.
   * Whoever encrypts does both with the same.
   */
  isAuthentic(request: ParsedRequest): boolean {
    const secrets = this.#secrets;
    const { buffer, at, isEncrypted } = request;
    if (isEncrypted) return verifyRequest(secrets[request.secret]!.mac, buffer, at);
    for (let secret = 0; secret < secrets.length; secret++) {
      request.secret = secret;
      if (verifyRequest(secrets[secret]!.mac, buffer, at)) return true;
    }
    return false;
  }

  /**
   * Takes over what a request says that was judged and is authentic. `request.peer` is then the peer
   * that it has in the table, if any.
   *
   * @returns What became of its endpoint, if anything.
   */
  accept(request: ParsedRequest, now: Now, counters: Counters): EndpointChange | undefined {
    const { table, changes } = this;
    const { buffer, idAt, seconds, nanoseconds } = request;
    const isNew = request.peer === NONE;
    let { keepsEndpoint } = request;
    if (!keepsEndpoint && this.#labels.isFromBefore(request, this.#aheadOf(request.peer), now)) {
      counters.add("before-start");
      keepsEndpoint = true;
    }
    if (isNew && !keepsEndpoint) {
      request.peer = this.admitPeer(buffer, idAt, now.mono, counters);
      if (request.peer === NONE) counters.add("no-room");
    }
    const { peer } = request;
    if (peer === NONE) {
      this.#labels.note(buffer, idAt, seconds, nanoseconds, now.mono);
      return undefined;
    }
    table.setHighestLabel(peer, seconds, nanoseconds);
    changes?.used(peer, seconds, nanoseconds, now);
    if (request.keepsLabel) return undefined;
    if (!isNew) table.touch(peer, now.mono);
    table.setLabel(peer, buffer, request.labelAt);
    counters.add(isNew ? "registered" : "updated");
    const moved = !keepsEndpoint &&
      this.setEndpoint(peer, readIpv4(request.sources, request.sourceAt), request.port);
    if (isNew || moved) changes?.changed(peer);
    else changes?.seen(peer, now.mono);
    return isNew ? "new" : moved ? "moved" : undefined;
  }

  /** Whether the peer ID at `at` is in the allow-list, or there is none (SC2). */
  allows(buffer: WireBuffer, at: number): boolean {
    return this.#allowed === undefined || this.#allowed.has(buffer, at);
  }

  /**
   * Adds the peer whose ID is at `at`. If the table is full, the peer that was silent longest makes
   * room, provided that its record is stale.
   *
   * @returns The peer, or NONE: a stranger does not push a fresh record out.
   */
  admitPeer(buffer: WireBuffer, at: number, mono: number, counters: Counters): number {
    const { table } = this;
    if (table.count >= table.maxPeers && this.#isStale(table.oldest, mono)) {
      this.remove(table.oldest, mono);
      counters.add("pushed-out");
    }
    return table.add(buffer, at, mono);
  }

  /**
   * Adds a peer of a saved state, whose peers come newest first. Of one that finds no place, the
   * highest label stays known.
   *
   * @param highest The highest label that it has used.
   * @returns The peer, or NONE.
   */
  restorePeer(
    buffer: WireBuffer,
    at: number,
    seenAt: number,
    highest: Label,
    mono: number,
  ): number {
    const { seconds, nanoseconds } = highest;
    const peer = this.table.addOldest(buffer, at, seenAt);
    if (peer === NONE) this.#labels.note(buffer, at, seconds, nanoseconds, mono);
    else this.table.setHighestLabel(peer, seconds, nanoseconds);
    return peer;
  }

  /**
   * Takes down where a WireGuard tunnel of this host sees a peer, unless the peer itself has said
   * so since. That the peer may use a label of its own that is older is not touched by it.
   *
   * @returns The peer, if it is new or its endpoint another, else NONE.
   */
  observe(
    { id, address, port, seen }: ObservedPeer,
    now: Now,
    counters: Counters,
  ): { peer: number; isNew: boolean } {
    const { table } = this;
    const age = Math.max(0, now.unix - seen.seconds);
    if (age > this.#maxAge) return { peer: NONE, isNew: false };
    const mono = now.mono - age;
    let peer = table.find(id, 0);
    const isNew = peer === NONE;
    if (isNew) {
      if (!this.allows(id, 0)) return { peer: NONE, isNew };
      peer = this.admitPeer(id, 0, mono, counters);
      if (peer === NONE) {
        counters.add("no-room");
        return { peer, isNew };
      }
      counters.add("registered");
    } else {
      const at = table.recordAt(peer) + RECORD_LABEL;
      const said = {
        seconds: readSeconds(table.pages, at),
        nanoseconds: readNanoseconds(table.pages, at),
      };
      if (compareLabels(seen, said) <= 0) return { peer: NONE, isNew };
      table.touch(peer, mono);
    }
    writeLabel(this.#label, 0, seen);
    table.setLabel(peer, this.#label, 0);
    const moved = this.setEndpoint(peer, address, port);
    if (isNew || moved) this.changes?.changed(peer);
    else this.changes?.seen(peer, mono);
    return { peer: isNew || moved ? peer : NONE, isNew };
  }

  /** Writes the endpoint of `peer`, and returns whether it is another than before. */
  setEndpoint(peer: number, address: number, port: number): boolean {
    const { table } = this;
    const at = table.recordAt(peer);
    if (
      readAddress(table.pages, at) === address &&
      table.pages.view.getUint16(at + RECORD_PORT) === port
    ) return false;
    table.setEndpoint(peer, address, port);
    return true;
  }

  /** Removes the records that were not renewed in time, and returns how many there were. */
  expire(mono: number): number {
    this.#labels.expire(mono);
    let removed = 0;
    while (this.#isStale(this.table.oldest, mono)) {
      this.remove(this.table.oldest, mono);
      removed++;
    }
    return removed;
  }

  /** Removes a peer. Its last label stays known, so that its requests can't be replayed. */
  remove(peer: number, mono: number): void {
    const { table } = this;
    this.#labels.note(
      table.pages,
      table.recordAt(peer),
      table.labelSeconds(peer),
      table.labelNanoseconds(peer),
      mono,
    );
    this.changes?.removed(table.pages, table.recordAt(peer), peer);
    table.remove(peer);
  }

  /** How far ahead a peer's clock was ever seen, as far as that is kept. */
  #aheadOf(peer: number): number {
    return peer === NONE ? 0 : this.changes?.aheadOf(peer) ?? 0;
  }

  #isStale(peer: number, mono: number): boolean {
    return peer !== NONE && mono - this.table.seenAt(peer) > this.#maxAge;
  }
}

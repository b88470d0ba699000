/**
 * One group of a registry: its secrets, its peers, its ready-made answers. It is a little longer than a
 * file should be because who is let in, and what that changes, are decided together.
 *
 * @module
 */

import type { ExchangeKey } from "../../wire/crypto/exchange_key.ts";
import type { Primitives } from "../../wire/crypto/primitives.ts";
import { RECORD_LABEL } from "../../wire/wgsig/record.ts";
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
import type { NonceSource, RandomSource } from "../net/random.ts";
import { NONE } from "../net/none.ts";
import { verifyRequest } from "../../wire/wgsig/request.ts";
import type { Roster } from "../roster/server/roster.ts";
import { AnswerPages } from "./answer_pages.ts";
import { type GroupKeys, groupKeys } from "./group_keys.ts";
import { Members } from "./members.ts";
import type { ParsedRequest } from "./parsed_request.ts";
import type { PeerChanges } from "./peer_changes.ts";
import type { PeerDirectory } from "./peer_directory.ts";
import type { PeerTable, PeerTableOptions } from "./peer_table.ts";
import { type QuestionKeys, questionKeysOf } from "./question_keys.ts";
import type { Now } from "../net/clock.ts";

/** Who is registered: any member, but where a key was proved only who proves it; or only who proves. */
export type ProofPolicy = "auto" | "required";

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
  /** The registry's key pair; without one, the group speaks the first protocol alone. */
  readonly serverKey?: ExchangeKey | undefined;
  /** Who is registered; `auto` if left out. */
  readonly proof?: ProofPolicy;
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
  readonly members: Members;
  /** What it is answered with. */
  readonly answers: AnswerPages;
  /** The peers that it knows by name, if there is a roster: they are allowed, unless refused. */
  roster: Roster | undefined;
  #secrets: readonly GroupKeys[];
  #questionKeys: readonly QuestionKeys[];
  readonly #primitives: Primitives;
  #allowed: KeySet | undefined;
  #proof: ProofPolicy;
  readonly #label = new WireBuffer(LABEL_SIZE);

  /**
   * Makes a group without peers.
   *
   * @throws {RangeError} If there is no secret or more than two, or one has another size.
   */
  constructor(options: GroupOptions, limits: PeerTableOptions, nonces: NonceSource) {
    const { id, primitives, allowed, proof = "auto" } = options;
    this.id = id;
    this.members = new Members(limits, options.maxAge, options.window);
    this.#secrets = groupKeys(options.secrets, primitives);
    this.#questionKeys = questionKeysOf(options, []);
    this.#primitives = primitives;
    this.#allowed = allowed;
    this.#proof = proof;
    this.answers = new AnswerPages(id, this.table, this.#secrets, nonces);
  }

  /** Those of its peers that were seen over IPv4. */
  get table(): PeerTable {
    return this.members.table;
  }

  /** What is to go to the disk; undefined where nothing is kept over a restart. */
  get changes(): PeerChanges | undefined {
    return this.members.changes;
  }

  /** What its secrets are used through, one or two: the first is the one that it has. */
  get secrets(): readonly GroupKeys[] {
    return this.#secrets;
  }

  /** What opens and answers questions of wgsig 2, by secret; none where that isn't spoken. */
  get questionKeys(): readonly QuestionKeys[] {
    return this.#questionKeys;
  }

  /** Whether only who proves its key is registered. */
  get isProofRequired(): boolean {
    return this.#proof === "required";
  }

  /**
   * Its peers as wgsig 2 tells of them.
   *
   * @param random Draws what a new one needs.
   * @param mono The monotonic clock, in seconds.
   */
  openDirectory(random: RandomSource, mono: number): PeerDirectory {
    return this.members.openDirectory(random, this.#primitives, mono);
  }

  /**
   * Takes over new settings; the peers that are still allowed stay.
   *
   * @throws {RangeError} If there is no secret or more than two, or one has another size: nothing is
   *   changed then.
   */
  configure(options: GroupOptions, mono: number): void {
    const { members } = this;
    this.#secrets = groupKeys(options.secrets, options.primitives);
    this.answers.setSecrets(this.#secrets);
    this.#questionKeys = questionKeysOf(options, this.#questionKeys);
    members.directory?.proofs.retain(this.#questionKeys);
    this.#allowed = options.allowed;
    this.#proof = options.proof ?? "auto";
    members.configure(options.maxAge, options.window);
    this.keepAllowed(mono);
  }

  /** Removes the peers that may not stay: who is not allowed, or had to prove its key. */
  keepAllowed(mono: number): void {
    const { members, roster } = this;
    const areAllAllowed = this.#allowed === undefined && !this.isProofRequired;
    // Of all of them, those whose keys are refused are few.
    if (areAllAllowed) members.removeKeys(roster?.revokedKeys ?? [], mono);
    else members.keep((ids, at, isProved) => this.#mayStay(ids, at, isProved), mono);
  }

  /**
   * Says that it is not known what labels were used before: for one window, a request whose label is
   * from before this moment changes no endpoint.
   *
   * @param mono The monotonic clock, in seconds.
   * @param former The group of the same number that there was before, where it is known.
   */
  distrustBefore(mono: number, former?: RegistryGroup): void {
    this.members.labels.distrustBefore(mono, former?.members.labels);
  }

  /**
   * Whether a request may be heard, but for its MAC (SC2 to SC4), and whose it is.
   *
   * @param window How far its label may be from the server's clock, in seconds.
   * @returns Why not, or undefined.
   */
  judge(request: ParsedRequest, now: Now, window: number): CounterName | undefined {
    const { buffer, idAt, seconds, nanoseconds } = request;
    if (!this.allows(buffer, idAt)) return "drop-not-allowed";
    if (Number.isNaN(seconds) || nanoseconds >= NANOSECONDS_PER_SECOND) return "drop-bad-label";
    if (!(Math.abs(seconds - Math.floor(now.unix)) <= window)) return "drop-outside-window";
    const peer = this.table.find(buffer, idAt);
    request.peer = peer;
    return this.members.labels.isReplay(peer, request, now) ? "drop-replayed" : undefined;
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
    const { table, changes, members } = this;
    const { labels } = members;
    const { buffer, idAt, seconds, nanoseconds } = request;
    const isNew = request.peer === NONE;
    let { keepsEndpoint, keepsLabel } = request;
    if (!keepsLabel && this.isKept(members.isProved(request.peer, buffer, idAt), counters)) {
      keepsEndpoint = keepsLabel = true;
    }
    if (!keepsEndpoint && labels.isFromBefore(request, this.#aheadOf(request.peer), now)) {
      counters.add("before-start");
      keepsEndpoint = true;
    }
    if (isNew && !keepsEndpoint) {
      request.peer = members.admitRow(buffer, idAt, now.mono, counters);
      if (request.peer === NONE) counters.add("no-room");
    }
    const { peer } = request;
    if (peer === NONE) {
      labels.note(buffer, idAt, seconds, nanoseconds, now.mono);
      return undefined;
    }
    table.setHighestLabel(peer, seconds, nanoseconds);
    changes?.used(peer, seconds, nanoseconds, now);
    if (keepsLabel) return undefined;
    if (!isNew) members.heard(peer, now.mono);
    counters.add(isNew ? "registered" : "updated");
    const { sharing } = members;
    const address = readIpv4(request.sources, request.sourceAt);
    // Its label goes on all the same: whoever asks takes an older one for an answer that is played back.
    table.setLabel(peer, buffer, request.labelAt);
    const isKept = !isNew && !keepsEndpoint &&
      sharing?.keepsRow(peer, address, request.port, now.mono) === true;
    const moved = !keepsEndpoint && !isKept && members.setEndpoint(peer, address, request.port);
    if (moved && !isNew) members.moved(peer);
    if (isNew || moved) changes?.changed(peer);
    else changes?.seen(peer, now.mono);
    if (isNew || moved) sharing?.rowChanged(peer);
    else if (!isKept) sharing?.rowSeen(peer, !keepsEndpoint, now.mono);
    return isNew ? "new" : moved ? "moved" : undefined;
  }

  /** Whether the peer ID at `at` is in the allow-list or the roster, or there is no list (SC2). */
  allows(buffer: WireBuffer, at: number): boolean {
    const { roster } = this;
    if (roster?.isRevoked(buffer, at) === true) return false;
    return this.#allowed === undefined || this.#allowed.has(buffer, at) ||
      roster?.has(buffer, at) === true;
  }

  /**
   * Whether what is not proved leaves a record as it is.
   *
   * @param isProved Whether its peer has proved its key.
   */
  isKept(isProved: boolean, counters: Counters): boolean {
    if (isProved) counters.add("kept-proved");
    else if (this.isProofRequired) counters.add("proof-required");
    return isProved || this.isProofRequired;
  }

  /**
   * Adds a peer of a saved state, whose peers come newest first. Of one that finds no place, the
   * highest label stays known.
   *
   * @param highest The highest label that it has used.
   * @param known Its number in the directory, or NONE where that hasn't it.
   * @returns Its row, or NONE.
   */
  restorePeer(
    buffer: WireBuffer,
    at: number,
    seenAt: number,
    highest: Label,
    known: number,
    mono: number,
  ): number {
    const { seconds, nanoseconds } = highest;
    const peer = this.members.restoreRow(buffer, at, seenAt, known);
    if (peer === NONE) this.members.labels.note(buffer, at, seconds, nanoseconds, mono);
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
    const { table, members } = this;
    const age = Math.max(0, now.unix - seen.seconds);
    if (age > members.maxAge) return { peer: NONE, isNew: false };
    const mono = now.mono - age;
    let peer = table.find(id, 0);
    const isNew = peer === NONE;
    if (isNew) {
      if (!this.allows(id, 0)) return { peer: NONE, isNew };
      peer = members.admitRow(id, 0, mono, counters);
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
      members.heard(peer, mono);
    }
    writeLabel(this.#label, 0, seen);
    table.setLabel(peer, this.#label, 0);
    const moved = members.setEndpoint(peer, address, port);
    if (moved && !isNew) members.moved(peer);
    if (isNew || moved) this.changes?.changed(peer);
    else this.changes?.seen(peer, mono);
    members.sharing?.rowObserved(peer);
    return { peer: isNew || moved ? peer : NONE, isNew };
  }

  /** Removes the records that were not renewed in time, so many at most, and returns how many. */
  expire(mono: number, most: number): number {
    return this.members.expire(mono, most);
  }

  /** How far ahead a peer's clock was ever seen, as far as that is kept. */
  #aheadOf(peer: number): number {
    return peer === NONE ? 0 : this.changes?.aheadOf(peer) ?? 0;
  }

  #mayStay(ids: WireBuffer, at: number, isProved: boolean): boolean {
    return this.allows(ids, at) && (isProved || !this.isProofRequired);
  }
}

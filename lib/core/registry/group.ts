/**
 * One group of a registry: its secret, its peers, its ready-made answers.
 *
 * @module
 */

import type { CipherKey } from "../../wire/crypto/cipher_key.ts";
import { ENVELOPE_SIZE, envelopeKey, sealEnvelope } from "../../wire/wgsig/envelope.ts";
import { MacKey } from "../../wire/crypto/mac.ts";
import type { Primitives } from "../../wire/crypto/primitives.ts";
import { readAddress, RECORD_LABEL, RECORD_PORT } from "../../wire/wgsig/record.ts";
import {
  authenticateResponse,
  RESPONSE_SIZE,
  type ResponseTrailer,
} from "../../wire/wgsig/response.ts";
import {
  compareLabels,
  type Label,
  LABEL_SIZE,
  readNanoseconds,
  readSeconds,
  writeLabel,
} from "../../wire/wgsig/tai64n.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { Counters } from "../net/counters.ts";
import type { ReplyBatch } from "../net/datagram_batch.ts";
import type { KeySet } from "../net/key_set.ts";
import type { NonceSource } from "../net/random.ts";
import { NONE } from "../net/none.ts";
import { PeerTable, type PeerTableOptions } from "./peer_table.ts";
import type { Now } from "../net/clock.ts";
import { ReplayFilter } from "./replay_filter.ts";

/** Datagrams from which on an answer may be too long for a buffer on the way. */
const LONG_ANSWER = 64;
const SEALED_SIZE = ENVELOPE_SIZE + RESPONSE_SIZE;

/** Settings of a group. */
export interface GroupOptions {
  /** GROUP, 0 to 0xffffffff. */
  readonly id: number;
  /** The group secret, 32 bytes. Not kept. */
  readonly secret: Uint8Array;
  /** What the keys of the secret are made with. */
  readonly primitives: Primitives;
  /** The peers that may take part; undefined lets every holder of the secret in (SC2). */
  readonly allowed: KeySet | undefined;
  /** A record that was not renewed for longer, in seconds, is discarded. */
  readonly maxAge: number;
  /** How far a label may be from the server's clock, in seconds. */
  readonly window: number;
}

/** Peers who share a secret. */
export class RegistryGroup {
  /** GROUP, 0 to 0xffffffff. */
  readonly id: number;
  /** Its peers. */
  readonly table: PeerTable;
  /** Labels used by who is not in the table. */
  readonly replays: ReplayFilter;
  /** Whether something changed since the caller set it to false: there is something to save. */
  changed: boolean = false;
  #macKey: MacKey;
  #cipherKey: CipherKey;
  #allowed: KeySet | undefined;
  #maxAge: number;
  readonly #nonces: NonceSource;
  readonly #trailer: ResponseTrailer;
  readonly #label = new WireBuffer(LABEL_SIZE);
  /** Where the last long answer began. */
  #turn = 0;
  /** The number of datagrams that the sealed answers speak of. */
  #authenticatedCount = 0;
  /** Encrypted answers, made when first asked for. */
  #encrypted: WireBuffer | undefined;
  /** Per datagram: not 0 where the encrypted form is older than the plain one. */
  #stale = new Uint8Array(0);

  /** Makes a group without peers. */
  constructor(options: GroupOptions, limits: PeerTableOptions, nonces: NonceSource) {
    this.id = options.id;
    this.table = new PeerTable(limits);
    this.replays = new ReplayFilter(limits.seed, options.window);
    this.#macKey = new MacKey(options.secret, options.primitives);
    this.#cipherKey = envelopeKey(options.secret, options.primitives);
    this.#allowed = options.allowed;
    this.#maxAge = options.maxAge;
    this.#nonces = nonces;
    this.#trailer = { extensions: 0, others: 0, group: options.id };
  }

  /** Makes and checks the MACs of this group. */
  get macKey(): MacKey {
    return this.#macKey;
  }

  /** Opens and seals the envelopes of this group. */
  get cipherKey(): CipherKey {
    return this.#cipherKey;
  }

  /** Takes over a new secret, allow-list and maximal age; the peers that are still allowed stay. */
  configure(options: GroupOptions, mono: number): void {
    this.#macKey = new MacKey(options.secret, options.primitives);
    this.#cipherKey = envelopeKey(options.secret, options.primitives);
    this.#allowed = options.allowed;
    this.#maxAge = options.maxAge;
    this.replays.setWindow(options.window);
    this.#authenticatedCount = 0;
    for (let peer = this.table.oldest; peer !== NONE;) {
      const next = this.table.newerThan(peer);
      if (!this.allows(this.table.pages, this.table.recordAt(peer))) this.remove(peer, mono);
      peer = next;
    }
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
    if (peer === NONE) this.replays.note(buffer, at, seconds, nanoseconds, mono);
    else this.table.setHighestLabel(peer, seconds, nanoseconds);
    return peer;
  }

  /**
   * Takes down where a WireGuard tunnel of this host sees a peer, unless the peer itself has said
   * so since. That the peer may use a label of its own that is older is not touched by it.
   *
   * @param seen When the tunnel's last handshake was.
   * @returns The peer, if it is new or its endpoint another, else NONE.
   */
  observe(
    id: WireBuffer,
    address: number,
    port: number,
    seen: Label,
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
    this.changed = true;
    const moved = this.setEndpoint(peer, address, port);
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
    this.replays.note(
      table.pages,
      table.recordAt(peer),
      table.labelSeconds(peer),
      table.labelNanoseconds(peer),
      mono,
    );
    table.remove(peer);
    this.changed = true;
  }

  /** Answers datagram `to` of the batch with all datagrams of the group. */
  addPlainReply(to: number, replies: ReplyBatch): void {
    this.#authenticate();
    const { table } = this;
    this.#addRuns(to, replies, table.pages.bytes, RESPONSE_SIZE, table.pageCount);
  }

  /**
   * The same, encrypted. One datagram's ciphertext may go to several clients: it is the same
   * plaintext under the same nonce. A datagram that changed gets a new nonce.
   */
  addEncryptedReply(to: number, replies: ReplyBatch): void {
    this.#authenticate();
    const { table } = this;
    const count = table.pageCount;
    if (this.#encrypted === undefined || this.#encrypted.size < count * SEALED_SIZE) {
      const room = Math.min(table.dirty.length, 2 * count);
      this.#encrypted = new WireBuffer(room * SEALED_SIZE);
      this.#stale = new Uint8Array(room).fill(1);
    }
    const encrypted = this.#encrypted;
    for (let page = 0; page < count; page++) {
      if (this.#stale[page] === 0) continue;
      this.#stale[page] = 0;
      sealEnvelope(
        this.#cipherKey,
        this.id,
        this.#nonces.buffer,
        this.#nonces.next(),
        table.pages,
        page * RESPONSE_SIZE,
        RESPONSE_SIZE,
        encrypted,
        page * SEALED_SIZE,
      );
    }
    this.#addRuns(to, replies, encrypted.bytes, SEALED_SIZE, count);
  }

  /**
   * The first datagram comes first. In a long answer, which of the others come last, and are lost
   * where a buffer on the way is too small for all, is another each time: who asks again gets them.
   */
  #addRuns(to: number, replies: ReplyBatch, buffer: Uint8Array, size: number, count: number): void {
    if (count < LONG_ANSWER) return replies.add(to, buffer, 0, size, count);
    this.#turn = (this.#turn + Math.ceil(count / 3)) % (count - 1);
    const from = 1 + this.#turn;
    replies.add(to, buffer, 0, size, 1);
    replies.add(to, buffer, from * size, size, count - from);
    if (from > 1) replies.add(to, buffer, size, size, from - 1);
  }

  /** Brings trailers and MACs of the datagrams that changed up to date. */
  #authenticate(): void {
    const { table } = this;
    const count = table.pageCount;
    if (count !== this.#authenticatedCount) {
      table.dirty.fill(1);
      this.#trailer.others = count - 1;
      this.#authenticatedCount = count;
    }
    for (let page = 0; page < count; page++) {
      if (table.dirty[page] === 0) continue;
      table.dirty[page] = 0;
      if (page < this.#stale.length) this.#stale[page] = 1;
      authenticateResponse(this.#trailer, this.#macKey, table.pages, page * RESPONSE_SIZE);
    }
  }

  #isStale(peer: number, mono: number): boolean {
    return peer !== NONE && mono - this.table.seenAt(peer) > this.#maxAge;
  }
}

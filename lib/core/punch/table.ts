/**
 * The server of WireGuard's nat-hole-punching example: it notes from where each key is seen, and
 * says where another was.
 *
 * Nobody authenticates: anyone can claim any key, so an answer is a hint and no more. WireGuard does
 * not care, as it talks to the right key or to none. What is learned here is kept apart from what
 * peers have proved, and never comes before it. Answers are shorter than questions, so a forged
 * source is sent less than was sent in its name.
 *
 * @module
 */

import { readAddress, RECORD_PORT } from "../../wire/wgsig/record.ts";
import {
  encodePunchReply,
  PUNCH_MY_KEY,
  PUNCH_REPLY_SIZE,
  PUNCH_REQUEST_SIZE,
  PUNCH_THEIR_KEY,
} from "../../wire/punch/message.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import {
  BATCH_SIZE,
  type DatagramBatch,
  type ReplyBatch,
  SLOT_SIZE,
} from "../net/datagram_batch.ts";
import { isIpv4, readIpv4 } from "../net/ip_address.ts";
import { NONE } from "../net/none.ts";
import { PeerTable } from "../registry/peer_table.ts";
import type { Now } from "../net/clock.ts";

/** The most keys that are remembered. */
export const MAX_PUNCH_KEYS = 10_000;
/** How long a key is remembered, in seconds: about as long as a NAT remembers its mapping. */
export const PUNCH_MAX_AGE = 180;

/** Where peers are that have proved who they are: they come first. It must allocate nothing. */
export interface ProvenEndpoints {
  /**
   * Looks for the key at `at`, and leaves its endpoint in {@linkcode address} and
   * {@linkcode port}.
   *
   * @returns Whether it is known, and its endpoint as well.
   */
  find(buffer: WireBuffer, at: number): boolean;
  /** The IPv4 address, as a number, that was last found. */
  readonly address: number;
  /** The UDP port that was last found, not 0. */
  readonly port: number;
}

/** What happened to the datagrams so far. */
export interface PunchCounters {
  /** All. */
  received: number;
  /** Answered with an endpoint. */
  answered: number;
  /** Answered with nothing, because the key was not known. */
  unknown: number;
  /** Not a request. */
  dropped: number;
  /** Forgotten for a newer one, because there were too many. */
  pushedOut: number;
}

/** Keys that somebody claimed, with where they were seen. */
export class PunchTable {
  /** What happened so far. */
  readonly counters: PunchCounters = {
    received: 0,
    answered: 0,
    unknown: 0,
    dropped: 0,
    pushedOut: 0,
  };
  readonly #proven: ProvenEndpoints;
  readonly #table: PeerTable;
  readonly #replies = new WireBuffer(BATCH_SIZE * PUNCH_REPLY_SIZE);

  /**
   * Makes an empty table.
   *
   * @param seed Random, so that nobody can choose keys that collide.
   * @param maxKeys The most that it remembers; then the one seen longest ago gives way.
   */
  constructor(proven: ProvenEndpoints, seed: number, maxKeys: number = MAX_PUNCH_KEYS) {
    this.#proven = proven;
    this.#table = new PeerTable({ maxPeers: maxKeys, maxAnswer: 1, seed });
  }

  /** How many keys are remembered. */
  get count(): number {
    return this.#table.count;
  }

  /** Forgets what was not seen for three minutes. */
  expire(now: Now): void {
    const table = this.#table;
    while (table.oldest !== NONE && now.mono - table.seenAt(table.oldest) > PUNCH_MAX_AGE) {
      table.remove(table.oldest);
    }
  }

  /**
   * Takes a batch of datagrams in, and fills `replies` with what is to be sent for them. An answer
   * of no bytes is one: the client waits for it.
   */
  answer(batch: DatagramBatch, now: Now, replies: ReplyBatch): void {
    replies.count = 0;
    this.counters.received += batch.count;
    this.expire(now);
    for (let i = 0; i < batch.count; i++) {
      if (batch.lengths[i] !== PUNCH_REQUEST_SIZE || batch.sourcePort(i) === 0) {
        this.counters.dropped++;
        continue;
      }
      this.#note(batch, i, now.mono);
      const at = i * PUNCH_REPLY_SIZE;
      const isKnown = this.#find(batch.payloads, i * SLOT_SIZE + PUNCH_THEIR_KEY, at);
      if (isKnown) this.counters.answered++;
      else this.counters.unknown++;
      replies.add(i, this.#replies.bytes, at, isKnown ? PUNCH_REPLY_SIZE : 0, 1);
    }
  }

  /** Notes the sender of datagram `i`, unless it is known better, or an answer can't name it. */
  #note(batch: DatagramBatch, i: number, mono: number): void {
    const table = this.#table;
    const { payloads, sources } = batch;
    const at = i * SLOT_SIZE + PUNCH_MY_KEY;
    const sourceAt = batch.sourceAt(i);
    if (!isIpv4(sources, sourceAt) || this.#proven.find(payloads, at)) return;
    let peer = table.find(payloads, at);
    if (peer !== NONE) {
      table.touch(peer, mono);
    } else {
      if (table.count === table.maxPeers) {
        table.remove(table.oldest);
        this.counters.pushedOut++;
      }
      peer = table.add(payloads, at, mono);
    }
    table.setEndpoint(peer, readIpv4(sources, sourceAt), batch.sourcePort(i));
  }

  /** Writes where the key at `at` is as the reply at `replyAt`. Returns whether it is known. */
  #find(key: WireBuffer, at: number, replyAt: number): boolean {
    if (this.#proven.find(key, at)) {
      encodePunchReply(this.#proven.address, this.#proven.port, this.#replies, replyAt);
      return true;
    }
    const table = this.#table;
    const peer = table.find(key, at);
    if (peer === NONE) return false;
    const { pages } = table;
    const recordAt = table.recordAt(peer);
    const port = pages.view.getUint16(recordAt + RECORD_PORT);
    encodePunchReply(readAddress(pages, recordAt), port, this.#replies, replyAt);
    return true;
  }
}

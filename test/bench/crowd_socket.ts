/**
 * A socket of a crowd: many of its peers ask through it, and what comes is told to be whose by what was
 * asked, in the order in which it was asked.
 *
 * @module
 */

import { bunLibc } from "../../lib/host/linux/libc_bun.ts";
import { AF_INET, socketAddress } from "../../lib/host/linux/socket_address.ts";
import { growBuffers } from "../../lib/host/linux/socket_options.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { LONG_NONCE_SIZE } from "../../lib/wire/crypto/aead_key.ts";
import { RESPONSE_SIZE } from "../../lib/wire/wgsig/response.ts";
import { MAX_DATAGRAM_SIZE } from "../../lib/wire/wgsig2/datagram.ts";
import type { CrowdPeers, CrowdPlace, Heard } from "./crowd_peers.ts";

const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;
/** Questions that can be under way, a power of two: an answer doesn't say whose it is, so all are tried. */
const ROOM = 32;
/** What was asked longer ago, in milliseconds, is lost. */
const LOST = 2000;
const LOOPBACK = "127.0.0.1";

const libc = bunLibc();
const datagram = new WireBuffer(2048);

/** Of a question that was answered, or of something that wasn't asked for. */
export interface CrowdNews {
  heard: Heard | "first" | "stranger";
  peer: number;
  /** Milliseconds that it took. */
  took: number;
}

/** One socket, to one registry. */
export class CrowdSocket implements CrowdPlace {
  readonly cookie: WireBuffer = new WireBuffer(16);
  hasCookie = false;
  lost = 0;
  readonly registry: number;
  /** What was heard last. */
  readonly news: CrowdNews = { heard: undefined, peer: 0, took: 0 };
  /** Bytes both ways. */
  bytes = 0;
  readonly out: WireBuffer = new WireBuffer(MAX_DATAGRAM_SIZE);
  readonly nonces: WireBuffer = new WireBuffer(ROOM * LONG_NONCE_SIZE);
  readonly #fd: number;
  // By place of the ring.
  readonly #peers = new Int32Array(ROOM);
  /** 0 where it was answered, else when it was asked. */
  readonly #askedAt = new Float64Array(ROOM);
  readonly #isFirst = new Uint8Array(ROOM);
  #head = 0;
  #tail = 0;
  /** Size of what was received last. */
  #length = 0;

  /** @param own Its address; any where undefined. @param to ADDRESS:PORT. */
  constructor(registry: number, own: string | undefined, to: string) {
    this.registry = registry;
    const [host = LOOPBACK, port] = to.split(":");
    this.#fd = libc.socket(AF_INET, SOCK_DGRAM, 0);
    growBuffers(libc, this.#fd);
    if (own !== undefined) {
      const address = socketAddress(own, 0);
      if (libc.bind(this.#fd, address, address.length) < 0) throw new Error(`no socket on ${own}`);
    }
    const server = socketAddress(host, Number(port));
    if (libc.connect(this.#fd, server, server.length) < 0) throw new Error(`no socket to ${to}`);
  }

  /** Whether another question can be asked. */
  get hasRoom(): boolean {
    this.forget();
    return this.#tail - this.#head < ROOM;
  }

  /** Where the next question's nonce goes. */
  get nonceAt(): number {
    return (this.#tail & (ROOM - 1)) * LONG_NONCE_SIZE;
  }

  /** Sends what stands in {@linkcode out} as the question of a peer; there must be room. */
  send(peer: number, size: number, isFirst: boolean): void {
    const place = this.#tail++ & (ROOM - 1);
    this.#peers[place] = peer;
    this.#askedAt[place] = performance.now();
    this.#isFirst[place] = Number(isFirst);
    this.bytes += size;
    libc.send(this.#fd, this.out.bytes, size, 0);
  }

  /** Takes the next datagram in. Returns whether there was one; {@linkcode news} says what it is. */
  receive(peers: CrowdPeers): boolean {
    const length = libc.recv(this.#fd, datagram.bytes, datagram.size, MSG_DONTWAIT);
    if (length < 0) return false;
    this.#length = length;
    this.bytes += length;
    const { news } = this;
    for (let i = this.#head; i < this.#tail; i++) {
      const place = i & (ROOM - 1);
      const askedAt = this.#askedAt[place]!;
      if (askedAt === 0) continue;
      const isFirst = this.#isFirst[place] !== 0;
      news.peer = this.#peers[place]!;
      if (isFirst) news.heard = length === RESPONSE_SIZE ? "first" : undefined;
      else {
        const at = place * LONG_NONCE_SIZE;
        news.heard = peers.hear(news.peer, this, datagram, length, this.nonces, at);
      }
      if (news.heard === undefined) continue;
      news.took = performance.now() - askedAt;
      this.#askedAt[place] = 0;
      this.#skip();
      return true;
    }
    news.heard = "stranger";
    return true;
  }

  /** Whether what was received last is a push to this peer, that belongs to a question with that nonce. */
  hearPush(peers: CrowdPeers, peer: number, nonce: WireBuffer): boolean {
    return peers.hear(peer, this, datagram, this.#length, nonce, 0) === "push";
  }

  /** Gives up what was asked too long ago. */
  forget(): void {
    const now = performance.now();
    while (this.#head < this.#tail) {
      const place = this.#head & (ROOM - 1);
      const askedAt = this.#askedAt[place]!;
      if (askedAt !== 0 && now - askedAt < LOST) return;
      if (askedAt !== 0) this.lost++;
      this.#askedAt[place] = 0;
      this.#head++;
    }
  }

  #skip(): void {
    while (this.#head < this.#tail && this.#askedAt[this.#head & (ROOM - 1)] === 0) this.#head++;
  }
}

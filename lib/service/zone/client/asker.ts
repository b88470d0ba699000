/**
 * Asks a zone for WireGuard peers, once: at one server, over UDP, and over TCP what doesn't fit.
 *
 * @module
 */

import { type DatagramBatch, SLOT_SIZE } from "../../../core/net/datagram_batch.ts";
import type { HostPort } from "../../../core/net/host_port.ts";
import { ADDRESS_SIZE, parseAddress } from "../../../core/net/ip_address.ts";
import type { DueQuestion, Transport } from "../../../core/dns/question_queue.ts";
import {
  ZoneExchange,
  type ZonePeer,
  type ZoneReceipt,
  type ZoneStatus,
} from "../../../core/zone/client/exchange.ts";
import type { TsigFault } from "../../../core/zone/client/tsig_dialog.ts";
import type { Udp, UdpSocket } from "../../../host/udp.ts";
import type { TcpConnecting } from "../../../host/tcp.ts";
import { errorCode } from "../../../host/error.ts";
import type { Clock } from "../../../host/clock.ts";
import type { Random } from "../../../host/random.ts";
import { equalBytes, WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import type { TsigKey } from "../../../wire/dns/tsig.ts";
import { Stream } from "./stream.ts";

/** What to ask, and whom. */
export interface ZoneQuery {
  /** IP addresses of one server, at least one; each attempt goes to the next. */
  readonly servers: readonly HostPort[];
  /** The zone's name. */
  readonly zone: string;
  /** The public keys of the peers that are wanted, in base64; all peers where this is left out. */
  readonly keys?: readonly string[] | undefined;
  /** Whether AllowedIPs and the time when a peer was seen are asked for, too. */
  readonly wantsTxt: boolean;
  /** Questions are signed with it, and only answers that are as well are taken. */
  readonly tsigKey?: TsigKey | undefined;
  /** By how many seconds the server's clock is known to be ahead; 0 where this is left out. */
  readonly clockAhead?: number | undefined;
  /** In seconds. */
  readonly timeout: number;
}

/** Why a message was not taken. */
export type ZoneDrop =
  | Exclude<ZoneReceipt, "accepted">
  /** It came from somewhere that was not asked. */
  | "drop-stranger"
  /** It is longer than a datagram may be that was asked for. */
  | "drop-too-long";

/** What a zone said. */
export interface ZoneAnswer {
  readonly status: ZoneStatus;
  /** The peers whose endpoint is known, in the order in which they were named. */
  readonly peers: readonly ZonePeer[];
  /** Records that were published and are of no use. */
  readonly skipped: number;
  /** How many peers the zone names without saying where they are. */
  readonly unlocated: number;
  /** The address that answered last. */
  readonly server: HostPort | undefined;
  /** How many messages were not taken, by reason. */
  readonly dropped: ReadonlyMap<ZoneDrop, number>;
  /** Why answers were dropped where questions are signed; undefined where none was. */
  readonly tsigFault: TsigFault | undefined;
  /** The RCODE where the status is `refused`: 0 where the server points to others. */
  readonly refusal: number | undefined;
  /** By how many seconds the server's clock is ahead, where it has refused the time of this host. */
  readonly clockAhead: number;
  /** What the system said last of a socket (`ECONNREFUSED`, …), if anything. */
  readonly error: string | undefined;
}

/** After so many times that nobody listens there, and no word, it isn't asked again. */
const MAX_REFUSED = 3;

/**
 * Asks a zone, for `timeout` seconds at the most. What goes wrong on the way is told in the answer.
 *
 * @throws {RangeError} If the zone's name or a key can't be asked for.
 * @throws What the host says where it has no socket for any of the server's addresses.
 */
export async function askZone(
  host: Clock & Random & Udp & TcpConnecting,
  query: ZoneQuery,
): Promise<ZoneAnswer> {
  const asker = new ZoneAsker(host, query);
  try {
    await asker.open();
    await asker.ask();
    return asker.answer();
  } finally {
    await asker.close();
  }
}

/** An address of the server. */
interface Address {
  readonly to: HostPort;
  /** The same as 16 bytes. */
  readonly binary: WireBuffer;
  /** Whether something was sent there. */
  isAsked: boolean;
}

class ZoneAsker {
  readonly #host: Clock & Random & Udp & TcpConnecting;
  readonly #exchange: ZoneExchange;
  readonly #addresses: Address[];
  readonly #dropped = new Map<ZoneDrop, number>();
  readonly #endsAt: number;
  #ipv4: UdpSocket | undefined;
  #ipv6: UdpSocket | undefined;
  #stream: Stream | undefined;
  #server: HostPort | undefined;
  #error: string | undefined;
  #refused = 0;
  #cancelEnd: () => void = () => {};
  #cancelNext: () => void = () => {};
  #nextAt = Infinity;
  #done: (() => void) | undefined;

  constructor(host: Clock & Random & Udp & TcpConnecting, query: ZoneQuery) {
    this.#host = host;
    const { unix, mono } = host.now();
    const { tsigKey: key, clockAhead, timeout } = query;
    this.#exchange = new ZoneExchange({
      ...query,
      tsig: key && { key, epoch: unix - mono, clockAhead },
      addresses: query.servers.length,
      random: (bytes) => host.random(bytes),
    });
    this.#endsAt = mono + timeout;
    this.#addresses = query.servers.map((to) => {
      const binary = new WireBuffer(ADDRESS_SIZE);
      if (!parseAddress(to.host, binary, 0)) throw new RangeError(`"${to.host}" is no IP address`);
      return { to, binary, isAsked: false };
    });
  }

  /** Opens the sockets that the addresses need; those that can't be had are done without. */
  async open(): Promise<void> {
    const wants = (ipv6: boolean) => this.#addresses.some(({ to }) => isIpv6(to) === ipv6);
    if (wants(false)) this.#ipv4 = await this.#bind("0.0.0.0", wants(true));
    if (wants(true)) this.#ipv6 = await this.#bind("::", this.#ipv4 !== undefined);
    const usable = this.#addresses.filter(({ to }) => this.#socketTo(to) !== undefined);
    this.#addresses.splice(0, this.#addresses.length, ...usable);
  }

  async #bind(address: string, isOptional: boolean): Promise<UdpSocket | undefined> {
    try {
      return await this.#host.udp({
        address,
        port: 0,
        onBatch: (batch) => this.#receiveBatch(batch),
        onSendError: (code) => this.#noteError(code),
      });
    } catch (error) {
      this.#error = errorCode(error);
      if (isOptional) return undefined;
      throw error;
    }
  }

  #socketTo(to: HostPort): UdpSocket | undefined {
    return isIpv6(to) ? this.#ipv6 : this.#ipv4;
  }

  /** Asks until all is known or the time is over. */
  ask(): Promise<void> {
    return new Promise((done) => {
      this.#done = done;
      const left = Math.max(this.#endsAt - this.#host.now().mono, 0);
      this.#cancelEnd = this.#host.after(left, done);
      this.#proceed();
    });
  }

  /** Sends what is due, sets the clock for what comes next, and ends when there is nothing more. */
  #proceed(): void {
    if (this.#done === undefined) return;
    const now = this.#host.now().mono;
    for (const question of this.#exchange.due(now)) this.#send(question);
    if (this.#exchange.isComplete || this.#addresses.length === 0) return this.#done();
    const { nextAt } = this.#exchange;
    // A timer that comes too early only looks again: it isn't set anew for every answer.
    if (nextAt === Infinity || this.#nextAt <= nextAt) return;
    this.#cancelNext();
    this.#nextAt = nextAt;
    this.#cancelNext = this.#host.after(Math.max(nextAt - now, 0), () => {
      this.#nextAt = Infinity;
      this.#proceed();
    });
  }

  #send({ bytes, transport, attempt }: DueQuestion): void {
    if (transport === "tcp") return this.#openStream().send(bytes);
    const address = this.#addresses[attempt % this.#addresses.length];
    if (address === undefined) return;
    address.isAsked = true;
    this.#socketTo(address.to)?.send(bytes, address.to);
  }

  /** The connection, to the address that answered last: it said that its answer needs one. */
  #openStream(): Stream {
    const to = this.#server ?? this.#addresses[0]!.to;
    this.#stream ??= new Stream(this.#host, to, this.#endsAt, {
      receive: (message) => this.#receive(message, "tcp", to),
      isWaiting: () => this.#exchange.needsTcp,
      lost: (code) => {
        this.#stream = undefined;
        this.#error = code ?? this.#error;
        this.#exchange.loseConnection(this.#host.now().mono);
        this.#proceed();
      },
      proceed: () => this.#proceed(),
      finished: () => this.#stream = undefined,
    });
    return this.#stream;
  }

  #receiveBatch(batch: DatagramBatch): void {
    for (let i = 0; i < batch.count; i++) {
      const address = this.#addresses.find(({ to, binary, isAsked }) =>
        isAsked && batch.sourcePort(i) === to.port &&
        equalBytes(binary, 0, batch.sources, batch.sourceAt(i), ADDRESS_SIZE)
      );
      const length = batch.lengths[i]!;
      if (address === undefined) this.#drop("drop-stranger");
      else if (length > SLOT_SIZE) this.#drop("drop-too-long");
      else {
        const at = i * SLOT_SIZE;
        this.#receive(batch.payloads.bytes.subarray(at, at + length), "udp", address.to);
      }
    }
    this.#proceed();
  }

  /** Whether it was an answer. */
  #receive(message: Uint8Array, transport: Transport, from: HostPort): boolean {
    const receipt = this.#exchange.receive(message, transport);
    if (receipt === "accepted") this.#server = from;
    else this.#drop(receipt);
    return receipt === "accepted";
  }

  #drop(reason: ZoneDrop): void {
    this.#dropped.set(reason, (this.#dropped.get(reason) ?? 0) + 1);
  }

  #noteError(code: string): void {
    this.#error = code;
    // It doesn't say whose port it was: among several addresses it could be any.
    if (code !== "ECONNREFUSED" || this.#addresses.length > 1) return;
    if (++this.#refused >= MAX_REFUSED && this.#server === undefined) this.#done?.();
  }

  /** What is known so far. */
  answer(): ZoneAnswer {
    return {
      status: this.#exchange.status,
      peers: this.#exchange.peers(),
      skipped: this.#exchange.skipped,
      unlocated: this.#exchange.unlocated,
      server: this.#server,
      dropped: this.#dropped,
      tsigFault: this.#exchange.tsigFault,
      refusal: this.#exchange.refusal,
      clockAhead: this.#exchange.clockAhead,
      error: this.#error,
    };
  }

  /** Ends everything. */
  async close(): Promise<void> {
    this.#done = undefined;
    this.#cancelEnd();
    this.#cancelNext();
    this.#ipv4?.close();
    this.#ipv6?.close();
    await this.#stream?.close();
  }
}

function isIpv6({ host }: HostPort): boolean {
  return host.includes(":");
}

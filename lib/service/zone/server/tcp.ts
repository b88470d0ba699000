/**
 * DNS over TCP (RFC 7766): queries may be pipelined; who is slow, idle or one too many is cut.
 *
 * @module
 */

import type { Counters } from "../../../core/net/counters.ts";
import type { HostPort } from "../../../core/net/host_port.ts";
import type { TcpConnection, TcpEvents, TcpListener, TcpListening } from "../../../host/tcp.ts";
import type { Clock } from "../../../host/clock.ts";
import { ADDRESS_SIZE, isIpv4, parseAddress } from "../../../core/net/ip_address.ts";
import { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import { MessageReader } from "../../../wire/dns/frame.ts";

/** Connections of a listener at once. */
const MAX_CONNECTIONS = 150;
/** Of which one address may have so many. */
const MAX_PER_SOURCE = 50;
/** Bytes of an IPv6 address that are one source. */
const IPV6_PREFIX = 7;
/** Without a query that got an answer, or a reader of answers, for so long a connection is cut. */
const IDLE = 10;
/** Where all places are taken, the connection that is idle longest makes room, after so long. */
const MAKES_ROOM_AFTER = 5;
/** Connections that the system takes beyond the limit, to be refused or given a place. */
const AT_THE_DOOR = 16;
/** Bytes of answers that may wait for a reader; until they are gone, no query is answered. */
const MAX_WAITING = 131_072;
/** No query that means something is longer. */
const MAX_QUERY = 4096;

/**
 * Answers a query.
 *
 * @param message Only lent.
 * @returns The answer with its length before it, only lent, or undefined where there is none.
 */
export type AnswerTcp = (message: Uint8Array, connection: TcpConnection) => Uint8Array | undefined;

/** A listener's connections. */
export class DnsTcp {
  readonly #host: Clock & TcpListening;
  readonly #counters: Counters;
  readonly #answer: AnswerTcp;
  readonly #ready: () => Promise<void> | undefined;
  readonly #bySource = new Map<string, number>();
  readonly #sessions = new Set<TcpSession>();

  /** @param ready What to wait for before a query is answered; undefined where there is nothing. */
  constructor(
    host: Clock & TcpListening,
    counters: Counters,
    answer: AnswerTcp,
    ready: () => Promise<void> | undefined,
  ) {
    this.#host = host;
    this.#counters = counters;
    this.#answer = answer;
    this.#ready = ready;
  }

  /** Opens a listener. */
  listen({ host: address, port }: HostPort): Promise<TcpListener> {
    return this.#host.tcpListen({
      address,
      port,
      maxConnections: MAX_CONNECTIONS + AT_THE_DOOR,
      onConnection: (connection) => this.#welcome(connection),
      onRefused: () => this.#counters.add("dns-tcp-refused"),
    });
  }

  #welcome(connection: TcpConnection): TcpEvents {
    const source = sourceOf(connection.remote.host);
    const count = (this.#bySource.get(source) ?? 0) + 1;
    this.#bySource.set(source, count);
    const leave = () => {
      const left = this.#bySource.get(source)! - 1;
      if (left > 0) this.#bySource.set(source, left);
      else this.#bySource.delete(source);
    };
    if (count > MAX_PER_SOURCE || !this.#hasRoom()) {
      this.#counters.add("dns-tcp-refused");
      connection.abort();
      return { onData() {}, onEnd() {}, onClose: leave };
    }
    this.#counters.add("dns-tcp-connections");
    const session = new TcpSession(this.#host, connection, this.#answer, this.#ready, () => {
      this.#counters.add("dns-tcp-cut");
      connection.abort();
    });
    this.#sessions.add(session);
    return {
      onData: (bytes) => session.receive(bytes),
      onEnd: () => session.end(),
      onDrain: () => session.drained(),
      onClose: () => {
        this.#sessions.delete(session);
        session.close();
        leave();
      },
    };
  }

  /** Whether there is a place; where there is none, the connection that is idle longest may go. */
  #hasRoom(): boolean {
    if (this.#sessions.size < MAX_CONNECTIONS) return true;
    let longest: TcpSession | undefined;
    for (const session of this.#sessions) {
      if (longest === undefined || session.idle > longest.idle) longest = session;
    }
    if (longest === undefined || longest.idle < MAKES_ROOM_AFTER) return false;
    longest.cut();
    return true;
  }
}

/** Who is counted as one: an IPv4 address, or the /56 of an IPv6 one. */
function sourceOf(address: string): string {
  const binary = new WireBuffer(ADDRESS_SIZE);
  if (!parseAddress(address, binary, 0) || isIpv4(binary, 0)) return address;
  return binary.bytes.subarray(0, IPV6_PREFIX).join(".");
}

/** One connection. */
class TcpSession {
  readonly #host: Clock;
  readonly #connection: TcpConnection;
  readonly #answer: AnswerTcp;
  readonly #ready: () => Promise<void> | undefined;
  readonly #cut: () => void;
  readonly #reader = new MessageReader();
  /** Queries that came and are not answered yet: those of one piece of the stream. */
  #queries: Uint8Array[] = [];
  #activeAt: number;
  #stopTimer: () => void;
  #busy = false;
  #ended = false;
  #closed = false;

  constructor(
    host: Clock,
    connection: TcpConnection,
    answer: AnswerTcp,
    ready: () => Promise<void> | undefined,
    cut: () => void,
  ) {
    this.#host = host;
    this.#connection = connection;
    this.#answer = answer;
    this.#ready = ready;
    this.#cut = cut;
    this.#activeAt = host.now().mono;
    this.#stopTimer = host.after(IDLE, () => this.#check());
  }

  receive(bytes: Uint8Array): void {
    let tooLong = false;
    this.#reader.push(bytes, (message) => {
      if (message.length > MAX_QUERY) tooLong = true;
      else this.#queries.push(message.slice());
    });
    if (tooLong) return this.#cut();
    if (this.#queries.length === 0) return;
    this.#connection.pause();
    void this.#answerAll();
  }

  /** How long it has been idle, in seconds. */
  get idle(): number {
    return this.#host.now().mono - this.#activeAt;
  }

  /** Ends it at once. */
  cut(): void {
    this.#cut();
  }

  /** The other side sends nothing more: it still gets its answers. */
  end(): void {
    this.#ended = true;
    void this.#answerAll();
  }

  drained(): void {
    this.#activeAt = this.#host.now().mono;
    void this.#answerAll();
  }

  close(): void {
    this.#closed = true;
    this.#queries = [];
    this.#stopTimer();
  }

  async #answerAll(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    if (this.#queries.length > 0) await this.#ready();
    this.#busy = false;
    let at = 0;
    while (!this.#closed && at < this.#queries.length) {
      if (this.#connection.waiting > MAX_WAITING) break;
      const answer = this.#answer(this.#queries[at]!, this.#connection);
      at++;
      if (answer === undefined) continue;
      this.#activeAt = this.#host.now().mono;
      this.#connection.write(answer);
    }
    if (this.#closed) return;
    this.#queries = this.#queries.slice(at);
    if (this.#queries.length > 0) return;
    if (this.#ended) this.#connection.end();
    else this.#connection.resume();
  }

  #check(): void {
    const { idle } = this;
    if (idle >= IDLE) return this.#cut();
    this.#stopTimer = this.#host.after(IDLE - idle, () => this.#check());
  }
}

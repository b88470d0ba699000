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
/** So much is done over TCP before all else has its turn: a query is 1, */
const TURN = 128;
/** and so many bytes of its answer are 1 more. */
const WORK_BYTES = 32_768;
/** So much of a turn one connection gets before others that wait have theirs. */
const SHARE = 16;

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
  readonly #turns: Turns;

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
    this.#turns = new Turns(host);
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
    const from = sourceOf(connection.remote.host);
    const count = (this.#bySource.get(from) ?? 0) + 1;
    this.#bySource.set(from, count);
    const leave = () => {
      const left = this.#bySource.get(from)! - 1;
      if (left > 0) this.#bySource.set(from, left);
      else this.#bySource.delete(from);
    };
    if (count > MAX_PER_SOURCE || !this.#hasRoom()) {
      this.#counters.add("dns-tcp-refused");
      connection.abort();
      return { onData() {}, onEnd() {}, onClose: leave };
    }
    this.#counters.add("dns-tcp-connections");
    const asked = { connection, answer: this.#answer, ready: this.#ready };
    const session = new TcpSession(this.#host, this.#turns, asked, () => {
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

/**
 * Lets all else have its turn, and each connection: what one sends at once would keep everybody else
 * waiting, over UDP as well.
 */
class Turns {
  readonly #host: Clock;
  /** In the order in which they go on. */
  readonly #waiting = new Set<TcpSession>();
  #left = TURN;
  #stopTimer: (() => void) | undefined;

  constructor(host: Clock) {
    this.#host = host;
  }

  /** Whether something may be done now. */
  get isFree(): boolean {
    return this.#left > 0;
  }

  /** Whether somebody waits. */
  get isAwaited(): boolean {
    return this.#waiting.size > 0;
  }

  spend(work: number): void {
    this.#left -= work;
  }

  /** The session goes on when it is its turn. */
  wait(session: TcpSession): void {
    this.#waiting.add(session);
    this.#arrange();
  }

  leave(session: TcpSession): void {
    this.#waiting.delete(session);
    if (this.#waiting.size > 0) return;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }

  #next(): void {
    this.#stopTimer = undefined;
    this.#left = TURN;
    // Who isn't done waits again, behind the others.
    for (const session of this.#waiting) {
      if (!this.isFree) break;
      this.#waiting.delete(session);
      session.proceed();
    }
    if (this.#waiting.size > 0) this.#arrange();
  }

  #arrange(): void {
    this.#stopTimer ??= this.#host.after(0, () => this.#next());
  }
}

/** What a session needs besides its turn. */
interface Asked {
  readonly connection: TcpConnection;
  readonly answer: AnswerTcp;
  readonly ready: () => Promise<void> | undefined;
}

/** One connection. */
class TcpSession {
  readonly #host: Clock;
  readonly #turns: Turns;
  readonly #connection: TcpConnection;
  readonly #answer: AnswerTcp;
  readonly #ready: () => Promise<void> | undefined;
  readonly #cut: () => void;
  readonly #reader = new MessageReader();
  /** Queries that came and are not answered yet: those of one piece of the stream. */
  #queries: Uint8Array[] = [];
  /** How many of them are. */
  #answered = 0;
  #activeAt: number;
  #stopTimer: () => void;
  #busy = false;
  #ended = false;
  #closed = false;

  constructor(host: Clock, turns: Turns, { connection, answer, ready }: Asked, cut: () => void) {
    this.#host = host;
    this.#turns = turns;
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

  /** Its turn has come. */
  proceed(): void {
    void this.#answerAll();
  }

  close(): void {
    this.#closed = true;
    this.#queries = [];
    this.#stopTimer();
    this.#turns.leave(this);
  }

  async #answerAll(): Promise<void> {
    if (this.#busy) return;
    const ready = this.#queries.length > 0 ? this.#ready() : undefined;
    if (ready !== undefined) {
      this.#busy = true;
      await ready;
      this.#busy = false;
    }
    let share = SHARE;
    while (!this.#closed && this.#answered < this.#queries.length) {
      // It goes on when that is gone.
      if (this.#connection.waiting > MAX_WAITING) return;
      const isOver = !this.#turns.isFree || share <= 0 && this.#turns.isAwaited;
      if (isOver) return this.#turns.wait(this);
      const answer = this.#answer(this.#queries[this.#answered++]!, this.#connection);
      const work = 1 + Math.floor((answer?.length ?? 0) / WORK_BYTES);
      share -= work;
      this.#turns.spend(work);
      if (answer === undefined) continue;
      this.#activeAt = this.#host.now().mono;
      this.#connection.write(answer);
    }
    if (this.#closed) return;
    this.#queries = [];
    this.#answered = 0;
    if (this.#ended) this.#connection.end();
    else this.#connection.resume();
  }

  #check(): void {
    const { idle } = this;
    if (idle >= IDLE) return this.#cut();
    this.#stopTimer = this.#host.after(IDLE - idle, () => this.#check());
  }
}

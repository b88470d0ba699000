/**
 * A server of HTTP for what is only read: one request a connection, no bodies, and bounds on
 * everything. Where all places are taken, who doesn't ask at once makes room, so that nobody who holds
 * connections open keeps others from asking.
 *
 * It stands on TCP on all runtimes. `node:http` can't do that: on Bun 1.4.5 a silent connection is not
 * shown to the program, and one that has timed out keeps its place, so that 64 of them shut everybody
 * out; on Deno 2.9.6, who is refused can't be counted.
 *
 * @module
 */

import type { HostPort } from "../../core/net/host_port.ts";
import type { Clock } from "../../host/clock.ts";
import type { TcpConnection, TcpEvents, TcpListener, TcpListening } from "../../host/tcp.ts";
import { bareAnswer, encodeAnswerHead, type HttpAnswer } from "../../wire/http/answer.ts";
import { HeadReader, type HttpRequest } from "../../wire/http/request.ts";

/** Connections at once. */
const MAX_CONNECTIONS = 64;
/** Where all places are taken, who has not asked within so long makes room: a request comes at once, */
const ASKS_WITHIN = 0.1;
/** and who has not taken anything of an answer for so long. */
const TAKES_WITHIN = 1;
/** Connections that the system takes beyond the limit, to be refused or given a place. */
const AT_THE_DOOR = 16;
/** A head is awaited for so long, in seconds, from the connection's beginning. */
const HEAD_TIME = 5;
/** An answer is made, and taken by who asked, within so long. */
const ANSWER_TIME = 15;
/** Who has an answer gets so long to end the connection: a reset could take the answer away. */
const END_TIME = 2;
/** Bytes of an answer that may wait for a reader. */
const PIECE = 65_536;
/** Bytes behind a head that are passed over. */
const MAX_BEHIND = 65_536;

/** What is counted. */
export type HttpCount = "connections" | "answered" | "denied" | "refused" | "cut";

/** Answers requests. What it throws is an answer with status 500. */
export type HttpHandler = (request: HttpRequest) => Promise<HttpAnswer>;

/** What of a host that takes. */
export type HttpHost = Clock & TcpListening;

/** Serves at one place. */
export class HttpServer {
  readonly #host: HttpHost;
  readonly #answer: HttpHandler;
  readonly #count: (what: HttpCount) => void;
  readonly #sessions = new Set<Session>();

  /** @param count Called for each thing that is counted. */
  constructor(host: HttpHost, answer: HttpHandler, count: (what: HttpCount) => void) {
    this.#host = host;
    this.#answer = answer;
    this.#count = count;
  }

  /** Begins. Errors have a POSIX `code`. */
  listen({ host: address, port }: HostPort): Promise<TcpListener> {
    return this.#host.tcpListen({
      address,
      port,
      maxConnections: MAX_CONNECTIONS + AT_THE_DOOR,
      onConnection: (connection) => this.#welcome(connection),
      onRefused: () => this.#count("refused"),
    });
  }

  #welcome(connection: TcpConnection): TcpEvents {
    if (!this.#hasRoom()) {
      this.#count("refused");
      connection.abort();
      return { onData() {}, onEnd() {}, onClose() {} };
    }
    this.#count("connections");
    const session = new Session(this.#host, connection, this.#answer, this.#count);
    this.#sessions.add(session);
    return {
      onData: (bytes) => session.receive(bytes),
      onEnd: () => session.end(),
      onDrain: () => session.drained(),
      onClose: () => {
        this.#sessions.delete(session);
        session.close();
      },
    };
  }

  /** Whether there is a place; where there is none, whoever is due first may have to go. */
  #hasRoom(): boolean {
    if (this.#sessions.size < MAX_CONNECTIONS) return true;
    let first: Session | undefined;
    for (const session of this.#sessions) {
      if (first === undefined || session.makesRoomAt < first.makesRoomAt) first = session;
    }
    if (first === undefined || this.#host.now().mono < first.makesRoomAt) return false;
    first.cut();
    return true;
  }
}

/** One connection: its request, its answer, and its end. */
class Session {
  readonly #host: Clock;
  readonly #connection: TcpConnection;
  readonly #answer: HttpHandler;
  readonly #count: (what: HttpCount) => void;
  readonly #reader = new HeadReader();
  #state: "head" | "answer" | "end" | "closed" = "head";
  /** What is still to be written. */
  #body: Uint8Array = new Uint8Array();
  #behind = 0;
  #stopTimer: () => void;
  /** From then on, others may have its place. */
  makesRoomAt: number;

  constructor(
    host: Clock,
    connection: TcpConnection,
    answer: HttpHandler,
    count: (what: HttpCount) => void,
  ) {
    this.#host = host;
    this.#connection = connection;
    this.#answer = answer;
    this.#count = count;
    this.makesRoomAt = host.now().mono + ASKS_WITHIN;
    this.#stopTimer = host.after(HEAD_TIME, () => this.#refuse(408));
  }

  receive(bytes: Uint8Array): void {
    if (this.#state !== "head") {
      this.#behind += bytes.length;
      if (this.#behind > MAX_BEHIND) this.cut();
      return;
    }
    const result = this.#reader.push(bytes);
    if (typeof result === "object") void this.#reply(result);
    else if (result !== undefined) this.#refuse(result);
  }

  /** The other side sends nothing more. */
  end(): void {
    if (this.#state !== "head") return;
    if (this.#reader.isEmpty) this.#connection.abort();
    else this.#refuse(400);
  }

  drained(): void {
    this.makesRoomAt = this.#host.now().mono + TAKES_WITHIN;
    if (this.#state === "answer") this.#write();
  }

  close(): void {
    this.#state = "closed";
    this.#stopTimer();
    this.#body = new Uint8Array();
  }

  /** Ends it at once. */
  cut(): void {
    if (this.#state !== "end") this.#count("cut");
    this.#connection.abort();
  }

  #refuse(status: 400 | 405 | 408 | 413 | 431): void {
    this.#count("cut");
    this.#begin();
    this.#send(bareAnswer(status), false);
  }

  async #reply(request: HttpRequest): Promise<void> {
    this.#begin();
    let answer: HttpAnswer;
    try {
      answer = await this.#answer(request);
    } catch {
      // The next one may fare better; what is wrong is told otherwise.
      answer = bareAnswer(500);
    }
    // `close` may have been called meanwhile, which this can't see.
    if (this.#isOver()) return;
    if (answer.status === 401 || answer.status === 421) this.#count("denied");
    else this.#count("answered");
    this.#send(answer, request.method === "HEAD");
  }

  #isOver(): boolean {
    return this.#state === "closed";
  }

  #begin(): void {
    this.#state = "answer";
    this.makesRoomAt = this.#host.now().mono + TAKES_WITHIN;
    this.#stopTimer();
    this.#stopTimer = this.#host.after(ANSWER_TIME, () => this.cut());
  }

  #send(answer: HttpAnswer, isHead: boolean): void {
    this.#body = isHead ? new Uint8Array() : answer.body;
    this.#connection.write(encodeAnswerHead(answer));
    this.#write();
  }

  /** A reader that is slow has one piece waiting, and the next one is written when that is gone. */
  #write(): void {
    if (this.#body.length > 0) {
      const piece = this.#body.subarray(0, PIECE);
      this.#body = this.#body.subarray(piece.length);
      this.#connection.write(piece);
      if (this.#body.length > 0) return;
    }
    this.#state = "end";
    this.#connection.end();
    // What it has written may wait still, and gets the time of an answer.
    this.#stopTimer();
    this.#stopTimer = this.#host.after(END_TIME, () => this.#finish());
  }

  #finish(): void {
    if (this.#connection.waiting === 0) return this.#connection.abort();
    this.#stopTimer = this.#host.after(ANSWER_TIME, () => {
      this.#count("cut");
      this.#connection.abort();
    });
  }
}

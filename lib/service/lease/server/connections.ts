/**
 * The connections of lease clients: who may speak, how much, and for how long.
 *
 * @module
 */

import { LEASE_PORT } from "../../../wire/lease/message.ts";
import type { Counters } from "../../../core/net/counters.ts";
import type { LeaseAnswer } from "../../../core/lease/server/session.ts";
import type { TcpConnection, TcpEvents } from "../../../host/tcp.ts";
import type { Clock } from "../../../host/clock.ts";
import type { LeaseVisitor } from "./request_batcher.ts";

/**
 * More at once: the one that was silent for longest is closed, whose client comes back when it
 * renews; where none is silent, the new one has to come back.
 */
export const MAX_LEASE_CONNECTIONS = 512;

/** So long a client may be connected without a whole request, in seconds. */
const FIRST_REQUEST = 30;
/** A connection is closed so long after the lease that it brought has ended, in seconds. */
const IDLE_AFTER = 60;
/**
 * The same after a refusal: the C client keeps that connection for ever, and ends when it asks again
 * 30 s later, because its own port is taken. Only a reset frees that.
 */
const IDLE_REFUSED = 20;
/** So long a client may take to close its side, in seconds. */
const CLOSING = 5;
const NOTHING = new Uint8Array(0);
/** Replies that a client doesn't take, in bytes. */
const MAX_WAITING = 1_048_576;

/** Who answers. */
export interface RequestHandler {
  /** How long an address is leased, in seconds. */
  readonly leaseTime: number;
  /**
   * Takes bytes of a connection, at most one at a time. Never fails.
   *
   * @param visitor Whose they are; the handler notes there who it is.
   * @param bytes Nothing, to find that out alone.
   * @returns What to send, or undefined where the connection is to be aborted: nobody is known at its
   *   address, or what was asked for could not be done.
   */
  ask(visitor: LeaseVisitor, bytes: Uint8Array): Promise<LeaseAnswer | undefined>;
}

/** All connections. */
export class LeaseConnections {
  readonly #host: Clock;
  readonly #counters: Counters;
  readonly #handler: RequestHandler;
  /** By address. */
  readonly #open = new Map<string, TcpConnection>();
  /** Those of them that were answered, and ask nothing now; who fell silent last is last. */
  readonly #silent = new Map<string, TcpConnection>();

  constructor(host: Clock, counters: Counters, handler: RequestHandler) {
    this.#host = host;
    this.#counters = counters;
    this.#handler = handler;
  }

  /** Takes a new connection, and returns who gets its events. */
  welcome(connection: TcpConnection): TcpEvents {
    const { host: address, port } = connection.remote;
    // The same address can only come back when its old connection is gone.
    if (port === LEASE_PORT) this.#open.get(address)?.abort();
    if (port !== LEASE_PORT || !this.#hasRoom()) {
      this.#counters.add("lease-refused");
      connection.abort();
      return { onData() {}, onEnd() {}, onClose() {} };
    }
    this.#counters.add("lease-connections");
    this.#open.set(address, connection);
    return this.#serve(connection, address);
  }

  #hasRoom(): boolean {
    // One of the host's is the new one.
    const isFull = () => this.#open.size >= MAX_LEASE_CONNECTIONS - 1;
    const [silent] = this.#silent.values();
    if (isFull()) silent?.abort();
    return !isFull();
  }

  #serve(connection: TcpConnection, address: string): TcpEvents {
    const handler = this.#handler;
    const visitor: LeaseVisitor = { address, known: undefined };
    let work = Promise.resolve();
    let isAnswered = false;
    let isClosing = false;
    let isOver = false;
    let cancel = () => {};
    const allow = (seconds: number) => {
      cancel();
      if (isOver) return;
      cancel = this.#host.after(seconds, () => connection.abort());
    };
    /** What a connection asks for is done in order. */
    const inTurn = (next: () => Promise<void>) =>
      void (work = work.then(next).catch(() => connection.abort()));
    allow(FIRST_REQUEST);
    inTurn(async () => {
      if (await handler.ask(visitor, NOTHING) === undefined) connection.abort();
    });
    return {
      onData: (bytes) => {
        if (isClosing) return;
        const copy = bytes.slice();
        connection.pause();
        this.#silent.delete(address);
        inTurn(async () => {
          if (isClosing || isOver) return;
          const answer = await handler.ask(visitor, copy);
          if (answer === undefined) return connection.abort();
          connection.write(answer.bytes);
          if (connection.waiting > MAX_WAITING) return connection.abort();
          if (answer.close) {
            isClosing = true;
            connection.end();
            allow(CLOSING);
          } else if (answer.bytes.length > 0) {
            isAnswered = true;
            if (!isOver) this.#silent.set(address, connection);
          }
          if (isAnswered && !isClosing) {
            allow(answer.refused ? IDLE_REFUSED : handler.leaseTime + IDLE_AFTER);
          }
          // Else the end of the other side is not noticed.
          connection.resume();
        });
      },
      onEnd: () =>
        inTurn(() => {
          connection.end();
          allow(CLOSING);
          return Promise.resolve();
        }),
      onClose: () => {
        isOver = true;
        cancel();
        for (const each of [this.#open, this.#silent]) {
          if (each.get(address) === connection) each.delete(address);
        }
      },
    };
  }
}

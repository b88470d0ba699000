/**
 * The connections of lease clients.
 *
 * @module
 */

import type { Counters } from "../../../core/net/counters.ts";
import { type ConnectionStep, LeaseConnection } from "../../../core/lease/server/connection.ts";
import { ConnectionTable } from "../../../core/lease/server/connection_table.ts";
import type { LeaseRequest } from "../../../core/lease/server/request.ts";
import type { LeaseAnswer } from "../../../core/lease/server/session.ts";
import type { Clock } from "../../../host/clock.ts";
import type { TcpConnection, TcpEvents } from "../../../host/tcp.ts";

/** Who answers. */
export interface RequestHandler {
  /** How long an address is leased, in seconds. */
  readonly leaseTime: number;
  /**
   * Takes a request of a connection. Never fails.
   *
   * @returns What to send, or undefined where the connection is to be aborted: nobody is known at its
   *   address, or what was asked for could not be done.
   */
  ask(request: LeaseRequest): Promise<LeaseAnswer | undefined>;
}

const REFUSED: TcpEvents = { onData() {}, onEnd() {}, onClose() {} };

/** All connections. */
export class LeaseConnections {
  readonly #host: Clock;
  readonly #counters: Counters;
  readonly #handler: RequestHandler;
  readonly #table = new ConnectionTable<TcpConnection>();

  constructor(host: Clock, counters: Counters, handler: RequestHandler) {
    this.#host = host;
    this.#counters = counters;
    this.#handler = handler;
  }

  /** Takes a new connection, and returns who gets its events. */
  welcome(connection: TcpConnection): TcpEvents {
    const { remote } = connection;
    const { isAdmitted, leaving } = this.#table.admit(remote, connection);
    for (const each of leaving) each.abort();
    this.#counters.add(isAdmitted ? "lease-connections" : "lease-refused");
    if (isAdmitted) return this.#serve(connection, remote.host);
    connection.abort();
    return REFUSED;
  }

  #serve(connection: TcpConnection, address: string): TcpEvents {
    const served = new LeaseConnection(address, () => this.#handler.leaseTime);
    let cancel = () => {};
    const goOn = () => {
      try {
        for (let step = served.next(); step !== undefined; step = served.next()) take(step);
      } catch {
        // One connection takes no other with it.
        connection.abort();
      }
    };
    const take = (step: ConnectionStep) => {
      switch (step.kind) {
        case "ask": {
          const { bytes } = step;
          if (bytes.length > 0) this.#table.asks(address, connection);
          void this.#handler.ask({ visitor: served.visitor, bytes }).then((answer) => {
            served.answered(answer);
            goOn();
          });
          return;
        }
        case "send":
          connection.write(step.bytes);
          return served.sent(connection.waiting);
        case "silent":
          return this.#table.answered(address, connection);
        case "allow":
          cancel();
          cancel = this.#host.after(step.seconds, () => {
            served.late();
            goOn();
          });
          return;
        default:
          return connection[step.kind]();
      }
    };
    goOn();
    return {
      onData: (bytes) => {
        served.received(bytes);
        goOn();
      },
      onEnd: () => {
        served.ended();
        goOn();
      },
      onClose: () => {
        served.closed();
        cancel();
        this.#table.leave(address, connection);
      },
    };
  }
}

/**
 * One TCP connection to a name server, over which questions go without waiting for answers.
 *
 * @module
 */

import type { HostPort } from "../../../core/net/host_port.ts";
import type { Clock } from "../../../host/clock.ts";
import { errorCode } from "../../../host/error.ts";
import type { TcpConnecting, TcpConnection } from "../../../host/tcp.ts";
import { frameMessage, MessageReader } from "../../../wire/dns/frame.ts";

/** How long a connection may be silent that owes an answer, and how long it may take to make one. */
const TCP_PATIENCE = 4;
const SHORTEST_PATIENCE = 0.001;
/** How long a connection is kept that owes none. */
const TCP_IDLE = 0.1;
/** After so many messages on a connection that are no answers of ours, it is given up. */
const MAX_TCP_DROPS = 32;

/** What a stream needs of the one who asks. */
export interface StreamEvents {
  /** A message came; returns whether it was an answer. Its bytes are only lent. */
  receive(message: Uint8Array): boolean;
  /** Whether an answer is still owed. */
  isWaiting(): boolean;
  /** The connection is over, or could not be made. Called once. */
  lost(code: string | undefined): void;
  /** Called after messages. */
  proceed(): void;
  /** No answer is owed any more, and the connection is closed. */
  finished(): void;
}

/** One TCP connection, over which questions go without waiting for answers (RFC 7766). */
export class Stream {
  readonly #host: Clock & TcpConnecting;
  readonly #events: StreamEvents;
  readonly #reader = new MessageReader();
  readonly #opened: Promise<void>;
  #connection: TcpConnection | undefined;
  /** What waits for the connection. */
  #waiting: Uint8Array[] = [];
  #drops = 0;
  #isOver = false;
  #cancel: () => void = () => {};

  constructor(host: Clock & TcpConnecting, to: HostPort, endsAt: number, events: StreamEvents) {
    this.#host = host;
    this.#events = events;
    const timeout = Math.max(SHORTEST_PATIENCE, Math.min(TCP_PATIENCE, endsAt - host.now().mono));
    this.#opened = this.#open(to, timeout);
  }

  async #open(to: HostPort, timeout: number): Promise<void> {
    try {
      const connection = await this.#host.tcpConnect({ to, timeout }, {
        onData: (bytes) => this.#receive(bytes),
        onEnd: () => this.#end(undefined),
        onClose: (code) => this.#end(code),
      });
      if (this.#isOver) return connection.abort();
      this.#connection = connection;
      for (const bytes of this.#waiting) connection.write(bytes);
      this.#waiting = [];
      this.#watch();
    } catch (error) {
      this.#end(errorCode(error));
    }
  }

  /** Sends a message, at once or when there is a connection. */
  send(message: Uint8Array): void {
    const bytes = frameMessage(message);
    if (this.#connection === undefined) return void this.#waiting.push(bytes);
    this.#connection.write(bytes);
    this.#watch();
  }

  #receive(bytes: Uint8Array): void {
    if (this.#isOver) return;
    this.#reader.push(bytes, (message) => {
      if (!this.#events.receive(message)) this.#drops++;
    });
    if (this.#drops >= MAX_TCP_DROPS) return this.#end("EPROTO");
    this.#events.proceed();
    if (!this.#isOver) this.#watch();
  }

  /**
   * Gives the connection up when it stays silent though it owes an answer, and ends it when nothing
   * more is to be asked: some servers do nothing else meanwhile (dnsmasq, where it doesn't fork).
   */
  #watch(): void {
    this.#cancel();
    if (this.#events.isWaiting()) {
      this.#cancel = this.#host.after(TCP_PATIENCE, () => this.#end("ETIMEDOUT"));
      return;
    }
    this.#cancel = this.#host.after(TCP_IDLE, () => {
      this.#shut();
      this.#events.finished();
    });
  }

  #end(code: string | undefined): void {
    if (this.#isOver) return;
    this.#shut();
    this.#events.lost(code);
  }

  #shut(): void {
    this.#isOver = true;
    this.#cancel();
    this.#connection?.abort();
  }

  /** Ends it, without a word of it. */
  async close(): Promise<void> {
    this.#shut();
    await this.#opened;
  }
}

/**
 * Answers `wgsig status`: one question, one answer, and the connection is over. Who asks may be slow or
 * dead: that takes a connection of few, for some seconds, and nothing else.
 *
 * @module
 */

import { type Report, SCHEMA } from "../../core/status/report.ts";
import type { Clock } from "../../host/clock.ts";
import type { LocalConnection, LocalListener, LocalStreams } from "../../host/local_streams.ts";
import type { TcpEvents } from "../../host/tcp.ts";

/** What is asked: the schema that is wanted is in it. */
export const QUESTION = `wgsig status ${SCHEMA}\n`;

/** What of a host that takes. */
export type StatusHost = Clock & LocalStreams;

const MAX_CONNECTIONS = 4;
/** So long a connection may last, in seconds. */
const LIFETIME = 5;

/** Answers at one place. */
export class StatusSocket {
  readonly #host: StatusHost;
  readonly #answer: () => Promise<Report>;
  #listener: LocalListener | undefined;
  #isClosed = false;
  /** An answer under way is for all who have asked in the meantime. */
  #answering: Promise<Uint8Array> | undefined;

  /** @param answer Makes an answer. */
  constructor(host: StatusHost, answer: () => Promise<Report>) {
    this.#host = host;
    this.#answer = answer;
  }

  /** Begins, in a folder that is there. What another process has left there is replaced. Errors have a POSIX `code`. */
  async open(path: string): Promise<void> {
    const listener = await this.#host.listenLocal({
      path,
      maxConnections: MAX_CONNECTIONS,
      onConnection: (connection) => this.#serve(connection),
    });
    if (this.#isClosed) listener.close();
    else this.#listener = listener;
  }

  /** Ends, and removes the socket. */
  close(): void {
    this.#isClosed = true;
    this.#listener?.close();
    this.#listener = undefined;
  }

  #serve(connection: LocalConnection): TcpEvents {
    const cancel = this.#host.after(LIFETIME, () => connection.abort());
    let asked = "";
    let isAsked = false;
    return {
      onData: (bytes) => {
        if (isAsked) return;
        for (const byte of bytes.subarray(0, QUESTION.length)) asked += String.fromCharCode(byte);
        if (!QUESTION.startsWith(asked)) return connection.abort();
        isAsked = asked === QUESTION;
        if (isAsked) void this.#reply(connection);
      },
      onEnd: () => {
        if (!isAsked) connection.abort();
      },
      onClose: cancel,
    };
  }

  async #reply(connection: LocalConnection): Promise<void> {
    this.#answering ??= this.#make();
    try {
      connection.write(await this.#answering);
      connection.end();
    } catch {
      // Who gets no answer asks again.
      connection.abort();
    }
  }

  async #make(): Promise<Uint8Array> {
    try {
      const report = await this.#answer();
      return new TextEncoder().encode(`${JSON.stringify({ schema: SCHEMA, ...report })}\n`);
    } finally {
      this.#answering = undefined;
    }
  }
}

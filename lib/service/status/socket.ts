/**
 * Answers what this machine's own programs ask a running one, such as `wgsig status`: one request, one
 * answer, and the connection is over. Who asks may be slow or dead: that takes a connection of few, for
 * some seconds, and nothing else.
 *
 * @module
 */

import { SCHEMA } from "../../core/status/report.ts";
import { RequestReader, type SocketRequest } from "../../core/status/request.ts";
import type { Clock } from "../../host/clock.ts";
import type { LocalConnection, LocalListener, LocalStreams } from "../../host/local_streams.ts";
import type { TcpEvents } from "../../host/tcp.ts";
import { inWords } from "../log/in_words.ts";

/** What of a host that takes. */
export type StatusHost = Clock & LocalStreams;

/**
 * Answers requests with one word: fields that JSON can be made of. What it throws is told to who asks,
 * in words, and harms nobody else.
 *
 * @param body What the request's JSON says; undefined where it had none. It is checked by nobody before.
 */
export type AnswerRequest = (body: unknown) => Promise<object>;

const MAX_CONNECTIONS = 4;
/** So long a connection may last, in seconds. */
const LIFETIME = 5;

/** Answers at one place. */
export class StatusSocket {
  readonly #host: StatusHost;
  readonly #answers: ReadonlyMap<string, AnswerRequest>;
  #listener: LocalListener | undefined;
  #isClosed = false;
  /** By word: an answer under way is for all who have asked in the meantime, where none has a body. */
  readonly #answering = new Map<string, Promise<Uint8Array>>();

  /** @param answers By their requests' word. */
  constructor(host: StatusHost, answers: Readonly<Record<string, AnswerRequest>>) {
    this.#host = host;
    this.#answers = new Map(Object.entries(answers));
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
    const reader = new RequestReader();
    let isAsked = false;
    return {
      onData: (bytes) => {
        if (isAsked) return;
        const request = reader.push(bytes);
        if (request === "wrong") return connection.abort();
        if (request === "more") return;
        isAsked = true;
        void this.#reply(connection, request);
      },
      onEnd: () => {
        if (!isAsked) connection.abort();
      },
      onClose: cancel,
    };
  }

  async #reply(connection: LocalConnection, request: SocketRequest): Promise<void> {
    connection.write(await this.#answer(request));
    connection.end();
  }

  #answer({ word, schema, body }: SocketRequest): Promise<Uint8Array> {
    const answer = this.#answers.get(word);
    if (answer === undefined || schema !== SCHEMA) {
      const what = answer === undefined ? `nothing is known of "${word}" here` : `schema ${schema}`;
      return Promise.resolve(lineOf({ error: `${what}; what runs is of another release` }));
    }
    if (body !== undefined) return make(answer, body);
    const present = this.#answering.get(word);
    if (present !== undefined) return present;
    const made = make(answer, undefined).finally(() => this.#answering.delete(word));
    this.#answering.set(word, made);
    return made;
  }
}

async function make(answer: AnswerRequest, body: unknown): Promise<Uint8Array> {
  try {
    return lineOf(await answer(body));
  } catch (error) {
    return lineOf({ error: inWords(error) });
  }
}

function lineOf(fields: object): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify({ schema: SCHEMA, ...fields })}\n`);
}

/**
 * Connections through `node:net`, whatever they go through.
 *
 * @module
 */

import type { Socket } from "node:net";
import { errorCode } from "../error.ts";
import type { LocalConnection } from "../local_streams.ts";
import type { TcpEvents } from "../tcp.ts";

/** The one implementation of connections, around a socket that is connected. */
export class Stream implements LocalConnection {
  readonly #socket: Socket;
  readonly #forget: () => void;
  readonly #cut: (socket: Socket) => void;
  #events: TcpEvents | undefined;
  #waiting = 0;
  #ended = false;
  #over = false;
  #code: string | undefined;

  /**
   * @param forget Called when it is over, before its events say so.
   * @param cut Ends both ways at once.
   */
  constructor(socket: Socket, forget: () => void, cut: (socket: Socket) => void) {
    this.#cut = cut;
    this.#socket = socket;
    this.#forget = forget;
    socket.on("error", (error) => this.#code ??= errorCode(error));
    socket.on("close", () => this.#finish());
  }

  /** Says who gets the events: also the end, if it has come already. */
  attach(events: TcpEvents): void {
    this.#events = events;
    if (this.#over) events.onClose(this.#code);
  }

  /** Lets data come. */
  start(): void {
    if (this.#over) return;
    const events = this.#events!;
    this.#socket.on("data", (chunk: Uint8Array) => {
      // A Buffer's slice would be no copy.
      const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      if (!this.#over) events.onData(bytes);
    });
    this.#socket.on("end", () => {
      if (!this.#over) events.onEnd();
    });
  }

  /** See `TcpConnection`, as for all that follows. */
  get waiting(): number {
    return this.#waiting;
  }

  write(bytes: Uint8Array): void {
    const { length } = bytes;
    if (this.#over || this.#ended || length === 0) return;
    this.#waiting += length;
    this.#socket.write(new Uint8Array(bytes), (error) => {
      if (this.#over || error) return;
      this.#waiting -= length;
      if (this.#waiting === 0) this.#events?.onDrain?.();
    });
  }

  end(): void {
    if (this.#over || this.#ended) return;
    this.#ended = true;
    this.#socket.end();
  }

  abort(): void {
    if (this.#over) return;
    this.#cut(this.#socket);
    this.#code = undefined;
    this.#finish();
  }

  pause(): void {
    if (!this.#over) this.#socket.pause();
  }

  resume(): void {
    if (!this.#over) this.#socket.resume();
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#waiting = 0;
    this.#forget();
    this.#events?.onClose(this.#code);
  }
}

/** What may go wrong is told otherwise. */
export function ignore(): void {}

/**
 * Connections, whatever they go through: TCP or a unix socket.
 *
 * @module
 */

import type { LocalConnection } from "../local_streams.ts";
import type { TcpEvents } from "../tcp.ts";
import { codedError } from "../error.ts";
import { setTimer, unwatch, watch, type Watcher } from "./loop.ts";
import { checked, nameOf, native } from "./native.ts";

const CHUNK = 16_384;
/** Connections that are taken in a turn. */
const MAX_TAKEN = 16;
/** Where no descriptor is left, the next connection is taken after so long. */
const RETRY_MS = 100;
/** What the system says of a connection that went while it waited to be taken, or where none does. */
const NOTHING = new Set(["EAGAIN", "ECONNABORTED", "EINTR", "EPROTO", "EPERM"]);

/** Nothing is to be done. */
const NOBODY: Watcher = {};

/** What all connections read into: it is lent to `onData`. */
const chunk = new Uint8Array(CHUNK);

/** Hands each connection that comes to a listening socket to `take`. @returns Ends that, and closes it. */
export function takeConnections(fd: number, take: (fd: number) => void): () => void {
  let isClosed = false;
  let cancel = () => {};

  function listen(): void {
    watch(fd, { onReadable: takeAll });
  }

  function takeAll(): void {
    for (let n = 0; n < MAX_TAKEN && !isClosed; n++) {
      const taken = native.accept(fd);
      if (taken >= 0) {
        take(taken);
        continue;
      }
      if (NOTHING.has(nameOf(taken))) return;
      unwatch(fd);
      cancel = setTimer(RETRY_MS, listen);
      return;
    }
  }

  listen();
  return () => {
    isClosed = true;
    cancel();
    unwatch(fd);
    native.close(fd);
  };
}

/** Waits until a socket is connected; `timeout` is seconds (`ETIMEDOUT`). */
export async function connected(fd: number, timeout: number): Promise<void> {
  let cancel = () => {};
  try {
    await new Promise<void>((resolve, reject) => {
      cancel = setTimer(timeout * 1000, () => reject(codedError("ETIMEDOUT")));
      watch(fd, { onWritable: resolve });
    });
  } finally {
    cancel();
    unwatch(fd);
  }
  checked(native.socketError(fd));
}

/** The one implementation of connections. */
export class Stream implements LocalConnection {
  readonly #fd: number;
  readonly #forget: () => void;
  #events: TcpEvents | undefined;
  /** What the system has not taken yet, in order. */
  #queue: Uint8Array[] = [];
  #waiting = 0;
  /** Before that, what is written waits. */
  #isStarted = false;
  #isPaused = false;
  /** All that was written has been taken at once, and that is still to be said. */
  #isDrained = false;
  /** This side's way is to be closed; it is. */
  #isEnding = false;
  #hasEnded = false;
  /** The other side's way is closed. */
  #isHeard = false;
  #over = false;

  readonly #reading: Watcher = { onReadable: () => this.#receive() };
  readonly #writing: Watcher = { onWritable: () => this.#send() };
  readonly #both: Watcher = { ...this.#reading, ...this.#writing };

  /** @param forget Called when it is over, before its events say so. */
  constructor(fd: number, forget: () => void) {
    this.#fd = fd;
    this.#forget = forget;
  }

  /** Says who gets the events: also the end, if it has come already. */
  attach(events: TcpEvents): void {
    this.#events = events;
    if (this.#over) events.onClose(undefined);
  }

  /** Lets the events come. */
  start(): void {
    this.#isStarted = true;
    this.#watch();
  }

  /** See `TcpConnection`, as for all that follows. */
  get waiting(): number {
    return this.#waiting;
  }

  write(bytes: Uint8Array): void {
    if (this.#over || this.#isEnding || bytes.length === 0) return;
    let put = 0;
    // Mostly the system takes it at once, and nothing has to be kept. Once a turn, so that who
    // writes until something waits doesn't keep all others.
    if (this.#isStarted && this.#waiting === 0 && !this.#isDrained) {
      put = Math.max(0, native.send(this.#fd, bytes, 0, bytes.length));
      this.#isDrained = put === bytes.length;
    }
    if (put < bytes.length) {
      this.#queue.push(bytes.slice(put));
      this.#waiting += bytes.length - put;
    }
    this.#watch();
  }

  end(): void {
    if (this.#over || this.#isEnding) return;
    this.#isEnding = true;
    this.#watch();
  }

  abort(): void {
    this.#finish(undefined, native.reset);
  }

  pause(): void {
    if (this.#over) return;
    this.#isPaused = true;
    this.#watch();
  }

  resume(): void {
    if (this.#over) return;
    this.#isPaused = false;
    this.#watch();
  }

  /** Watches for what there is to do now. */
  #watch(): void {
    if (!this.#isStarted || this.#over) return;
    const reads = !this.#isPaused && !this.#isHeard;
    const writes = this.#waiting > 0 || this.#isDrained || (this.#isEnding && !this.#hasEnded);
    watch(this.#fd, reads ? writes ? this.#both : this.#reading : writes ? this.#writing : NOBODY);
  }

  #receive(): void {
    const size = native.receive(this.#fd, chunk, 0, CHUNK);
    if (size > 0) return this.#events!.onData(chunk.subarray(0, size));
    if (size < 0) return this.#fail(size);
    this.#isHeard = true;
    this.#watch();
    this.#events!.onEnd();
    this.#finishIfEnded();
  }

  #send(): void {
    const isDrained = this.#isDrained || this.#waiting > 0;
    this.#isDrained = false;
    for (let bytes = this.#queue[0]; bytes !== undefined; bytes = this.#queue[0]) {
      const put = native.send(this.#fd, bytes, 0, bytes.length);
      if (put < 0) return this.#fail(put);
      this.#waiting -= put;
      if (put < bytes.length) {
        this.#queue[0] = bytes.subarray(put);
        return;
      }
      this.#queue.shift();
    }
    if (this.#isEnding && !this.#hasEnded) {
      this.#hasEnded = true;
      native.endSending(this.#fd);
    }
    this.#watch();
    if (isDrained) this.#events!.onDrain?.();
    this.#finishIfEnded();
  }

  #fail(result: number): void {
    const code = nameOf(result);
    if (code !== "EAGAIN") this.#finish(code, native.close);
  }

  #finishIfEnded(): void {
    if (this.#isHeard && this.#hasEnded) this.#finish(undefined, native.close);
  }

  #finish(code: string | undefined, close: (fd: number) => number): void {
    if (this.#over) return;
    this.#over = true;
    this.#queue = [];
    this.#waiting = 0;
    unwatch(this.#fd);
    close(this.#fd);
    this.#forget();
    this.#events?.onClose(code);
  }
}

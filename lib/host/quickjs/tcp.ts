/**
 * TCP.
 *
 * @module
 */

import type { HostPort } from "../../core/net/host_port.ts";
import type {
  TcpConnection,
  TcpConnectOptions,
  TcpEvents,
  TcpListener,
  TcpListenOptions,
} from "../tcp.ts";
import { descriptorsForConnections, LIMITS_FILE, LIMITS_SIZE } from "../descriptors.ts";
import { codedError } from "../error.ts";
import { endsOf, isNativeIpv4, nativeAddress, ownPort } from "./address.ts";
import { readFile } from "./files.ts";
import { setTimer, unwatch, watch, type Watcher } from "./loop.ts";
import { checked, nameOf, native } from "./native.ts";

const BACKLOG = 128;
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

/** What the process may have, as the system says it; undefined without /proc. */
async function limits(): Promise<string | undefined> {
  try {
    return native.decode((await readFile(LIMITS_FILE, LIMITS_SIZE)).bytes);
  } catch {
    return undefined;
  }
}

/** Takes TCP connections. */
export async function listenTcp(options: TcpListenOptions): Promise<TcpListener> {
  const address = nativeAddress({ host: options.address, port: options.port });
  const highest = descriptorsForConnections(await limits());
  const fd = checked(native.tcpListen(...address, BACKLOG));
  const connections = new Set<Connection>();
  let closed = false;
  let cancel = () => {};

  function listen(): void {
    watch(fd, { onReadable: takeAll });
  }

  function takeAll(): void {
    for (let n = 0; n < MAX_TAKEN && !closed; n++) {
      const taken = native.tcpAccept(fd);
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

  function take(taken: number): void {
    // A new descriptor has the lowest number that is free: it tells how many there are.
    if (connections.size >= options.maxConnections || taken >= highest) {
      native.reset(taken);
      options.onRefused?.();
      return;
    }
    const ends = endsOf(taken);
    // It was reset before it was taken.
    if (ends === undefined) return void native.close(taken);
    const connection = new Connection(taken, ends, () => connections.delete(connection));
    connections.add(connection);
    connection.attach(options.onConnection(connection));
    connection.start();
  }

  listen();
  return {
    port: ownPort(fd),
    close() {
      if (closed) return;
      closed = true;
      cancel();
      unwatch(fd);
      native.close(fd);
      for (const connection of [...connections]) connection.abort();
    },
  };
}

/** Makes a TCP connection. */
export async function connectTcp(
  { to, from, timeout }: TcpConnectOptions,
  events: TcpEvents,
): Promise<TcpConnection> {
  const there = nativeAddress(to);
  const here = from === undefined ? undefined : nativeAddress(from);
  if (here !== undefined && isNativeIpv4(here) !== isNativeIpv4(there)) throw codedError("EINVAL");
  const fd = checked(native.tcpConnect(...there, ...here ?? []));
  try {
    await connected(fd, timeout);
    const ends = endsOf(fd);
    if (ends === undefined) throw codedError("ECONNRESET");
    const connection = new Connection(fd, ends, () => {});
    connection.attach(events);
    // The caller shall have the connection first.
    setTimer(0, () => connection.start());
    return connection;
  } catch (error) {
    native.close(fd);
    throw error;
  }
}

async function connected(fd: number, timeout: number): Promise<void> {
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
class Connection implements TcpConnection {
  readonly local: HostPort;
  readonly remote: HostPort;
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

  constructor(fd: number, ends: { local: HostPort; remote: HostPort }, forget: () => void) {
    this.local = ends.local;
    this.remote = ends.remote;
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

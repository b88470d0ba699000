/**
 * A TCP proxy on loopback, for a test: what passes can be held, delayed, cut, and sent elsewhere.
 *
 * @module
 */

const LOOPBACK = "127.0.0.1";
const CHUNK = 65_536;

/** Which way something goes: to the server, or to the client. */
type Way = "questions" | "answers";

/** Stands between clients and one server. */
export class TcpProxy implements AsyncDisposable {
  /** Seconds that everything takes longer, each way. */
  delay = 0;
  readonly port: number;
  #target: number;
  readonly #listener: Deno.TcpListener;
  #isRefusing = false;
  readonly #held = new Set<Way>();
  /** Woken where something of the above has changed, or all ends. */
  #waiting: (() => void)[] = [];
  readonly #timers = new Set<() => void>();
  readonly #connections = new Set<Deno.Conn>();
  readonly #pumps = new Set<Promise<void>>();
  readonly #accepting: Promise<void>;
  #isClosed = false;

  private constructor(target: number) {
    this.#target = target;
    this.#listener = Deno.listen({ hostname: LOOPBACK, port: 0 });
    this.port = this.#listener.addr.port;
    this.#accepting = this.#accept();
  }

  /** Has one before a port of loopback. */
  static before(target: number): TcpProxy {
    return new TcpProxy(target);
  }

  /** As `--store` has it. */
  get url(): string {
    return `redis://${LOOPBACK}:${this.port}`;
  }

  /** Ends all connections, and every new one at once. */
  cut(): void {
    this.#isRefusing = true;
    this.#hangUp();
  }

  /** Holds what comes, as a network does that has fallen apart: nobody is told of it. */
  hold(...ways: readonly Way[]): void {
    for (const way of ways.length === 0 ? ["questions", "answers"] as const : ways) {
      this.#held.add(way);
    }
  }

  /** All is well again; what was held goes on. */
  heal(): void {
    this.#isRefusing = false;
    this.#held.clear();
    this.#wake();
  }

  /** Another server takes the place of the one there was, whose connections end. */
  turnTo(target: number): void {
    this.#target = target;
    this.#hangUp();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#listener.close();
    this.#hangUp();
    this.#wake();
    for (const end of this.#timers) end();
    await this.#accepting;
    await Promise.all(this.#pumps);
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #hangUp(): void {
    for (const connection of this.#connections) close(connection);
    this.#connections.clear();
  }

  async #accept(): Promise<void> {
    for (;;) {
      let client: Deno.Conn;
      try {
        client = await this.#listener.accept();
      } catch {
        return;
      }
      if (this.#isRefusing || this.#isClosed) close(client);
      else this.#add(this.#serve(client));
    }
  }

  #add(work: Promise<void>): void {
    this.#pumps.add(work);
    void work.finally(() => this.#pumps.delete(work));
  }

  async #serve(client: Deno.Conn): Promise<void> {
    this.#connections.add(client);
    let server: Deno.Conn;
    try {
      server = await Deno.connect({ hostname: LOOPBACK, port: this.#target });
    } catch {
      return close(client);
    }
    this.#connections.add(server);
    if (!this.#connections.has(client)) return close(server);
    await Promise.all([
      this.#pump(client, server, "questions"),
      this.#pump(server, client, "answers"),
    ]);
    for (const connection of [client, server]) this.#connections.delete(connection);
  }

  async #pump(from: Deno.Conn, to: Deno.Conn, way: Way): Promise<void> {
    let last: Promise<void> = Promise.resolve();
    try {
      for (;;) {
        const buffer = new Uint8Array(CHUNK);
        const count = await from.read(buffer);
        if (count === null) break;
        const due = performance.now() + this.delay * 1000;
        last = last.then(() => this.#pass(buffer.subarray(0, count), to, way, due));
      }
    } catch {
      // It has ended.
    }
    await last;
    close(from);
    close(to);
  }

  async #pass(bytes: Uint8Array, to: Deno.Conn, way: Way, due: number): Promise<void> {
    const wait = due - performance.now();
    if (wait > 0 && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer);
          this.#timers.delete(done);
          resolve();
        };
        const timer = setTimeout(done, wait);
        this.#timers.add(done);
      });
    }
    while (this.#held.has(way) && !this.#isClosed) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    try {
      for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
    } catch {
      // It has ended.
    }
  }
}

function close(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // It is closed.
  }
}

/**
 * A real Redis on loopback, for a test: started on a free port, in a folder of its own, and ended with it.
 *
 * @module
 */

import type { StoreReply } from "../../lib/host/shared_stores.ts";
import { openStore } from "../../lib/host/node/store.ts";
import { parseStorePlace } from "../../lib/core/net/store_place.ts";
import { Running } from "./program.ts";

const LOOPBACK = "127.0.0.1";
const READY = /Ready to accept connections/i;
/** A command takes so many seconds at most. */
const TIMEOUT = 10;

/** How a Redis is started. */
export interface RedisOptions {
  /** More of what stands in its settings: `--name value`. */
  readonly args?: readonly string[];
  /** What it is asked with by {@linkcode Redis.call}. */
  readonly password?: string;
  readonly port?: number;
  /** It stays when the test ends: the test's own. */
  readonly folder?: string;
}

/** A Redis that runs. */
export class Redis implements AsyncDisposable {
  readonly port: number;
  readonly #options: RedisOptions;
  readonly folder: string;
  #running: Running;

  private constructor(port: number, options: RedisOptions, folder: string, running: Running) {
    this.port = port;
    this.#options = options;
    this.folder = folder;
    this.#running = running;
  }

  /** Starts one, and waits until it can be used. */
  static async start(options: RedisOptions = {}): Promise<Redis> {
    const port = options.port ?? freeTcpPort();
    const folder = options.folder ?? await Deno.makeTempDir({ prefix: "wgsig-redis-" });
    const running = await begin(port, folder, options);
    return new Redis(port, options, folder, running);
  }

  /** Starts a sentinel. @param settings Its file, which it writes to. */
  static async startSentinel(settings: string): Promise<{ port: number } & AsyncDisposable> {
    const port = freeTcpPort();
    const options = ["--port", `${port}`, "--bind", LOOPBACK, "--daemonize", "no"];
    const running = new Running(["redis-server", settings, "--sentinel", ...options], {
      env: { PATH: Deno.env.get("PATH") ?? "" },
    });
    await running.printed(/Sentinel ID is/);
    return { port, [Symbol.asyncDispose]: async () => void await running.stop("SIGKILL") };
  }

  /** As `--store` has it. */
  get url(): string {
    return `redis://${LOOPBACK}:${this.port}`;
  }

  /** The process. */
  get pid(): number {
    return this.#running.pid;
  }

  /** Sends it one command. */
  async call(...command: readonly (string | Uint8Array)[]): Promise<StoreReply> {
    return await callAt(this.port, command, this.#options.password);
  }

  /** Sends the process a signal. */
  signal(signal: Deno.Signal): void {
    Deno.kill(this.#running.pid, signal);
  }

  /** Ends it, whatever it does. */
  async kill(): Promise<void> {
    await this.#running.stop("SIGKILL");
  }

  /** Starts it again at the same port, with what is in its folder. */
  async restart(): Promise<void> {
    await this.kill();
    this.#running = await begin(this.port, this.folder, this.#options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    if (this.#options.folder === undefined) await Deno.remove(this.folder, { recursive: true });
  }
}

/** Sends one command to a Redis, or a sentinel, at a port of loopback. */
export async function callAt(
  port: number,
  command: readonly (string | Uint8Array)[],
  password?: string,
): Promise<StoreReply> {
  const store = await openStore({
    place: parseStorePlace(`redis://${LOOPBACK}:${port}`)!,
    user: undefined,
    password,
    authority: undefined,
    timeout: TIMEOUT,
    stop: new Promise(() => {}),
    onEnd: () => {},
  });
  try {
    return await store.call(command, TIMEOUT);
  } finally {
    store.close();
  }
}

async function begin(port: number, folder: string, { args = [] }: RedisOptions): Promise<Running> {
  const running = new Running([
    "redis-server",
    ...["--port", `${port}`, "--bind", LOOPBACK, "--dir", folder],
    // Nothing on the disk, unless a test says so.
    ...["--save", "", "--appendonly", "no", "--daemonize", "no"],
    ...args,
  ], { env: { PATH: Deno.env.get("PATH") ?? "" } });
  await running.printed(READY);
  return running;
}

/** A TCP port of loopback that nobody uses. */
export function freeTcpPort(): number {
  const listener = Deno.listen({ hostname: LOOPBACK, port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

/**
 * Both sides of TCP connections, and what happens to them; for scenarios.
 *
 * @module
 */

import { readdirSync } from "node:fs";
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { HostPort } from "../../lib/core/net/host_port.ts";
import type {
  TcpConnection,
  TcpEvents,
  TcpListener,
  TcpListenOptions,
} from "../../lib/host/tcp.ts";
import { errorCode } from "../../lib/host/error.ts";
import type { Host } from "../../lib/host/host.ts";

/** How long things may take, in milliseconds. */
export const PATIENCE_MS = 10_000;
/** Longer than a system takes to tell of something that happened on this host. */
const LOOK_MS = 50;
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

/** One side of a connection, and all that happened to it, in order. */
export class Side implements TcpEvents {
  readonly log: string[] = [];
  connection: TcpConnection | undefined;
  text = "";
  #changed: () => void = () => {};

  constructor(readonly act: Partial<TcpEvents> = {}) {}

  onData(bytes: Uint8Array): void {
    if (this.log.at(-1) !== "data") this.log.push("data");
    this.text += DECODER.decode(bytes);
    this.act.onData?.(bytes);
    this.#changed();
  }

  onEnd(): void {
    this.log.push("end");
    this.act.onEnd?.();
    this.#changed();
  }

  onClose(code: string | undefined): void {
    this.log.push(`close ${code}`);
    this.act.onClose?.(code);
    this.#changed();
  }

  onDrain(): void {
    this.act.onDrain?.();
    this.#changed();
  }

  get c(): TcpConnection {
    assert(this.connection !== undefined, "there is no connection yet");
    return this.connection;
  }

  say(text: string): void {
    const bytes = ENCODER.encode(text);
    this.c.write(bytes);
    // They are ours again.
    bytes.fill(0);
  }

  async until(happened: () => boolean): Promise<void> {
    const late = performance.now() + PATIENCE_MS;
    while (!happened()) {
      const left = late - performance.now();
      if (left <= 0) throw new Error(`only happened: ${this.log.join(", ")}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(left, LOOK_MS));
        this.#changed = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async closed(): Promise<readonly string[]> {
    await this.until(() => this.log.at(-1)?.startsWith("close") ?? false);
    return this.log;
  }

  heard(text: string): Promise<void> {
    return this.until(() => this.text === text);
  }
}

/** How many files and sockets this process has open. */
export function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

/** Waits until all is told that has happened. */
export function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}

/** A listener whose connections are kept; `act` is what each does. */
export async function station(
  host: Host,
  options: Partial<TcpListenOptions> = {},
  act: (side: Side) => Partial<TcpEvents> = () => ({}),
): Promise<{ listener: TcpListener; sides: Side[]; at: HostPort; next(): Promise<Side> }> {
  const sides: Side[] = [];
  let taken = 0;
  const address = options.address ?? "127.0.0.1";
  const listener = await host.tcpListen({
    address,
    port: 0,
    maxConnections: 100,
    onConnection(connection) {
      const actions: Partial<TcpEvents> = {};
      const side = new Side(actions);
      side.connection = connection;
      Object.assign(actions, act(side));
      sides.push(side);
      return side;
    },
    ...options,
  });
  return {
    listener,
    sides,
    at: { host: address, port: listener.port },
    async next() {
      const index = taken++;
      await new Side().until(() => sides.length > index);
      return sides[index]!;
    },
  };
}

/** Connects. */
export async function call(
  host: Host,
  to: HostPort,
  { from, act }: { from?: HostPort; act?: Partial<TcpEvents> } = {},
): Promise<Side> {
  const side = new Side(act);
  const source = from === undefined ? {} : { from };
  side.connection = await host.tcpConnect({ to, timeout: PATIENCE_MS, ...source }, side);
  assertEquals(side.log, [], "something came before the connection");
  return side;
}

/** Two sides that are connected, and their listener. */
export async function pair(host: Host, address?: string) {
  const server = await station(host, address === undefined ? {} : { address });
  const client = await call(host, server.at);
  return { client, far: await server.next(), listener: server.listener, at: server.at };
}

/** How a connection fails that is reset as soon as it is taken: in the making, or after it. */
export async function resetCode(host: Host, to: HostPort): Promise<string | undefined> {
  const client = new Side();
  try {
    await host.tcpConnect({ to, timeout: PATIENCE_MS }, client);
  } catch (error) {
    assertEquals(client.log, []);
    return errorCode(error);
  }
  return (await client.closed()).join().replace("close ", "");
}

/** The POSIX name of what goes wrong. */
export async function refusal(promise: Promise<unknown>): Promise<string> {
  return errorCode(await assertRejects(() => promise));
}

/** Fills bytes as they come in a stream after `from` others. */
function fillPattern(bytes: Uint8Array, from: number): Uint8Array {
  for (let i = 0; i < bytes.length; i++) bytes[i] = (from + i) * 31 >>> 3;
  return bytes;
}

/** Sends `size` bytes while it checks those that come, and often makes the other side wait. */
export class Stream extends Side {
  received = 0;
  wrong = 0;
  drains = 0;
  #expected = new Uint8Array(0);

  override onData(bytes: Uint8Array): void {
    if (this.#expected.length < bytes.length) this.#expected = new Uint8Array(bytes.length);
    fillPattern(this.#expected, this.received);
    for (let i = 0; i < bytes.length; i++) if (bytes[i] !== this.#expected[i]) this.wrong++;
    const before = this.received;
    this.received += bytes.length;
    if (before >> 19 !== this.received >> 19) {
      this.c.pause();
      const at = this.received;
      setTimeout(() => {
        if (this.received !== at) this.wrong++;
        this.c.resume();
      }, 5);
    }
  }

  override onDrain(): void {
    this.drains++;
    if (this.c.waiting !== 0) this.wrong++;
    super.onDrain();
  }

  async send(size: number): Promise<void> {
    const buffer = new Uint8Array(100_000);
    for (let sent = 0; sent < size;) {
      const piece = buffer.subarray(0, Math.min(buffer.length, size - sent));
      this.c.write(fillPattern(piece, sent));
      piece.fill(0);
      sent += piece.length;
      await this.until(() => this.c.waiting < 1_000_000);
    }
    this.c.end();
  }
}

/**
 * Connections to Redis and Valkey on Deno and Bun, by `@redis/client`.
 *
 * One client is one connection: it is not opened again by itself, and has no queue for while it is away.
 * Where sentinels or a cluster say which server is the one, they are asked each time that one is opened:
 * all keys of wgsig are in one slot, and so on one server.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createClient, ErrorReply, RESP_TYPES } from "@redis/client";
import type { HostPort } from "../../core/net/host_port.ts";
import { codedError, isCoded } from "../error.ts";
import {
  type StoreCommand,
  type StoreConnection,
  type StoreOptions,
  StoreRefusal,
  type StoreReply,
} from "../shared_stores.ts";

/** Commands that may be on their way. */
const MOST_WAITING = 4096;
/** A key that is in the slot of all. */
const ANY_KEY = "{wgsig}:id";
/** So often a cluster's servers may name another one. */
const MOST_MOVES = 4;
const MAX_PORT = 0xffff;
/** What the library's errors mean, by their texts: it gives them no codes. */
const CODES: ReadonlyMap<string, string> = new Map([
  ["Connection timeout", "ETIMEDOUT"],
  ["Socket closed unexpectedly", "ECONNRESET"],
  ["The client is closed", "ECONNRESET"],
  ["The client is offline", "ECONNRESET"],
  ["Disconnects client", "ECONNRESET"],
]);

type Dial = Omit<StoreOptions, "place"> & { readonly isEncrypted: boolean };

/** Opens a connection. See `SharedStores.openStore`. */
export async function openStore(options: StoreOptions): Promise<StoreConnection> {
  const { place } = options;
  const { isEncrypted, nodes, master, database } = place;
  const dial = { ...options, isEncrypted };
  let problem: unknown = codedError("ENOTFOUND");
  for (const node of nodes) {
    try {
      if (place.kind === "cluster") return await openInCluster(dial, node);
      const server = place.kind === "sentinel" ? await askSentinel(dial, node, master) : node;
      return await open(dial, server, database);
    } catch (error) {
      problem = error;
    }
  }
  throw problem;
}

async function openInCluster(dial: Dial, node: HostPort): Promise<StoreConnection> {
  let server = node;
  for (let moves = 0;; moves++) {
    const store = await open(dial, server, 0);
    try {
      await store.call(["GET", ANY_KEY], dial.timeout);
      return store;
    } catch (error) {
      store.close();
      const moved = error instanceof StoreRefusal && moves < MOST_MOVES
        ? /^MOVED \d+ (\S*):(\d+)$/.exec(error.message)
        : null;
      if (moved === null) throw error;
      const [, host = "", port = ""] = moved;
      // IPv6 addresses have no brackets there. Without a host, it is the one that was asked.
      server = { host: host === "" ? server.host : host, port: portOf(port) };
    }
  }
}

/** Which server is the one to write to, as a sentinel says. */
async function askSentinel(dial: Dial, node: HostPort, master: string): Promise<HostPort> {
  const command = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", master];
  const ask = async (how: Dial) => {
    const sentinel = await open(how, node, 0);
    try {
      return await sentinel.call(command, dial.timeout);
    } finally {
      sentinel.close();
    }
  };
  let reply: StoreReply;
  try {
    reply = await ask({ ...dial, user: undefined, password: undefined });
  } catch (error) {
    if (!(error instanceof StoreRefusal) || dial.password === undefined) throw error;
    reply = await ask(dial);
  }
  const [host, port] = Array.isArray(reply) ? reply : [];
  if (!(host instanceof Uint8Array) || !(port instanceof Uint8Array)) {
    throw new Error(`its sentinel knows of no ${master}`);
  }
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { host: text(host), port: portOf(text(port)) };
}

/** A port that a server names. @throws It is none. */
function portOf(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port <= MAX_PORT) return port;
  throw new Error("it names a server that has no port");
}

async function open(dial: Dial, { host, port }: HostPort, database: number) {
  const { user, password, authority, isEncrypted, timeout } = dial;
  const client = createClient({
    // Lists stay lists, whatever they stand for.
    RESP: 2,
    disableClientInfo: true,
    maintNotifications: "disabled",
    disableOfflineQueue: true,
    commandsQueueMaxLength: MOST_WAITING,
    database,
    ...user === undefined ? {} : { username: user },
    ...password === undefined ? {} : { password },
    socket: {
      host,
      port,
      connectTimeout: timeout * 1000,
      reconnectStrategy: false,
      ...isEncrypted ? { tls: true as const } : {},
      ...isEncrypted && authority !== undefined ? { ca: authority } : {},
    },
    commandOptions: {
      typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer, [RESP_TYPES.SIMPLE_STRING]: Buffer },
    },
  });
  let isEnded = false;
  let isOpen = false;
  const close = () => {
    isEnded = true;
    try {
      client.destroy();
    } catch {
      // It is closed already.
    }
  };
  const ended = (error: unknown) => {
    if (isEnded || !isOpen) return;
    close();
    dial.onEnd(codeOf(error));
  };
  // Without a listener, the end of a connection would be the end of the process.
  client.on("error", ended);
  client.on("terminated", ended);
  try {
    await inTime(client.connect(), timeout, dial.stop);
    isOpen = true;
  } catch (error) {
    close();
    throw thrown(error);
  }
  return {
    async call(command: StoreCommand, seconds: number): Promise<StoreReply> {
      const args = command.map((arg) =>
        typeof arg === "string" ? arg : Buffer.from(arg.buffer, arg.byteOffset, arg.byteLength)
      );
      try {
        return replyOf(await inTime(client.sendCommand<unknown>(args), seconds));
      } catch (error) {
        throw thrown(error);
      }
    },
    close,
  };
}

/** Fails with ETIMEDOUT where it takes too long: the library waits for as long as it takes. */
async function inTime<T>(
  doing: Promise<T>,
  seconds: number,
  stop?: Promise<void>,
): Promise<T> {
  let cancel = () => {};
  const late = new Promise<never>((_, fail) => {
    const timer = setTimeout(() => fail(codedError("ETIMEDOUT")), seconds * 1000);
    cancel = () => clearTimeout(timer);
    void stop?.then(() => fail(codedError("ECONNABORTED")));
  });
  try {
    return await Promise.race([doing, late]);
  } finally {
    cancel();
    // What becomes of it later is of no interest.
    doing.catch(() => {});
    late.catch(() => {});
  }
}

function replyOf(value: unknown): StoreReply {
  if (value === null || typeof value === "number") return value;
  // The library's are views into all that came at once: what keeps one would keep all of it.
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(replyOf);
  if (value instanceof ErrorReply) throw new StoreRefusal(value.message);
  throw new StoreRefusal("it answers with something that is no answer");
}

/** What is thrown here, of what the library throws. */
function thrown(error: unknown): unknown {
  if (error instanceof StoreRefusal || isCoded(error)) return error;
  if (error instanceof ErrorReply) return new StoreRefusal(error.message);
  return new Error(codeOf(error));
}

/** A POSIX name, or words. */
function codeOf(error: unknown): string {
  if (error === undefined) return "ECONNRESET";
  if (isCoded(error) && error instanceof Error && "code" in error) return String(error.code);
  if (!(error instanceof Error)) return String(error);
  return CODES.get(error.message) ?? error.message;
}

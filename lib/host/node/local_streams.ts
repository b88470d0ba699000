/**
 * Unix sockets through `node:net`, as Deno and Bun have it in common.
 *
 * @module
 */

import { unlinkSync } from "node:fs";
import { chmod, rename, unlink } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { codedError, errorCode } from "../error.ts";
import type {
  LocalConnectOptions,
  LocalListener,
  LocalListenOptions,
  LocalStreams,
} from "../local_streams.ts";
import { ignore, Stream } from "./stream.ts";

const OWNER_ONLY = 0o600;
/** Size of a name, without the zero behind it: unix(7). */
const LONGEST_PATH = 107;
/** Behind a name, before the socket has it. */
const NEW = ".new";

/** The part of a host that is unix sockets. */
export const LOCAL_STREAMS: LocalStreams = {
  listenLocal: listen,
  async connectLocal(options, events) {
    checkLength(options.path);
    const socket = await connected(options);
    const stream = new Stream(socket, ignore, cut);
    stream.attach(events);
    // The caller shall have the connection first.
    setImmediate(() => stream.start());
    return stream;
  },
};

async function listen(options: LocalListenOptions): Promise<LocalListener> {
  const { path, maxConnections } = options;
  checkLength(path + NEW);
  const streams = new Set<Stream>();
  let isClosed = false;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", ignore);
    if (isClosed || streams.size >= maxConnections) return void socket.destroy();
    const stream = new Stream(socket, () => streams.delete(stream), cut);
    streams.add(stream);
    stream.attach(options.onConnection(stream));
    stream.start();
  });
  // Under its own name it is there with its permissions from the beginning, in the place of another.
  const made = path + NEW;
  await unlink(made).catch(ignore);
  await listening(server, made);
  try {
    await chmod(made, OWNER_ONLY);
    await rename(made, path);
  } catch (error) {
    server.close();
    await unlink(made).catch(ignore);
    throw codedError(errorCode(error));
  }
  return {
    close() {
      if (isClosed) return;
      isClosed = true;
      server.close();
      for (const stream of [...streams]) stream.abort();
      try {
        unlinkSync(path);
      } catch {
        // It is gone.
      }
    },
  };
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => reject(codedError(errorCode(error)));
    server.once("error", fail);
    server.listen(path, () => {
      server.off("error", fail);
      server.on("error", ignore);
      resolve();
    });
  });
}

function connected({ path, timeout }: LocalConnectOptions): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    const fail = (error: unknown) => {
      clearTimeout(timer);
      socket.destroy();
      reject(codedError(errorCode(error)));
    };
    const timer = setTimeout(() => fail(codedError("ETIMEDOUT")), timeout * 1000);
    socket.on("error", fail);
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.on("error", ignore);
      socket.off("error", fail);
      resolve(socket);
    });
  });
}

/** Such a socket has no resets. */
function cut(socket: Socket): void {
  socket.destroy();
}

function checkLength(path: string): void {
  if (new TextEncoder().encode(path).length > LONGEST_PATH) throw codedError("ENAMETOOLONG");
}

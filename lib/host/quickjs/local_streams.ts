/**
 * Unix sockets with a name in a folder.
 *
 * @module
 */

import type {
  LocalConnection,
  LocalConnectOptions,
  LocalListener,
  LocalListenOptions,
} from "../local_streams.ts";
import type { TcpEvents } from "../tcp.ts";
import { setTimer } from "./loop.ts";
import { checked, native } from "./native.ts";
import { connected, Stream, takeConnections } from "./stream.ts";

/** Connections that may wait to be taken. */
const BACKLOG = 16;
/** Behind a name, before the socket has it. */
const NEW = ".new";

/** See `LocalStreams`. */
// deno-lint-ignore require-await -- what throws becomes a rejection
export async function listenLocal(options: LocalListenOptions): Promise<LocalListener> {
  const { path, maxConnections } = options;
  // Under its own name it is there with its permissions from the beginning, in the place of another.
  const made = path + NEW;
  native.unlink(made);
  const fd = checked(native.localListen(made, BACKLOG));
  try {
    checked(native.rename(made, path));
  } catch (error) {
    native.close(fd);
    native.unlink(made);
    throw error;
  }
  const streams = new Set<Stream>();
  let isClosed = false;
  const end = takeConnections(fd, (taken) => {
    if (streams.size >= maxConnections) return void native.close(taken);
    const stream = new Stream(taken, () => streams.delete(stream));
    streams.add(stream);
    stream.attach(options.onConnection(stream));
    stream.start();
  });
  return {
    close() {
      if (isClosed) return;
      isClosed = true;
      end();
      for (const stream of [...streams]) stream.abort();
      native.unlink(path);
    },
  };
}

/** See `LocalStreams`. */
export async function connectLocal(
  { path, timeout }: LocalConnectOptions,
  events: TcpEvents,
): Promise<LocalConnection> {
  const fd = checked(native.localConnect(path));
  try {
    await connected(fd, timeout);
  } catch (error) {
    native.close(fd);
    throw error;
  }
  const stream = new Stream(fd, () => {});
  stream.attach(events);
  // The caller shall have the connection first.
  setTimer(0, () => stream.start());
  return stream;
}

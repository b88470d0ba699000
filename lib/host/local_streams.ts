/**
 * Connections between programs of this machine: unix sockets that have a name in a folder.
 *
 * @module
 */

import type { TcpConnection, TcpEvents } from "./tcp.ts";

/** One of them. It behaves as a TCP connection does, but for addresses, which it has none of. */
export type LocalConnection = Omit<TcpConnection, "local" | "remote">;

/** Where connections are taken. */
export interface LocalListenOptions {
  /** The socket's name. What lies there under that name is replaced: see to it that it is nobody's. */
  readonly path: string;
  /** So many at once; one more is closed at once. */
  readonly maxConnections: number;
  /** Called with each new connection; what it returns gets the connection's events. */
  onConnection(connection: LocalConnection): TcpEvents;
}

/** A socket that takes connections. */
export interface LocalListener {
  /** Stops listening, aborts the connections, and removes the name. Nothing is called after it returns. */
  close(): void;
}

/** Where a connection goes. */
export interface LocalConnectOptions {
  readonly path: string;
  /** Seconds until it must be connected (`ETIMEDOUT`). */
  readonly timeout: number;
}

/** Takes and makes connections. */
export interface LocalStreams {
  /**
   * Takes connections of this process's user and of the superuser alone (mode 0600): `ENOENT` where
   * there is no such folder, `EACCES`, `EROFS`, `ENAMETOOLONG`.
   */
  listenLocal(options: LocalListenOptions): Promise<LocalListener>;
  /**
   * Makes a connection: `ENOENT` where there is no such name, `ECONNREFUSED` where nobody listens any
   * more, `EACCES`, `ETIMEDOUT`; no event comes then, nor before the promise is fulfilled.
   */
  connectLocal(options: LocalConnectOptions, events: TcpEvents): Promise<LocalConnection>;
}

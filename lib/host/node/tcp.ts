/**
 * TCP through `node:net`, as Deno and Bun have it in common.
 *
 * Deno loses what waits (the system hasn't taken it) when the other side ends its way: the
 * connection is over with `EPIPE` then. What fits the system's buffers is not touched by that.
 *
 * @module
 */

import { connect, createServer, type Server, Socket, type SocketConstructorOpts } from "node:net";
import type { HostPort } from "../../core/net/host_port.ts";
import { formatAddress, isIpv4, parseAddress } from "../../core/net/ip_address.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type {
  TcpConnection,
  TcpConnectOptions,
  TcpEvents,
  TcpListener,
  TcpListenOptions,
} from "../tcp.ts";
import { codedError, errorCode } from "../error.ts";
import type { Host } from "../host.ts";
import { ConnectionRoom } from "./connection_room.ts";
import { ignore, Stream } from "./stream.ts";

/** Connections that may wait to be taken. */
export const BACKLOG = 128;
const MAX_PORT = 0xffff;

/**
 * Sockets as file descriptors, for what a runtime's `node:net` can't do. Whoever gets one closes it.
 * Errors have a POSIX `code`.
 */
export interface SocketMaker {
  /** A socket that listens. */
  listening(address: string, port: number): number;
  /** A socket that is connected. */
  connected(options: TcpConnectOptions): Promise<number>;
  /** Closes one that `node:net` did not take. */
  close(fd: number): void;
}

/** How a runtime goes about TCP. */
export interface TcpHostOptions {
  /** For all but plain connections. */
  readonly maker?: SocketMaker | undefined;
  /** Connections that the runtime takes before the first of them can be refused. */
  readonly takenAtOnce?: number;
}

/** The part of a host that is TCP. */
export function tcpHost(
  { maker, takenAtOnce = 0 }: TcpHostOptions = {},
): Pick<Host, "tcpListen" | "tcpConnect"> {
  const room = new ConnectionRoom(takenAtOnce);
  return {
    tcpListen: (options) => listen(options, room, maker),
    async tcpConnect(options, events) {
      const ipv4 = checked(options.to);
      if (options.from !== undefined && checked(options.from) !== ipv4) throw codedError("EINVAL");
      const special = options.from !== undefined || isScoped(options.to.host);
      const socket = maker !== undefined && special
        ? adopt(await maker.connected(options), maker)
        : await connected(options);
      return open(socket, events);
    },
  };
}

/** A socket of `node:net` around a file descriptor. */
function adopt(fd: number, maker: SocketMaker): Socket {
  try {
    const options: SocketConstructorOpts = { fd, allowHalfOpen: true };
    return new Socket({ ...options, readable: true, writable: true });
  } catch (error) {
    maker.close(fd);
    throw codedError(errorCode(error), String(error));
  }
}

async function listen(
  options: TcpListenOptions,
  room: ConnectionRoom,
  maker?: SocketMaker,
): Promise<TcpListener> {
  const { address, port, maxConnections } = options;
  checked({ host: address, port });
  const connections = new Set<Connection>();
  let closed = false;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", ignore);
    const ends = endsOf(socket);
    // It was reset before it was taken.
    if (ends === undefined) return void socket.destroy();
    if (closed || connections.size >= maxConnections || !room.take()) {
      socket.resetAndDestroy();
      if (!closed) options.onRefused?.();
      return;
    }
    const connection = new Connection(socket, ends, () => {
      connections.delete(connection);
      room.leave();
    });
    connections.add(connection);
    connection.attach(options.onConnection(connection));
    connection.start();
  });
  if (maker === undefined) {
    await listening(server, { host: address, port, ipv6Only: true }, address);
  } else {
    const fd = maker.listening(address, port);
    await listening(server, { fd }, address).catch((error) => {
      maker.close(fd);
      throw error;
    });
  }
  room.measure();
  server.on("error", ignore);
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : port,
    close() {
      if (closed) return;
      closed = true;
      server.close();
      for (const connection of [...connections]) connection.abort();
    },
  };
}

function listening(
  server: Server,
  where: { host: string; port: number; ipv6Only: boolean } | { fd: number },
  address: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => reject(posix(error, isScoped(address)));
    server.once("error", fail);
    server.listen({ ...where, backlog: BACKLOG }, () => {
      server.off("error", fail);
      resolve();
    });
  });
}

function connected({ to, from, timeout }: TcpConnectOptions): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const local = from === undefined ? {} : {
      localAddress: from.host,
      ...(from.port === 0 ? {} : { localPort: from.port }),
    };
    const socket = connect({ host: to.host, port: to.port, ...local, allowHalfOpen: true });
    const scoped = isScoped(to.host) || (from !== undefined && isScoped(from.host));
    const fail = (error: unknown) => {
      clearTimeout(timer);
      socket.destroy();
      reject(posix(error, scoped));
    };
    const timer = setTimeout(() => fail(codedError("ETIMEDOUT")), timeout * 1000);
    const closed = () => fail(codedError("ECONNABORTED"));
    socket.on("error", fail);
    socket.once("close", closed);
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.on("error", ignore);
      socket.off("error", fail);
      socket.off("close", closed);
      resolve(socket);
    });
  });
}

function open(socket: Socket, events: TcpEvents): TcpConnection {
  socket.on("error", ignore);
  const ends = endsOf(socket);
  if (ends === undefined) {
    socket.destroy();
    throw codedError("ECONNRESET");
  }
  const connection = new Connection(socket, ends, ignore);
  connection.attach(events);
  // The caller shall have the connection first.
  setImmediate(() => connection.start());
  return connection;
}

interface Ends {
  readonly local: HostPort;
  readonly remote: HostPort;
}

/** A connection, and who its two sides are. */
class Connection extends Stream implements TcpConnection {
  readonly local: HostPort;
  readonly remote: HostPort;

  constructor(socket: Socket, { local, remote }: Ends, forget: () => void) {
    super(socket, forget, (socket) => void socket.resetAndDestroy());
    this.local = local;
    this.remote = remote;
    socket.setNoDelay(true);
  }
}

/** Undefined where the system knows them no more. */
function endsOf(socket: Socket): Ends | undefined {
  const local = end(socket.localAddress, socket.localPort);
  const remote = end(socket.remoteAddress, socket.remotePort);
  return local === undefined || remote === undefined ? undefined : { local, remote };
}

function end(address: string | undefined, port: number | undefined): HostPort | undefined {
  const parsed = new WireBuffer(16);
  if (address === undefined || port === undefined || !parseAddress(address, parsed, 0)) return;
  return { host: formatAddress(parsed, 0), port };
}

/** Refuses what is no address (names are not looked up here), and says whether it is IPv4. */
function checked({ host, port }: HostPort): boolean {
  const parsed = new WireBuffer(16);
  const isPort = Number.isInteger(port) && port >= 0 && port <= MAX_PORT;
  if (!isPort || !parseAddress(host, parsed, 0)) throw codedError("EINVAL");
  return isIpv4(parsed, 0);
}

/** Whether an address says which interface it belongs to. */
function isScoped(address: string): boolean {
  return address.includes("%");
}

/** What a runtime says of an interface that is not there has no name, or another one's. */
function posix(error: unknown, scoped: boolean): Error {
  const code = errorCode(error);
  const isName = /^E[A-Z0-9]+$/.test(code);
  return codedError(scoped && (!isName || code === "EINVAL") ? "ENODEV" : code, String(error));
}

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
import { setTimer } from "./loop.ts";
import { checked, native } from "./native.ts";
import { connected, Stream, takeConnections } from "./stream.ts";

const BACKLOG = 128;

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

  const end = takeConnections(fd, take);
  return {
    port: ownPort(fd),
    close() {
      if (closed) return;
      closed = true;
      end();
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

/** A connection, and who its two sides are. */
class Connection extends Stream implements TcpConnection {
  readonly local: HostPort;
  readonly remote: HostPort;

  constructor(fd: number, ends: { local: HostPort; remote: HostPort }, forget: () => void) {
    super(fd, forget);
    this.local = ends.local;
    this.remote = ends.remote;
  }
}

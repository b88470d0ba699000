/**
 * TCP connections.
 *
 * @module
 */

import type { HostPort } from "../core/net/host_port.ts";

/** What a TCP connection tells. */
export interface TcpEvents {
  /** Called with bytes that came in, at least one. They are the host's: copy what you keep. */
  onData(bytes: Uint8Array): void;
  /**
   * Called once when the other side has sent all that it will. What this side writes still goes
   * there, until it ends the connection as well.
   */
  onEnd(): void;
  /**
   * Called exactly once, when the connection is over both ways, and nothing else is called after it.
   * Where this side aborts it, it is called before `abort` or the listener's `close` returns.
   *
   * @param code A POSIX name (`ECONNRESET`, `ETIMEDOUT`, `EPIPE`, …) where the system ended it, or
   *   undefined where both sides had ended it, or this side aborted it.
   */
  onClose(code: string | undefined): void;
  /** Called whenever all that was written has been taken by the system. */
  onDrain?(): void;
}

/** A TCP connection. After it is over, no method does anything. */
export interface TcpConnection {
  /** This side: an IP address without its scope (IPv4-mapped as IPv4), and a port. */
  readonly local: HostPort;
  /** The other side, in the same form. */
  readonly remote: HostPort;
  /** Bytes that were written and that the system has not taken yet. The caller limits them. */
  readonly waiting: number;
  /** Sends bytes. They are the caller's again when it returns. After `end` it does nothing. */
  write(bytes: Uint8Array): void;
  /**
   * Closes this side's way once what was written is sent. What the other side sends still comes in:
   * the connection is over when that side has ended it, too. Abort it where that takes too long.
   */
  end(): void;
  /** Ends both ways at once, with a reset where the runtime can. What waits is lost. */
  abort(): void;
  /**
   * Takes nothing more from the system, so that the other side has to wait. Neither its end nor a
   * failure may be noticed until `resume`.
   */
  pause(): void;
  /** Undoes `pause`. */
  resume(): void;
}

/** Where TCP connections are taken. */
export interface TcpListenOptions {
  /**
   * An IP address of this host, with a scope where it needs one (`fe80::%wg0`); `0.0.0.0` for all of
   * IPv4, `::` for all of IPv6 and no more.
   */
  readonly address: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /**
   * So many at once; one more is closed at once. There are fewer where the process may not have so many
   * descriptors: some are left to everything else.
   */
  readonly maxConnections: number;
  /** Called with each new connection; what it returns gets the connection's events. */
  onConnection(connection: TcpConnection): TcpEvents;
  /** Called when a connection was closed for `maxConnections`, or for want of descriptors. */
  onRefused?(): void;
}

/** A socket that takes TCP connections. */
export interface TcpListener {
  /** The port that it is bound to. */
  readonly port: number;
  /** Stops listening and aborts the connections. Nothing is called after it returns. */
  close(): void;
}

/** Where a TCP connection goes. */
export interface TcpConnectOptions {
  /** An IP address, with a scope where it needs one, and a port. */
  readonly to: HostPort;
  /** What it comes from: an IP address of this host, perhaps with a scope; port 0 is any. */
  readonly from?: HostPort;
  /** Seconds until it must be connected (`ETIMEDOUT`). */
  readonly timeout: number;
}

/** Takes TCP connections. */
export interface TcpListening {
  /**
   * Takes TCP connections: `EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES`, `ENODEV` where the scope is no
   * interface. An address whose connections have just ended is free to be listened on.
   */
  tcpListen(options: TcpListenOptions): Promise<TcpListener>;
}

/** Makes TCP connections. */
export interface TcpConnecting {
  /**
   * Makes a TCP connection: `ECONNREFUSED` (on Bun, also where there is no way there), `ETIMEDOUT`,
   * `ENETUNREACH`, `EADDRNOTAVAIL`, `EADDRINUSE`, `ENODEV`, …; no event comes then, nor before the
   * promise is fulfilled. A name instead of an address is `EINVAL`.
   */
  tcpConnect(options: TcpConnectOptions, events: TcpEvents): Promise<TcpConnection>;
}

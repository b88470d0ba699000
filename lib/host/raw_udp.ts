/**
 * Raw UDP sockets on a port that WireGuard owns.
 *
 * @module
 */

import type { DatagramBatch } from "../core/net/datagram_batch.ts";
import type { Family, HostPort } from "../core/net/host_port.ts";

/** A raw socket to open. */
export interface RawUdpOptions {
  readonly family: Family;
  /** WireGuard's port, which its own socket owns: it is heard, and spoken from. */
  readonly port: number;
  /** The mark (SO_MARK) of what is sent, for policy routing; 0 is none. */
  readonly mark: number;
  /**
   * Called with datagrams that came in: never with WireGuard's own messages, nor with one over
   * `SLOT_SIZE` bytes. WireGuard's socket gets all of them as well, and throws away what it doesn't
   * know.
   *
   * @param batch The socket's, filled anew for the next call.
   * @param ports The port of this host that each was sent to. The socket's as well.
   */
  onBatch(batch: DatagramBatch, ports: Uint16Array): void;
  /**
   * Called when a datagram could not be sent.
   *
   * @param to Where it was to go, as far as that is known.
   */
  onSendError(code: string, to?: HostPort): void;
}

/** How a datagram is sent. */
export interface RawSending {
  /** Another port of this host than WireGuard's. */
  readonly from?: number;
  /** How many routers may pass it on (TTL, hop limit), 1 to 255; the system's default without it. */
  readonly ttl?: number;
}

/** A raw UDP socket. */
export interface RawUdpSocket {
  /**
   * Sends up to `SLOT_SIZE` bytes to an IP address of the socket's family. They are the caller's again
   * when it returns. What can't be sent is told to `onSendError`, `to` with it.
   */
  send(bytes: Uint8Array, to: HostPort, how?: RawSending): void;
  /**
   * Hears `count` ports from `first` on as well, instead of those that were named before; 0 ends that.
   * Throws an error with a POSIX `code`: `EINVAL` where these are no ports.
   */
  hearAlso(first: number, count: number): void;
  /** Closes it. Nothing is called any more. */
  close(): void;
}

/** Opens raw UDP sockets. */
export interface RawUdp {
  /**
   * Opens a raw socket (`EPERM` without CAP_NET_RAW; before Linux 5.17 a mark needs CAP_NET_ADMIN as
   * well; `ENOSYS` where there are none).
   */
  rawUdp(options: RawUdpOptions): Promise<RawUdpSocket>;
}

/**
 * UDP sockets.
 *
 * @module
 */

import type { DatagramBatch, ReplyBatch } from "../core/net/datagram_batch.ts";
import type { HostPort } from "../core/net/host_port.ts";

/** What a socket calls. */
export interface UdpHandlers {
  /**
   * Called with datagrams that came in. What it puts into `replies` is sent when it returns.
   * Both batches are the socket's, filled anew for the next call.
   */
  onBatch(batch: DatagramBatch, replies: ReplyBatch): void;
  /**
   * Called with how many datagrams were thrown away unread, because so many came that nothing else
   * would have had its turn. Without it, none are: who asked for them wants them all.
   */
  onOverload?(count: number): void;
  /**
   * Called when a datagram could not be sent, or the system reports that one didn't arrive.
   *
   * @param to Where it was to go, as far as that is known: of what `send` could not send.
   */
  onSendError(code: string, to?: HostPort): void;
}

/** A UDP socket to open. */
export interface UdpOptions extends UdpHandlers {
  /** An IP address of this host; `0.0.0.0` for all of IPv4, `::` for all of IPv6 and no more. */
  readonly address: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** The mark (SO_MARK) of the datagrams that are sent, for policy routing; 0 is none. */
  readonly mark?: number;
}

/** A socket that speaks UDP with one other. */
export interface ConnectedUdpOptions extends Omit<UdpOptions, "address"> {
  /** The port that is spoken from. */
  readonly port: number;
  /** Whether it is a raw socket, because another socket owns the port. It needs CAP_NET_RAW. */
  readonly raw: boolean;
  /** The one that is spoken to: an IP address and a port. */
  readonly to: HostPort;
  readonly mark: number;
  /**
   * Bytes of the datagrams that are expected, where all have the same size. A raw socket gets what was
   * sent with UDP_SEGMENT from this host or over a bridge in one piece, and the kernel doesn't say
   * where it is to be taken apart: that is done at so many bytes. What is not raw is taken apart by
   * the kernel, and this does nothing.
   */
  readonly segment?: number;
}

/** A UDP socket. */
export interface UdpSocket {
  /** The port that it is bound to. */
  readonly port: number;
  /** Sends bytes to an IP address. They are the caller's again when it returns. */
  send(bytes: Uint8Array, to: HostPort): void;
  /** Closes it. Nothing is called any more. */
  close(): void;
  /**
   * Sends what a batch holds, all of it to destinations of its own. The bytes are the caller's again
   * when it returns. Missing where a socket speaks with one other alone.
   */
  sendBatch?(replies: ReplyBatch): void;
  /**
   * Opens another socket on the port of this one, which listens on all addresses, for one address of
   * this host: what is sent there comes to it from then on, and is answered from there. Other processes
   * can't have the port, before and after. Missing where a host can't do that.
   */
  beside?(options: Omit<UdpOptions, "port">): Promise<UdpSocket>;
}

/** Opens UDP sockets. */
export interface Udp {
  /**
   * Opens a UDP socket (`EPERM` where it has a mark without CAP_NET_ADMIN; `ENOSYS` where marks are
   * not to be had).
   */
  udp(options: UdpOptions): Promise<UdpSocket>;
}

/** Opens sockets that speak with one other, raw ones among them. */
export interface ConnectedUdp {
  /**
   * Opens a socket that speaks with one other (`EPERM` where it is raw without CAP_NET_RAW, or has a
   * mark without CAP_NET_ADMIN; `ENOSYS` where there is none).
   */
  connectedUdp(options: ConnectedUdpOptions): Promise<UdpSocket>;
}

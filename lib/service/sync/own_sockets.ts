/**
 * Sockets that speak from WireGuard's port, for as long as one question takes: raw ones where
 * WireGuard has it, others while it is on another.
 *
 * @module
 */

import type { DatagramBatch } from "../../core/net/datagram_batch.ts";
import { familyOf, formatHostPort, type HostPort } from "../../core/net/host_port.ts";
import { EXIT, UserError } from "../../core/settings/user_error.ts";
import { errorCode, explain } from "../../host/error.ts";
import type { ConnectedUdp, Udp, UdpSocket } from "../../host/udp.ts";

/** How WireGuard's port is spoken from. */
export interface OwnPort {
  /** WireGuard's port. */
  readonly port: number;
  /** Whether WireGuard has it now. */
  readonly raw: boolean;
  /** The mark of WireGuard's datagrams; 0 where there is none. */
  readonly mark: number;
  /** Bytes of the datagrams that may come as one piece; see `ConnectedUdpOptions`. */
  readonly segment: number;
}

/** Who hears what comes, and of what could not be sent. */
export interface OwnSocketHandlers {
  onBatch(batch: DatagramBatch): void;
  /** @param to Whom it was for, as far as that is known. */
  onSendError(code: string, to: HostPort | undefined): void;
}

/** Opens them, and closes all of them. */
export class OwnSockets {
  readonly #host: Udp & ConnectedUdp;
  readonly #own: OwnPort;
  readonly #handlers: OwnSocketHandlers;
  /** By the endpoint that a socket speaks with, or by the address that it is bound to. */
  readonly #sockets = new Map<string, UdpSocket>();
  #isClosed = false;

  constructor(host: Udp & ConnectedUdp, own: OwnPort, handlers: OwnSocketHandlers) {
    this.#host = host;
    this.#own = own;
    this.#handlers = handlers;
  }

  /**
   * Opens what it takes to speak with an endpoint.
   *
   * @returns Whether that can be spoken with; where not, it was told to the handlers.
   * @throws What says that there are no such sockets at all: `EPERM`, `ENOSYS`; a {@linkcode UserError}
   *   where the port can't be had.
   */
  async open(to: HostPort): Promise<boolean> {
    const name = this.#nameOf(to);
    if (this.#sockets.has(name)) return true;
    try {
      const socket = await this.#open(to);
      if (this.#isClosed) socket.close();
      else this.#sockets.set(name, socket);
      return !this.#isClosed;
    } catch (error) {
      const code = errorCode(error);
      if (this.#isBound) {
        // A host without IPv6 can ask over IPv4.
        if (familyOf(to) === 4) {
          const why = explain(error);
          throw new UserError(`cannot use UDP port ${this.#own.port}: ${why}`, EXIT.failed);
        }
      } else if (code === "EPERM" || code === "ENOSYS") throw error;
      this.#handlers.onSendError(code, to);
      return false;
    }
  }

  /** Sends to an endpoint for which a socket is open; else nothing. */
  send(bytes: Uint8Array, to: HostPort): void {
    this.#sockets.get(this.#nameOf(to))?.send(bytes, to);
  }

  /** The same to one for which a socket may have to be opened first. */
  openAndSend(bytes: Uint8Array, to: HostPort): void {
    if (this.#sockets.has(this.#nameOf(to))) return this.send(bytes, to);
    const copy = bytes.slice();
    this.open(to).then(
      () => this.send(copy, to),
      (error) => this.#handlers.onSendError(errorCode(error), to),
    );
  }

  /** Closes all. */
  close(): void {
    this.#isClosed = true;
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }

  /** Whether one socket speaks with all: only a connected one has a mark everywhere. */
  get #isBound(): boolean {
    return !this.#own.raw && this.#own.mark === 0;
  }

  #nameOf(to: HostPort): string {
    return this.#isBound ? boundAddress(to) : formatHostPort(to);
  }

  async #open(to: HostPort): Promise<UdpSocket> {
    const onBatch = (batch: DatagramBatch) => this.#handlers.onBatch(batch);
    if (this.#isBound) {
      return await this.#host.udp({
        address: boundAddress(to),
        port: this.#own.port,
        onBatch,
        onSendError: (code, to) => this.#handlers.onSendError(code, to),
      });
    }
    return await this.#host.connectedUdp({
      ...this.#own,
      to,
      onBatch,
      onSendError: (code) => this.#handlers.onSendError(code, to),
    });
  }
}

function boundAddress(to: HostPort): string {
  return familyOf(to) === 6 ? "::" : "0.0.0.0";
}

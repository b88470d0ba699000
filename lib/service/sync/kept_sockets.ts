/**
 * Sockets of our own that stay open, one for each family: through them registries are asked, and tell
 * of changes. A NAT lets in what comes from where was asked.
 *
 * @module
 */

import type { DatagramBatch } from "../../core/net/datagram_batch.ts";
import { type Family, familyOf, type HostPort } from "../../core/net/host_port.ts";
import { EXIT, UserError } from "../../core/settings/user_error.ts";
import { errorCode, explain } from "../../host/error.ts";
import type { Udp, UdpSocket } from "../../host/udp.ts";

/** Who hears what comes, and of what could not be sent. */
export interface KeptSocketHandlers {
  onBatch(batch: DatagramBatch): void;
  onSendError(code: string, family: Family, to: HostPort | undefined): void;
}

const ADDRESSES: Readonly<Record<Family, string>> = { 4: "0.0.0.0", 6: "::" };

/**
 * Opens them when they are needed first. One that nobody has answered is replaced by another, at
 * another port: a NAT may keep an old mapping for it. Where one server is silent and others answer,
 * it stays: those push to it.
 */
export class KeptSockets {
  readonly #host: Udp;
  readonly #handlers: KeptSocketHandlers;
  readonly #sockets = new Map<Family, UdpSocket>();
  /** Those through which something was sent since this round began, and to which something has come. */
  readonly #asked = new Set<Family>();
  readonly #heard = new Set<Family>();
  #mark = 0;

  constructor(host: Udp, handlers: KeptSocketHandlers) {
    this.#host = host;
    this.#handlers = handlers;
  }

  /**
   * Opens the socket of a family, if it isn't open.
   *
   * @param mark That of WireGuard's datagrams: without it, ours go through a tunnel that takes all.
   * @throws {UserError} Where there is none for IPv4; that there is none for IPv6 is told to the handlers.
   */
  async open(family: Family, mark: number): Promise<void> {
    if (mark !== this.#mark) this.close();
    this.#mark = mark;
    if (this.#sockets.has(family)) return;
    try {
      const socket = await this.#host.udp({
        address: ADDRESSES[family],
        port: 0,
        mark,
        onBatch: (batch) => {
          this.#heard.add(family);
          this.#handlers.onBatch(batch);
        },
        onSendError: (code, to) => this.#handlers.onSendError(code, family, to),
      });
      this.#sockets.set(family, socket);
    } catch (error) {
      if (family === 4) {
        throw new UserError(`cannot open a UDP socket: ${explain(error)}`, EXIT.failed);
      }
      this.#handlers.onSendError(errorCode(error), family, undefined);
    }
  }

  /** Sends, where there is a socket. */
  send(bytes: Uint8Array, to: HostPort): void {
    const family = familyOf(to);
    this.#asked.add(family);
    this.#sockets.get(family)?.send(bytes, to);
  }

  /**
   * A round begins. Those that nobody has answered since the one before did are closed: what was asked
   * aside is answered when that is over.
   */
  begin(): void {
    for (const family of this.#asked) {
      if (this.#heard.has(family)) continue;
      this.#sockets.get(family)?.close();
      this.#sockets.delete(family);
    }
    this.#asked.clear();
    this.#heard.clear();
  }

  /** Closes them. */
  close(): void {
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }
}

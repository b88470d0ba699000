/**
 * Does for one look at a name what {@linkcode NameLookup} decides: opens sockets, sends, waits.
 *
 * @module
 */

import type { DatagramBatch } from "../../core/net/datagram_batch.ts";
import { SLOT_SIZE } from "../../core/net/datagram_batch.ts";
import type { NameLookup } from "../../core/dns/name_lookup.ts";
import type { NameMessage } from "../../core/dns/name_question.ts";
import { frameMessage, MessageReader } from "../../wire/dns/frame.ts";
import type { ConnectedUdp, UdpSocket } from "../udp.ts";
import type { TcpConnecting, TcpConnection } from "../tcp.ts";
import type { Clock } from "../clock.ts";
import type { Random } from "../random.ts";

/** What asking name servers needs of a host. */
export type AskingHost = Clock & Random & ConnectedUdp & TcpConnecting;

/** A way to a name server, and what is asked for there. */
type Asked = Pick<NameMessage, "way" | "type">;

/** Seconds until a connection must be there. */
const TCP_PATIENCE = 4;

/** A look at a name, which goes on after it has been answered. */
export class Look {
  readonly #host: AskingHost;
  readonly #lookup: NameLookup;
  readonly #port: number;
  readonly #sockets = new Map<string, Promise<UdpSocket | undefined>>();
  readonly #connections = new Set<TcpConnection>();
  #cancelNext: () => void = () => {};
  #onAnswer: () => void = () => {};
  #onEnd: () => void = () => {};
  #isEnded = false;
  #hasAsked = false;

  /** @param port Of name servers. */
  constructor(host: AskingHost, lookup: NameLookup, port: number) {
    this.#host = host;
    this.#lookup = lookup;
    this.#port = port;
  }

  /** Whether any name server could be asked. */
  get hasAsked(): boolean {
    return this.#hasAsked;
  }

  /** Begins. @returns When it is answered, and when nothing more is awaited; neither fails. */
  begin(): { readonly answered: Promise<void>; readonly ended: Promise<void> } {
    const answered = new Promise<void>((done) => void (this.#onAnswer = done));
    const ended = new Promise<void>((done) => void (this.#onEnd = done));
    this.#go();
    return { answered, ended };
  }

  #go(): void {
    this.#cancelNext();
    while (!this.#isEnded) {
      const now = this.#host.now().mono;
      const step = this.#lookup.next(now);
      if (this.#lookup.isAnswered) this.#onAnswer();
      switch (step.kind) {
        case "send":
          if (step.message.transport === "udp") void this.#send(step.message);
          else this.#connect(step.message).catch(() => this.#lose(step.message));
          break;
        case "wait":
          this.#cancelNext = this.#host.after(Math.max(0, step.until - now), () => this.#go());
          return;
        case "end":
          this.#end();
      }
    }
  }

  #end(): void {
    this.#isEnded = true;
    for (const opening of this.#sockets.values()) void opening.then((socket) => socket?.close());
    for (const connection of this.#connections) connection.abort();
    this.#onEnd();
  }

  async #send(message: NameMessage): Promise<void> {
    const { way: { server, mark }, type, bytes } = message;
    const key = `${server} ${mark} ${type}`;
    let opening = this.#sockets.get(key);
    if (opening === undefined) this.#sockets.set(key, opening = this.#open(message));
    const socket = await opening;
    if (this.#isEnded) return;
    if (socket === undefined) return this.#lose(message);
    this.#hasAsked = true;
    socket.send(bytes, { host: server, port: this.#port });
  }

  /** Each type of each way has a socket of its own. */
  async #open({ way, type }: Asked): Promise<UdpSocket | undefined> {
    try {
      return await this.#host.connectedUdp({
        port: 0,
        raw: false,
        to: { host: way.server, port: this.#port },
        mark: way.mark,
        onBatch: (batch) => this.#receive(batch, { way, type }),
        onSendError: () => this.#lose({ way, type }),
      });
    } catch {
      // There is no way there: IPv6, say, or a mark without CAP_NET_ADMIN.
      return undefined;
    }
  }

  #receive(batch: DatagramBatch, asked: Asked): void {
    for (let i = 0; i < batch.count && !this.#isEnded; i++) {
      const at = i * SLOT_SIZE;
      const size = Math.min(batch.lengths[i]!, SLOT_SIZE);
      this.#take(batch.payloads.bytes.subarray(at, at + size), asked, "udp");
    }
  }

  #take(bytes: Uint8Array, asked: Asked, transport: NameMessage["transport"]): void {
    if (this.#isEnded) return;
    this.#lookup.received({ ...asked, transport }, bytes, this.#host.now().mono);
    this.#go();
  }

  #lose(asked: Asked): void {
    if (this.#isEnded) return;
    this.#lookup.lost(asked);
    this.#go();
  }

  /** A connection for each question: only what was cut is asked so, of one who has just answered. */
  async #connect({ way, type, bytes }: NameMessage): Promise<void> {
    const to = { host: way.server, port: this.#port };
    const reader = new MessageReader();
    const connection = await this.#host.tcpConnect({ to, timeout: TCP_PATIENCE }, {
      onData: (data) => reader.push(data, (answer) => this.#take(answer, { way, type }, "tcp")),
      onEnd: () => connection.abort(),
      onClose: () => {
        this.#connections.delete(connection);
        this.#lose({ way, type });
      },
    });
    if (this.#isEnded) return connection.abort();
    this.#connections.add(connection);
    connection.write(frameMessage(bytes));
  }
}

/**
 * Asks name servers for the addresses of a name: all of them at once, so that one that is silent
 * costs nothing. The first that knows is believed.
 *
 * @module
 */

import type { DatagramBatch } from "../../core/net/datagram_batch.ts";
import { SLOT_SIZE } from "../../core/net/datagram_batch.ts";
import { follow, usableAddress } from "../../core/dns/records.ts";
import type { HostPort } from "../../core/net/host_port.ts";
import { QuestionQueue, type Transport } from "../../core/dns/question_queue.ts";
import { RCODE } from "../../wire/dns/answer.ts";
import { frameMessage, MessageReader } from "../../wire/dns/frame.ts";
import { decodeResponse, type DnsResponse } from "../../wire/dns/message.ts";
import type { ConnectedUdp, UdpSocket } from "../udp.ts";
import type { TcpConnecting, TcpConnection } from "../tcp.ts";
import type { Clock } from "../clock.ts";
import type { Random } from "../random.ts";

/** What is needed of a host. */
/** What asking name servers needs of a host. */
export type AskingHost = Clock & Random & ConnectedUdp & TcpConnecting;

const TYPES = ["A", "AAAA"] as const;
/** Both, and both again over TCP. */
const MAX_QUESTIONS = 2 * TYPES.length;
const TCP_PATIENCE = 4;

/** A name server. */
interface Server {
  readonly at: HostPort;
  socket: UdpSocket | undefined;
}

/** What comes with a question. */
interface Purpose {
  /** Which servers can't answer it. */
  readonly failed: Set<Server>;
  /** The one that can, over TCP. */
  readonly server?: Server;
}

/**
 * The addresses of a name, as its A and AAAA records have them; none where there is none, or no
 * server says anything.
 *
 * @param patience How long it may take, in seconds.
 */
export async function askForAddresses(
  host: AskingHost,
  name: string,
  servers: readonly HostPort[],
  patience: number,
): Promise<string[]> {
  const asker = new NameQuestion(host, name.toLowerCase());
  try {
    await asker.open(servers);
    return await asker.ask(patience);
  } finally {
    asker.close();
  }
}

class NameQuestion {
  readonly #host: AskingHost;
  readonly #name: string;
  readonly #queue: QuestionQueue<Purpose>;
  readonly #addresses: string[] = [];
  readonly #connections: TcpConnection[] = [];
  #servers: Server[] = [];
  #cancelNext: () => void = () => {};
  #done: () => void = () => {};
  #isClosed = false;

  constructor(host: AskingHost, name: string) {
    this.#host = host;
    this.#name = name;
    this.#queue = new QuestionQueue({
      random: (bytes) => host.random(bytes),
      maxOutstanding: MAX_QUESTIONS,
      maxQuestions: MAX_QUESTIONS,
    });
    // Addresses fit, and what doesn't is asked for over TCP.
    this.#queue.edns = false;
  }

  async open(servers: readonly HostPort[]): Promise<void> {
    const opened = await Promise.all(servers.map((at) => this.#open(at)));
    this.#servers = opened.filter(({ socket }) => socket !== undefined);
  }

  async #open(at: HostPort): Promise<Server> {
    const server: Server = { at, socket: undefined };
    try {
      server.socket = await this.#host.connectedUdp({
        port: 0,
        raw: false,
        to: at,
        mark: 0,
        onBatch: (batch) => this.#receive(batch, server),
        onSendError: () => this.#lose(server),
      });
    } catch {
      // There is no way there: IPv6, say.
    }
    return server;
  }

  async ask(patience: number): Promise<string[]> {
    for (const type of TYPES) {
      this.#queue.ask({ name: this.#name, type, transport: "udp", purpose: { failed: new Set() } });
    }
    const cancelEnd = this.#host.after(patience, () => this.#done());
    await new Promise<void>((done) => {
      this.#done = done;
      this.#go();
    });
    cancelEnd();
    return this.#addresses;
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelNext();
    for (const { socket } of this.#servers) socket?.close();
    for (const connection of this.#connections) connection.abort();
  }

  /** Sends what is due, and comes again when more is. */
  #go(): void {
    this.#cancelNext();
    const now = this.#host.now().mono;
    for (const { bytes, transport } of this.#queue.due(now).send) {
      if (transport === "tcp") this.#sendLong(bytes);
      else for (const { at, socket } of [...this.#servers]) socket?.send(bytes, at);
    }
    if (this.#queue.isEmpty || this.#servers.length === 0) return this.#done();
    const { nextAt } = this.#queue;
    if (nextAt === Infinity) return;
    this.#cancelNext = this.#host.after(Math.max(0, nextAt - now), () => this.#go());
  }

  #receive(batch: DatagramBatch, server: Server): void {
    for (let i = 0; i < batch.count && !this.#isClosed; i++) {
      const at = i * SLOT_SIZE;
      const size = Math.min(batch.lengths[i]!, SLOT_SIZE);
      this.#take(batch.payloads.bytes.subarray(at, at + size), server, "udp");
    }
  }

  /** Takes what may be an answer. */
  #take(bytes: Uint8Array, server: Server, transport: Transport): void {
    const response = decodeResponse(bytes);
    if (response === undefined) return;
    const { id, question, rcode } = response;
    const asked = this.#queue.find(id, transport);
    if (asked === undefined || question?.name !== this.#name || question.type !== asked.type) {
      return;
    }
    if (rcode !== RCODE.noerror && rcode !== RCODE.nxdomain) {
      asked.purpose.failed.add(server);
      // Another one may know.
      if (this.#servers.every((each) => asked.purpose.failed.has(each))) this.#queue.settle(id);
      return this.#go();
    }
    this.#queue.settle(id);
    this.#keep(response);
    if (response.truncated && transport === "udp") {
      this.#queue.ask({ ...asked, transport: "tcp", purpose: { failed: new Set(), server } });
    }
    this.#go();
  }

  #keep({ answers }: DnsResponse): void {
    const { owner } = follow(answers, this.#name);
    for (const record of answers) {
      if (record.name !== owner || (record.type !== "A" && record.type !== "AAAA")) continue;
      const address = usableAddress(record.address);
      if (address !== undefined && !this.#addresses.includes(address)) {
        this.#addresses.push(address);
      }
    }
  }

  /** A server that is not there, or where there is no way to. */
  #lose(server: Server): void {
    if (this.#isClosed) return;
    this.#servers = this.#servers.filter((each) => each !== server);
    server.socket?.close();
    if (this.#servers.length === 0) this.#done();
  }

  /** Asks the server again that had too much to say for a datagram. */
  #sendLong(bytes: Uint8Array): void {
    const id = (bytes[0]! << 8) | bytes[1]!;
    const server = this.#queue.find(id, "tcp")?.purpose.server;
    if (server === undefined) return;
    this.#connect(server, id, bytes).catch(() => this.#giveUpLong(id));
  }

  /** A connection for each question: at most two, and each to one who has just answered. */
  async #connect(server: Server, id: number, message: Uint8Array): Promise<void> {
    const reader = new MessageReader();
    const connection = await this.#host.tcpConnect({ to: server.at, timeout: TCP_PATIENCE }, {
      onData: (bytes) => reader.push(bytes, (answer) => this.#take(answer, server, "tcp")),
      onEnd: () => connection.abort(),
      onClose: () => this.#giveUpLong(id),
    });
    if (this.#isClosed) return connection.abort();
    this.#connections.push(connection);
    connection.write(frameMessage(message));
  }

  /** Where it is still asked: what came in the datagram must do. */
  #giveUpLong(id: number): void {
    if (this.#isClosed || this.#queue.find(id, "tcp") === undefined) return;
    this.#queue.settle(id);
    this.#go();
  }
}

/**
 * A DNS server on loopback that behaves, or doesn't.
 *
 * @module
 */

import { frameMessage, MessageReader } from "../../lib/wire/dns/frame.ts";
import type { ZoneDouble } from "./zone_double.ts";

/** How the server behaves. */
export interface ZoneServerOptions {
  readonly zone: ZoneDouble;
  readonly hostname?: string;
  /**
   * What is sent back for a question over UDP: the answer where this is left out. `send` sends from
   * the port that was asked, `forge` from another.
   */
  readonly udp?: (
    question: Uint8Array,
    send: (bytes: Uint8Array) => void,
    forge: (bytes: Uint8Array) => void,
    count: number,
  ) => void;
  /**
   * What is done with a question over TCP: the answer where this is left out, sent byte by byte where
   * this is `slowly`; `ends` ends the own side after the first answers. Null is no TCP at all.
   */
  readonly tcp?: "slowly" | "ends" | null | ((question: Uint8Array, stream: TcpStream) => void);
}

/** The server's side of a connection. */
export interface TcpStream {
  /** Which connection it is, from 0. */
  readonly number: number;
  /** How many questions came over it before this one. */
  readonly count: number;
  send(bytes: Uint8Array): void;
  /** Closes it when everything was sent. */
  close(): void;
}

/** A running server. */
export class ZoneServer implements AsyncDisposable {
  readonly #options: ZoneServerOptions;
  #udp: Deno.DatagramConn;
  readonly #other: Deno.DatagramConn;
  readonly #listener: Deno.TcpListener | undefined;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #loops: Promise<void>[] = [];
  /** How many connections there were. */
  connections = 0;
  #datagrams = 0;

  constructor(options: ZoneServerOptions) {
    this.#options = options;
    const { hostname = "127.0.0.1" } = options;
    this.#udp = listenUdp(hostname);
    this.#other = listenUdp(hostname);
    for (let i = 0; options.tcp !== null && this.#listener === undefined; i++) {
      try {
        this.#listener = Deno.listen({ hostname, port: this.port });
      } catch (error) {
        // Somebody else has the port over TCP.
        if (!(error instanceof Deno.errors.AddrInUse) || i === 20) throw error;
        this.#udp.close();
        this.#udp = listenUdp(hostname);
      }
    }
    this.#loops.push(this.#serveUdp());
    if (this.#listener !== undefined) this.#loops.push(this.#serveTcp(this.#listener));
  }

  /** The port of UDP and TCP. */
  get port(): number {
    return (this.#udp.addr as Deno.NetAddr).port;
  }

  /** The port that forgeries come from. */
  get otherPort(): number {
    return (this.#other.addr as Deno.NetAddr).port;
  }

  async #serveUdp(): Promise<void> {
    const { zone, udp } = this.#options;
    for await (const [bytes, from] of this.#udp) {
      const via = (socket: Deno.DatagramConn) => (bytes: Uint8Array) =>
        void socket.send(bytes.slice(), from);
      const count = this.#datagrams++;
      if (udp === undefined) via(this.#udp)(zone.answer(bytes, "udp"));
      else udp(bytes, via(this.#udp), via(this.#other), count);
    }
  }

  async #serveTcp(listener: Deno.TcpListener): Promise<void> {
    for await (const connection of listener) {
      this.#open.add(connection);
      this.#loops.push(this.#serveConnection(connection, this.connections++));
    }
  }

  async #serveConnection(connection: Deno.TcpConn, number: number): Promise<void> {
    const { zone, tcp } = this.#options;
    const reader = new MessageReader();
    const queue: Uint8Array[] = [];
    let count = 0;
    let isClosing = false;
    const stream = {
      number,
      get count() {
        return count;
      },
      send: (bytes: Uint8Array) => void queue.push(bytes.slice()),
      close: () => void (isClosing = true),
    };
    try {
      const buffer = new Uint8Array(65_536);
      while (!isClosing) {
        const size = await connection.read(buffer);
        if (size === null) break;
        reader.push(buffer.subarray(0, size), (question) => {
          if (typeof tcp === "function") tcp(question.slice(), stream);
          else queue.push(frameMessage(zone.answer(question.slice(), "tcp")));
          count++;
        });
        for (const bytes of queue.splice(0)) {
          const step = tcp === "slowly" ? 700 : bytes.length;
          for (let at = 0; at < bytes.length; at += step) {
            await connection.write(bytes.subarray(at, at + step));
            if (tcp === "slowly") await new Promise((done) => setTimeout(done, 0));
          }
        }
        if (tcp === "ends") {
          await connection.closeWrite();
          while (await connection.read(buffer) !== null);
          break;
        }
      }
    } catch {
      // The other side has gone.
    } finally {
      if (this.#open.delete(connection)) connection.close();
    }
  }

  /** Waits until the other side has closed all connections; fails after some seconds. */
  async closedByAll(): Promise<void> {
    for (let i = 0; this.#open.size > 0; i++) {
      if (i === 500) throw new Error(`${this.#open.size} connections were left open`);
      await new Promise((done) => setTimeout(done, 10));
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Ends it. */
  async close(): Promise<void> {
    this.#udp.close();
    this.#other.close();
    this.#listener?.close();
    for (const connection of this.#open) connection.close();
    this.#open.clear();
    await Promise.all(this.#loops);
  }
}

function listenUdp(hostname: string): Deno.DatagramConn {
  return Deno.listenDatagram({ hostname, port: 0, transport: "udp" });
}

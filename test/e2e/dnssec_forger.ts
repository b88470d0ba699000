/**
 * Who stands between a signed zone and those who ask it.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { joinBytes } from "../../lib/wire/bytes/wire_buffer.ts";
import { frameMessage, MessageReader } from "../../lib/wire/dns/frame.ts";
import { TcpEnd } from "./dns_clients.ts";
import { freeDnsAddress } from "./dns_scene.ts";

const LOOPBACK = "127.0.0.1";

/** What becomes of an answer on the way: other bytes, or the same. */
export type Forge = (
  answer: Uint8Array<ArrayBuffer>,
  type: number,
) => Uint8Array | Promise<Uint8Array>;

/** Stands between a server and those who ask it, over UDP and TCP, and changes what is answered. */
export class Forger implements AsyncDisposable {
  /** What is done with answers. */
  forge: Forge = (answer) => answer;
  /** How many of them were changed. */
  changed = 0;
  readonly port: number;
  readonly #server: number;
  readonly #udp: Deno.DatagramConn;
  readonly #tcp: Deno.TcpListener;
  readonly #connections = new Set<Deno.Conn>();
  readonly #work = new Set<Promise<void>>();

  /**
   * @param server The port of the server.
   * @param transports Whether questions over UDP are answered.
   */
  constructor(server: number, transports: "udp and tcp" | "tcp" = "udp and tcp") {
    this.#server = server;
    this.port = Number(freeDnsAddress().split(":")[1]);
    const address = { hostname: LOOPBACK, port: this.port };
    this.#udp = Deno.listenDatagram({ transport: "udp", ...address });
    this.#tcp = Deno.listen(address);
    if (transports !== "tcp") this.#add(this.#serveUdp());
    this.#add(this.#serveTcp());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#udp.close();
    this.#tcp.close();
    for (const connection of this.#connections) closeQuietly(connection);
    while (this.#work.size > 0) await Promise.all(this.#work);
  }

  #add(work: Promise<void>): void {
    // What breaks is a question without an answer.
    const quiet = work.catch(() => {}).finally(() => this.#work.delete(quiet));
    this.#work.add(quiet);
  }

  async #serveUdp(): Promise<void> {
    for (;;) {
      const [query, from] = await this.#udp.receive();
      const asked = query.slice();
      this.#add((async () => {
        const whole = await this.#answer(asked);
        // Whatever is too long for the one who asks is to be had over TCP.
        const answer = whole.length <= 1232 ? whole : truncated(whole, asked);
        await this.#udp.send(answer, from);
      })());
    }
  }

  async #serveTcp(): Promise<void> {
    for await (const connection of this.#tcp) {
      this.#connections.add(connection);
      this.#add((async () => {
        const reader = new MessageReader();
        const queries: Uint8Array<ArrayBuffer>[] = [];
        const buffer = new Uint8Array(65_536);
        for (;;) {
          const size = await connection.read(buffer);
          if (size === null) break;
          reader.push(buffer.subarray(0, size), (message) => queries.push(message.slice()));
          for (const query of queries.splice(0)) {
            const answer = frameMessage(await this.#answer(query));
            for (let at = 0; at < answer.length;) at += await connection.write(answer.subarray(at));
          }
        }
        closeQuietly(connection);
      })());
    }
  }

  async #answer(query: Uint8Array): Promise<Uint8Array> {
    using end = await TcpEnd.open(this.#server);
    await end.send(query);
    const answer = await end.next();
    assert(answer !== undefined, "the server has ended the connection");
    let at = HEADER_SIZE;
    while (query[at]! > 0) at += 1 + query[at]!;
    const forged = await this.forge(answer.slice(), query[at + 1]! << 8 | query[at + 2]!);
    if (forged.length !== answer.length || forged.some((byte, i) => byte !== answer[i])) {
      this.changed++;
    }
    return forged;
  }
}

const HEADER_SIZE = 12;
const TC = 0x02;

/** An answer without records that says that it doesn't fit. */
function truncated(answer: Uint8Array, query: Uint8Array): Uint8Array {
  const short = query.slice();
  short.set(answer.subarray(2, 4), 2);
  short[2] = short[2]! | TC;
  return short;
}

function closeQuietly(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // It is closed already.
  }
}

/** Puts other bytes in the place of some, wherever they are. */
export function replaced(
  message: Uint8Array<ArrayBuffer>,
  from: readonly number[],
  to: readonly number[],
): Uint8Array<ArrayBuffer> {
  assertEquals(from.length, to.length);
  for (let at = 0; at + from.length <= message.length; at++) {
    if (from.every((byte, i) => message[at + i] === byte)) message.set(to, at);
  }
  return message;
}

/** The message without records of a type. Its names may point into the question alone. */
export function withoutType(message: Uint8Array<ArrayBuffer>, type: number): Uint8Array {
  const view = new DataView(message.buffer, message.byteOffset);
  let at = HEADER_SIZE;
  while (message[at]! > 0) at += 1 + message[at]!;
  at += 5;
  const parts = [message.subarray(0, at)];
  for (const count of [6, 8, 10]) {
    let left = view.getUint16(count);
    for (let i = view.getUint16(count); i > 0; i--) {
      const start = at;
      while (message[at]! > 0 && message[at]! < 0xc0) at += 1 + message[at]!;
      at += message[at] === 0 ? 1 : 2;
      const isOfType = view.getUint16(at) === type;
      at += 10 + view.getUint16(at + 8);
      if (isOfType) left--;
      else parts.push(message.subarray(start, at));
    }
    view.setUint16(count, left);
  }
  return joinBytes(parts);
}

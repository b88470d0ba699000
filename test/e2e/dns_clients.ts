/**
 * Who asks in the end-to-end tests of DNS: the tools that administrators have, and clients that send
 * whatever they like.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { frameMessage, MessageReader } from "../../lib/wire/dns/frame.ts";
import {
  type DnsReply,
  queryBytes,
  type QueryFields,
  readReply,
  type TypeName,
} from "../support/dns.ts";
import { run } from "../support/program.ts";
import { instance, type TestPeer } from "./dns_scene.ts";
import type { Scene, UdpEnd } from "./scene.ts";

const MAX_ID = 0x1_0000;

/** What dig, kdig or drill print of an answer. */
export interface ToolAnswer {
  readonly status: string | undefined;
  /** As they are printed, such as "qr aa rd". */
  readonly flags: string | undefined;
  /** Records as `NAME TTL TYPE DATA`, in their order. */
  readonly answer: readonly string[];
  readonly authority: readonly string[];
  readonly additional: readonly string[];
  /** What is said of EDNS, or undefined where there is none. */
  readonly edns: string | undefined;
  /** All that was printed. */
  readonly text: string;
}

/** Reads what a tool printed. */
export function readTool(text: string): ToolAnswer {
  // A retry is printed before the answer that counts.
  const last = text.slice(text.lastIndexOf("->>HEADER<<-"));
  const section = (name: string): string[] => {
    const [, lines = ""] =
      new RegExp(`^;; ${name} SECTION:\\n((?:[^;\\n].*\\n)*)`, "m").exec(last) ??
        [];
    return lines.split("\n").filter((line) => line !== "").map(readRecord);
  };
  return {
    status: /(?:status|rcode): (\w+)/.exec(last)?.[1],
    flags: /^;; flags: ([^;]*?) ?;/im.exec(last)?.[1],
    answer: section("ANSWER"),
    authority: section("AUTHORITY"),
    additional: section("ADDITIONAL"),
    edns: /^;.*(EDNS.*|Version: .*)$/m.exec(last)?.[1],
    text,
  };
}

/** `NAME TTL TYPE DATA` of a line; kdig escapes the padding of base32. */
function readRecord(line: string): string {
  const [name, ttl, , type, ...data] = line.replaceAll("\\=", "=").split(/\s+/);
  return [name, ttl, type, ...data].join(" ");
}

/** Runs dig, which doesn't wait for long. */
export async function dig(port: number, ...args: readonly string[]): Promise<ToolAnswer> {
  const server = args.some((arg) => arg.startsWith("@")) ? [] : ["@127.0.0.1"];
  const { out } = await run(
    ["dig", ...server, "-p", `${port}`, "+tries=1", "+time=5", "-r", ...args],
  );
  return readTool(out);
}

/** The same, for the data alone. */
export async function digShort(port: number, ...args: readonly string[]): Promise<string[]> {
  const { text } = await dig(port, ...args, "+short");
  return text.split("\n").filter((line) => line !== "");
}

/** A query with a random ID. */
export function newQuery(
  name: string,
  type: TypeName | number,
  fields: QueryFields = {},
): Uint8Array<ArrayBuffer> {
  return queryBytes(name, type, { id: Math.floor(Math.random() * MAX_ID), ...fields });
}

/** Whether a message answers a query. */
export function isAnswer(message: Uint8Array, query: Uint8Array): boolean {
  return message[0] === query[0] && message[1] === query[1];
}

/** Asks over UDP from a socket that nothing else comes to. */
export async function askUdp(
  end: UdpEnd,
  port: number,
  query: Uint8Array,
  host?: string,
): Promise<DnsReply> {
  await end.send(query, port, host);
  for (;;) {
    const { bytes } = await end.next();
    // An answer that came too late for the question before.
    if (isAnswer(bytes, query)) return readReply(bytes);
  }
}

/** A connection to a server. */
export class TcpEnd implements Disposable {
  readonly #connection: Deno.TcpConn;
  readonly #reader = new MessageReader();
  readonly #messages: Uint8Array[] = [];

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
    connection.setNoDelay(true);
  }

  static async open(port: number, hostname = "127.0.0.1"): Promise<TcpEnd> {
    return new TcpEnd(await Deno.connect({ hostname, port }));
  }

  /** Writes bytes as they are. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
  }

  /** Sends a message. */
  async send(message: Uint8Array): Promise<void> {
    await this.write(frameMessage(message));
  }

  /** Ends the own side. */
  async end(): Promise<void> {
    await this.#connection.closeWrite();
  }

  /** Takes the next message, or undefined where the other side has ended. */
  async next(): Promise<Uint8Array | undefined> {
    const buffer = new Uint8Array(65_536);
    for (;;) {
      const first = this.#messages.shift();
      if (first !== undefined) return first;
      const size = await this.#connection.read(buffer);
      if (size === null) return undefined;
      this.#reader.push(buffer.subarray(0, size), (message) => {
        this.#messages.push(message.slice());
      });
    }
  }

  /** Takes the next message and reads it. */
  async reply(): Promise<DnsReply> {
    const message = await this.next();
    assert(message !== undefined, "the server has ended the connection");
    return readReply(message);
  }

  /** Asks, and takes the next message. */
  async ask(query: Uint8Array): Promise<DnsReply> {
    await this.send(query);
    return await this.reply();
  }

  /** Waits until the other side has ended or reset the connection; fails after `seconds`. */
  async over(seconds: number): Promise<"ended" | "reset"> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`open after ${seconds} s`)), seconds * 1000);
    });
    const ended = async () => {
      try {
        while (await this.next() !== undefined);
        return "ended";
      } catch {
        return "reset";
      }
    };
    try {
      return await Promise.race([ended(), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  [Symbol.dispose](): void {
    try {
      this.#connection.close();
    } catch {
      // It is closed already.
    }
  }
}

/** A client that must be answered whatever others do. */
export class Witness {
  /** How often it has asked. */
  asked = 0;
  readonly #end: UdpEnd;
  readonly #port: number;
  readonly #peer: TestPeer;

  constructor(scene: Scene, port: number, peer: TestPeer, host?: string) {
    this.#end = scene.end(host);
    this.#port = port;
    this.#peer = peer;
  }

  /** Asks over UDP. */
  async ask(): Promise<void> {
    this.asked++;
    const query = newQuery(instance(this.#peer), "SRV");
    const { answers } = await askUdp(this.#end, this.#port, query, "127.0.0.1");
    assertEquals(answers.length, 1);
  }

  /** Asks over a new connection. */
  async askTcp(): Promise<void> {
    this.asked++;
    using tcp = await TcpEnd.open(this.#port);
    const { answers } = await tcp.ask(newQuery(instance(this.#peer), "SRV"));
    assertEquals(answers.length, 1);
  }
}

/** Sends to a port of 127.0.0.1, and never reads what comes back. */
export class DeafEnd implements Disposable {
  readonly #socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  /** Sends a datagram. */
  async send(bytes: Uint8Array): Promise<void> {
    await this.#socket.send(bytes, { transport: "udp", hostname: "127.0.0.1", port: this.#port });
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

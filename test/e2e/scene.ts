/**
 * What the end-to-end tests act with: a folder with a group's secret in it, servers that are
 * started from the built binary, and UDP sockets that speak the protocol through the slow twins.
 *
 * Everything that a scene opened is closed with it: `await using scene = await Scene.open();`.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { readDatagramType } from "../../lib/wire/wgsig2/datagram.ts";
import { BINARY, type Finished, Running, type RunOptions, wgsig } from "../support/program.ts";
import {
  fromBigEndian,
  twinDecodeResponse,
  twinEnvelope,
  twinOpen,
  type TwinRecord,
  type TwinRequest,
  twinRequest,
  twinResponse,
  type TwinTrailer,
} from "../support/twins.ts";

/** CLFLG: leave my endpoint as it is. */
export const KEEP_ENDPOINT = 1;
/** CLFLG: leave my label as it is, together with {@linkcode KEEP_ENDPOINT}. */
export const KEEP_LABEL = 2;
/** Size of a request. */
export const REQUEST_SIZE = 82;
/** Size of a response datagram. */
export const RESPONSE_SIZE = 540;
/** What encryption adds. */
export const ENVELOPE_SIZE = 16;

const LOOPBACK = "127.0.0.1";
const EPOCH = 2n ** 62n;

// What the machine's own settings say must not matter here.
Deno.env.set("WGSIG_CONFIG", "/dev/null");

/** Random bytes. */
export function randomBytes(size: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(size));
}

/** Repeats `check` until it returns something, with a pause between; fails after `seconds`. */
export async function until<T>(
  what: string,
  check: () => T | undefined | Promise<T | undefined>,
  seconds = 10,
): Promise<T> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const result = await check();
    if (result !== undefined) return result;
    if (performance.now() > end) throw new Error(`${what}: not within ${seconds} s`);
    await new Promise<void>((resolve) => setTimeout(resolve, 20));
  }
}

/** A datagram that came in. */
export interface Datagram {
  readonly bytes: Uint8Array;
  readonly host: string;
  readonly port: number;
}

/** A UDP socket that keeps what comes in until it is asked for. */
export class UdpEnd {
  readonly host: string;
  readonly port: number;
  readonly #socket: Deno.DatagramConn;
  readonly #received: Datagram[] = [];
  readonly #pump: Promise<void>;
  #wake: () => void = () => {};
  #closed = false;

  constructor(host = LOOPBACK, port = 0) {
    this.#socket = Deno.listenDatagram({ transport: "udp", hostname: host, port });
    const { addr } = this.#socket;
    assert(addr.transport === "udp");
    this.host = host;
    this.port = addr.port;
    this.#pump = this.#receive();
  }

  /** As users write it. */
  get endpoint(): string {
    return this.host.includes(":") ? `[${this.host}]:${this.port}` : `${this.host}:${this.port}`;
  }

  async #receive(): Promise<void> {
    while (!this.#closed) {
      try {
        const [bytes, from] = await this.#socket.receive();
        assert(from.transport === "udp");
        this.#received.push({ bytes: bytes.slice(), host: from.hostname, port: from.port });
        this.#wake();
      } catch (error) {
        if (!this.#closed) throw error;
      }
    }
  }

  /** Sends bytes. */
  async send(bytes: Uint8Array, port: number, host = this.host): Promise<void> {
    await this.#socket.send(bytes, { transport: "udp", hostname: host, port });
  }

  /** Answers a datagram. */
  async reply(to: Datagram, ...datagrams: readonly Uint8Array[]): Promise<void> {
    for (const bytes of datagrams) await this.send(bytes, to.port, to.host);
  }

  /** Takes the next datagram that came in; fails after `seconds`. */
  async next(seconds = 5): Promise<Datagram> {
    const end = performance.now() + seconds * 1000;
    for (;;) {
      const first = this.#received.shift();
      if (first !== undefined) return first;
      const left = end - performance.now();
      if (left <= 0) throw new Error(`no datagram came to ${this.endpoint} within ${seconds} s`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /**
   * All datagrams that have come in. On loopback a datagram is there when it was sent, so one that
   * this socket sends to itself comes after all that was sent to it before.
   */
  async drain(): Promise<Datagram[]> {
    const mark = randomBytes(24);
    await this.send(mark, this.port);
    const before: Datagram[] = [];
    for (;;) {
      const datagram = await this.next();
      if (sameBytes(datagram.bytes, mark)) return before;
      before.push(datagram);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
    await this.#pump;
  }
}

/** Whether two arrays hold the same. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** What to ask; what is left out is a plain request of now that registers in group 0. */
export interface Asked extends Partial<TwinRequest> {
  readonly sealed?: boolean;
  readonly secret?: Uint8Array;
  /** Bytes after it. */
  readonly padding?: number;
}

/** An answer, taken apart. */
export interface Answer {
  readonly sealed: boolean;
  readonly group: number;
  /** N_OTHER. */
  readonly others: number;
  /** How many records each datagram has, in the order in which they came. */
  readonly pages: readonly number[];
  readonly records: readonly TwinRecord[];
}

/** The protocol's client, in slow motion. */
export class Peer extends UdpEnd {
  readonly id: Uint8Array = randomBytes(32);
  readonly #secret: Uint8Array;
  /** The latest label: its millisecond, and how many of that had been made before. */
  #last = { ms: 0, nth: 0 };

  constructor(secret: Uint8Array, host?: string) {
    super(host);
    this.#secret = secret;
  }

  get publicKey(): string {
    return encodeBase64(this.id);
  }

  /**
   * A label that is later than all before, and never ahead of the clock, however fast this is: the
   * milliseconds of now, and one nanosecond for each that had the same.
   */
  #label(): Pick<TwinRecord, "seconds" | "nanoseconds"> {
    const last = this.#last;
    const ms = Math.max(Date.now(), last.ms);
    this.#last = { ms, nth: ms === last.ms ? last.nth + 1 : 0 };
    return this.#latest;
  }

  get #latest(): Pick<TwinRecord, "seconds" | "nanoseconds"> {
    const { ms, nth } = this.#last;
    return { seconds: Math.floor(ms / 1000), nanoseconds: ms % 1000 * 1_000_000 + nth };
  }

  /** The bytes of a request. */
  request(asked: Asked = {}): Uint8Array {
    const { sealed = false, secret = this.#secret, padding = 0, ...fields } = asked;
    const request = { id: this.id, flags: 0, group: 0, ...this.#label(), ...fields };
    const plain = twinRequest(request, secret);
    const bytes = sealed ? twinEnvelope(plain, request.group, randomBytes(12), secret) : plain;
    return Uint8Array.from([...bytes, ...randomBytes(padding)]);
  }

  /** Asks, and waits for the whole answer. */
  async ask(port: number, asked: Asked = {}): Promise<Answer> {
    await this.send(this.request(asked), port);
    return await this.answer(asked.secret);
  }

  /** Takes a whole answer that comes in. */
  async answer(secret = this.#secret): Promise<Answer> {
    const pages: number[] = [];
    const records: TwinRecord[] = [];
    for (;;) {
      const { bytes } = await this.next();
      const sealed = bytes.length === ENVELOPE_SIZE + RESPONSE_SIZE;
      const opened = sealed ? twinOpen(bytes, secret) : undefined;
      const response = twinDecodeResponse(opened?.payload ?? bytes, secret);
      assert(response.macValid, "the answer's MAC is wrong");
      assertEquals(response.extensions, 0);
      const { group, others } = response;
      if (opened !== undefined) assertEquals(opened.group, group, "SGROUP is not GROUP");
      pages.push(response.records.length);
      records.push(...response.records);
      if (pages.length > others) return { sealed, group, others, pages, records };
    }
  }

  /**
   * Checks that a datagram gets no answer. Two questions follow it: were it answered, then the
   * second of the answers that came would be the first question's.
   */
  async assertSilent(port: number, datagram: Uint8Array, asked: Asked = {}): Promise<void> {
    await this.send(datagram, port);
    await this.ask(port, asked);
    const answer = await this.ask(port, asked);
    const own = recordOf(answer, this);
    assert(own !== undefined, "the own record is missing");
    const { seconds, nanoseconds } = own;
    assertEquals({ seconds, nanoseconds }, this.#latest, "the datagram was answered");
    assertEquals(await this.drain(), [], "the datagram was answered late");
  }
}

/** The keys in an answer, in base64, sorted. */
export function keysIn({ records }: Answer): string[] {
  return records.map(({ id }) => encodeBase64(id)).sort();
}

/** The keys of peers, in base64, sorted. */
export function keysOf(peers: readonly Peer[]): string[] {
  return peers.map(({ publicKey }) => publicKey).sort();
}

/** The record of a peer in an answer, with its endpoint as text. */
export function recordOf(
  { records }: Answer,
  { id }: Peer,
): (TwinRecord & { endpoint: string }) | undefined {
  const record = records.find((each) => sameBytes(each.id, id));
  return record && { ...record, endpoint: `${record.address.join(".")}:${record.port}` };
}

/** Whether a datagram is one of wgsig 2, of which a server of the first protocol knows nothing. */
export function isWgsig2(bytes: Uint8Array): boolean {
  return readDatagramType(new WireBuffer(bytes), 0, bytes.length) !== 0;
}

/** A request that came to a fake server. */
export interface ReceivedRequest extends TwinRequest {
  readonly sealed: boolean;
  readonly publicKey: string;
}

/** Takes a request apart. */
export function readRequest(bytes: Uint8Array, secret: Uint8Array): ReceivedRequest {
  const sealed = bytes.length >= ENVELOPE_SIZE + REQUEST_SIZE;
  const plain = sealed ? twinOpen(bytes, secret).payload : bytes;
  const id = plain.slice(0, 32);
  const request: TwinRequest = {
    id,
    seconds: Number(fromBigEndian(plain.slice(32, 40)) - EPOCH),
    nanoseconds: Number(fromBigEndian(plain.slice(40, 44))),
    flags: Number(fromBigEndian(plain.slice(44, 46))),
    group: Number(fromBigEndian(plain.slice(46, 50))),
  };
  const made = twinRequest(request, secret);
  assert(sameBytes(made, plain.slice(0, made.length)), "the request's MAC is wrong");
  return { ...request, sealed, publicKey: encodeBase64(id) };
}

/** A server that a test plays itself, and that knows the first protocol alone. */
export class FakeServer extends UdpEnd {
  readonly #secret: Uint8Array;

  constructor(secret: Uint8Array) {
    super();
    this.#secret = secret;
  }

  /** Takes the next question. */
  async question(seconds?: number): Promise<{ from: Datagram; request: ReceivedRequest }> {
    for (;;) {
      const from = await this.next(seconds);
      if (isWgsig2(from.bytes)) continue;
      return { from, request: readRequest(from.bytes, this.#secret) };
    }
  }

  /** The datagrams that answer a request: N_OTHER is right unless `trailer` says another. */
  answer(
    request: ReceivedRequest,
    records: readonly TwinRecord[],
    trailer: Partial<TwinTrailer> = {},
    secret = this.#secret,
  ): Uint8Array[] {
    const count = Math.max(1, Math.ceil(records.length / 10));
    return Array.from({ length: count }, (_, i) => {
      const { group } = request;
      const all = { extensions: 0, others: count - 1, group, ...trailer };
      const plain = twinResponse(records.slice(10 * i, 10 * i + 10), all, secret);
      return request.sealed ? twinEnvelope(plain, all.group, randomBytes(12), secret) : plain;
    });
  }

  /** The record of who asks. */
  own(request: ReceivedRequest, from: Datagram): TwinRecord {
    const { id, seconds, nanoseconds } = request;
    return { id, address: from.host.split(".").map(Number), port: from.port, seconds, nanoseconds };
  }
}

/** A record of a peer that was seen `age` seconds ago at an endpoint. */
export function recordAt(endpoint: string, age = 0, id: Uint8Array = randomBytes(32)): TwinRecord {
  const [host = "", port] = endpoint.split(":");
  return {
    id,
    address: host.split(".").map(Number),
    port: Number(port),
    seconds: Math.floor(Date.now() / 1000) - age,
    nanoseconds: 5,
  };
}

/** Counters by name. */
export type Counts = Readonly<Record<string, number>>;

/** A server that was started. */
export class Served {
  constructor(readonly running: Running, readonly port: number) {}

  /** As users write it. */
  get address(): string {
    return `${LOOPBACK}:${this.port}`;
  }

  /** Sends a signal, and waits for what is printed after it. */
  async signal(name: Deno.Signal, pattern: RegExp): Promise<RegExpExecArray> {
    const from = this.running.out.length;
    this.running.signal(name);
    return await this.running.printed(pattern, 10, from);
  }

  /** The counters, as SIGUSR1 prints them. */
  async counters(): Promise<Counts> {
    const [line] = await this.signal("SIGUSR1", /^.*counters.*\n/m);
    return readCounters(line);
  }
}

/** The counters of a log line, JSON or text. */
export function readCounters(line: string): Counts {
  const fields: [string, unknown][] = line.startsWith("{")
    ? Object.entries(JSON.parse(line))
    : [...line.matchAll(/ ([\w-]+)=(\d+)/g)].map(([, key = "", value]) => [key, Number(value)]);
  return Object.fromEntries(
    fields.filter((field): field is [string, number] => typeof field[1] === "number"),
  );
}

/** A folder, a secret in it, and what a test started. */
export class Scene implements AsyncDisposable {
  readonly folder: string;
  /** The secret of group 0. */
  readonly secret: Uint8Array = randomBytes(32);
  readonly secretFile: string;
  readonly #ends: UdpEnd[] = [];
  readonly #programs: Running[] = [];

  private constructor(folder: string) {
    this.folder = folder;
    this.secretFile = `${folder}/secret`;
  }

  static async open(): Promise<Scene> {
    const scene = new Scene(await Deno.makeTempDir({ prefix: "wgsig-test-" }));
    await scene.file("secret", `${encodeBase64(scene.secret)}\n`);
    return scene;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ends) await end.close();
    for (const program of this.#programs) await program.stop("SIGKILL");
    await Deno.remove(this.folder, { recursive: true });
  }

  /** Writes a file and returns its path. */
  async file(name: string, content: string | Uint8Array, mode = 0o600): Promise<string> {
    const path = `${this.folder}/${name}`;
    if (typeof content === "string") await Deno.writeTextFile(path, content);
    else await Deno.writeFile(path, content);
    await Deno.chmod(path, mode);
    return path;
  }

  /** Writes a new secret to a file. */
  async secretIn(name: string): Promise<{ secret: Uint8Array; path: string }> {
    const secret = randomBytes(32);
    return { secret, path: await this.file(name, `${encodeBase64(secret)}\n`) };
  }

  /** A peer of group 0. */
  peer(secret = this.secret, host?: string): Peer {
    const peer = new Peer(secret, host);
    this.#ends.push(peer);
    return peer;
  }

  /** Several. */
  peers(count: number, secret?: Uint8Array): Peer[] {
    return Array.from({ length: count }, () => this.peer(secret));
  }

  /** A socket. */
  end(host?: string, port?: number): UdpEnd {
    const end = new UdpEnd(host, port);
    this.#ends.push(end);
    return end;
  }

  /** A server of this scene's secret that the test plays itself. */
  fakeServer(): FakeServer {
    const server = new FakeServer(this.secret);
    this.#ends.push(server);
    return server;
  }

  /** A UDP port that nobody uses. */
  async freePort(): Promise<number> {
    const end = new UdpEnd();
    await end.close();
    return end.port;
  }

  /** Starts a program that goes on until it is told to end. */
  start(argv: readonly string[], options?: RunOptions): Running {
    const program = new Running(argv, options);
    this.#programs.push(program);
    return program;
  }

  /** Starts `wgsig serve` with a listening address and a secret, and waits until it is ready. */
  async serve(args: readonly string[] = [], options?: RunOptions): Promise<Served> {
    const listen = ["--listen", `${LOOPBACK}:0`, "--secret", this.secretFile];
    return await this.serveWith([...listen, ...args], options);
  }

  /** Starts `wgsig serve` with nothing but what is given. */
  async serveWith(args: readonly string[], options?: RunOptions): Promise<Served> {
    const running = this.start([BINARY, "serve", ...args], options);
    const [, port] = await running.printed(
      /listening"?.*127\.0\.0\.1:(\d+)[^]*(?: ready |"event":"ready")/,
    );
    return new Served(running, Number(port));
  }

  /** Runs `wgsig query` with a secret and a new key. */
  async query(args: readonly string[], options?: RunOptions): Promise<Finished> {
    const asked = args.some((arg) => arg === "--key" || arg === "--interface")
      ? args
      : [...args, "--key", encodeBase64(randomBytes(32))];
    return await wgsig(["query", "--secret", this.secretFile, ...asked], options);
  }
}

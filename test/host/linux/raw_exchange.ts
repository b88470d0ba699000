/**
 * Raw sockets beside ordinary ones, through what every host has: it runs on Deno and on Bun.
 *
 * @module
 */

import type { DatagramBatch } from "../../../lib/core/net/datagram_batch.ts";
import { SLOT_SIZE } from "../../../lib/core/net/datagram_batch.ts";
import { formatAddress, isIpv4 } from "../../../lib/core/net/ip_address.ts";
import type { UdpSocket } from "../../../lib/host/udp.ts";
import { errorCode } from "../../../lib/host/error.ts";
import type { Host } from "../../../lib/host/host.ts";

const DECODER = new TextDecoder();
const ENCODER = new TextEncoder();
/** Longer than a raw socket takes to look again. */
const LOOK_MS = 60;
const PATIENCE_MS = 5000;

/** What a socket received, as `text from port`. */
export class Inbox {
  readonly texts: string[] = [];
  readonly addresses = new Set<string>();
  readonly errors: string[] = [];
  #arrived: () => void = () => {};

  readonly handlers = {
    onBatch: (batch: DatagramBatch): void => {
      for (let i = 0; i < batch.count; i++) {
        const at = i * SLOT_SIZE;
        const text = DECODER.decode(batch.payloads.bytes.slice(at, at + batch.lengths[i]!));
        this.texts.push(`${text} from ${batch.sourcePort(i)}`);
        this.addresses.add(addressText(batch, i));
      }
      this.#arrived();
    },
    onSendError: (code: string): void => void this.errors.push(code),
  };

  /** Waits for so many datagrams, and says which came. */
  async first(count: number): Promise<string[]> {
    const until = performance.now() + PATIENCE_MS;
    while (this.texts.length < count) {
      const left = until - performance.now();
      if (left <= 0) throw new Error(`only came: ${this.texts.join(", ")}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#arrived = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.texts;
  }
}

function addressText(batch: DatagramBatch, i: number): string {
  const at = batch.sourceAt(i);
  return isIpv4(batch.sources, at) ? formatAddress(batch.sources, at) : "IPv6";
}

/** A socket and what it received. */
export interface Station extends Inbox {
  readonly socket: UdpSocket;
  say(text: string, port: number, to?: string): void;
}

/** Opens an ordinary socket. */
export async function station(host: Host, address: string, port = 0): Promise<Station> {
  const inbox = new Inbox();
  const socket = await host.udp({ address, port, ...inbox.handlers });
  return Object.assign(inbox, {
    socket,
    say: (text: string, port: number, to = address) =>
      socket.send(ENCODER.encode(text), { host: to, port }),
  });
}

/** Opens a raw socket that speaks from `port` to `server`. */
export async function rawStation(
  host: Host,
  address: string,
  port: number,
  server: number,
): Promise<Station> {
  const inbox = new Inbox();
  const to = { host: address, port: server };
  const socket = await host.connectedUdp({ port, to, mark: 0, raw: true, ...inbox.handlers });
  return Object.assign(inbox, {
    socket,
    say: (text: string) => socket.send(ENCODER.encode(text), to),
  });
}

/** What an exchange came to. */
export interface Exchanged {
  readonly server: readonly string[];
  readonly raw: readonly string[];
  readonly owner: readonly string[];
  readonly errors: readonly string[];
  readonly closed: readonly string[];
}

/** Ports are written as names. */
function named(texts: readonly string[], ports: Readonly<Record<string, UdpSocket>>): string[] {
  const names = new Map(Object.entries(ports).map(([name, { port }]) => [`${port}`, name]));
  return texts.map((text) => text.replace(/\d+$/, (port) => names.get(port) ?? "?"));
}

/**
 * Speaks to a server from a port that another socket owns, while strangers speak to that port, and
 * after the raw socket was closed.
 *
 * @param address The loopback address of everybody; strangers are at `elsewhere` as well.
 */
export async function exchange(
  host: Host,
  address: string,
  elsewhere: string | undefined,
): Promise<Exchanged> {
  const owner = await station(host, address);
  const server = await station(host, address);
  const stranger = await station(host, address);
  const far = elsewhere === undefined
    ? undefined
    : await station(host, elsewhere, server.socket.port);
  const raw = await rawStation(host, address, owner.socket.port, server.socket.port);
  const ports = { owner: owner.socket, server: server.socket, stranger: stranger.socket };
  try {
    raw.say("question", 0);
    await server.first(1);
    stranger.say("noise", owner.socket.port);
    await owner.first(1);
    far?.say("far noise", owner.socket.port, address);
    server.say("to another", stranger.socket.port);
    await owner.first(far === undefined ? 1 : 2);
    await stranger.first(1);
    server.say("answer", owner.socket.port);
    await raw.first(1);
    server.say("", owner.socket.port);
    await raw.first(2);
    await owner.first(far === undefined ? 3 : 4);
    raw.socket.close();
    server.say("too late", owner.socket.port);
    await owner.first(far === undefined ? 4 : 5);
    const before = [...raw.texts];
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    return {
      server: named(server.texts, ports),
      raw: named(before, ports),
      owner: named(owner.texts, ports),
      errors: raw.errors,
      closed: named(raw.texts.slice(before.length), ports),
    };
  } finally {
    for (const each of [owner, server, stranger, far]) each?.socket.close();
  }
}

/** Bytes of the pages of an answer of the first protocol. */
const SEGMENT = 556;

/**
 * What arrives, in bytes, at a socket that is not raw where a server answers with two datagrams of
 * `SEGMENT` bytes, which a host may send as one piece, and then with one of twice the size.
 */
export async function unsplit(host: Host, address: string): Promise<number[]> {
  const inbox = new Inbox();
  const whole = new Uint8Array(2 * SEGMENT);
  const server = await host.udp({
    address,
    port: 0,
    onSendError() {},
    onOverload() {},
    onBatch(_batch, replies) {
      replies.add(0, whole, 0, SEGMENT, 2);
      replies.add(0, whole, 0, whole.length, 1);
    },
  });
  const to = { host: address, port: server.port };
  const options = { port: 0, to, mark: 0, raw: false, segment: SEGMENT };
  const client = await host.connectedUdp({ ...options, ...inbox.handlers });
  try {
    client.send(ENCODER.encode("question"), to);
    return (await inbox.first(3)).map((text) => text.lastIndexOf(" from "));
  } finally {
    client.close();
    server.close();
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/**
 * What a raw socket hears of datagrams that begin as WireGuard's messages do, and others, as their
 * first byte and their size: where no pages are expected, and where pages of 540 bytes are.
 */
export async function relayed(host: Host, address: string): Promise<string[][]> {
  const [owner, server] = [await station(host, address), await station(host, address)];
  const results: string[][] = [];
  for (const segment of [0, 540]) {
    const inbox = new Inbox();
    const to = { host: address, port: server.socket.port };
    const options = { port: owner.socket.port, to, mark: 0, raw: true, segment };
    const raw = await host.connectedUdp({ ...options, ...inbox.handlers });
    for (let type = 0; type <= 5; type++) {
      for (const size of [6, 31, 32, 148, 540, 1080, 1452]) {
        const start = `${String.fromCharCode(type)}\0\0\0`;
        server.say(start.padEnd(size, "s"), owner.socket.port);
      }
    }
    server.say("\x01\0\x02\0".padEnd(148, "s"), owner.socket.port);
    server.say("end", owner.socket.port);
    for (let count = 1; !inbox.texts.some((text) => text.startsWith("end from")); count++) {
      await inbox.first(count);
    }
    results.push(inbox.texts.map((text) => `${text.charCodeAt(0)} ${text.lastIndexOf(" from")}`));
    raw.close();
  }
  for (const { socket } of [owner, server]) socket.close();
  return results;
}

/** What {@linkcode relayed} comes to where all is well: a piece of two pages is taken apart. */
export const RELAYED: readonly (readonly string[])[] = [false, true].map((pages) => {
  const types = [0, 1, 2, 3, 4, 5];
  const all = types.flatMap((type) => {
    const isFree = type === 0 || type === 5;
    const sizes = [6, 31, ...isFree ? [32, 148] : []];
    // The second page of a piece begins with what stands there.
    const paged = pages
      ? [`${type} 540`, `${type} 540`, "115 540"]
      : [`${type} 540`, `${type} 1080`];
    return [
      ...sizes.map((size) => `${type} ${size}`),
      ...pages || isFree ? paged : [],
      ...isFree ? [`${type} 1452`] : [],
    ];
  });
  return [...all, "1 148", "101 3"];
});

/** What the system says of datagrams to 192.0.2.2, without a mark and with that of 7. */
export async function marked(host: Host): Promise<string[]> {
  const all: string[] = [];
  for (const mark of [0, 7]) {
    const inbox = new Inbox();
    try {
      const options = { address: "0.0.0.0", port: 0, mark };
      const socket = await host.udp({ ...options, ...inbox.handlers });
      socket.send(ENCODER.encode("datagram"), { host: "192.0.2.2", port: 9 });
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      socket.close();
      all.push(inbox.errors.join() || "sent");
    } catch (error) {
      all.push(errorCode(error));
    }
  }
  return all;
}

/** A network of its own in which what has the mark 7 goes nowhere, for {@linkcode marked}. */
export const MARKED_NETWORK: readonly string[] = [
  "unshare",
  "--net",
  "sh",
  "-c",
  "ip link set lo up && ip link add d0 type veth peer name d1 && ip addr add 192.0.2.1/24 dev d0 && " +
  'ip link set d1 up && ip link set d0 up && ip rule add fwmark 7 unreachable && exec "$@"',
  "sh",
];

/** What opening a raw socket fails with. */
export async function refusal(host: Host): Promise<string> {
  try {
    const raw = await rawStation(host, "127.0.0.1", 5, 9);
    raw.socket.close();
    return "none";
  } catch (error) {
    return errorCode(error);
  }
}

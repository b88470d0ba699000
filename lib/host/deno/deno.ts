/**
 * The host on Deno. Where UDP can't go through libc, its sockets hand over one datagram at a time.
 *
 * @module
 */

import { createSocket } from "node:dgram";
import { BATCH_SIZE, DatagramBatch, ReplyBatch, SLOT_SIZE } from "../../core/net/datagram_batch.ts";
import type { HostPort } from "../../core/net/host_port.ts";
import { formatAddress, parseAddress } from "../../core/net/ip_address.ts";
import type { UdpOptions, UdpSocket } from "../udp.ts";
import { codedError, errorCode } from "../error.ts";
import type { Host } from "../host.ts";
import { denoLibc } from "../linux/libc_deno.ts";
import { openConnectedSocket } from "../linux/connected_socket.ts";
import { openRawUdp } from "../linux/raw_udp.ts";
import { sendLocalDatagram } from "../linux/local_datagram.ts";
import { forbidDumps } from "../linux/process.ts";
import { openDenoUdp } from "./udp.ts";
import { linuxSockets } from "./tcp.ts";
import { nodeHost, SYSTEM_RESOLVER } from "../node/node.ts";
import { BACKLOG, tcpHost } from "../node/tcp.ts";
import { nodeX25519 } from "../node/x25519.ts";
import { Resolver } from "../resolver/resolver.ts";
import { PORTABLE } from "../../wire/crypto/portable.ts";
import type { Primitives } from "../../wire/crypto/primitives.ts";

const OWNER_ONLY = 0o600;

/** The primitives on Deno: Node's curve, and the portable rest. */
export const DENO_PRIMITIVES: Primitives = { ...PORTABLE, x25519: nodeX25519 };

/** Sends a datagram, and says what failed. */
type Send = (bytes: Uint8Array, port: number, address: string) => Promise<unknown>;

/** How the host goes about it. */
export interface DenoHostOptions {
  /** Whether UDP sockets may be libc's; true where this is left out. For tests. */
  readonly libc?: boolean;
}

/** The host on Deno. */
export function denoHost({ libc = true }: DenoHostOptions = {}): Host {
  const host: Host = {
    ...nodeHost(),
    ...tcpHost({
      maker: Deno.build.os === "linux" ? linuxSockets : undefined,
      takenAtOnce: BACKLOG + 1,
    }),
    runtime: `deno ${Deno.version.deno}`,
    args: Deno.args,
    primitives: DENO_PRIMITIVES,
    forbidDumps: () => forbidDumps(denoLibc),
    sendLocal: (to, bytes) => sendLocalDatagram(denoLibc, to, bytes),
    onSignal(signal, run) {
      // Deno keeps SIGUSR1 for its inspector; SIGUSR2 does the same here.
      Deno.addSignalListener(signal, run);
      return () => Deno.removeSignalListener(signal, run);
    },
    lockFile,
    // deno-lint-ignore require-await -- what throws becomes a rejection
    connectedUdp: async (options) => openConnectedSocket(denoLibc(), options),
    // deno-lint-ignore require-await -- what throws becomes a rejection
    rawUdp: async (options) => openRawUdp(denoLibc(), options),
    async udp(options) {
      // A client's few datagrams are not worth a thread that waits for them; but only libc has marks.
      const isWorthIt = options.onOverload !== undefined || Boolean(options.mark);
      if (libc && isWorthIt && Deno.build.os === "linux") {
        const socket = openDenoUdp(options);
        if (socket !== undefined) return socket;
      }
      if (options.mark) throw codedError("ENOSYS");
      return await (options.address === "::" ? openIpv6Only(options) : open(options));
    },
    resolve: (name, options) => resolver.resolve(name, options),
  };
  const resolver = new Resolver(host, undefined, SYSTEM_RESOLVER);
  return host;
}

async function lockFile(path: string): Promise<() => void> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { read: true, write: true, create: true, mode: OWNER_ONLY });
  } catch (error) {
    throw codedError(denoCode(error), String(error));
  }
  try {
    if (await file.tryLock(true)) return () => file.close();
  } catch (error) {
    file.close();
    throw codedError(denoCode(error), String(error));
  }
  file.close();
  throw codedError("EAGAIN");
}

/** The most datagrams that wait to be sent, because the socket is full. */
const MOST_WAITING = 1024;

/** Takes single datagrams to the core and its answers back. */
class Exchanger {
  readonly #options: UdpOptions;
  readonly #send: Send;
  readonly #batch = new DatagramBatch();
  readonly #replies = new ReplyBatch();
  #sent: Promise<void> = Promise.resolve();
  #waiting = 0;
  #closed = false;

  constructor(options: UdpOptions, send: Send) {
    this.#options = options;
    this.#send = send;
  }

  receive(bytes: Uint8Array, port: number, address: string): void {
    const batch = this.#batch;
    const replies = this.#replies;
    if (!parseAddress(address, batch.sources, batch.sourceAt(0))) return;
    batch.setSourcePort(0, port);
    batch.lengths[0] = bytes.length;
    batch.payloads.bytes.set(bytes.length > SLOT_SIZE ? bytes.subarray(0, SLOT_SIZE) : bytes);
    batch.count = 1;
    this.#options.onBatch(batch, replies);
    this.sendBatch(replies, { host: address, port });
    replies.count = 0;
  }

  /** Sends what a batch holds. @param source Where its only datagram came from. */
  sendBatch(replies: ReplyBatch, source?: HostPort): void {
    for (let i = 0; i < replies.count; i++) {
      const to = replies.to[i]!;
      const { host, port } = source !== undefined && to < BATCH_SIZE ? source : {
        host: formatAddress(replies.destinations, replies.destinationAt(to)),
        port: replies.destinationPort(to),
      };
      let at = replies.offsets[i]!;
      const size = replies.sizes[i]!;
      for (let n = replies.runs[i]!; n > 0; n--, at += size) {
        this.send(replies.buffers[i]!.subarray(at, at + size), port, host);
      }
    }
  }

  /** Closes the socket, once. What became of datagrams that were sent is not told any more. */
  close(socket: () => void): void {
    if (this.#closed) return;
    this.#closed = true;
    socket();
  }

  /**
   * Sends one datagram after the other: those that Deno is told to send at once change places, where
   * it has to wait for the socket first.
   */
  send(bytes: Uint8Array, port: number, address: string): void {
    const failed = (code: string) => {
      if (!this.#closed) this.#options.onSendError(code, { host: address, port });
    };
    if (this.#waiting === MOST_WAITING) return failed("ENOBUFS");
    const own = bytes.slice();
    this.#waiting++;
    this.#sent = this.#sent.then(async () => {
      this.#waiting--;
      if (!this.#closed) await this.#send(own, port, address);
    }).catch((error) => failed(denoCode(error)));
  }
}

// deno-lint-ignore require-await -- what throws here becomes a rejection
async function open(options: UdpOptions): Promise<UdpSocket> {
  const { address, port } = options;
  const socket = listen(address, port);
  const exchanger = new Exchanger(
    options,
    (bytes, port, hostname) => socket.send(bytes, { transport: "udp", hostname, port }),
  );
  void receiveAll(socket, exchanger);
  if (socket.addr.transport !== "udp") throw new TypeError("not a UDP socket");
  return {
    port: socket.addr.port,
    send: (bytes, to) => exchanger.send(bytes, to.port, to.host),
    sendBatch: (replies) => exchanger.sendBatch(replies),
    close: () => exchanger.close(() => socket.close()),
  };
}

function listen(hostname: string, port: number): Deno.DatagramConn {
  try {
    return Deno.listenDatagram({ transport: "udp", hostname, port });
  } catch (error) {
    throw codedError(denoCode(error), String(error));
  }
}

async function receiveAll(socket: Deno.DatagramConn, exchanger: Exchanger): Promise<void> {
  const buffer = new Uint8Array(SLOT_SIZE + 1);
  for (;;) {
    try {
      const [bytes, source] = await socket.receive(buffer);
      if (source.transport === "udp") exchanger.receive(bytes, source.port, source.hostname);
    } catch (error) {
      // Closed by us; anything else is a message about a datagram that was sent before.
      if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) {
        return;
      }
    }
  }
}

/** `Deno.listenDatagram` on `::` would take IPv4 as well, and 0.0.0.0 would be in use. */
function openIpv6Only(options: UdpOptions): Promise<UdpSocket> {
  const socket = createSocket({ type: "udp6", ipv6Only: true });
  const send: Send = (bytes, port, address) =>
    new Promise((resolve, reject) =>
      socket.send(bytes, port, address, (error) => error ? reject(error) : resolve(undefined))
    );
  const exchanger = new Exchanger(options, send);
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(options.port, options.address, () => {
      socket.off("error", reject);
      socket.on("error", (error) => options.onSendError(denoCode(error)));
      socket.on("message", (bytes, source) => {
        exchanger.receive(bytes, source.port, source.address);
      });
      resolve({
        port: socket.address().port,
        send: (bytes, to) => exchanger.send(bytes, to.port, to.host),
        sendBatch: (replies) => exchanger.sendBatch(replies),
        close: () => exchanger.close(() => void socket.close()),
      });
    });
  });
}

const CODES: readonly (readonly [new () => Error, string])[] = [
  [Deno.errors.AddrInUse, "EADDRINUSE"],
  [Deno.errors.AddrNotAvailable, "EADDRNOTAVAIL"],
  [Deno.errors.ConnectionRefused, "ECONNREFUSED"],
  [Deno.errors.NetworkUnreachable, "ENETUNREACH"],
  [Deno.errors.PermissionDenied, "EACCES"],
];

/** Deno's own API has a class where others have a POSIX name. */
function denoCode(error: unknown): string {
  return CODES.find(([kind]) => error instanceof kind)?.[1] ?? errorCode(error);
}

/**
 * UDP on Bun: sockets that hand over what came in since the last turn of the event loop as one
 * batch. On Linux, most of what comes in and all answers go past Bun, through libc: many datagrams
 * a call, and none of them an object.
 *
 * @module
 */

import process from "node:process";
import { BATCH_SIZE, DatagramBatch, ReplyBatch, SLOT_SIZE } from "../../core/net/datagram_batch.ts";
import { formatAddress, parseAddress } from "../../core/net/ip_address.ts";
import type { UdpOptions, UdpSocket } from "../udp.ts";
import { codedError, errorCode } from "../error.ts";
import { type BatchSender, batchSenderFor } from "../linux/batch_sender.ts";
import type { BatchLibc } from "../linux/libc.ts";
import { errnoName } from "../linux/errno.ts";
import { bunLibc } from "../linux/libc_bun.ts";
import { DatagramSink, ReceiveVector } from "../linux/receive_vector.ts";
import { scopeOf } from "../linux/socket_address.ts";
import { growBuffers, setMark, setPortSharing } from "../linux/socket_options.ts";

/** What is used of Bun's API (https://bun.sh/docs/api/udp). */
interface BunUdp {
  udpSocket(options: {
    readonly hostname: string;
    readonly port: number;
    readonly flags: number;
    readonly socket: {
      data(socket: BunSocket, bytes: Uint8Array, port: number, address: string): void;
      error(error: unknown): void;
    };
  }): Promise<BunSocket>;
}

interface BunSocket {
  readonly port: number;
  /** The file descriptor; -1 once it is closed. */
  readonly fd: number;
  /** False where the socket's buffer is full; throws where the system refuses. */
  send(bytes: Uint8Array, port: number, address: string): boolean;
  /** Bytes, port and address in turn; the number of datagrams that the system took. */
  sendMany(packets: readonly (Uint8Array | number | string)[]): number;
  close(): void;
}

declare const Bun: BunUdp;

/**
 * Batches that may wait for an answer at a server's socket. Bun reads a socket until it is empty, and
 * does nothing else meanwhile: so what comes in is only put aside, one batch a turn is answered, and
 * what finds no place is thrown away, which is faster than any sender.
 */
const MAX_WAITING = 16;
/** Datagrams in those that wait behind the first: the more there is to do, the shorter the turns. */
const SLICE = 16;
/**
 * Bun takes so many datagrams with one call at most, and hands them over one by one. When so many
 * are there, the rest is taken through libc. Where Bun's first call took fewer, the last of its
 * second one come after that rest: datagrams may change places here as they may on the way.
 */
const BUN_BATCH = 8;
/**
 * Once all that waited is answered, a turn of a server takes what has come since, past Bun, until
 * nothing has or it were so many datagrams: under load, most of the next requests are there by then.
 * Others wait for their turn meanwhile.
 */
const MOST_MORE = 128;
/** So many datagrams are thrown away at a time. */
const MOST_DISCARDED = 1024;
/** IPV6_V6ONLY, in the flags of Bun's sockets: without it `::` takes `0.0.0.0` as well. */
const IPV6_ONLY = 8;
/** SO_REUSEADDR, in the same flags. */
const REUSE_ADDRESS = 16;
/** Entries of a datagram in the list that `sendMany` takes. */
const PACKET_FIELDS = 3;

/** Datagrams that came in, as libc and Bun know their sources. */
interface Filled {
  readonly batch: DatagramBatch;
  /** Bun's texts of the sources; there only without libc. */
  readonly addresses: string[];
  readonly scopes: Uint32Array;
  /** What fills it through libc. */
  readonly vector: ReceiveVector | undefined;
}

/** What receives and sends through libc. */
interface Kernel {
  readonly libc: BatchLibc;
  readonly sender: BatchSender;
  readonly sink: DatagramSink;
  /** The number of the interface in an address's scope. */
  readonly scopeOf: (address: string) => number;
}

/** libc for a socket, or undefined where it can't be had. Makes the socket's buffers larger. */
function kernelFor(fd: number, { onSendError }: UdpOptions): Kernel | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    const libc = bunLibc();
    const sender = batchSenderFor(libc, fd, onSendError);
    if (sender === undefined) return undefined;
    growBuffers(libc, fd);
    const indexOf = (name: string) => libc.interfaceIndex(name);
    return {
      libc,
      sender,
      sink: new DatagramSink(libc),
      scopeOf: (address) => scopeOf(address, indexOf),
    };
  } catch {
    // A libc under another name.
    return undefined;
  }
}

/** Marks what a socket sends, or closes it and throws what the system says. */
function markOrClose(socket: BunSocket, mark: number): void {
  let code = "ENOSYS";
  try {
    const libc = process.platform === "linux" ? bunLibc() : undefined;
    if (libc !== undefined) {
      if (setMark(libc, socket.fd, mark) >= 0) return;
      code = errnoName(libc.errno());
    }
  } catch {
    // A libc under another name.
  }
  socket.close();
  throw codedError(code);
}

/**
 * Opens a socket.
 *
 * @param libc Whether libc may be used; it is where it can.
 * @param shares Whether another socket of this process has the port, and lets this one have it as well.
 */
export async function openBunUdp(
  options: UdpOptions,
  libc: boolean,
  shares = false,
): Promise<UdpSocket> {
  const ipv6 = options.address.includes(":");
  const replies = new ReplyBatch();
  /** What came in and is not answered yet, in order. */
  const waiting: Filled[] = [];
  const spare: Filled[] = [];
  const isServer = options.onOverload !== undefined;
  let packets: (Uint8Array | number | string)[] = [];
  let scheduled = false;
  let closed = false;
  let dropped = 0;
  /** Datagrams that Bun handed over, in this turn. */
  let handed = 0;
  /** Not there until the socket is open. */
  let kernel: Kernel | undefined = undefined;

  const socket = await Bun.udpSocket({
    hostname: options.address,
    port: options.port,
    flags: (ipv6 ? IPV6_ONLY : 0) | (shares ? REUSE_ADDRESS : 0),
    socket: {
      data(_socket, bytes, port, address) {
        schedule();
        take(bytes, port, address);
        if (kernel !== undefined && ++handed % BUN_BATCH === 0) drain(kernel);
      },
      // An ICMP message about a datagram that was sent before; whose, it doesn't say.
      error: (error) => options.onSendError(errorCode(error)),
    },
  });
  if (options.mark) markOrClose(socket, options.mark);
  kernel = libc ? kernelFor(socket.fd, options) : undefined;
  if (shares && kernel !== undefined) setPortSharing(kernel.libc, socket.fd, false);

  function newFilled(): Filled {
    const batch = new DatagramBatch();
    const vector = kernel && new ReceiveVector(kernel.libc, !ipv6, batch);
    const scopes = vector?.scopes ?? new Uint32Array(BATCH_SIZE);
    return { batch, addresses: new Array(BATCH_SIZE).fill(""), scopes, vector };
  }

  /** A batch with room, or undefined where too much waits already. */
  function place(): Filled | undefined {
    const last = waiting.at(-1);
    if (last !== undefined && last.batch.count < limit()) return last;
    if (isServer && waiting.length === MAX_WAITING) return undefined;
    const filled = spare.pop() ?? newFilled();
    waiting.push(filled);
    return filled;
  }

  /** How many datagrams the last batch may have. */
  function limit(): number {
    return isServer && waiting.length > 1 ? SLICE : BATCH_SIZE;
  }

  /** Puts aside what Bun hands over. */
  function take(bytes: Uint8Array, port: number, address: string): void {
    const filled = place();
    if (filled === undefined) return void dropped++;
    const { batch } = filled;
    const i = batch.count;
    if (!parseAddress(address, batch.sources, batch.sourceAt(i))) return;
    batch.setSourcePort(i, port);
    batch.lengths[i] = bytes.length;
    const kept = bytes.length > SLOT_SIZE ? bytes.subarray(0, SLOT_SIZE) : bytes;
    batch.payloads.bytes.set(kept, i * SLOT_SIZE);
    if (kernel === undefined) filled.addresses[i] = address;
    else if (ipv6) filled.scopes[i] = kernel.scopeOf(address);
    batch.count++;
    // Who asked for them takes them as they come.
    if (!isServer && batch.count === BATCH_SIZE) answerFirst();
  }

  /** Puts aside what still waits at the socket, as far as there is room, and throws away the rest. */
  function drain({ sink }: Kernel): void {
    while (!closed) {
      const filled = place();
      if (filled === undefined) {
        dropped += sink.discard(socket.fd, MOST_DISCARDED);
        return;
      }
      const { batch, vector } = filled;
      if (vector === undefined) return;
      vector.receive(socket.fd, limit());
      const isFull = batch.count === limit();
      if (batch.count === 0) spare.push(waiting.pop()!);
      if (!isServer && isFull) answerFirst();
      if (!isFull) return;
    }
  }

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(endTurn);
  }

  /** Answers one batch; others have their turn before the next, if that waits already. */
  function endTurn(): void {
    scheduled = false;
    handed = 0;
    if (dropped > 0) options.onOverload?.(dropped);
    dropped = 0;
    answerFirst();
    if (kernel !== undefined && isServer) {
      for (let left = MOST_MORE; left > 0;) {
        const came = look(Math.min(left, BATCH_SIZE));
        if (came === 0) break;
        left -= came;
        answerFirst();
      }
    }
    if (waiting.length > 0) schedule();
  }

  /** Puts aside what has come since all that waited was answered, and returns how much it is. */
  function look(limit: number): number {
    if (closed || waiting.length > 0) return 0;
    const filled = spare.pop() ?? newFilled();
    const came = filled.vector?.receive(socket.fd, limit) ?? 0;
    (came > 0 ? waiting : spare).push(filled);
    return came;
  }

  function answerFirst(): void {
    const filled = waiting.shift();
    if (filled === undefined || closed) return;
    if (filled.batch.count > 0) options.onBatch(filled.batch, replies);
    // What was called may have closed it.
    if (!closed) {
      if (filled.vector === undefined) sendByText(replies, filled);
      else kernel?.sender.send(socket.fd, filled, replies);
    }
    filled.batch.count = 0;
    replies.count = 0;
    spare.push(filled);
  }

  /** Sends replies through Bun, to addresses as texts. */
  function sendByText(replies: ReplyBatch, from?: Filled): void {
    for (let i = 0; i < replies.count; i++) {
      const to = replies.to[i]!;
      const isOwn = to >= BATCH_SIZE || from === undefined;
      const port = isOwn ? replies.destinationPort(to) : from.batch.sourcePort(to);
      const address = isOwn
        ? formatAddress(replies.destinations, replies.destinationAt(to))
        : from.addresses[to]!;
      const size = replies.sizes[i]!;
      const buffer = replies.buffers[i]!;
      let at = replies.offsets[i]!;
      for (let n = replies.runs[i]!; n > 0; n--, at += size) {
        packets.push(buffer.subarray(at, at + size), port, address);
      }
    }
    if (packets.length > 0) sendAll();
  }

  /**
   * Sends `packets`. The system may report with a send what became of an earlier one, and then
   * doesn't take this one: it gets a second try. When the socket's buffer is full, the rest is
   * lost, as it would be on the way.
   */
  function sendAll(): void {
    let tried = false;
    while (packets.length > 0) {
      try {
        const sent = socket.sendMany(packets);
        if (sent === 0) {
          if (tried) {
            for (let n = packets.length / PACKET_FIELDS; n > 0; n--) options.onSendError("ENOBUFS");
            break;
          }
          tried = true;
          continue;
        }
        packets = packets.slice(sent * PACKET_FIELDS);
        tried = false;
      } catch (error) {
        if (tried) {
          options.onSendError(errorCode(error));
          packets = packets.slice(PACKET_FIELDS);
        }
        tried = !tried;
      }
    }
    packets.length = 0;
  }

  /** See {@linkcode UdpSocket.beside}. */
  async function beside({ libc }: Kernel, other: Omit<UdpOptions, "port">): Promise<UdpSocket> {
    setPortSharing(libc, socket.fd, true);
    try {
      return await openBunUdp({ ...other, port: socket.port }, true, true);
    } finally {
      if (!closed) setPortSharing(libc, socket.fd, false);
    }
  }

  const through = kernel;
  return {
    port: socket.port,
    ...through && { beside: (other) => beside(through, other) },
    send(bytes, to) {
      for (let tries = 2; tries > 0; tries--) {
        try {
          if (!socket.send(bytes, to.port, to.host)) options.onSendError("ENOBUFS", to);
          return;
        } catch (error) {
          if (tries === 1) options.onSendError(errorCode(error), to);
        }
      }
    },
    sendBatch(batch) {
      if (closed) return;
      if (kernel === undefined) sendByText(batch);
      else kernel.sender.send(socket.fd, undefined, batch);
    },
    close() {
      closed = true;
      socket.close();
    },
  };
}

/**
 * Bun: sockets that hand over what came in since the last turn of the event loop as one batch.
 *
 * @module
 */

import process from "node:process";
import { BATCH_SIZE, DatagramBatch, ReplyBatch, SLOT_SIZE } from "../core/datagram_batch.ts";
import { parseAddress } from "../core/ip_address.ts";
import { errorCode, type Host, type UdpOptions, type UdpSocket } from "./host.ts";
import { bunLibc } from "./linux/libc_bun.ts";
import { openConnectedSocket } from "./linux/connected_socket.ts";
import { nodeHost } from "./node.ts";
import { tcpHost } from "./tcp.ts";

/** What is used of Bun's API (https://bun.sh/docs/api/udp). */
interface BunApi {
  readonly version: string;
  readonly argv: readonly string[];
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
  /** False where the socket's buffer is full; throws where the system refuses. */
  send(bytes: Uint8Array, port: number, address: string): boolean;
  /** Bytes, port and address in turn; the number of datagrams that the system took. */
  sendMany(packets: readonly (Uint8Array | number | string)[]): number;
  close(): void;
}

declare const Bun: BunApi;

/**
 * Batches that may wait for an answer at a server's socket. Bun reads a socket until it is empty, and
 * does nothing else meanwhile: so what comes in is only put aside, one batch a turn is answered, and
 * what finds no place is thrown away, which is faster than any sender.
 */
const MAX_WAITING = 16;
/** Datagrams in those that wait behind the first: the more there is to do, the shorter the turns. */
const SLICE = 16;
/** IPV6_V6ONLY, in the flags of Bun's sockets: without it `::` takes `0.0.0.0` as well. */
const IPV6_ONLY = 8;
/** Entries of a datagram in the list that `sendMany` takes. */
const PACKET_FIELDS = 3;

/** The host on Bun. */
export function bunHost(): Host {
  return {
    ...nodeHost(),
    ...tcpHost(),
    runtime: `bun ${Bun.version}`,
    args: Bun.argv.slice(2),
    onSignal(signal, run) {
      process.on(signal, run);
      return () => void process.off(signal, run);
    },
    udp: openSocket,
    // deno-lint-ignore require-await -- what throws becomes a rejection
    connectedUdp: async (options) => openConnectedSocket(bunLibc(), options),
  };
}

/** A batch, and the addresses as Bun has them. */
interface Filled {
  readonly batch: DatagramBatch;
  readonly addresses: string[];
}

function newFilled(): Filled {
  return { batch: new DatagramBatch(), addresses: new Array(BATCH_SIZE).fill("") };
}

async function openSocket(options: UdpOptions): Promise<UdpSocket> {
  const replies = new ReplyBatch();
  /** What came in and is not answered yet, in order. */
  const waiting: Filled[] = [];
  const spare: Filled[] = [];
  const isServer = options.onOverload !== undefined;
  let packets: (Uint8Array | number | string)[] = [];
  let scheduled = false;
  let closed = false;
  let dropped = 0;

  const socket = await Bun.udpSocket({
    hostname: options.address,
    port: options.port,
    flags: options.address.includes(":") ? IPV6_ONLY : 0,
    socket: {
      data(_socket, bytes, port, address) {
        schedule();
        const filled = place();
        if (filled === undefined) return void dropped++;
        const { batch, addresses } = filled;
        const i = batch.count;
        if (!parseAddress(address, batch.sources, batch.sourceAt(i))) return;
        batch.setSourcePort(i, port);
        batch.lengths[i] = bytes.length;
        const kept = bytes.length > SLOT_SIZE ? bytes.subarray(0, SLOT_SIZE) : bytes;
        batch.payloads.bytes.set(kept, i * SLOT_SIZE);
        addresses[i] = address;
        batch.count++;
        // Who asked for them takes them as they come.
        if (!isServer && batch.count === BATCH_SIZE) answerFirst();
      },
      // An ICMP message about a datagram that was sent before; whose, it doesn't say.
      error: (error) => options.onSendError(errorCode(error)),
    },
  });

  /** A batch with room, or undefined where too much waits already. */
  function place(): Filled | undefined {
    const last = waiting.at(-1);
    const limit = isServer && waiting.length > 1 ? SLICE : BATCH_SIZE;
    if (last !== undefined && last.batch.count < limit) return last;
    if (isServer && waiting.length === MAX_WAITING) return undefined;
    const filled = spare.pop() ?? newFilled();
    waiting.push(filled);
    return filled;
  }

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(endTurn);
  }

  /** Answers one batch; others have their turn before the next. */
  function endTurn(): void {
    scheduled = false;
    if (dropped > 0) options.onOverload?.(dropped);
    dropped = 0;
    answerFirst();
    if (waiting.length > 0) schedule();
  }

  function answerFirst(): void {
    const filled = waiting.shift();
    if (filled === undefined || closed) return;
    const { batch, addresses } = filled;
    if (batch.count > 0) options.onBatch(batch, replies);
    for (let i = 0; i < replies.count; i++) {
      const to = replies.to[i]!;
      const size = replies.sizes[i]!;
      const buffer = replies.buffers[i]!;
      let at = replies.offsets[i]!;
      for (let n = replies.runs[i]!; n > 0; n--, at += size) {
        packets.push(buffer.subarray(at, at + size), batch.sourcePort(to), addresses[to]!);
      }
    }
    batch.count = 0;
    spare.push(filled);
    replies.count = 0;
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

  return {
    port: socket.port,
    send(bytes, to) {
      for (let tries = 2; tries > 0; tries--) {
        try {
          if (!socket.send(bytes, to.port, to.host)) options.onSendError("ENOBUFS");
          return;
        } catch (error) {
          if (tries === 1) options.onSendError(errorCode(error));
        }
      }
    },
    close() {
      closed = true;
      socket.close();
    },
  };
}

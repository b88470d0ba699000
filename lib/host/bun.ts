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
 * Bun reads a socket until it is empty, and does nothing else meanwhile. Who sends faster than it is
 * answered would keep all others from their turn: after so many milliseconds, what is left is thrown
 * away, which is faster than any sender.
 */
const LONGEST_TURN_MS = 2;
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

async function openSocket(options: UdpOptions): Promise<UdpSocket> {
  const batch = new DatagramBatch();
  const replies = new ReplyBatch();
  const ports = new Int32Array(BATCH_SIZE);
  const addresses: string[] = new Array(BATCH_SIZE).fill("");
  let packets: (Uint8Array | number | string)[] = [];
  let scheduled = false;
  let closed = false;
  let turnAt = 0;
  let tooMany = 0;

  const socket = await Bun.udpSocket({
    hostname: options.address,
    port: options.port,
    flags: options.address.includes(":") ? IPV6_ONLY : 0,
    socket: {
      data(_socket, bytes, port, address) {
        if (!scheduled) {
          scheduled = true;
          turnAt = performance.now();
          setImmediate(endTurn);
        }
        if (tooMany > 0) return void tooMany++;
        const i = batch.count;
        if (!parseAddress(address, batch.sources, batch.sourceAt(i))) return;
        batch.setSourcePort(i, port);
        batch.lengths[i] = bytes.length;
        const kept = bytes.length > SLOT_SIZE ? bytes.subarray(0, SLOT_SIZE) : bytes;
        batch.payloads.bytes.set(kept, i * SLOT_SIZE);
        ports[i] = port;
        addresses[i] = address;
        batch.count++;
        if (batch.count < BATCH_SIZE) return;
        flush();
        const isLong = performance.now() - turnAt > LONGEST_TURN_MS;
        if (isLong && options.onOverload !== undefined) tooMany = 1;
      },
      // An ICMP message about a datagram that was sent before; whose, it doesn't say.
      error: (error) => options.onSendError(errorCode(error)),
    },
  });

  /** Nothing more is to be read for now. */
  function endTurn(): void {
    scheduled = false;
    flush();
    if (tooMany > 1) options.onOverload?.(tooMany - 1);
    tooMany = 0;
  }

  function flush(): void {
    if (closed || batch.count === 0) return;
    options.onBatch(batch, replies);
    batch.count = 0;
    for (let i = 0; i < replies.count; i++) {
      const to = replies.to[i]!;
      const size = replies.sizes[i]!;
      const buffer = replies.buffers[i]!;
      let at = replies.offsets[i]!;
      for (let n = replies.runs[i]!; n > 0; n--, at += size) {
        packets.push(buffer.subarray(at, at + size), ports[to]!, addresses[to]!);
      }
    }
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

/**
 * Asks a server of WireGuard's hole-punching example where peers are: one key after the other, since
 * an answer doesn't say whose it is.
 *
 * @module
 */

import { type DatagramBatch, SLOT_SIZE } from "../core/datagram_batch.ts";
import type { HostPort } from "../core/host_port.ts";
import { formatIpv4 } from "../core/ip_address.ts";
import { parseKey } from "../core/peer_key.ts";
import type { Host, UdpSocket } from "../host/host.ts";
import { decodePunchReply, encodePunchRequest, PUNCH_REQUEST_SIZE } from "../wire/punch_message.ts";
import { WireBuffer } from "../wire/wire_buffer.ts";

/** What to ask. */
export interface PunchQuestion {
  /** The own public key, 32 bytes. */
  readonly id: Uint8Array;
  /** The public keys to ask for, in base64. */
  readonly keys: readonly string[];
  /** The UDP port that is registered: WireGuard's. */
  readonly port: number;
  /** Whether WireGuard has that port now, so that a raw socket is needed; and its mark. */
  readonly through: { readonly raw: boolean; readonly mark: number };
  /** When to give up: `host.mono()` in milliseconds. */
  readonly endsAt: number;
}

/** What it said. */
export interface PunchAnswer {
  /** How many of the questions were answered, if only with "unknown". */
  readonly answered: number;
  readonly peers: readonly (HostPort & { readonly publicKey: string })[];
}

const WAIT_MS = 500;
const ATTEMPTS = 2;

/** Asks one server. @param to Its address. */
export async function askPunch(
  host: Host,
  to: HostPort,
  { id, keys, port, through, endsAt }: PunchQuestion,
): Promise<PunchAnswer> {
  let take: (batch: DatagramBatch) => void = () => {};
  const socket = await host.connectedUdp({
    port,
    to,
    ...through,
    onBatch: (batch) => take(batch),
    onSendError() {},
  });
  const peers: (HostPort & { publicKey: string })[] = [];
  let answered = 0;
  try {
    const request = new WireBuffer(PUNCH_REQUEST_SIZE);
    const mine = new WireBuffer(id);
    for (const publicKey of keys) {
      const key = parseKey(publicKey);
      if (key === undefined) continue;
      encodePunchRequest(mine, new WireBuffer(key), request, 0);
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        if (host.mono() >= endsAt) return { answered, peers };
        const reply = await exchange(host, socket, request, to, (taker) => take = taker);
        if (reply === undefined) continue;
        answered++;
        if (reply !== "unknown") peers.push({ publicKey, ...reply });
        break;
      }
      // A server that says nothing at all is not asked for everybody.
      if (answered === 0) break;
    }
    return { answered, peers };
  } finally {
    socket.close();
  }
}

/** Sends a request, and waits for its answer: undefined where none comes. */
function exchange(
  host: Host,
  socket: UdpSocket,
  request: WireBuffer,
  to: HostPort,
  listen: (taker: (batch: DatagramBatch) => void) => void,
): Promise<HostPort | "unknown" | undefined> {
  return new Promise((done) => {
    const cancel = host.timer(WAIT_MS, () => done(undefined));
    listen((batch) => {
      for (let i = 0; i < batch.count; i++) {
        const length = batch.lengths[i]!;
        const endpoint = decodePunchReply(batch.payloads, i * SLOT_SIZE, length);
        if (endpoint === undefined && length !== 0) continue;
        cancel();
        done(
          endpoint === undefined
            ? "unknown"
            : { host: formatIpv4(endpoint.address), port: endpoint.port },
        );
        return;
      }
    });
    socket.send(request.bytes, to);
  });
}

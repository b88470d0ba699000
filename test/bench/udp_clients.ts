/**
 * Clients over UDP, each with one request in flight, or a flood of their requests.
 *
 * @module
 */

import { SLOT_SIZE } from "../../lib/core/net/datagram_batch.ts";
import type { HostPort } from "../../lib/core/net/host_port.ts";
import type { UdpSocket } from "../../lib/host/udp.ts";
import type { Host } from "../../lib/host/host.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import type { Dialogue } from "./dialogue.ts";
import type { Tally } from "./tally.ts";

/** A request that got no answer is asked again after this time. */
const LOST_MS = 250;
const FLOOD_CLIENTS = 64;
const LOOPBACK = "127.0.0.1";

/** Starts `clients`, which ask on and on; see {@linkcode Job} for `pause`. */
export async function startUdpClients(
  host: Host,
  dialogue: Dialogue,
  port: number,
  { clients, pause }: { readonly clients: number; readonly pause: number },
  tally: Tally,
): Promise<void> {
  for (let first = 0; first < clients; first += dialogue.perSocket) {
    const count = Math.min(dialogue.perSocket, clients - first);
    await startSocket(host, dialogue, { host: LOOPBACK, port }, { first, count, pause }, tally);
  }
}

/** Starts the clients from `first` on that have a socket in common. */
async function startSocket(
  host: Host,
  dialogue: Dialogue,
  server: HostPort,
  { first, count, pause }: {
    readonly first: number;
    readonly count: number;
    readonly pause: number;
  },
  tally: Tally,
): Promise<void> {
  const out = new WireBuffer(count * dialogue.size);
  /** When each asked, or NaN while it pauses. */
  const sentAt = new Float64Array(count).fill(NaN);
  /** Answers that may still come to requests that were given up. */
  let late = 0;

  const socket = await host.udp({
    address: LOOPBACK,
    port: 0,
    onSendError() {},
    onBatch({ count: answers, payloads, lengths }, replies) {
      for (let i = 0; i < answers; i++) {
        const at = i * SLOT_SIZE;
        const client = count === 1 ? 0 : dialogue.clientOf(payloads, at, lengths[i]!) - first;
        const took = performance.now() - (sentAt[client] ?? NaN);
        if (isNaN(took) || !dialogue.isAnswer(first + client, payloads, at, lengths[i]!)) {
          if (late > 0) late--;
          else tally.wrong++;
          continue;
        }
        tally.answered(took, lengths[i]!);
        if (pause > 0) {
          sentAt[client] = NaN;
          host.after(pause / 1000, () => ask(client));
        } else {
          const size = write(client);
          replies.add(i, out.bytes, client * dialogue.size, size, 1);
        }
      }
    },
  });

  /** Writes a request to its place in `out`, and returns its size. */
  function write(client: number): number {
    const size = dialogue.ask(first + client, out, client * dialogue.size);
    sentAt[client] = performance.now();
    return size;
  }

  function ask(client: number): void {
    const size = write(client);
    const at = client * dialogue.size;
    socket.send(out.bytes.subarray(at, at + size), server);
  }

  function askAgain(): void {
    for (let client = 0; client < count; client++) {
      const waited = performance.now() - sentAt[client]!;
      if (!(waited >= LOST_MS)) continue;
      tally.lost(waited);
      late++;
      ask(client);
    }
    host.after(LOST_MS / 1000, askAgain);
  }

  for (let client = 0; client < count; client++) ask(client);
  host.after(LOST_MS / 1000, askAgain);
}

/** Sends requests as fast as the system takes them, and looks at no answer. */
export async function flood(host: Host, dialogue: Dialogue, port: number): Promise<UdpSocket> {
  const server = { host: LOOPBACK, port };
  const out = new WireBuffer(dialogue.size);
  const socket = await host.udp({ address: LOOPBACK, port: 0, onSendError() {}, onBatch() {} });
  function send(): void {
    for (let client = 0; client < FLOOD_CLIENTS; client++) {
      const size = dialogue.ask(client, out, 0);
      socket.send(out.bytes.subarray(0, size), server);
    }
    setImmediate(send);
  }
  send();
  return socket;
}

/**
 * Clients over UDP that each ask for an answer of many datagrams, one at a time, on a socket of
 * their own.
 *
 * @module
 */

import { SLOT_SIZE } from "../../lib/core/net/datagram_batch.ts";
import type { Host } from "../../lib/host/host.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import type { Dialogue } from "./dialogue.ts";
import { FULL_ANSWER } from "./requests.ts";
import type { Tally } from "./tally.ts";

/** What has not come after this time is lost. */
const LOST_MS = 500;
const LOOPBACK = "127.0.0.1";

/** Starts `clients`, which ask on and on. Datagrams that don't come are counted one by one. */
export async function startFullClients(
  host: Host,
  dialogue: Dialogue,
  port: number,
  clients: number,
  tally: Tally,
): Promise<void> {
  for (let i = 0; i < clients; i++) await startClient(host, dialogue, port, i, tally);
}

async function startClient(
  host: Host,
  dialogue: Dialogue,
  port: number,
  client: number,
  tally: Tally,
): Promise<void> {
  const out = new WireBuffer(dialogue.size);
  let sentAt = 0;
  let missing = 0;

  const socket = await host.udp({
    address: LOOPBACK,
    port: 0,
    onSendError() {},
    onBatch({ count, payloads, lengths }) {
      for (let i = 0; i < count; i++) {
        const at = i * SLOT_SIZE;
        if (!dialogue.isAnswer(client, payloads, at, lengths[i]!)) tally.wrong++;
        else if (--missing === 0) {
          tally.answered(performance.now() - sentAt, lengths[i]!);
          ask();
        }
      }
    },
  });

  function ask(): void {
    const size = dialogue.ask(client, out, 0);
    missing = FULL_ANSWER;
    sentAt = performance.now();
    socket.send(out.bytes.subarray(0, size), { host: LOOPBACK, port });
  }

  function askAgain(): void {
    const waited = performance.now() - sentAt;
    if (waited >= LOST_MS) {
      tally.lost(waited, missing);
      ask();
    }
    host.after(LOST_MS / 1000, askAgain);
  }

  ask();
  host.after(LOST_MS / 1000, askAgain);
}

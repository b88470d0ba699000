/**
 * Clients of DNS over TCP: each has a connection of its own, and asks on and on.
 *
 * @module
 */

import type { TcpConnection } from "../../lib/host/tcp.ts";
import type { Host } from "../../lib/host/host.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import type { Dialogue } from "./dialogue.ts";
import type { Tally } from "./tally.ts";

/** Size of the length before a message. */
const LENGTH_SIZE = 2;
/** So much of an answer is looked at: the first records. */
const HEAD_SIZE = 512;
const TIMEOUT_MS = 5000;

/** Starts `clients`. Their dialogue is given the beginning of each answer, and its length. */
export async function startTcpClients(
  host: Host,
  port: number,
  clients: number,
  dialogue: Dialogue,
  tally: Tally,
): Promise<void> {
  for (let i = 0; i < clients; i++) await startConnection(host, port, i, dialogue, tally);
}

async function startConnection(
  host: Host,
  port: number,
  client: number,
  dialogue: Dialogue,
  tally: Tally,
): Promise<void> {
  const query = new WireBuffer(LENGTH_SIZE + dialogue.size);
  const head = new WireBuffer(LENGTH_SIZE + HEAD_SIZE);
  let received = 0;
  let sentAt = 0;

  const connection: TcpConnection = await host.tcpConnect({
    to: { host: "127.0.0.1", port },
    timeout: TIMEOUT_MS,
  }, {
    onData(bytes) {
      if (received < head.size) head.bytes.set(bytes.subarray(0, head.size - received), received);
      received += bytes.length;
      if (received < LENGTH_SIZE) return;
      const length = head.view.getUint16(0);
      if (received < LENGTH_SIZE + length) return;
      const isWhole = received === LENGTH_SIZE + length;
      if (isWhole && dialogue.isAnswer(client, head, LENGTH_SIZE, length)) {
        tally.answered(performance.now() - sentAt, length);
      } else tally.wrong++;
      ask();
    },
    onEnd() {},
    onClose() {
      tally.wrong++;
    },
  });

  function ask(): void {
    received = 0;
    const size = dialogue.ask(client, query, LENGTH_SIZE);
    query.view.setUint16(0, size);
    sentAt = performance.now();
    connection.write(query.bytes.subarray(0, LENGTH_SIZE + size));
  }

  ask();
}

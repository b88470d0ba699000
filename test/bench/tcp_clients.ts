/**
 * Clients over TCP: each asks for the list of all peers on a connection of its own, on and on.
 *
 * @module
 */

import type { TcpConnection } from "../../lib/host/tcp.ts";
import type { Host } from "../../lib/host/host.ts";
import { frameMessage } from "../../lib/wire/dns/frame.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { LIST_HEADER_SIZE, ListQuestion } from "./dns_questions.ts";
import type { Tally } from "./tally.ts";

/** Size of the length before a message. */
const LENGTH_SIZE = 2;
const TIMEOUT_MS = 5000;

/** Starts `clients`; see {@linkcode Job} for `bareSize`. */
export async function startTcpClients(
  host: Host,
  port: number,
  clients: number,
  bareSize: number,
  tally: Tally,
): Promise<void> {
  const question = new ListQuestion();
  for (let i = 0; i < clients; i++) await startConnection(host, question, port, bareSize, tally);
}

async function startConnection(
  host: Host,
  question: ListQuestion,
  port: number,
  bareSize: number,
  tally: Tally,
): Promise<void> {
  const query = new WireBuffer(frameMessage(question.query));
  const head = new WireBuffer(LENGTH_SIZE + LIST_HEADER_SIZE);
  let received = 0;
  let sentAt = 0;
  let id = 0;

  const connection: TcpConnection = await host.tcpConnect({
    to: { host: "127.0.0.1", port },
    timeout: TIMEOUT_MS,
  }, {
    onData(bytes) {
      for (let i = 0; received + i < head.size && i < bytes.length; i++) {
        head.bytes[received + i] = bytes[i]!;
      }
      received += bytes.length;
      if (received < head.size) return;
      const length = head.view.getUint16(0);
      if (received < LENGTH_SIZE + length) return;
      if (received === LENGTH_SIZE + length && isAnswer(length)) {
        tally.answered(performance.now() - sentAt, length);
      } else tally.wrong++;
      ask();
    },
    onEnd() {},
    onClose() {
      tally.wrong++;
    },
  });

  function isAnswer(length: number): boolean {
    if (bareSize === 0) return question.isAnswer(id, head, LENGTH_SIZE, length);
    return length === bareSize && head.view.getUint16(LENGTH_SIZE) === id;
  }

  function ask(): void {
    received = 0;
    id = Math.floor(Math.random() * 0x10000);
    query.view.setUint16(LENGTH_SIZE, id);
    sentAt = performance.now();
    connection.write(query.bytes);
  }

  ask();
}

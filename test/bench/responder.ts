/**
 * A responder that does the server's I/O and nothing else, on the same runtime and with the same
 * host: what it costs is the floor. Runs on Bun; the bench bundles it and starts it with the sizes
 * of the server's answers: `PLAIN ENCRYPTED POLL SRV FULL PTR`; FULL is that of each datagram of 101.
 *
 * An answer over UDP is the request as it came, with whatever lies behind it up to the size; one
 * over TCP is ready beforehand, but for the ID.
 *
 * @module
 */

import { SLOT_SIZE } from "../../lib/core/net/datagram_batch.ts";
import { bunHost } from "../../lib/host/bun/bun.ts";
import type { Host } from "../../lib/host/host.ts";
import { MessageReader } from "../../lib/wire/dns/frame.ts";
import { FULL_ANSWER } from "./requests.ts";

const LOOPBACK = "127.0.0.1";
const MAX_CONNECTIONS = 150;
/** Size of the length before a message. */
const LENGTH_SIZE = 2;

/** Answers with `run` datagrams of `size` bytes, and returns the port. */
async function respondOverUdp(host: Host, size: number, run = 1): Promise<number> {
  const full = new Uint8Array(run > 1 ? run * size : 0);
  const socket = await host.udp({
    address: LOOPBACK,
    port: 0,
    onSendError() {},
    // As a server's, it may throw away what floods it.
    onOverload() {},
    onBatch({ count, payloads }, replies) {
      for (let i = 0; i < count; i++) {
        if (run > 1) replies.add(i, full, 0, size, run);
        else replies.add(i, payloads.bytes, i * SLOT_SIZE, size, 1);
      }
    },
  });
  return socket.port;
}

/** Answers with messages of `size` bytes, and returns the port. */
async function respondOverTcp(host: Host, size: number): Promise<number> {
  const answer = new Uint8Array(LENGTH_SIZE + size);
  new DataView(answer.buffer).setUint16(0, size);
  const listener = await host.tcpListen({
    address: LOOPBACK,
    port: 0,
    maxConnections: MAX_CONNECTIONS,
    onConnection(connection) {
      const reader = new MessageReader();
      return {
        onData: (bytes) =>
          reader.push(bytes, (query) => {
            answer[LENGTH_SIZE] = query[0]!;
            answer[LENGTH_SIZE + 1] = query[1]!;
            connection.write(answer);
          }),
        onEnd: () => connection.end(),
        onClose() {},
      };
    },
  });
  return listener.port;
}

const host = bunHost();
const [plain = 0, encrypted = 0, poll = 0, srv = 0, full = 0, ptr = 0] = host.args.map(Number);
const ports = [
  ...await Promise.all([plain, encrypted, poll, srv].map((size) => respondOverUdp(host, size))),
  await respondOverUdp(host, full, FULL_ANSWER),
  await respondOverTcp(host, ptr),
];
host.out.write(`ready ${ports.join(" ")}\n`);

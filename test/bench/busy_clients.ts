/**
 * Clients over UDP, each with a socket of its own and one request in flight, that look at their
 * sockets in turn instead of waiting for them: a tenth of what a socket of the runtime costs, so that
 * it is the server, not the load, that limits the requests a second.
 *
 * @module
 */

import { SLOT_SIZE } from "../../lib/core/net/datagram_batch.ts";
import { bunLibc } from "../../lib/host/linux/libc_bun.ts";
import { AF_INET, socketAddress } from "../../lib/host/linux/socket_address.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import type { Dialogue } from "./dialogue.ts";
import type { Tally } from "./tally.ts";

/** A request that got no answer is asked again after this time. */
const LOST_MS = 250;
/** How long the sockets are looked at before the runtime's timers have their turn. */
const TURN_MS = 2;
const LOOPBACK = "127.0.0.1";
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;

/** Starts `clients`, which ask on and on. */
export function startBusyClients(
  dialogue: Dialogue,
  port: number,
  clients: number,
  tally: Tally,
): void {
  const libc = bunLibc();
  const server = socketAddress(LOOPBACK, port);
  const sockets = Array.from({ length: clients }, () => {
    const socket = libc.socket(AF_INET, SOCK_DGRAM, 0);
    if (libc.connect(socket, server, server.length) < 0) throw new Error("no socket to be had");
    return socket;
  });
  const out = new WireBuffer(dialogue.size);
  const answer = new WireBuffer(SLOT_SIZE);
  const sentAt = new Float64Array(clients);
  /** Answers that may still come to requests that were given up. */
  let late = 0;

  function ask(client: number): void {
    const size = dialogue.ask(client, out, 0);
    sentAt[client] = performance.now();
    libc.send(sockets[client]!, out.bytes, size, 0);
  }

  /** Looks at all sockets once. */
  function look(): void {
    for (let client = 0; client < clients; client++) {
      const length = libc.recv(sockets[client]!, answer.bytes, answer.size, MSG_DONTWAIT);
      if (length < 0) continue;
      const took = performance.now() - sentAt[client]!;
      if (dialogue.isAnswer(client, answer, 0, length)) {
        tally.answered(took, length);
        ask(client);
      } else if (late > 0) late--;
      else tally.wrong++;
    }
  }

  function turn(): void {
    const end = performance.now() + TURN_MS;
    while (performance.now() < end) look();
    for (let client = 0; client < clients; client++) {
      const waited = performance.now() - sentAt[client]!;
      if (waited < LOST_MS) continue;
      tally.lost(waited);
      late++;
      ask(client);
    }
    setImmediate(turn);
  }

  for (let client = 0; client < clients; client++) ask(client);
  turn();
}

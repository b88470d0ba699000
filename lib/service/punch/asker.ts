/**
 * Asks a server of WireGuard's hole-punching example where peers are: one key after the other, since
 * an answer doesn't say whose it is.
 *
 * @module
 */

import { chooseOpeners } from "../../core/ask/openers.ts";
import { type DatagramBatch, SLOT_SIZE } from "../../core/net/datagram_batch.ts";
import type { HostPort } from "../../core/net/host_port.ts";
import { formatIpv4 } from "../../core/net/ip_address.ts";
import { KEY_SIZE, parseKey } from "../../core/net/peer_key.ts";
import { type Clock, pause } from "../../host/clock.ts";
import { errorCode } from "../../host/error.ts";
import type { ConnectedUdp, UdpSocket } from "../../host/udp.ts";
import { LINGER, OPENER } from "../ask/opener.ts";
import {
  decodePunchReply,
  encodePunchRequest,
  PUNCH_REQUEST_SIZE,
} from "../../wire/punch/message.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";

/** What to ask. */
export interface PunchQuestion {
  /** The own public key, 32 bytes; undefined where nothing is to be registered. */
  readonly id: Uint8Array | undefined;
  /** The public keys to ask for, in base64. */
  readonly keys: readonly string[];
  /** The UDP port that is registered: WireGuard's. */
  readonly port: number;
  /** Whether another port will do, to ask without registering, when that one is in use. */
  readonly anyPort: boolean;
  /** Whether WireGuard has that port now, so that a raw socket is needed; and its mark. */
  readonly through: { readonly raw: boolean; readonly mark: number };
  /** Which peers the NAT is opened to; all where this is left out. */
  readonly opensTo: ((peer: PunchedPeer) => boolean) | undefined;
  /** When to give up: on the clock that never jumps. */
  readonly endsAt: number;
}

/** Where a peer is, as somebody claimed. */
export interface PunchedPeer {
  /** In base64. */
  readonly publicKey: string;
  /** IPv4 address. */
  readonly address: string;
  /** UDP port. */
  readonly port: number;
}

/** What it said. */
export interface PunchAnswer {
  /** How many of the questions were answered, if only with "unknown". */
  readonly answered: number;
  readonly peers: readonly PunchedPeer[];
  /** Whether the own key was told, and the port that was asked from is registered with it. */
  readonly isRegistered: boolean;
}

/** Who asks from a port that is not to be registered: no key that anybody can have. */
const NOBODY = new Uint8Array(KEY_SIZE);

const WAIT = 0.5;
const ATTEMPTS = 2;

/** Asks one server, and opens the NAT towards the peers. @param to Its address. */
export async function askPunch(
  host: Clock & ConnectedUdp,
  to: HostPort,
  question: PunchQuestion,
): Promise<PunchAnswer> {
  const answer = await askFromAnyPort(host, to, question);
  // What another port would open is closed to WireGuard.
  if (!answer.isRegistered) return answer;
  const { opensTo = () => true } = question;
  const turn = Math.floor(host.now().mono);
  await openNat(host, question, chooseOpeners(answer.peers.filter(opensTo), turn));
  return answer;
}

/**
 * The port may be in use, by WireGuard most likely, or is not to be registered: then it asks from another,
 * as nobody.
 */
async function askFromAnyPort(
  host: Clock & ConnectedUdp,
  to: HostPort,
  question: PunchQuestion,
): Promise<PunchAnswer> {
  const { id, port, anyPort, through } = question;
  if (id !== undefined) {
    try {
      return { ...await ask(host, to, id, question), isRegistered: true };
    } catch (error) {
      if (errorCode(error) !== "EADDRINUSE" || port === 0 || !anyPort) throw error;
    }
  }
  const elsewhere = { ...question, port: 0, through: { ...through, raw: false } };
  return { ...await ask(host, to, NOBODY, elsewhere), isRegistered: false };
}

async function openNat(
  host: Clock & ConnectedUdp,
  { port, through }: PunchQuestion,
  peers: readonly PunchedPeer[],
): Promise<void> {
  if (peers.length === 0) return;
  const sockets: UdpSocket[] = [];
  try {
    for (const { address, port: theirs } of peers) {
      const to = { host: address, port: theirs };
      const handlers = { onBatch() {}, onSendError() {} };
      try {
        const socket = await host.connectedUdp({ port, to, ...through, ...handlers });
        sockets.push(socket);
        socket.send(OPENER, to);
      } catch {
        // What was claimed may be any address: one that can't be sent to is nobody's.
      }
    }
    await pause(host, LINGER);
  } finally {
    for (const socket of sockets) socket.close();
  }
}

async function ask(
  host: Clock & ConnectedUdp,
  to: HostPort,
  id: Uint8Array,
  { keys, port, through, endsAt }: PunchQuestion,
): Promise<Omit<PunchAnswer, "isRegistered">> {
  let take: (batch: DatagramBatch) => void = () => {};
  const socket = await host.connectedUdp({
    port,
    to,
    ...through,
    onBatch: (batch) => take(batch),
    onSendError() {},
  });
  const peers: PunchedPeer[] = [];
  let answered = 0;
  try {
    const request = new WireBuffer(PUNCH_REQUEST_SIZE);
    const mine = new WireBuffer(id);
    for (const publicKey of keys) {
      const key = parseKey(publicKey);
      if (key === undefined) continue;
      encodePunchRequest(mine, new WireBuffer(key), request, 0);
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        if (host.now().mono >= endsAt) return { answered, peers };
        const reply = await exchange(host, socket, request, to, (taker) => take = taker);
        if (reply === undefined) continue;
        answered++;
        if (reply !== "unknown") {
          peers.push({ publicKey, address: reply.host, port: reply.port });
        }
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
  host: Clock,
  socket: UdpSocket,
  request: WireBuffer,
  to: HostPort,
  listen: (taker: (batch: DatagramBatch) => void) => void,
): Promise<HostPort | "unknown" | undefined> {
  return new Promise((done) => {
    const cancel = host.after(WAIT, () => done(undefined));
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

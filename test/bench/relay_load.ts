/**
 * Load on a relay: pairs of peers that register, shake hands, and send each other data, so many of them
 * in flight; or on a forwarder that does nothing else. Runs on Bun; the bench bundles it.
 *
 * `RELAY-PORT PID SECONDS PAIRS SIZE IN-FLIGHT IS-BARE SECRET-HEX`: PID is the process whose CPU time is
 * read, 0 makes it go on without end. Prints figures as job.ts has them.
 *
 * @module
 */

import process from "node:process";
import { decodeHex } from "@std/encoding/hex";
import { SLOT_SIZE } from "../../lib/core/net/datagram_batch.ts";
import { bunHost } from "../../lib/host/bun/bun.ts";
import { BUN_PRIMITIVES } from "../../lib/host/bun/crypto.ts";
import type { UdpSocket } from "../../lib/host/udp.ts";
import { type Asking, privateKeyOf, QuestionClient } from "../support/question_driver.ts";
import { dataTo, initiationTo, responseTo } from "../support/wireguard_messages.ts";
import { formatFigures } from "./job.ts";
import { Tally, wait } from "./tally.ts";

const LOOPBACK = "127.0.0.1";
const WARM_UP_MS = 300;
const LOST_MS = 250;
const RENEW_SECONDS = 60;
const DATA = 4;
/** Where a forwarder reads to which port a datagram goes, and where its number and time are. */
const PORT_AT = 12;
const SENT_AT = 16;

const host = bunHost();
const [port = 0, pid = 0, seconds = 0, pairs = 0, size = 0, inFlight = 0, isBare = 0] = process.argv
  .slice(2, 9).map(Number);
const secret = decodeHex(process.argv[9] ?? "");
const relay = { host: LOOPBACK, port };
const tally = new Tally();

/** An end of a pair. */
class End {
  readonly client: QuestionClient;
  socket: UdpSocket | undefined;
  readonly #waiting: Uint8Array[] = [];
  #came: () => void = () => {};
  onData: (bytes: Uint8Array, at: number, length: number) => void = () => {};

  constructor(number: number) {
    this.client = new QuestionClient({
      secret,
      privateKey: privateKeyOf(number),
      primitives: BUN_PRIMITIVES,
      random: (bytes) => host.random(bytes),
    });
  }

  async open(): Promise<void> {
    this.socket = await host.udp({
      address: LOOPBACK,
      port: 0,
      onSendError() {},
      onBatch: ({ count, payloads, lengths }) => {
        for (let i = 0; i < count; i++) {
          const at = i * SLOT_SIZE;
          const length = lengths[i]!;
          if (payloads.bytes[at] === DATA && payloads.view.getUint32(at) === DATA << 24) {
            this.onData(payloads.bytes, at, length);
          } else {
            this.#waiting.push(payloads.bytes.slice(at, at + length));
            this.#came();
          }
        }
      },
    });
  }

  send(bytes: Uint8Array): void {
    this.socket?.send(bytes, relay);
  }

  async next(): Promise<Uint8Array> {
    while (this.#waiting.length === 0) await new Promise<void>((done) => this.#came = done);
    return this.#waiting.shift()!;
  }

  async ask(asking: Asking = {}): Promise<void> {
    await this.client.converseOver({
      send: (bytes) => Promise.resolve(this.send(bytes)),
      next: () => this.next(),
    }, asking);
  }
}

/** Registers both, and has them know each other's indices. */
async function introduce(a: End, b: End, index: number): Promise<void> {
  await b.ask();
  await a.ask({ relayed: [b.client.id] });
  a.send(initiationTo(b.client.id, index));
  await b.next();
  b.send(responseTo(a.client.id, index + 1, index));
  await a.next();
  const renew = () => {
    void a.ask({ relayed: [b.client.id] });
    void b.ask();
    host.after(RENEW_SECONDS, renew);
  };
  host.after(RENEW_SECONDS, renew);
}

/** Keeps so many data messages from a to b in flight. */
function start(a: End, b: End, index: number): void {
  const message = dataTo(index + 1, size);
  const view = new DataView(message.buffer);
  view.setUint16(PORT_AT, b.socket!.port);
  let flying = 0;
  let heardAt = performance.now();
  const fill = () => {
    for (; flying < inFlight; flying++) {
      view.setFloat64(SENT_AT, performance.now());
      a.send(message);
    }
  };
  b.onData = (bytes, at, length) => {
    heardAt = performance.now();
    const sentAt = new DataView(bytes.buffer, bytes.byteOffset).getFloat64(at + SENT_AT);
    tally.answered(heardAt - sentAt, length);
    if (length !== size) tally.wrong++;
    if (--flying < inFlight / 2) fill();
  };
  const look = () => {
    const waited = performance.now() - heardAt;
    if (waited >= LOST_MS) {
      tally.lost(waited, flying);
      flying = 0;
      fill();
    }
    host.after(LOST_MS / 1000, look);
  };
  fill();
  host.after(LOST_MS / 1000, look);
}

for (let pair = 0; pair < pairs; pair++) {
  const [a, b] = [new End(2 * pair), new End(2 * pair + 1)];
  await a.open();
  await b.open();
  if (isBare === 0) await introduce(a, b, 2 * pair + 1);
  start(a, b, 2 * pair + 1);
}
host.err.write("flowing\n");
if (pid !== 0) {
  await wait(host, WARM_UP_MS);
  host.out.write(`${formatFigures(await tally.measure(host, pid, seconds))}\n`);
  process.exit(tally.wrong > 0 ? 1 : 0);
}

/**
 * Load on a server: 64 peers, each with a socket of its own and one request in flight, for some
 * seconds. Every answer is verified. Runs on Bun; `scripts/bench.ts` bundles and starts it with
 * `PORT SECONDS plain|encrypted SERVER_PID`.
 *
 * @module
 */

import process from "node:process";
import { SLOT_SIZE } from "../../lib/core/datagram_batch.ts";
import { NonceSource } from "../../lib/core/nonce_source.ts";
import { bunHost } from "../../lib/host/bun.ts";
import { ENVELOPE_SIZE, envelopeKey, openEnvelope, sealEnvelope } from "../../lib/wire/envelope.ts";
import { MacKey } from "../../lib/wire/mac.ts";
import { encodeRequest, newRequest, REQUEST_SIZE } from "../../lib/wire/request.ts";
import { RESPONSE_SIZE, verifyResponse } from "../../lib/wire/response.ts";
import { compareLabels, labelOf } from "../../lib/wire/tai64n.ts";
import { WireBuffer } from "../../lib/wire/wire_buffer.ts";
import { SECRET } from "./requests.ts";

const CLIENTS = 64;
const WARM_UP_MS = 1000;
/** A request that got no answer is asked again after this time. */
const LOST_MS = 250;
/** Clock ticks a second in /proc (USER_HZ, the same on all Linux systems). */
const TICKS = 100;
const MAX_STAT = 4096;

const host = bunHost();
const [port = "", seconds = "", form = "", pid = ""] = host.args;
const server = { host: "127.0.0.1", port: Number(port) };
const encrypt = form === "encrypted";
const macKey = new MacKey(SECRET);
const cipherKey = envelopeKey(SECRET);
const nonces = new NonceSource((bytes) => host.random(bytes));
const plain = new WireBuffer(RESPONSE_SIZE);
const out = new WireBuffer(ENVELOPE_SIZE + REQUEST_SIZE);
const times: number[] = [];
let refused = 0;
let lost = 0;
let measuring = false;

/** Whether a datagram is an answer with the right MAC. */
function isAnswer(payloads: WireBuffer, at: number, length: number): boolean {
  if (length !== (encrypt ? ENVELOPE_SIZE : 0) + RESPONSE_SIZE) return false;
  if (!encrypt) return verifyResponse(macKey, payloads, at);
  openEnvelope(cipherKey, payloads, at, RESPONSE_SIZE, plain, 0);
  return verifyResponse(macKey, plain, 0);
}

async function client(number: number): Promise<() => void> {
  const request = newRequest();
  request.id.bytes.fill(number + 1);
  let sentAt = 0;
  const socket = await host.udp({
    address: "127.0.0.1",
    port: 0,
    onSendError() {},
    onBatch(batch) {
      for (let i = 0; i < batch.count; i++) {
        if (!isAnswer(batch.payloads, i * SLOT_SIZE, batch.lengths[i]!)) refused++;
      }
      if (measuring) times.push(host.mono() - sentAt);
      ask();
    },
  });
  function ask(): void {
    const label = labelOf(host.now());
    // The clock stands still for longer than an answer takes, now and then.
    if (compareLabels(label, request) <= 0) request.nanoseconds++;
    else Object.assign(request, label);
    encodeRequest(request, macKey, encrypt ? plain : out, 0);
    if (encrypt) {
      const nonceAt = nonces.next();
      sealEnvelope(cipherKey, 0, nonces.buffer, nonceAt, plain, 0, REQUEST_SIZE, out, 0);
    }
    sentAt = host.mono();
    socket.send(out.bytes.subarray(0, (encrypt ? ENVELOPE_SIZE : 0) + REQUEST_SIZE), server);
  }
  ask();
  return () => {
    if (host.mono() - sentAt < LOST_MS) return;
    if (measuring) lost++;
    ask();
  };
}

async function cpuSeconds(): Promise<number> {
  const { bytes } = await host.readFile(`/proc/${pid}/stat`, MAX_STAT);
  const fields = new TextDecoder().decode(bytes).split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

const wait = (ms: number) => new Promise<void>((done) => void host.timer(ms, done));
const checks: (() => void)[] = [];
for (let i = 0; i < CLIENTS; i++) checks.push(await client(i));
const timer = setInterval(() => checks.forEach((check) => check()), LOST_MS);
await wait(WARM_UP_MS);
const cpuBefore = await cpuSeconds();
measuring = true;
await wait(Number(seconds) * 1000);
measuring = false;
const cpu = await cpuSeconds() - cpuBefore;
clearInterval(timer);
times.sort((a, b) => a - b);
const at = (share: number) => ((times[Math.floor(times.length * share)] ?? NaN) * 1000).toFixed(0);
host.out.write(
  `server, ${form}, ${CLIENTS} in flight: ${
    (times.length / Number(seconds)).toFixed(0)
  } requests/s, ` +
    `${(cpu / times.length * 1e6).toFixed(1)} µs CPU each, p50 ${at(0.5)} µs, p99 ${
      at(0.99)
    } µs, ` +
    `${lost} lost, ${refused} wrong\n`,
);
process.exit(refused === 0 && times.length > 0 ? 0 : 1);

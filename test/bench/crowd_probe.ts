/**
 * How long a registry lets somebody wait: a request every 5 ms, whatever becomes of those before.
 *
 * @module
 */

import process from "node:process";
import type { Host } from "../../lib/host/host.ts";
import { bunLibc } from "../../lib/host/linux/libc_bun.ts";
import { AF_INET, socketAddress } from "../../lib/host/linux/socket_address.ts";
import { growBuffers, SOL_SOCKET } from "../../lib/host/linux/socket_options.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { MacKey } from "../../lib/wire/crypto/mac.ts";
import { ID_SIZE, RECORD_LABEL, RECORD_SIZE } from "../../lib/wire/wgsig/record.ts";
import { encodeRequest, newRequest, REQUEST_SIZE } from "../../lib/wire/wgsig/request.ts";
import { RECORDS_PER_RESPONSE, RESPONSE_SIZE } from "../../lib/wire/wgsig/response.ts";
import { readNanoseconds } from "../../lib/wire/wgsig/tai64n.ts";
import { type ProbeJob, readKey } from "./crowd.ts";
import type { ProbeFigures } from "./crowd_figures.ts";
import { wait } from "./tally.ts";

const SOCK_DGRAM = 2;
const SO_RCVTIMEO = 20;
/** Milliseconds between two requests. */
const EVERY = 5;
/** So long is waited for an answer before it is looked at the clock again, in µs. */
const PATIENCE = 1000;
/** Milliseconds after which a request is lost. */
const LOST = 10_000;
/** The runtime has its turn after so many requests. */
const TURN = 100;

/** Probes until the process is ended; prints what it found, twice a second. */
export async function probeRegistry(host: Host, { registry, secret }: ProbeJob): Promise<void> {
  const key = new MacKey(await readKey(host, secret), host.primitives);
  const libc = bunLibc();
  const [address = "", port] = registry.split(":");
  const fd = libc.socket(AF_INET, SOCK_DGRAM, 0);
  growBuffers(libc, fd);
  const timeout = new Uint8Array(BigInt64Array.of(0n, BigInt(PATIENCE)).buffer);
  libc.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, timeout, timeout.length);
  const to = socketAddress(address, Number(port));
  if (libc.connect(fd, to, to.length) < 0) throw new Error("no socket to be had");
  const request = newRequest();
  request.id.bytes.fill(0xfe);
  // Registries on one store tell of one peer what the last of them has heard.
  request.id.view.setUint32(0, process.pid);
  const out = new WireBuffer(REQUEST_SIZE);
  const answer = new WireBuffer(2048);
  /** When those were asked that are not answered, by their labels, which go on by one. */
  const asked = new Map<number, number>();
  let took: number[] = [];
  let lost = 0;
  let sent = 0;
  let next = performance.now();
  for (;;) {
    const now = performance.now();
    if (now >= next) {
      next += EVERY;
      request.seconds = Math.floor(host.now().unix);
      request.nanoseconds = sent++;
      encodeRequest(request, key, out, 0);
      asked.set(request.nanoseconds, now);
      libc.send(fd, out.bytes, REQUEST_SIZE, 0);
      for (const [label, at] of asked) {
        if (now - at < LOST) break;
        asked.delete(label);
        lost++;
      }
      if (sent % TURN === 0) {
        await wait(host, 0);
        const figures: ProbeFigures = { took, lost };
        host.out.write(`${JSON.stringify(figures)}\n`);
        took = [];
        lost = 0;
      }
    }
    const length = libc.recv(fd, answer.bytes, answer.size, 0);
    if (length !== RESPONSE_SIZE) continue;
    const heard = heardLabel(answer, request.id);
    const at = performance.now();
    // Who asked twice before it was heard is answered with its last label.
    for (const [label, since] of asked) {
      if (label > heard) break;
      asked.delete(label);
      took.push(at - since);
    }
  }
}

/** The nanoseconds of the label in a response that are a peer's; -1 where it isn't there. */
function heardLabel(answer: WireBuffer, id: WireBuffer): number {
  for (let record = 0; record < RECORDS_PER_RESPONSE; record++) {
    const at = record * RECORD_SIZE;
    let isOwn = true;
    for (let i = 0; i < ID_SIZE; i++) isOwn &&= answer.bytes[at + i] === id.bytes[i];
    if (isOwn) return readNanoseconds(answer, at + RECORD_LABEL);
  }
  return -1;
}

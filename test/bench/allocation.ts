/**
 * Bytes that a request makes: wire and core alone, no sockets.
 *
 * Run with `--v8-flags=--expose-gc,--min-semi-space-size=512`, so that no collection comes in between.
 *
 * @module
 */

import { BATCH_SIZE, DatagramBatch, ReplyBatch } from "../../lib/core/net/datagram_batch.ts";
import type { Registry } from "../../lib/core/registry/registry.ts";
import { SharedPeers } from "../../lib/core/shared/peers.ts";
import { ExchangeKey } from "../../lib/wire/crypto/exchange_key.ts";
import { PORTABLE } from "../../lib/wire/crypto/portable.ts";
import { StoreKey } from "../../lib/wire/shared/store_key.ts";
import { MAX_UDP_SIZE } from "../../lib/wire/dns/answer.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { SrvQuestions } from "./dns_questions.ts";
import { fillBatch, PEERS, registryOf, SECRET, UNIX } from "./requests.ts";
import { SignedZone } from "./signed_zone.ts";
import { BenchZone, SOURCES } from "./zones.ts";

const WARM_UP = 2000;
const BATCHES = 200;
const ROUNDS = 5;
const REGISTERED = 10;

const collect: unknown = Reflect.get(globalThis, "gc");
if (typeof collect !== "function") throw new Error("run this with --v8-flags=--expose-gc");

/** Bytes made by each of the 64 requests of `run`, which is called with 0 to 199. */
function allocatedPerRequest(run: (batch: number) => void): number {
  if (typeof collect === "function") collect();
  const before = Deno.memoryUsage();
  for (let i = 0; i < BATCHES; i++) run(i);
  const after = Deno.memoryUsage();
  const bytes = after.heapUsed - before.heapUsed + after.external - before.external;
  return bytes / (BATCHES * BATCH_SIZE);
}

/** Has a registry note what of its peers is to be written to a store. */
function share(registry: Registry): void {
  const key = new StoreKey(new ExchangeKey(SECRET, PORTABLE), PORTABLE);
  new SharedPeers(registry, key, (bytes) => crypto.getRandomValues(bytes), 0);
}

/** @param isFormer Whether the group has another secret before that of the requests. */
function allocatedByRegistry(encrypt: boolean, isFormer: boolean, isShared = false): number {
  const secrets = isFormer ? [new Uint8Array(32).fill(1), SECRET] : [SECRET];
  const registry = registryOf(REGISTERED, REGISTERED, secrets);
  if (isShared) share(registry);
  const replies = new ReplyBatch();
  const now = { unix: UNIX, mono: 1 };
  const warm = new DatagramBatch();
  for (let i = 0; i < WARM_UP; i++) {
    fillBatch(warm, REGISTERED, encrypt);
    registry.answer(warm, now, replies);
  }
  // The requests are made beforehand: only what answering them allocates is measured.
  const batches = Array.from({ length: BATCHES }, () => new DatagramBatch());
  for (const batch of batches) fillBatch(batch, REGISTERED, encrypt);
  const bytes = allocatedPerRequest((i) => registry.answer(batches[i]!, now, replies));
  if (replies.count !== BATCH_SIZE) throw new Error(`only ${replies.count} answers`);
  return bytes;
}

function allocatedByZone(source: (typeof SOURCES)[number]): number {
  const zone = new BenchZone(source, PEERS);
  for (let i = 0; i < WARM_UP; i++) {
    zone.fill();
    zone.answer();
  }
  // The same queries again and again: an answer doesn't depend on what was asked before.
  const bytes = allocatedPerRequest(() => zone.answer());
  if (!zone.isRight) throw new Error("a wrong answer");
  return bytes;
}

/** Bytes made by an answer with signatures that are used again. */
function allocatedBySigner(keys: number): number {
  const zone = new SignedZone(PEERS, keys);
  const questions = new SrvQuestions(PEERS);
  const query = new WireBuffer(questions.size);
  const ask = (batch: number) => {
    for (let i = 0; i < BATCH_SIZE; i++) {
      questions.write((batch * BATCH_SIZE + i) % PEERS, i, query, 0);
      zone.answer(query, questions.size, MAX_UDP_SIZE, true);
    }
  };
  for (let i = 0; i < WARM_UP; i++) ask(i);
  const bytes = allocatedPerRequest(ask);
  // An SRV and its signatures.
  if (zone.out.view.getUint16(6) !== 1 + keys) throw new Error("a wrong answer");
  return bytes;
}

function print(what: string, measure: () => number): void {
  const figures = Array.from({ length: ROUNDS }, measure);
  const median = figures.toSorted((a, b) => a - b)[ROUNDS >> 1]!;
  const line = `allocated per ${what}: ${median.toFixed(1)} bytes (median of ${ROUNDS} rounds)\n`;
  Deno.stdout.writeSync(new TextEncoder().encode(line));
}

for (const isFormer of [false, true]) {
  const which = isFormer ? " with the second of two secrets" : "";
  print(`plain request${which}`, () => allocatedByRegistry(false, isFormer));
  print(`encrypted request${which}`, () => allocatedByRegistry(true, isFormer));
}
print("plain request, shared", () => allocatedByRegistry(false, false, true));
for (const source of SOURCES) {
  print(`SRV query, ${PEERS} peers of a ${source}`, () => allocatedByZone(source));
}
for (const keys of [1, 2]) {
  print(`SRV query with signatures of ${keys} keys`, () => allocatedBySigner(keys));
}

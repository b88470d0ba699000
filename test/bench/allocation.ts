/**
 * Bytes that the registry allocates per request: wire and core alone, no sockets.
 *
 * Run with `--v8-flags=--expose-gc,--min-semi-space-size=512`, so that no collection comes in between.
 *
 * @module
 */

import { BATCH_SIZE, DatagramBatch, ReplyBatch } from "../../lib/core/datagram_batch.ts";
import { fillBatch, registryOf, UNIX } from "./requests.ts";

const WARM_UP = 2000;
const BATCHES = 200;
const PEERS = 10;

const collect: unknown = Reflect.get(globalThis, "gc");
if (typeof collect !== "function") throw new Error("run this with --v8-flags=--expose-gc");

function allocatedPerRequest(encrypt: boolean): number {
  const registry = registryOf(PEERS, PEERS);
  const replies = new ReplyBatch();
  const now = { unix: UNIX, mono: 1 };
  const warm = new DatagramBatch();
  for (let i = 0; i < WARM_UP; i++) {
    fillBatch(warm, PEERS, encrypt);
    registry.answer(warm, now, replies);
  }
  // The requests are made beforehand: only what answering them allocates is measured.
  const batches = Array.from({ length: BATCHES }, () => new DatagramBatch());
  for (const batch of batches) fillBatch(batch, PEERS, encrypt);
  if (typeof collect === "function") collect();
  const before = Deno.memoryUsage();
  for (const batch of batches) registry.answer(batch, now, replies);
  const after = Deno.memoryUsage();
  if (replies.count !== BATCH_SIZE) throw new Error(`only ${replies.count} answers`);
  const bytes = after.heapUsed - before.heapUsed + after.external - before.external;
  return bytes / (BATCHES * BATCH_SIZE);
}

for (const encrypt of [false, true]) {
  const form = encrypt ? "encrypted" : "plain";
  const figures = Array.from({ length: 5 }, () => allocatedPerRequest(encrypt));
  const median = figures.toSorted((a, b) => a - b)[2]!;
  Deno.stdout.writeSync(
    new TextEncoder().encode(
      `allocated per ${form} request: ${median.toFixed(1)} bytes (median of 5 rounds)\n`,
    ),
  );
}

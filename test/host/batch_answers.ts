/**
 * Batches with answers, and what must come of them.
 *
 * @module
 */

import { BATCH_SIZE, DatagramBatch, ReplyBatch } from "../../lib/core/net/datagram_batch.ts";
import { formatAddress, parseAddress } from "../../lib/core/net/ip_address.ts";
import { datagramOf } from "./batch_scenarios.ts";

/** A run of datagrams, and which client gets them. */
export interface Run {
  readonly to: number;
  readonly size: number;
  readonly count: number;
}

/** Fills batches with answers; the runs lie in one buffer, not at its start, or each in its own. */
export function answers(runs: readonly Run[], ipv4: boolean, oneBuffer = true) {
  const batch = new DatagramBatch();
  const replies = new ReplyBatch();
  batch.count = BATCH_SIZE;
  for (let i = 0; i < BATCH_SIZE; i++) {
    parseAddress(ipv4 ? `192.0.2.${i}` : `2001:db8::${i}:ffff`, batch.sources, batch.sourceAt(i));
    batch.setSourcePort(i, 65_535 - i);
  }
  const whole = new Uint8Array(runs.reduce((sum, { size, count }) => sum + size * count, 11));
  let at = 3;
  for (const [i, { to, size, count }] of runs.entries()) {
    const memory = oneBuffer ? whole.subarray(2) : new Uint8Array(size * count + 8).subarray(5);
    const offset = oneBuffer ? at : 1;
    for (let n = 0; n < count; n++) memory.set(datagramOf(size, i * 7 + n), offset + n * size);
    replies.add(to, memory, offset, size, count);
    at += size * count;
  }
  return { batch, scopes: new Uint32Array(BATCH_SIZE), replies };
}

/** What each client must get, in this order. */
export function expected(
  { batch, replies }: ReturnType<typeof answers>,
): Map<string, Uint8Array[]> {
  const all = new Map<string, Uint8Array[]>();
  for (let i = 0; i < replies.count; i++) {
    const to = replies.to[i]!;
    const name = `${formatAddress(batch.sources, batch.sourceAt(to))} ${batch.sourcePort(to)}`;
    const datagrams = all.get(name) ?? [];
    const size = replies.sizes[i]!;
    for (let n = 0; n < replies.runs[i]!; n++) {
      const at = replies.offsets[i]! + n * size;
      datagrams.push(replies.buffers[i]!.slice(at, at + size));
    }
    if (datagrams.length > 0) all.set(name, datagrams);
  }
  return all;
}

import { assertEquals } from "@std/assert";
import {
  BATCH_SIZE,
  DatagramBatch,
  ReplyBatch,
  SLOT_SIZE,
} from "../../../lib/core/net/datagram_batch.ts";
import { formatAddress, parseAddress } from "../../../lib/core/net/ip_address.ts";
import { test } from "../../testing.ts";

test("a batch has a place for 64 datagrams of 2048 bytes", () => {
  const batch = new DatagramBatch();
  assertEquals([BATCH_SIZE, SLOT_SIZE], [64, 2048]);
  assertEquals(batch.count, 0);
  assertEquals(batch.payloads.size, 64 * 2048);
  assertEquals(batch.lengths.length, 64);
});

test("the sources of a batch lie side by side without touching each other", () => {
  const batch = new DatagramBatch();
  const address = (i: number) => `2001:db8::${(i + 1).toString(16)}:ffff`;
  for (let i = 0; i < BATCH_SIZE; i++) {
    parseAddress(address(i), batch.sources, batch.sourceAt(i));
    batch.setSourcePort(i, 65_535 - i);
  }
  for (let i = 0; i < BATCH_SIZE; i++) {
    assertEquals(formatAddress(batch.sources, batch.sourceAt(i)), address(i));
    assertEquals(batch.sourcePort(i), 65_535 - i);
  }
});

test("answers are kept in the order in which they were added", () => {
  const replies = new ReplyBatch();
  const buffers = [new Uint8Array(1), new Uint8Array(2)];
  replies.add(3, buffers[0]!, 0, 540, 2);
  replies.add(5, buffers[1]!, 556, 556, 1);
  assertEquals(replies.count, 2);
  assertEquals(Array.from(replies.to.subarray(0, 2)), [3, 5]);
  assertEquals(Array.from(replies.offsets.subarray(0, 2)), [0, 556]);
  assertEquals(Array.from(replies.sizes.subarray(0, 2)), [540, 556]);
  assertEquals(Array.from(replies.runs.subarray(0, 2)), [2, 1]);
  assertEquals(replies.buffers.map((buffer, i) => buffer === buffers[i]), [true, true]);
});

test("a reply batch that is emptied takes answers from its start again", () => {
  const replies = new ReplyBatch();
  replies.add(1, new Uint8Array(1), 1, 1, 1);
  replies.count = 0;
  const buffer = new Uint8Array(2);
  replies.add(9, buffer, 2, 3, 4);
  assertEquals(replies.count, 1);
  assertEquals([replies.to[0], replies.offsets[0], replies.sizes[0], replies.runs[0]], [
    9,
    2,
    3,
    4,
  ]);
  assertEquals(replies.buffers[0] === buffer, true);
});

/**
 * Batches of answers through libc: what the kernel is given, and what becomes of its refusals.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { BATCH_SIZE } from "../../../lib/core/net/datagram_batch.ts";
import { type BatchSender, batchSenderFor } from "../../../lib/host/linux/batch_sender.ts";
import { growBuffers } from "../../../lib/host/linux/socket_options.ts";
import { answers, expected, type Run } from "../batch_answers.ts";
import { FakeKernel, type SeenMessage } from "./fake_kernel.ts";

const FD = 7;

/** What each client got. */
function received(messages: readonly SeenMessage[]): Map<string, Uint8Array[]> {
  const all = new Map<string, Uint8Array[]>();
  for (const { to, datagrams } of messages) {
    all.set(to, [...all.get(to) ?? [], ...datagrams]);
  }
  return all;
}

function senderOn(kernel: FakeKernel): { readonly sender: BatchSender; readonly errors: string[] } {
  const errors: string[] = [];
  const sender = batchSenderFor(kernel, FD, (code) => errors.push(code));
  assert(sender !== undefined);
  return { sender, errors };
}

/** Sends answers through a kernel, and returns what it was given. */
function sent(kernel: FakeKernel, runs: readonly Run[], ipv4 = true) {
  const { sender, errors } = senderOn(kernel);
  const made = answers(runs, ipv4);
  sender.send(FD, made, made.replies);
  return { errors, wanted: expected(made), got: received(kernel.taken) };
}

function kernelOf(ipv4: boolean, segments: boolean): FakeKernel {
  const kernel = new FakeKernel();
  kernel.options.set("1/39", ipv4 ? 2 : 10);
  if (!segments) kernel.options.delete("17/103");
  return kernel;
}

const run$ = fc.record({
  to: fc.integer({ min: 0, max: BATCH_SIZE - 1 }),
  size: fc.oneof(fc.constantFrom(0, 1, 540, 572, 1232), fc.integer({ min: 1, max: 2048 })),
  count: fc.oneof(fc.constantFrom(1, 2, 63, 64, 65, 101), fc.integer({ min: 0, max: 140 })),
});
const runs$ = fc.array(run$, { maxLength: 12 });

Deno.test("each client gets its datagrams whole, in order, and nobody anything else", () => {
  fc.assert(
    fc.property(
      fc.array(runs$, { maxLength: 3 }),
      fc.boolean(),
      fc.boolean(),
      fc.boolean(),
      fc.array(fc.integer({ min: 1, max: 150 }), { maxLength: 20 }),
      (batches, ipv4, segments, oneBuffer, takes) => {
        const kernel = kernelOf(ipv4, segments);
        const { sender, errors } = senderOn(kernel);
        kernel.outcomes.push(...takes.map((count) => ({ takes: count })));
        for (const runs of batches) {
          const made = answers(runs, ipv4, oneBuffer);
          kernel.taken.length = 0;
          sender.send(FD, made, made.replies);
          assertEquals(received(kernel.taken), expected(made));
          assert(segments || kernel.taken.every((message) => !message.segmented));
        }
        assertEquals(errors, []);
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("an answer of 101 datagrams is two messages, and a batch of them one call", () => {
  const kernel = new FakeKernel();
  // As the registry gives them: the first one, and two runs of the others.
  const parts = [1, 26, 74];
  const runs = [4, 9].flatMap((to) => parts.map((count) => ({ to, size: 540, count })));
  const { wanted, got } = sent(kernel, runs);
  assertEquals(got, wanted);
  assertEquals(kernel.taken.map(({ datagrams }) => datagrams.length), [64, 37, 64, 37]);
  assertEquals(kernel.calls, 1);
});

Deno.test("a message has at most 65507 bytes", () => {
  const kernel = new FakeKernel();
  // 53 of 1236 bytes are one byte more.
  sent(kernel, [{ to: 0, size: 2048, count: 33 }, { to: 0, size: 1236, count: 53 }]);
  assertEquals(kernel.taken.map(({ datagrams }) => datagrams.length), [31, 2, 52, 1]);
});

Deno.test("answers in more pieces than a call takes are sent with the next one", () => {
  const kernel = new FakeKernel();
  const runs = Array.from({ length: 192 }, (_, i) => ({ to: i === 0 ? 1 : 2, size: 9, count: 1 }));
  const { wanted, got } = sent(kernel, runs);
  assertEquals(got, wanted);
  assertEquals(kernel.calls, 2);
});

Deno.test("datagrams of different sizes never share a message", () => {
  const kernel = new FakeKernel();
  const runs = [540, 572, 540, 540].map((size) => ({ to: 1, size, count: 2 }));
  const { wanted, got } = sent(kernel, runs);
  assertEquals(got, wanted);
  assertEquals(kernel.taken.map(({ datagrams }) => datagrams.length), [2, 2, 4]);
});

Deno.test("an error that an earlier datagram left is passed over", () => {
  const kernel = new FakeKernel();
  kernel.outcomes.push({ error: "ECONNREFUSED" }, { takes: 1 }, { error: "EHOSTUNREACH" });
  const { errors, wanted, got } = sent(kernel, [1, 2, 3].map((to) => ({ to, size: 9, count: 1 })));
  assertEquals(got, wanted);
  assertEquals([errors, kernel.calls], [[], 4]);
});

Deno.test("what can't be sent is reported once per datagram, and the rest goes out", () => {
  for (const segments of [true, false]) {
    const kernel = kernelOf(true, segments);
    kernel.refuse = ({ to }) => to.startsWith("192.0.2.2 ") ? "EPERM" : undefined;
    const runs = [1, 2, 3].map((to) => ({ to, size: 9, count: 5 }));
    const { errors, wanted, got } = sent(kernel, runs);
    wanted.delete("192.0.2.2 65533");
    assertEquals(got, wanted);
    assertEquals(errors, Array(5).fill("EPERM"));
  }
});

Deno.test("when the socket's buffer is full, the rest of the batch is lost at once", () => {
  const kernel = new FakeKernel();
  kernel.outcomes.push({ takes: 3 }, { error: "EAGAIN" });
  const runs = Array.from({ length: 192 }, (_, i) => ({ to: i % 64, size: 9, count: 1 + i % 3 }));
  const { errors, got } = sent(kernel, runs);
  assertEquals([...got.values()].flat().length, 6);
  assertEquals(errors, Array(2 * 192 - 6).fill("ENOBUFS"));
  assertEquals(kernel.calls, 2);
});

Deno.test("the batch after a full buffer is sent", () => {
  const kernel = new FakeKernel();
  const { sender, errors } = senderOn(kernel);
  const made = answers([{ to: 0, size: 9, count: 1 }], true);
  kernel.outcomes.push({ error: "EAGAIN" });
  sender.send(FD, made, made.replies);
  sender.send(FD, made, made.replies);
  assertEquals([errors, kernel.taken.length], [["ENOBUFS"], 1]);
});

Deno.test("a message that can't be taken apart is sent as single datagrams", () => {
  for (const error of ["EMSGSIZE", "EINVAL", "EIO"] as const) {
    const kernel = new FakeKernel();
    kernel.refuse = ({ to, segmented }) =>
      segmented && to.startsWith("192.0.2.2 ") ? error : undefined;
    const runs = [1, 2, 3, 2].flatMap((to) => [1, 64, 7].map((count) => ({ to, size: 9, count })));
    const { errors, wanted, got } = sent(kernel, runs);
    assertEquals(errors, []);
    assertEquals(got, wanted);
    assertEquals(
      kernel.taken.filter(({ to }) => to.startsWith("192.0.2.1 ")).map(({ datagrams }) =>
        datagrams.length
      ),
      [64, 8],
    );
  }
});

Deno.test("a single datagram that is too large is reported, not tried again and again", () => {
  const kernel = new FakeKernel();
  kernel.refuse = ({ to }) => to.startsWith("192.0.2.2 ") ? "EMSGSIZE" : undefined;
  const runs = [1, 2, 3].map((to) => ({ to, size: 9, count: 3 }));
  const { errors, got } = sent(kernel, runs);
  assertEquals(errors, Array(3).fill("EMSGSIZE"));
  assertEquals([...got.keys()], ["192.0.2.1 65534", "192.0.2.3 65532"]);
});

Deno.test("a system that takes nothing and names no error doesn't hold the server", () => {
  const kernel = new FakeKernel();
  kernel.outcomes.push(...Array.from({ length: 9 }, () => ({ takes: 0 })));
  const { errors } = sent(kernel, [{ to: 0, size: 9, count: 1 }]);
  assertEquals(errors.length, 1);
});

Deno.test("what lies outside of a buffer is not sent", () => {
  const kernel = new FakeKernel();
  const { sender, errors } = senderOn(kernel);
  const made = answers([], true);
  const { replies } = made;
  const memory = new Uint8Array(100);
  replies.add(0, memory.subarray(0, 50), 0, 10, 6);
  replies.add(0, memory.subarray(50), -10, 10, 1);
  replies.add(0, memory.subarray(0, 50), 40, 10, 1);
  sender.send(FD, made, replies);
  assertEquals(errors, Array(7).fill("EFAULT"));
  assertEquals(kernel.taken.map(({ datagrams }) => datagrams.map(({ length }) => length)), [[10]]);
});

Deno.test("where the system can't do it, there is no sender", () => {
  const without = (change: (kernel: FakeKernel) => void) => {
    const kernel = new FakeKernel();
    change(kernel);
    return batchSenderFor(kernel, FD, () => {});
  };
  assertEquals(without((kernel) => kernel.options.delete("1/39")), undefined);
  assertEquals(without((kernel) => kernel.options.set("1/39", 1)), undefined);
  assertEquals(without((kernel) => kernel.knowsBatches = false), undefined);
});

Deno.test("buffers of sockets grow by force, or as far as one may, and never shrink", () => {
  const grown = (has: number, mayForce: boolean) => {
    const set: string[] = [];
    class Kernel extends FakeKernel {
      override setsockopt(_fd: number, level: number, name: number, value: Uint8Array): number {
        const size = new DataView(value.buffer).getInt32(0, true);
        set.push(`${level}/${name} ${size}`);
        return name > 30 && !mayForce ? -1 : 0;
      }
    }
    const kernel = new Kernel();
    for (const name of [7, 8]) kernel.options.set(`1/${name}`, has);
    growBuffers(kernel, FD);
    return set;
  };
  assertEquals(grown(212_992, true), ["1/32 4194304", "1/33 1048576"]);
  assertEquals(grown(212_992, false), [
    "1/32 4194304",
    "1/7 4194304",
    "1/33 1048576",
    "1/8 1048576",
  ]);
  assertEquals(grown(2 << 20, true), ["1/32 4194304"]);
  assertEquals(grown(8 << 20, true), []);
});

/**
 * Datagrams that are received through libc, from real sockets.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { BATCH_SIZE, DatagramBatch, SLOT_SIZE } from "../../../lib/core/net/datagram_batch.ts";
import { formatAddress } from "../../../lib/core/net/ip_address.ts";
import { denoLibc } from "../../../lib/host/linux/libc_deno.ts";
import { DatagramSink, ReceiveVector } from "../../../lib/host/linux/receive_vector.ts";
import { socketAddress } from "../../../lib/host/linux/socket_address.ts";

/** Loaded once for all: it stays loaded, which the resource sanitizer would call a leak. */
const LIBC = denoLibc();

/** A socket on a loopback address, and its address. */
function open(ipv4: boolean): { readonly fd: number; readonly name: Uint8Array; port: number } {
  const fd = LIBC.socket(ipv4 ? 2 : 10, 2, 0);
  const any = socketAddress(ipv4 ? "127.0.0.1" : "::1", 0);
  assertEquals(LIBC.bind(fd, any, any.length), 0);
  const name = new Uint8Array(any.length);
  LIBC.getsockname(fd, name, new Uint8Array(Int32Array.of(name.length).buffer));
  return { fd, name, port: new DataView(name.buffer).getUint16(2) };
}

/** A server's socket, and a client that sends there. */
function pair(ipv4: boolean) {
  const server = open(ipv4);
  const client = open(ipv4);
  assertEquals(LIBC.connect(client.fd, server.name, server.name.length), 0);
  return {
    fd: server.fd,
    clientPort: client.port,
    send: (bytes: Uint8Array) =>
      assertEquals(LIBC.send(client.fd, bytes, bytes.length, 0), bytes.length),
    [Symbol.dispose]() {
      LIBC.close(server.fd);
      LIBC.close(client.fd);
    },
  };
}

for (const ipv4 of [true, false]) {
  Deno.test(`what comes over ${ipv4 ? "IPv4" : "IPv6"} lies in the batch, with its source`, () => {
    using side = pair(ipv4);
    const vector = new ReceiveVector(LIBC, ipv4, new DatagramBatch());
    const { batch } = vector;
    assertEquals(vector.receive(side.fd, BATCH_SIZE), 0);
    const sizes = [1, 0, 98, SLOT_SIZE, SLOT_SIZE + 1, 9000];
    for (const size of sizes) side.send(new Uint8Array(size).fill(size & 255));
    assertEquals(vector.receive(side.fd, BATCH_SIZE), sizes.length);
    assertEquals(batch.count, sizes.length);
    assertEquals(Array.from(batch.lengths.subarray(0, sizes.length)), sizes);
    for (const [i, size] of sizes.entries()) {
      const at = i * SLOT_SIZE;
      const kept = Math.min(size, SLOT_SIZE);
      assertEquals(
        batch.payloads.bytes.slice(at, at + kept),
        new Uint8Array(kept).fill(size & 255),
      );
      assertEquals(
        formatAddress(batch.sources, batch.sourceAt(i)),
        ipv4 ? "127.0.0.1" : "::1",
      );
      assertEquals([batch.sourcePort(i), vector.scopes[i]], [side.clientPort, 0]);
    }
  });
}

Deno.test("a batch is filled up to the limit, behind what it has", () => {
  using side = pair(true);
  const vector = new ReceiveVector(LIBC, true, new DatagramBatch());
  for (let i = 0; i < 100; i++) side.send(Uint8Array.of(i));
  const counts = [3, 3, 16, BATCH_SIZE, BATCH_SIZE].map((limit) => vector.receive(side.fd, limit));
  assertEquals(counts, [3, 0, 13, 48, 0]);
  const first = () =>
    Array.from(
      { length: vector.batch.count },
      (_, i) => vector.batch.payloads.bytes[i * SLOT_SIZE],
    );
  assertEquals(first(), Array.from({ length: BATCH_SIZE }, (_, i) => i));
  vector.batch.count = 0;
  assertEquals(vector.receive(side.fd, BATCH_SIZE), 36);
  assertEquals(first(), Array.from({ length: 36 }, (_, i) => 64 + i));
});

Deno.test("what is thrown away is counted, and goes no further than asked", () => {
  using side = pair(true);
  const sink = new DatagramSink(LIBC);
  assertEquals(sink.discard(side.fd, 1000), 0);
  for (let i = 0; i < 200; i++) side.send(Uint8Array.of(i));
  assertEquals(sink.discard(side.fd, 100), 128);
  const vector = new ReceiveVector(LIBC, true, new DatagramBatch());
  assertEquals([vector.receive(side.fd, 1), vector.batch.payloads.bytes[0]], [1, 128]);
  assertEquals(sink.discard(side.fd, 1000), 71);
});

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { DatagramBatch, ReplyBatch, SLOT_SIZE } from "../../../lib/core/net/datagram_batch.ts";
import { formatIpv4, parseAddress } from "../../../lib/core/net/ip_address.ts";
import { type ProvenEndpoints, PunchTable } from "../../../lib/core/punch/table.ts";
import { decodePunchReply } from "../../../lib/wire/punch/message.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { hex } from "../../support/bytes.ts";
import { idOf } from "../../support/fake_random.ts";
import { test } from "../../testing.ts";

/** Keys that are proven to be somewhere. */
class Proven implements ProvenEndpoints {
  readonly known = new Map<string, readonly [number, number]>();
  address = 0;
  port = 0;

  find(buffer: WireBuffer, at: number): boolean {
    const known = this.known.get(hex(buffer.bytes.subarray(at, at + 32)));
    if (known === undefined) return false;
    [this.address, this.port] = known;
    return true;
  }
}

interface Asked {
  readonly mine: number;
  readonly theirs: number;
  readonly from: string;
  readonly port?: number;
}

class Driver {
  readonly proven = new Proven();
  readonly table: PunchTable;
  mono = 1000;
  readonly #batch = new DatagramBatch();
  readonly #replies = new ReplyBatch();

  constructor(maxKeys?: number) {
    this.table = new PunchTable(this.proven, 12345, maxKeys);
  }

  /** Sends payloads at once; the answers as text, `-` for an empty one. */
  send(payloads: readonly { bytes: Uint8Array; from: string; port: number }[]): string[] {
    const batch = this.#batch;
    batch.count = payloads.length;
    payloads.forEach(({ bytes, from, port }, i) => {
      batch.payloads.bytes.fill(0xee, i * SLOT_SIZE, (i + 1) * SLOT_SIZE);
      batch.payloads.bytes.set(bytes, i * SLOT_SIZE);
      batch.lengths[i] = bytes.length;
      parseAddress(from, batch.sources, batch.sourceAt(i));
      batch.setSourcePort(i, port);
    });
    this.table.answer(batch, { unix: 0, mono: this.mono }, this.#replies);
    const answers = payloads.map(() => "none");
    for (let i = 0; i < this.#replies.count; i++) {
      const { to, offsets, sizes, runs, buffers } = this.#replies;
      assertEquals(runs[i], 1);
      const buffer = new WireBuffer(buffers[i]!);
      const reply = decodePunchReply(buffer, offsets[i]!, sizes[i]!);
      assertEquals(reply === undefined, sizes[i] === 0);
      answers[to[i]!] = reply === undefined ? "-" : `${formatIpv4(reply.address)}:${reply.port}`;
    }
    return answers;
  }

  ask(...asked: readonly Asked[]): string[] {
    return this.send(asked.map(({ mine, theirs, from, port = 51820 }) => ({
      bytes: Uint8Array.of(...idOf(mine), ...idOf(theirs)),
      from,
      port,
    })));
  }
}

test("who was seen is found by the other", () => {
  const driver = new Driver();
  assertEquals(driver.ask({ mine: 1, theirs: 2, from: "192.0.2.1", port: 1001 }), ["-"]);
  assertEquals(driver.ask({ mine: 2, theirs: 1, from: "192.0.2.2", port: 1002 }), [
    "192.0.2.1:1001",
  ]);
  assertEquals(driver.ask({ mine: 1, theirs: 2, from: "192.0.2.1", port: 1001 }), [
    "192.0.2.2:1002",
  ]);
  assertEquals(driver.table.counters, {
    received: 3,
    answered: 2,
    unknown: 1,
    dropped: 0,
    pushedOut: 0,
  });
});

test("in one batch, each is answered by what came before it", () => {
  const driver = new Driver();
  assertEquals(
    driver.ask(
      { mine: 1, theirs: 2, from: "192.0.2.1" },
      { mine: 2, theirs: 1, from: "192.0.2.2" },
      { mine: 1, theirs: 1, from: "192.0.2.3", port: 9 },
      { mine: 3, theirs: 1, from: "192.0.2.4" },
    ),
    ["-", "192.0.2.1:51820", "192.0.2.3:9", "192.0.2.3:9"],
  );
});

test("the last place counts", () => {
  const driver = new Driver();
  driver.ask({ mine: 1, theirs: 9, from: "192.0.2.1" });
  driver.ask({ mine: 1, theirs: 9, from: "198.51.100.7", port: 7 });
  assertEquals(driver.ask({ mine: 2, theirs: 1, from: "192.0.2.2" }), ["198.51.100.7:7"]);
  assertEquals(driver.table.count, 2);
});

test("what is no request is dropped without an answer", () => {
  const driver = new Driver();
  const sizes = [0, 1, 32, 63, 65, 82, 128, 1500, 2048, 60_000];
  const answers = driver.send(
    sizes.map((size) => ({
      bytes: new Uint8Array(Math.min(size, 2048)),
      from: "192.0.2.1",
      port: 1,
    })),
  );
  assertEquals(answers, sizes.map(() => "none"));
  assertEquals(driver.ask({ mine: 1, theirs: 1, from: "192.0.2.1", port: 0 }), ["none"]);
  assertEquals(driver.table.counters.dropped, sizes.length + 1);
  assertEquals(driver.table.count, 0);
});

test("a sender over IPv6 is answered, but can't be named in an answer", () => {
  const driver = new Driver();
  driver.ask({ mine: 1, theirs: 9, from: "192.0.2.1" });
  assertEquals(driver.ask({ mine: 2, theirs: 1, from: "2001:db8::2" }), ["192.0.2.1:51820"]);
  assertEquals(driver.ask({ mine: 1, theirs: 2, from: "192.0.2.1" }), ["-"]);
});

test("what was not seen for three minutes is forgotten", () => {
  const driver = new Driver();
  driver.ask({ mine: 1, theirs: 9, from: "192.0.2.1" }, { mine: 2, theirs: 9, from: "192.0.2.2" });
  driver.mono += 100;
  driver.ask({ mine: 1, theirs: 9, from: "192.0.2.1" });
  driver.mono += 80;
  assertEquals(driver.ask({ mine: 3, theirs: 2, from: "192.0.2.3" }), ["192.0.2.2:51820"]);
  driver.mono += 0.5;
  assertEquals(driver.ask({ mine: 3, theirs: 2, from: "192.0.2.3" }), ["-"]);
  assertEquals(driver.ask({ mine: 3, theirs: 1, from: "192.0.2.3" }), ["192.0.2.1:51820"]);
  driver.mono += 1000;
  driver.table.expire({ unix: 0, mono: driver.mono });
  assertEquals(driver.table.count, 0);
});

test("of too many, the one seen longest ago gives way", () => {
  const driver = new Driver(3);
  const see = (mine: number) => driver.ask({ mine, theirs: 99, from: `192.0.2.${mine}` });
  [1, 2, 3, 1, 4].forEach(see);
  assertEquals(driver.table.count, 3);
  assertEquals(driver.table.counters.pushedOut, 1);
  const find = (theirs: number) => driver.ask({ mine: 4, theirs, from: "192.0.2.4" })[0];
  assertEquals([1, 2, 3].map(find), ["192.0.2.1:51820", "-", "192.0.2.3:51820"]);
});

test("what is proven comes first, and nobody can claim it", () => {
  const driver = new Driver();
  driver.proven.known.set(hex(idOf(1)), [0x0a00_0001, 4242]);
  assertEquals(driver.ask({ mine: 2, theirs: 1, from: "192.0.2.2" }), ["10.0.0.1:4242"]);
  driver.ask({ mine: 1, theirs: 2, from: "203.0.113.66", port: 666 });
  assertEquals(driver.ask({ mine: 2, theirs: 1, from: "192.0.2.2" }), ["10.0.0.1:4242"]);
  // Nor was it kept for when the proof is gone.
  driver.proven.known.clear();
  assertEquals(driver.ask({ mine: 2, theirs: 1, from: "192.0.2.2" }), ["-"]);
  // A proof that comes later counts as well.
  driver.proven.known.set(hex(idOf(2)), [0x0a00_0002, 4243]);
  assertEquals(driver.ask({ mine: 3, theirs: 2, from: "192.0.2.3" }), ["10.0.0.2:4243"]);
});

test("no answer is longer than its question", () => {
  const driver = new Driver();
  const batch = new DatagramBatch();
  const replies = new ReplyBatch();
  batch.count = 64;
  for (let i = 0; i < 64; i++) {
    batch.lengths[i] = 64;
    parseAddress("192.0.2.1", batch.sources, batch.sourceAt(i));
    batch.setSourcePort(i, 1);
  }
  driver.table.answer(batch, { unix: 0, mono: 0 }, replies);
  assertEquals(replies.count, 64);
  for (let i = 0; i < 64; i++) assertEquals(replies.sizes[i]! * replies.runs[i]!, 6);
});

test("the table is a memory of who was seen last, of a fixed size", () => {
  const step = fc.record({
    mine: fc.nat({ max: 12 }),
    theirs: fc.nat({ max: 12 }),
    port: fc.integer({ min: 1, max: 0xffff }),
    pause: fc.constantFrom(0, 1, 50, 181),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const driver = new Driver(5);
    // Newest last.
    const model = new Map<number, { port: number; seenAt: number }>();
    for (const { mine, theirs, port, pause } of steps) {
      driver.mono += pause;
      for (const [key, { seenAt }] of model) {
        if (driver.mono - seenAt > 180) model.delete(key);
      }
      model.delete(mine);
      if (model.size === 5) model.delete([...model.keys()][0]!);
      model.set(mine, { port, seenAt: driver.mono });
      const known = model.get(theirs);
      const expected = known === undefined ? "-" : `192.0.2.1:${known.port}`;
      assertEquals(driver.ask({ mine, theirs, from: "192.0.2.1", port }), [expected]);
      assertEquals(driver.table.count, model.size);
    }
  }));
});

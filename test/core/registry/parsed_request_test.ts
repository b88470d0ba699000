import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { BATCH_SIZE, DatagramBatch, SLOT_SIZE } from "../../../lib/core/net/datagram_batch.ts";
import { ADDRESS_SIZE, parseAddress } from "../../../lib/core/net/ip_address.ts";
import { ParsedRequest } from "../../../lib/core/registry/parsed_request.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { envelopeKey } from "../../../lib/wire/wgsig/envelope.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { hex } from "../../support/bytes.ts";
import { requestOf, SECRET, T0 } from "../../support/registry_driver.ts";
import { test } from "../../testing.ts";

const key = envelopeKey(SECRET, PORTABLE);

interface Sent {
  readonly id: Uint8Array;
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly flags: number;
  readonly group: number;
  readonly isEncrypted: boolean;
  readonly address: string;
  readonly port: number;
}

const sent: fc.Arbitrary<Sent> = fc.record({
  id: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  seconds: fc.integer({ min: 0, max: 2 * T0 }),
  nanoseconds: fc.nat(999_999_999),
  flags: fc.nat(0xffff),
  group: fc.nat(0xffff_ffff),
  isEncrypted: fc.boolean(),
  address: fc.constantFrom("192.0.2.7", "255.255.255.255", "2001:db8::7", "::1"),
  port: fc.integer({ min: 1, max: 0xffff }),
});

/** Puts requests into a batch. */
function fill(batch: DatagramBatch, datagrams: readonly Sent[]): void {
  datagrams.forEach(({ isEncrypted, address, port, ...fields }, i) => {
    const { payload } = requestOf(isEncrypted ? { ...fields, sealed: i } : fields);
    batch.payloads.bytes.set(payload, i * SLOT_SIZE);
    batch.lengths[i] = payload.length;
    parseAddress(address, batch.sources, batch.sourceAt(i));
    batch.setSourcePort(i, port);
  });
  batch.count = datagrams.length;
}

/** Reads datagram `i` in its form. */
function read(request: ParsedRequest, batch: DatagramBatch, i: number, isEncrypted: boolean): void {
  request.readSource(batch, i);
  if (isEncrypted) request.readEncrypted(batch, i, key);
  else request.readPlain(batch, i);
}

test("each datagram of a batch is read as it was sent, whatever was read before", () => {
  const batch = new DatagramBatch();
  const request = new ParsedRequest();
  const datagrams = fc.array(sent, { minLength: 1, maxLength: BATCH_SIZE, size: "max" });
  fc.assert(fc.property(datagrams, (datagrams) => {
    fill(batch, datagrams);
    const before = hex(batch.payloads.bytes);
    datagrams.forEach((wanted, i) => {
      read(request, batch, i, wanted.isEncrypted);
      const { buffer, idAt, labelAt, sources, sourceAt } = request;
      const { id, address, ...rest } = wanted;
      const { seconds, nanoseconds, flags, group, isEncrypted, port } = request;
      assertEquals({ seconds, nanoseconds, flags, group, isEncrypted, port }, rest);
      assertEquals(hex(buffer.bytes.slice(idAt, idAt + 32)), hex(id));
      const plain = requestOf({ id, seconds, nanoseconds, flags, group }).payload;
      assertEquals(hex(buffer.bytes.slice(labelAt, labelAt + 12)), hex(plain.slice(32, 44)));
      assertEquals(hex(buffer.bytes.slice(request.at, request.at + 82)), hex(plain));
      const from = new WireBuffer(ADDRESS_SIZE);
      parseAddress(address, from, 0);
      assertEquals(hex(sources.bytes.slice(sourceAt, sourceAt + ADDRESS_SIZE)), hex(from.bytes));
      assertEquals(request.isIpv4, address.includes("."));
    });
    // A datagram that was decrypted in vain is read again as a plain one.
    assertEquals(hex(batch.payloads.bytes), before);
  }));
});

test("what stays as it is: the endpoint over IPv6 and by flag, the label by both flags", () => {
  const kept = (flags: number, address: string) => {
    const batch = new DatagramBatch();
    const request = new ParsedRequest();
    const fields = { id: new Uint8Array(32), seconds: T0, nanoseconds: 0, flags, group: 0 };
    fill(batch, [{ ...fields, isEncrypted: false, address, port: 1 }]);
    read(request, batch, 0, false);
    return [request.keepsEndpoint, request.keepsLabel];
  };
  assertEquals([0, 1, 2, 3, 0xfffc].map((flags) => kept(flags, "192.0.2.7")), [
    [false, false],
    [true, false],
    [false, false],
    [true, true],
    [false, false],
  ]);
  assertEquals([0, 1, 2, 3].map((flags) => kept(flags, "2001:db8::7")), [
    [true, false],
    [true, false],
    [true, false],
    [true, true],
  ]);
});

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  decodePunchReply,
  encodePunchReply,
  encodePunchRequest,
  PUNCH_REPLY_SIZE,
  PUNCH_REQUEST_SIZE,
} from "../../../lib/wire/punch/message.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { key32, place, uint16, uint32 } from "../../support/arbitraries.ts";
import { assertNeeds, hex, ODD_PLACE, placed, unhex, written } from "../../support/bytes.ts";
import { idOf } from "../../support/fake_random.ts";
import { test } from "../../testing.ts";

test("a request is two keys, the own one first", () => {
  fc.assert(fc.property(key32, key32, place, (mine, theirs, where) => {
    const bytes = written(
      PUNCH_REQUEST_SIZE,
      where,
      (buffer, at) => encodePunchRequest(new WireBuffer(mine), new WireBuffer(theirs), buffer, at),
    );
    assertEquals(hex(bytes), hex(mine) + hex(theirs));
  }));
});

test("a reply is an address and a port in network order", () => {
  const bytes = written(
    PUNCH_REPLY_SIZE,
    ODD_PLACE,
    (buffer, at) => encodePunchReply(0xc000_0207, 51820, buffer, at),
  );
  assertEquals(hex(bytes), "c0000207ca6c");
});

test("a reply is read as it was written", () => {
  const port = uint16.filter((number) => number > 0);
  fc.assert(fc.property(uint32.filter((number) => number > 0), port, place, (address, port, at) => {
    const bytes = written(
      PUNCH_REPLY_SIZE,
      at,
      (buffer, at) => encodePunchReply(address, port, buffer, at),
    );
    const read = decodePunchReply(placed(bytes, at), at.at, PUNCH_REPLY_SIZE);
    assertEquals(read, { address, port });
  }));
});

test("what is no reply says nothing", () => {
  const read = (bytes: Uint8Array) => decodePunchReply(new WireBuffer(bytes), 0, bytes.length);
  for (let size = 0; size < 80; size++) {
    if (size === PUNCH_REPLY_SIZE) continue;
    assertEquals(read(new Uint8Array(size).fill(1)), undefined, `${size} bytes`);
  }
  assertEquals(read(unhex("000000001234")), undefined);
  assertEquals(read(unhex("0a0000010000")), undefined);
});

test("bounds and fields are checked", () => {
  const key = new WireBuffer(idOf(1));
  assertNeeds(PUNCH_REQUEST_SIZE, (buffer, at) => encodePunchRequest(key, key, buffer, at));
  assertNeeds(PUNCH_REPLY_SIZE, (buffer, at) => encodePunchReply(1, 1, buffer, at));
  assertNeeds(PUNCH_REPLY_SIZE, (buffer, at) => decodePunchReply(buffer, at, PUNCH_REPLY_SIZE));
});

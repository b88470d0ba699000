import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseKey } from "../../../lib/core/net/peer_key.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { Mac1Key } from "../../../lib/wire/wireguard/mac1.ts";
import {
  MESSAGE,
  readMessageType,
  readReceiverIndex,
  readSenderIndex,
} from "../../../lib/wire/wireguard/message.ts";
import { bytesOf, key32, uint32 } from "../../support/arbitraries.ts";
import { ODD_PLACE, placed, unhex } from "../../support/bytes.ts";
import {
  cookieReplyTo,
  dataTo,
  initiationTo,
  responseTo,
} from "../../support/wireguard_messages.ts";
import { test } from "../../testing.ts";
import vectors from "../../vectors/wireguard.json" with { type: "json" };

const { at } = ODD_PLACE;

function messageOf(i: number): WireBuffer {
  return placed(unhex(vectors.messages[i]!.bytes), ODD_PLACE);
}

function macOf(key: string): Mac1Key {
  return new Mac1Key(placed(parseKey(key)!, ODD_PLACE), at);
}

test("what wireguard-go sent is read", () => {
  const types = vectors.messages.map(({ bytes }, i) =>
    readMessageType(messageOf(i), at, bytes.length / 2)
  );
  assertEquals(types, [MESSAGE.initiation, MESSAGE.initiation, MESSAGE.response, MESSAGE.data]);
  const alices = readSenderIndex(messageOf(1), at);
  assertEquals(readReceiverIndex(messageOf(2), at, MESSAGE.response), alices);
  assertEquals(readReceiverIndex(messageOf(3), at, MESSAGE.data), alices);
});

test("its mac1 is for the other one, and for nobody else", () => {
  const [alice, bob] = [macOf(vectors.alice), macOf(vectors.bob)];
  for (
    const [i, type, receiver, sender] of [
      [0, MESSAGE.initiation, alice, bob],
      [1, MESSAGE.initiation, bob, alice],
      [2, MESSAGE.response, alice, bob],
    ] as const
  ) {
    const message = messageOf(i);
    assert(receiver.isFor(message, at, type));
    assertEquals(sender.isFor(message, at, type), false);
    const size = vectors.messages[i]!.bytes.length / 2;
    for (const bit of [at, at + 50, at + size - 33, at + size - 32, at + size - 17]) {
      message.bytes[bit]! ^= 4;
      assertEquals(receiver.isFor(message, at, type), false, `${bit}`);
      message.bytes[bit]! ^= 4;
    }
    // mac2 is not covered.
    message.bytes[at + size - 16]! ^= 4;
    assert(receiver.isFor(message, at, type));
  }
});

test("any message is taken for what it is, and for whom", () => {
  fc.assert(
    fc.property(key32, key32, uint32, uint32, (key, other, sender, receiver) => {
      const first = placed(initiationTo(key, sender), ODD_PLACE);
      assertEquals(readMessageType(first, at, 148), MESSAGE.initiation);
      assertEquals(readSenderIndex(first, at), sender);
      const own = new Mac1Key(new WireBuffer(key), 0);
      assert(own.isFor(first, at, MESSAGE.initiation));
      const second = placed(responseTo(key, sender, receiver), ODD_PLACE);
      assertEquals(readMessageType(second, at, 92), MESSAGE.response);
      assertEquals(readReceiverIndex(second, at, MESSAGE.response), receiver);
      assert(own.isFor(second, at, MESSAGE.response));
      const isSame = key.every((byte, i) => byte === other[i]);
      const others = new Mac1Key(new WireBuffer(other), 0);
      assertEquals(others.isFor(first, at, MESSAGE.initiation), isSame);
      for (
        const [type, message] of [
          [MESSAGE.cookie, cookieReplyTo(receiver)],
          [MESSAGE.data, dataTo(receiver)],
        ] as const
      ) {
        const buffer = placed(message, ODD_PLACE);
        assertEquals(readMessageType(buffer, at, message.length), type);
        assertEquals(readReceiverIndex(buffer, at, type), receiver);
      }
    }),
    { numRuns: 30 },
  );
});

test("what has another size or beginning is none of WireGuard's", () => {
  fc.assert(fc.property(bytesOf(200), fc.integer({ min: 0, max: 200 }), (bytes, length) => {
    const buffer = new WireBuffer(bytes);
    const [type = 0, ...zeros] = bytes.subarray(0, 4);
    const isLike = zeros.every((byte) => byte === 0) &&
      (type === 1 && length === 148 || type === 2 && length === 92 ||
        type === 3 && length === 64 || type === 4 && length >= 32);
    assertEquals(readMessageType(buffer, 0, length), isLike ? type : MESSAGE.none);
  }));
  for (let type = 0; type < 256; type++) {
    const buffer = new WireBuffer(200);
    buffer.bytes[0] = type;
    const lengths = Array.from({ length: 200 }, (_, length) => length)
      .filter((length) => readMessageType(buffer, 0, length) !== MESSAGE.none);
    const expected = [[], [148], [92], [64], Array.from({ length: 168 }, (_, i) => 32 + i)];
    assertEquals(lengths, expected[type] ?? []);
  }
});

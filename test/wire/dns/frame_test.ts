import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { frameMessage, MessageReader } from "../../../lib/wire/dns/frame.ts";
import { joinBytes } from "../../../lib/wire/bytes/wire_buffer.ts";
import { hex } from "../../support/bytes.ts";
import { test } from "../../testing.ts";

/** The messages in pieces of a stream. */
function messagesOf(pieces: readonly Uint8Array[]): string[] {
  const reader = new MessageReader();
  const messages: string[] = [];
  for (const piece of pieces) reader.push(piece, (message) => messages.push(hex(message)));
  return messages;
}

test("a message has its length before it", () => {
  assertEquals(hex(frameMessage(Uint8Array.of(7, 8, 9))), "0003070809");
  assertEquals(hex(frameMessage(new Uint8Array(0x1234)).subarray(0, 3)), "123400");
});

test("a stream is taken apart into its messages, in whatever pieces it comes", () => {
  const message = fc.uint8Array({ maxLength: 700 });
  const cut = fc.array(fc.nat({ max: 3000 }), { maxLength: 20 });
  fc.assert(fc.property(fc.array(message, { maxLength: 6 }), cut, (messages, cuts) => {
    const stream = joinBytes(messages.map(frameMessage));
    const places = [0, ...cuts.map((at) => at % (stream.length + 1)), stream.length]
      .sort((a, b) => a - b);
    const pieces = places.slice(1).map((end, i) => stream.subarray(places[i], end));
    assertEquals(messagesOf(pieces), messages.map(hex));
    assertEquals(messagesOf([...stream].map((byte) => Uint8Array.of(byte))), messages.map(hex));
  }));
});

test("the longest message, and an empty one, are read; half a one is not", () => {
  const long = new Uint8Array(0xffff).fill(0x61);
  const stream = joinBytes([frameMessage(long), frameMessage(new Uint8Array(0))]);
  assertEquals(messagesOf([stream]), [hex(long), ""]);
  assertEquals(messagesOf([stream.subarray(0, 0x1_0000)]), []);
  assertEquals(messagesOf([stream.subarray(0, 1)]), []);
});

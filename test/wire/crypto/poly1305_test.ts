import { assertEquals } from "@std/assert";
import { poly1305 } from "@noble/ciphers/_poly1305.js";
import fc from "fast-check";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { Poly1305 } from "../../../lib/wire/crypto/poly1305.ts";
import { bytesOf } from "../../support/arbitraries.ts";
import { unhex } from "../../support/bytes.ts";
import { test } from "../../testing.ts";

const mac = new Poly1305();

/** The tag of some pieces, each filled up to whole blocks. */
function tagOf(key: Uint8Array, ...pieces: readonly Uint8Array[]): Uint8Array {
  const { view } = new WireBuffer(key);
  mac.start(Int32Array.from({ length: 8 }, (_, i) => view.getInt32(4 * i, true)));
  for (const piece of pieces) {
    const shifted = new WireBuffer(piece.length + 9);
    shifted.bytes.set(piece, 5);
    mac.update(shifted, 5, piece.length);
  }
  const tag = new WireBuffer(16);
  mac.finish(tag);
  return tag.bytes;
}

/** The same by the noble library. */
function otherTag(key: Uint8Array, ...pieces: readonly Uint8Array[]): Uint8Array {
  const padded = pieces.flatMap((
    piece,
  ) => [...piece, ...new Array((16 - piece.length % 16) % 16).fill(0)]);
  return poly1305(Uint8Array.from(padded), key);
}

/** Bytes of which many are 0 or 255: where sums carry, and reach the modulus. */
const extreme = (size: number) =>
  fc.array(fc.constantFrom(0, 255, 255, 1, 254, 251, 252, 3, 128), {
    minLength: size,
    maxLength: size,
  }).map((bytes) => Uint8Array.from(bytes));
const key = fc.oneof(bytesOf(32), extreme(32));
const piece = fc.integer({ min: 0, max: 100 }).chain((size) =>
  fc.oneof(bytesOf(size), extreme(size))
);

test("the tag is that of @noble/ciphers, whatever the key and the pieces", () => {
  fc.assert(
    fc.property(key, fc.array(piece, { maxLength: 4 }), (key, pieces) => {
      assertEquals(tagOf(key, ...pieces), otherTag(key, ...pieces));
    }),
    { numRuns: 3000 },
  );
});

test("sums at the modulus come out as RFC 8439, A.3 says", () => {
  const zeros = "00".repeat(16);
  const cases = [
    [`02${"00".repeat(31)}`, "ff".repeat(16), `03${"00".repeat(15)}`],
    [`02${"00".repeat(15)}${"ff".repeat(16)}`, `02${"00".repeat(15)}`, `03${"00".repeat(15)}`],
    [
      `01${"00".repeat(31)}`,
      `${"ff".repeat(16)}f0${"ff".repeat(15)}11${"00".repeat(15)}`,
      `05${"00".repeat(15)}`,
    ],
    [
      `01${"00".repeat(31)}`,
      `${"ff".repeat(16)}fb${"fe".repeat(15)}${"01".repeat(16)}`,
      zeros,
    ],
    [`02${"00".repeat(31)}`, `fd${"ff".repeat(15)}`, `fa${"ff".repeat(15)}`],
  ];
  for (const [key, message, tag] of cases) {
    assertEquals(tagOf(unhex(key!), unhex(message!)), unhex(tag!));
  }
});

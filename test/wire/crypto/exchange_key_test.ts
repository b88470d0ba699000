import { assertEquals, assertThrows } from "@std/assert";
import { x25519 } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import { ExchangeKey } from "../../../lib/wire/crypto/exchange_key.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { key32 } from "../../support/arbitraries.ts";
import { assertNeeds, hex, ODD_PLACE, placed } from "../../support/bytes.ts";
import { SMALL_ORDER } from "../../support/points.ts";
import { test } from "../../testing.ts";

function agreed(own: ExchangeKey, publicKey: Uint8Array): string | undefined {
  const shared = new Uint8Array(32).fill(7);
  const is = own.agree(placed(publicKey, ODD_PLACE), ODD_PLACE.at, shared);
  return is ? hex(shared) : undefined;
}

test("two keys share what @noble/curves has them share", () => {
  fc.assert(
    fc.property(key32, key32, (one, two) => {
      const [first, second] = [one, two].map((key) => new ExchangeKey(key, PORTABLE));
      const publicKey = x25519.getPublicKey(two);
      assertEquals(hex(second!.publicKey.bytes), hex(publicKey));
      const wanted = hex(x25519.getSharedSecret(one, publicKey));
      assertEquals(agreed(first!, publicKey), wanted);
      assertEquals(agreed(second!, first!.publicKey.bytes), wanted);
    }),
    { numRuns: 20 },
  );
});

test("a public key of small order is refused", () => {
  const own = new ExchangeKey(new Uint8Array(32).fill(5), PORTABLE);
  for (const point of SMALL_ORDER) assertEquals(agreed(own, point), undefined, hex(point));
});

test("the private key is not kept: changing its bytes later changes nothing", () => {
  const bytes = new Uint8Array(32).fill(5);
  const own = new ExchangeKey(bytes, PORTABLE);
  const other = new ExchangeKey(new Uint8Array(32).fill(9), PORTABLE).publicKey.bytes;
  const before = agreed(own, other);
  bytes.fill(6);
  assertEquals(agreed(own, other), before);
});

test("keys have 32 bytes, inside their buffers", () => {
  for (const size of [0, 31, 33]) {
    const make = () => new ExchangeKey(new Uint8Array(size), PORTABLE);
    assertThrows(make, RangeError, `${size} bytes, not 32`);
  }
  const own = new ExchangeKey(new Uint8Array(32), PORTABLE);
  assertNeeds(32, (buffer, at) => own.agree(buffer, at, new Uint8Array(32)));
  const { publicKey } = own;
  assertThrows(() => own.agree(publicKey, 0, new Uint8Array(31)), RangeError, "31 bytes");
});

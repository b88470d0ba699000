import { assert, assertEquals, assertThrows } from "@std/assert";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { MAC_SIZE, MacKey } from "../../../lib/wire/crypto/mac.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { bytesOf, key32, place } from "../../support/arbitraries.ts";
import { assertNeeds, hex, ODD_PLACE, placed, unhex, written } from "../../support/bytes.ts";
import { test } from "../../testing.ts";

function macOf(secret: Uint8Array, message: Uint8Array): string {
  const buffer = new WireBuffer(message);
  return hex(written(MAC_SIZE, ODD_PLACE, (out, at) => {
    new MacKey(secret, PORTABLE).compute(buffer, 0, message.length, out, at);
  }));
}

const ascii = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

// RFC 4231's keys have other sizes than 32 bytes, except for zeros after them: HMAC pads a key of
// up to 64 bytes with zeros, so that a 20-byte key and the same one with 12 zeros have the same MACs.
test("the MACs of RFC 4231 come out", () => {
  const padded = (key: Uint8Array) => Uint8Array.from({ length: 32 }, (_, i) => key[i] ?? 0);
  const cases: [key: Uint8Array, message: Uint8Array, mac: string][] = [
    [
      new Uint8Array(20).fill(0x0b),
      ascii("Hi There"),
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    ],
    [
      ascii("Jefe"),
      ascii("what do ya want for nothing?"),
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ],
    [
      new Uint8Array(20).fill(0xaa),
      new Uint8Array(50).fill(0xdd),
      "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
    ],
    [
      unhex("0102030405060708090a0b0c0d0e0f10111213141516171819"),
      new Uint8Array(50).fill(0xcd),
      "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
    ],
  ];
  for (const [key, message, mac] of cases) assertEquals(macOf(padded(key), message), mac);
});

test("the MAC is the runtime's own for sizes around one and two blocks", async () => {
  const secret = Uint8Array.from({ length: 32 }, (_, i) => 7 * i);
  const message = Uint8Array.from({ length: 200 }, (_, i) => 255 - i);
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", secret, algorithm, false, ["sign"]);
  for (let size = 0; size <= message.length; size++) {
    const part = message.slice(0, size);
    const wanted = new Uint8Array(await crypto.subtle.sign("HMAC", key, part));
    assertEquals(macOf(secret, part), hex(wanted), `${size} bytes`);
  }
});

test("the MAC is @noble/hashes's for every size from 0 to 600", () => {
  const secret = Uint8Array.from({ length: 32 }, (_, i) => 255 - i);
  const message = Uint8Array.from({ length: 600 }, (_, i) => i * 31);
  for (let size = 0; size <= message.length; size++) {
    assertEquals(
      macOf(secret, message.slice(0, size)),
      hex(hmac(sha256, secret, message.slice(0, size))),
      `${size} bytes`,
    );
  }
});

test("the MAC is @noble/hashes's for random secrets and messages at any offset", () => {
  const message = fc.uint8Array({ maxLength: 600 });
  fc.assert(fc.property(key32, message, place, place, (secret, bytes, from, to) => {
    const source = placed(bytes, from);
    const key = new MacKey(secret, PORTABLE);
    assertEquals(
      written(MAC_SIZE, to, (out, at) => key.compute(source, from.at, bytes.length, out, at)),
      Uint8Array.from(hmac(sha256, secret, bytes)),
    );
  }));
});

test("a key can be used again and again, and next to others", () => {
  const keys = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte));
  const made = keys.map((secret) => new MacKey(secret, PORTABLE));
  const message = new WireBuffer(ascii("the same message"));
  const out = new WireBuffer(MAC_SIZE);
  for (const i of [0, 1, 2, 1, 0, 0, 2]) {
    made[i]!.compute(message, 0, message.size, out, 0);
    assertEquals(hex(out.bytes), hex(hmac(sha256, keys[i]!, message.bytes)));
  }
});

test("the secret is not kept: changing its bytes later changes no MAC", () => {
  const secret = new Uint8Array(32).fill(7);
  const key = new MacKey(secret, PORTABLE);
  secret.fill(9);
  const out = new WireBuffer(MAC_SIZE);
  key.compute(new WireBuffer(3), 0, 3, out, 0);
  assertEquals(out.bytes, hmac(sha256, new Uint8Array(32).fill(7), new Uint8Array(3)));
});

test("a MAC can be written right behind its message, in the same buffer", () => {
  fc.assert(fc.property(key32, fc.uint8Array({ maxLength: 600 }), place, (secret, bytes, where) => {
    const size = bytes.length;
    const buffer = placed(Uint8Array.from([...bytes, ...new Uint8Array(MAC_SIZE)]), where);
    const key = new MacKey(secret, PORTABLE);
    key.compute(buffer, where.at, size, buffer, where.at + size);
    assertEquals(
      hex(buffer.bytes.slice(where.at, where.at + size + MAC_SIZE)),
      hex(bytes) + hex(hmac(sha256, secret, bytes)),
    );
    assert(key.verify(buffer, where.at, size, where.at + size));
  }));
});

test("a MAC with any one bit changed, in it or in its message, is not verified", () => {
  fc.assert(
    fc.property(key32, bytesOf(50), (secret, bytes) => {
      const key = new MacKey(secret, PORTABLE);
      const signed = new WireBuffer(Uint8Array.from([...bytes, ...hmac(sha256, secret, bytes)]));
      assert(key.verify(signed, 0, 50, 50));
      for (let bit = 0; bit < 8 * signed.size; bit++) {
        signed.bytes[bit >> 3]! ^= 1 << (bit & 7);
        assert(!key.verify(signed, 0, 50, 50), `bit ${bit}`);
        signed.bytes[bit >> 3]! ^= 1 << (bit & 7);
      }
    }),
    { numRuns: 5 },
  );
});

test("a MAC made with another secret is not verified", () => {
  fc.assert(fc.property(key32, fc.nat(255), (secret, bit) => {
    const other = secret.slice();
    other[bit >> 3]! ^= 1 << (bit & 7);
    const message = new Uint8Array(10);
    const signed = Uint8Array.from([...message, ...hmac(sha256, other, message)]);
    assert(!new MacKey(secret, PORTABLE).verify(new WireBuffer(signed), 0, 10, 10));
    assert(new MacKey(other, PORTABLE).verify(new WireBuffer(signed), 0, 10, 10));
  }));
});

test("a secret has 32 bytes", () => {
  for (const size of [0, 31, 33, 64]) {
    const make = () => new MacKey(new Uint8Array(size), PORTABLE);
    assertThrows(make, RangeError, `${size} bytes, not 32`);
  }
});

test("messages and MACs must lie inside their buffers", () => {
  const key = new MacKey(new Uint8Array(32), PORTABLE);
  const out = new WireBuffer(MAC_SIZE);
  assertNeeds(50, (buffer, at) => key.compute(buffer, at, 50, out, 0));
  assertNeeds(MAC_SIZE, (buffer, at) => key.compute(new WireBuffer(4), 0, 4, buffer, at));
  assertNeeds(82, (buffer, at) => key.verify(buffer, at, 50, at + 50));
});

import { assertEquals, assertThrows } from "@std/assert";
import { chacha20 } from "@noble/ciphers/chacha.js";
import fc from "fast-check";
import { CipherKey, NONCE_SIZE } from "../../../lib/wire/crypto/cipher_key.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { key32, nonce12, place } from "../../support/arbitraries.ts";
import { assertNeeds, hex, ODD_PLACE, placed, unhex, written } from "../../support/bytes.ts";
import { test } from "../../testing.ts";

const message = fc.uint8Array({ maxLength: 700 });
const counter = fc.oneof(fc.nat(3), fc.integer({ min: 0, max: 0xffff_ff00 }));

test("the example of RFC 8439, section 2.4.2 comes out", () => {
  const key = new CipherKey(Uint8Array.from({ length: 32 }, (_, i) => i), PORTABLE);
  const nonce = placed(unhex("000000000000004a00000000"), ODD_PLACE);
  const text = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for " +
    "the future, sunscreen would be it.";
  const plain = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  assertEquals(
    hex(written(plain.length, ODD_PLACE, (out, at) => {
      key.xor(nonce, ODD_PLACE.at, 1, new WireBuffer(plain), 0, out, at, plain.length);
    })),
    "6e2e359a2568f98041ba0728dd0d6981e97e7aec1d4360c20a27afccfd9fae0b" +
      "f91b65c5524733ab8f593dabcd62b3571639d624e65152ab8f530c359f0861d8" +
      "07ca0dbf500d6a6156a38e088a22b65e52bc514d16ccf806818ce91ab7793736" +
      "5af90bbf74a35be6b40b8eedf2785e42874d",
  );
});

test("the keystream is @noble/ciphers's for every size from 0 to 260", () => {
  const bytes = Uint8Array.from({ length: 32 }, (_, i) => i * 7);
  const key = new CipherKey(bytes, PORTABLE);
  const nonce = new WireBuffer(Uint8Array.from({ length: NONCE_SIZE }, (_, i) => 200 + i));
  for (let size = 0; size <= 260; size++) {
    assertEquals(
      written(size, ODD_PLACE, (out, at) => {
        key.xor(nonce, 0, 1, new WireBuffer(size), 0, out, at, size);
      }),
      Uint8Array.from(chacha20(bytes, nonce.bytes, new Uint8Array(size), undefined, 1)),
      `${size} bytes`,
    );
  }
});

test("the result is @noble/ciphers's for random keys, nonces, counters, sizes and offsets", () => {
  fc.assert(
    fc.property(
      key32,
      nonce12,
      counter,
      message,
      fc.tuple(place, place, place),
      (key, nonce, counter, bytes, [nonceIs, from, to]) => {
        const source = placed(bytes, from);
        const nonces = placed(nonce, nonceIs);
        assertEquals(
          written(bytes.length, to, (out, at) => {
            const made = new CipherKey(key, PORTABLE);
            made.xor(nonces, nonceIs.at, counter, source, from.at, out, at, bytes.length);
          }),
          Uint8Array.from(chacha20(key, nonce, bytes, undefined, counter)),
        );
      },
    ),
  );
});

test("it works in place, and twice is the plaintext again", () => {
  fc.assert(fc.property(key32, nonce12, message, place, (secret, nonce, bytes, where) => {
    const key = new CipherKey(secret, PORTABLE);
    const nonces = new WireBuffer(nonce);
    const buffer = placed(bytes, where);
    const before = buffer.bytes.slice();
    key.xor(nonces, 0, 1, buffer, where.at, buffer, where.at, bytes.length);
    assertEquals(
      hex(buffer.bytes.slice(where.at, where.at + bytes.length)),
      hex(chacha20(secret, nonce, bytes, undefined, 1)),
    );
    key.xor(nonces, 0, 1, buffer, where.at, buffer, where.at, bytes.length);
    assertEquals(buffer.bytes, before);
  }));
});

test("the source and the nonce are left as they are", () => {
  fc.assert(fc.property(key32, nonce12, message, (key, nonce, bytes) => {
    const source = placed(bytes, ODD_PLACE);
    const nonces = placed(nonce, ODD_PLACE);
    const before = [source.bytes.slice(), nonces.bytes.slice()];
    const { at } = ODD_PLACE;
    const out = new WireBuffer(bytes.length);
    new CipherKey(key, PORTABLE).xor(nonces, at, 1, source, at, out, 0, bytes.length);
    assertEquals([source.bytes, nonces.bytes], before);
  }));
});

test("the key is not kept: changing its bytes later changes nothing", () => {
  const bytes = new Uint8Array(32).fill(5);
  const key = new CipherKey(bytes, PORTABLE);
  bytes.fill(6);
  const out = new WireBuffer(70);
  key.xor(new WireBuffer(NONCE_SIZE), 0, 1, new WireBuffer(70), 0, out, 0, 70);
  const nonce = new Uint8Array(NONCE_SIZE);
  assertEquals(
    hex(out.bytes),
    hex(chacha20(new Uint8Array(32).fill(5), nonce, new Uint8Array(70), undefined, 1)),
  );
});

test("a key has 32 bytes", () => {
  for (const size of [0, 16, 31, 33]) {
    const make = () => new CipherKey(new Uint8Array(size), PORTABLE);
    assertThrows(make, RangeError, `${size} bytes, not 32`);
  }
});

test("nonce, source and target must lie inside their buffers", () => {
  const key = new CipherKey(new Uint8Array(32), PORTABLE);
  const nonce = new WireBuffer(NONCE_SIZE);
  const big = new WireBuffer(100);
  assertNeeds(NONCE_SIZE, (buffer, at) => key.xor(buffer, at, 1, big, 0, big, 0, 100));
  assertNeeds(100, (buffer, at) => key.xor(nonce, 0, 1, buffer, at, big, 0, 100));
  assertNeeds(100, (buffer, at) => key.xor(nonce, 0, 1, big, 0, buffer, at, 100));
});

import { assertEquals, assertThrows } from "@std/assert";
import { AeadKey, LONG_NONCE_SIZE, TAG_SIZE } from "../../../lib/wire/crypto/aead_key.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { assertNeeds, hex, ODD_PLACE, placed, unhex } from "../../support/bytes.ts";
import { test } from "../../testing.ts";

test("the example of draft-irtf-cfrg-xchacha-03, A.3.1 comes out, and is opened", () => {
  const key = new AeadKey(Uint8Array.from({ length: 32 }, (_, i) => 0x80 + i), PORTABLE);
  const nonce = placed(Uint8Array.from({ length: 24 }, (_, i) => 0x40 + i), ODD_PLACE);
  const associated = placed(unhex("50515253c0c1c2c3c4c5c6c7"), ODD_PLACE);
  const text = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for " +
    "the future, sunscreen would be it.";
  const plain = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const { at } = ODD_PLACE;
  const buffer = placed(Uint8Array.from([...plain, ...new Uint8Array(TAG_SIZE)]), ODD_PLACE);
  const inside = () => buffer.bytes.slice(at, at + plain.length + TAG_SIZE);
  key.seal(nonce, at, associated, at, 12, buffer, at, plain.length);
  assertEquals(
    hex(inside()),
    "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39" +
      "ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9" +
      "21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49",
  );
  assertEquals(key.open(nonce, at, associated, at, 12, buffer, at, plain.length), true);
  assertEquals(inside().slice(0, -TAG_SIZE), plain);
});

test("a sealing key has 32 bytes", () => {
  for (const size of [0, 31, 33]) {
    const make = () => new AeadKey(new Uint8Array(size), PORTABLE);
    assertThrows(make, RangeError, `${size} bytes, not 32`);
  }
});

test("keys, nonces, associated data and messages must lie inside their buffers", () => {
  const key = new AeadKey(new Uint8Array(32), PORTABLE);
  const nonce = new WireBuffer(LONG_NONCE_SIZE);
  const big = new WireBuffer(100);
  assertNeeds(32, (buffer, at) => key.rekey(buffer, at));
  for (const use of [key.seal.bind(key), key.open.bind(key)]) {
    assertNeeds(LONG_NONCE_SIZE, (buffer, at) => use(buffer, at, big, 0, 8, big, 0, 40));
    assertNeeds(30, (buffer, at) => use(nonce, 0, buffer, at, 30, big, 0, 40));
    assertNeeds(40 + TAG_SIZE, (buffer, at) => use(nonce, 0, nonce, 0, 8, buffer, at, 40));
  }
});

import { assertEquals, assertThrows } from "@std/assert";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { deriveKey } from "../../../lib/wire/crypto/hkdf.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { key32 } from "../../support/arbitraries.ts";
import { hex, unhex } from "../../support/bytes.ts";
import { test } from "../../testing.ts";

test("the example of RFC 5869, A.3 comes out", () => {
  const out = new Uint8Array(42);
  const material = { secret: new Uint8Array(22).fill(0x0b), info: new Uint8Array() };
  deriveKey(material, out, PORTABLE);
  assertEquals(
    hex(out),
    "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
  );
});

test("keys of any size are @noble/hashes's, and nothing that they are made of is changed", () => {
  const bytes = fc.uint8Array({ maxLength: 100 });
  const salts = fc.option(key32, { nil: undefined });
  fc.assert(fc.property(bytes, salts, bytes, fc.nat(200), (secret, salt, info, size) => {
    const wanted = hkdf(sha256, secret, salt, info, size);
    const given = { secret: secret.slice(), info: info.slice() };
    const out = new Uint8Array(size);
    deriveKey(salt === undefined ? given : { ...given, salt }, out, PORTABLE);
    assertEquals(hex(out), hex(wanted));
    assertEquals([hex(given.secret), hex(given.info)], [hex(secret), hex(info)]);
  }));
});

test("a salt has 32 bytes, and a key 8160 at most", () => {
  const [secret, info] = [new Uint8Array(1), new Uint8Array()];
  const derive = (salt: number, size: number) =>
    deriveKey({ secret, info, salt: new Uint8Array(salt) }, new Uint8Array(size), PORTABLE);
  derive(32, 8160);
  assertThrows(() => derive(31, 1), RangeError, "31 bytes, not 32");
  assertThrows(() => derive(32, 8161), RangeError, "8160 at most");
});

test("what is wiped is a copy", () => {
  const salt = unhex("11".repeat(32));
  deriveKey({ secret: salt, salt, info: salt }, new Uint8Array(64), PORTABLE);
  assertEquals(hex(salt), "11".repeat(32));
});

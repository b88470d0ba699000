import { assert, assertEquals, assertThrows } from "@std/assert";
import { p256 } from "@noble/curves/nist.js";
import fc from "fast-check";
import {
  checkPrivateKey,
  ECDSA_P256,
  ED25519,
  SIGNATURE_SIZE,
} from "../../../lib/wire/crypto/signing.ts";
import { portableSigning, verifySignature } from "../../../lib/wire/crypto/portable_signing.ts";
import { parseKeyFile } from "../../../lib/core/zone/server/key_file.ts";
import { KEY_VECTORS } from "../../support/dnssec_vectors.ts";
import { test } from "../../testing.ts";

test("the signatures of the RFCs are right, of nothing else, and Ed25519's come out again", () => {
  for (const { source, file, signed } of KEY_VECTORS) {
    if (signed === undefined) continue;
    const { algorithm, privateKey } = parseKeyFile(new TextEncoder().encode(file));
    const key = portableSigning(algorithm, privateKey);
    const { message, signature } = signed;
    const isRight = (message: Uint8Array, signature: Uint8Array) =>
      verifySignature(algorithm, key.publicKey, message, signature);
    assert(isRight(message, signature), source);
    assertEquals(isRight(message.with(0, message[0]! ^ 1), signature), false, source);
    assertEquals(isRight(message, signature.with(40, signature[40]! ^ 1)), false, source);
    assertEquals(isRight(message, signature.subarray(1)), false, source);
    if (algorithm === ED25519) assertEquals(key.sign(message), signature, source);
    const made = key.sign(message);
    assertEquals(made.length, SIGNATURE_SIZE);
    assert(isRight(message, made), source);
  }
});

test("a private key of P-256 is a number from 1 to the order, exclusive", () => {
  const order = p256.Point.CURVE().n;
  const bytes = (number: bigint) =>
    Uint8Array.from({ length: 32 }, (_, i) => Number((number >> BigInt(8 * (31 - i))) & 255n));
  for (const bad of [0n, order, order + 1n, 2n ** 256n - 1n]) {
    assertThrows(() => checkPrivateKey(ECDSA_P256, bytes(bad)), RangeError);
    assertThrows(() => portableSigning(ECDSA_P256, bytes(bad)), RangeError);
    checkPrivateKey(ED25519, bytes(bad));
  }
  for (const good of [1n, order - 1n, order - 256n, 2n ** 255n]) {
    checkPrivateKey(ECDSA_P256, bytes(good));
  }
  fc.assert(fc.property(fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), (number) => {
    const isKey = number > 0n && number < order;
    if (isKey) checkPrivateKey(ECDSA_P256, bytes(number));
    else assertThrows(() => checkPrivateKey(ECDSA_P256, bytes(number)), RangeError);
  }));
  for (const size of [0, 31, 33]) {
    assertThrows(() => checkPrivateKey(ED25519, new Uint8Array(size)), RangeError);
  }
});

test("what a key was made of may be overwritten", () => {
  for (const algorithm of [ECDSA_P256, ED25519] as const) {
    const privateKey = new Uint8Array(32).fill(3);
    const key = portableSigning(algorithm, privateKey);
    privateKey.fill(0);
    const message = Uint8Array.of(1, 2, 3);
    assert(verifySignature(algorithm, key.publicKey, message, key.sign(message)));
  }
});

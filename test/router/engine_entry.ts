/**
 * A program for the engine of the router binaries that prints {@linkcode engineFacts} and
 * {@linkcode cryptoFacts}.
 *
 * @module
 */

import "../../lib/host/quickjs/globals.ts";
import { QUICKJS_PRIMITIVES } from "../../lib/host/quickjs/crypto.ts";
import { native } from "../../lib/host/quickjs/native.ts";
import { sha256 } from "../../lib/host/quickjs/sha2.ts";
import { cryptoFacts } from "./crypto_facts.ts";
import { engineFacts } from "./engine_facts.ts";

function seal(key: Uint8Array, nonce: Uint8Array, header: Uint8Array, bytes: Uint8Array) {
  const sealed = new Uint8Array(bytes.length + 16);
  sealed.set(bytes);
  native.aeadSeal(key, nonce, 0, header, 0, header.length, sealed, 0, bytes.length);
  return sealed;
}

function multiply(scalar: Uint8Array, point: Uint8Array): Uint8Array {
  const product = new Uint8Array(32);
  native.x25519(scalar, point, product);
  return product;
}

const facts = [
  ...engineFacts(),
  ...cryptoFacts({ primitives: QUICKJS_PRIMITIVES, sha256, seal, multiply }),
];
const bytes = native.encode(facts.join("\n"));
for (let at = 0; at < bytes.length;) {
  const size = native.write(1, bytes, at, bytes.length - at);
  if (size <= 0) break;
  at += size;
}

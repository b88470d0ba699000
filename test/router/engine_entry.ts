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

const facts = [
  ...engineFacts(),
  ...cryptoFacts({ primitives: QUICKJS_PRIMITIVES, sha256 }),
];
const bytes = native.encode(facts.join("\n"));
for (let at = 0; at < bytes.length;) {
  const size = native.write(1, bytes, at, bytes.length - at);
  if (size <= 0) break;
  at += size;
}

/**
 * A program for the engine of the router binaries that prints {@linkcode engineFacts}.
 *
 * @module
 */

import "../../lib/host/quickjs/globals.ts";
import { native } from "../../lib/host/quickjs/native.ts";
import { engineFacts } from "./engine_facts.ts";

const bytes = native.encode(engineFacts().join("\n"));
for (let at = 0; at < bytes.length;) {
  const size = native.write(1, bytes, at, bytes.length - at);
  if (size <= 0) break;
  at += size;
}

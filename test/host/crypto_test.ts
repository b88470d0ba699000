/**
 * The primitives of this runtime, and those that run everywhere.
 *
 * @module
 */

import { DENO_PRIMITIVES } from "../../lib/host/deno/deno.ts";
import { PORTABLE } from "../../lib/wire/crypto/portable.ts";
import { CRYPTO_SCENARIOS } from "./crypto_scenarios.ts";

for (const [where, primitives] of [["Deno", DENO_PRIMITIVES], ["portable", PORTABLE]] as const) {
  for (const [name, run] of Object.entries(CRYPTO_SCENARIOS)) {
    Deno.test(`${where}: ${name}`, () => run(primitives));
  }
}

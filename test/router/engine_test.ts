/**
 * The engine and the cryptography as they are built for each processor: software arithmetic where
 * there is no other, byte order, bytecode that was compiled elsewhere. They must give what this
 * runtime and the portable primitives give, which are compared with noble elsewhere.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { sha256 } from "@noble/hashes/sha2.js";
import { PORTABLE } from "../../lib/wire/crypto/portable.ts";
import { staticBinary } from "../../scripts/router/binary.ts";
import { bundleForEngine, bytecodeFile } from "../../scripts/router/bytecode.ts";
import { ROUTER_TARGETS } from "../../scripts/router/targets.ts";
import { run, testWith } from "../support/program.ts";
import { cryptoFacts } from "./crypto_facts.ts";
import { engineFacts } from "./engine_facts.ts";
import { needsOf, runnerOf } from "./router_binary.ts";

for (const target of ROUTER_TARGETS) {
  testWith(needsOf(target), `engine for ${target.name}: same results as here`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const entry = new URL("./engine_entry.ts", import.meta.url).pathname;
      const files = await bundleForEngine(entry, `${folder}/bundle`);
      await bytecodeFile(files, `${folder}/facts.c`);
      await staticBinary(target, `${folder}/facts.c`, `${folder}/facts`, folder);
      const { code, out, err } = await run([...runnerOf(target), `${folder}/facts`]);
      assertEquals([code, err], [0, ""]);
      const facts = cryptoFacts({ primitives: PORTABLE, sha256 });
      assertEquals(out.split("\n"), [...engineFacts(), ...facts]);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

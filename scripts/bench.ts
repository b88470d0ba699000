/**
 * Measures: nanoseconds per operation of the codecs, bytes allocated per request, and what the
 * built server does on loopback, beside a responder that does nothing.
 *
 * `deno task bench [codec] [allocation] [server]`; without names, all of them. `WGSIG_BENCH_SECONDS`
 * and `WGSIG_BENCH_ROUNDS` say how long the server is measured, `WGSIG_BINARY` which one, instead of
 * one that is built.
 *
 * @module
 */

import { benchServer } from "../test/bench/server_bench.ts";
import { DENO, run, say } from "./tools.ts";

const SECONDS = 0.6;
const ROUNDS = 3;
const V8_FLAGS = "--v8-flags=--expose-gc,--min-semi-space-size=512";

const PARTS: Readonly<Record<string, () => Promise<void>>> = {
  codec: () => run([DENO, "bench", "--allow-all", "test/bench/codec_bench.ts"]),
  allocation: () => run([DENO, "run", "--allow-all", V8_FLAGS, "test/bench/allocation.ts"]),
  async server() {
    if (Deno.env.get("WGSIG_BINARY") === undefined) {
      await run([DENO, "run", "--allow-all", "scripts/build.ts"]);
    }
    await benchServer({
      seconds: numberOf("WGSIG_BENCH_SECONDS", SECONDS),
      rounds: Math.ceil(numberOf("WGSIG_BENCH_ROUNDS", ROUNDS)),
    });
    say("These figures hold for this machine and this moment; compare ratios of paired runs.");
  },
};

/** A number above 0 from the environment. */
function numberOf(name: string, usual: number): number {
  const value = Number(Deno.env.get(name) ?? usual);
  if (value > 0 && value < Infinity) return value;
  throw new Error(`${name} must be a number above 0`);
}

const names = Deno.args.length > 0 ? Deno.args : Object.keys(PARTS);
const unknown = names.find((name) => PARTS[name] === undefined);
if (unknown !== undefined) {
  throw new Error(`"${unknown}" is no part; there are ${Object.keys(PARTS).join(", ")}`);
}
for (const name of names) await PARTS[name]!();

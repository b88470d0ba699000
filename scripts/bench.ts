/**
 * Measures: nanoseconds per operation of the codecs, bytes allocated per request, what signed answers of
 * DNS zones take, what a lease server with 10 000 leases spends on a request, what keeping a state writes
 * to the disk, and what the built server needs to start and does on loopback, beside a responder that does
 * nothing; whether its memory grows, what it does with a crowd of peers, and what it loses where it is
 * killed.
 *
 * `deno task bench [codec] [allocation] [signing] [start] [memory] [lease] [relay] [state] [http] [server]
 * [load] [tunnel] [kill] [zone]`; without names, all of them but the last four. `load` has options of its own:
 * `--peers 1000000`, and others that docs/scale.md has. `WGSIG_BENCH_SECONDS` and `WGSIG_BENCH_ROUNDS` say how long the
 * server is measured, `WGSIG_BENCH_REQUESTS` how many it is asked while its memory is watched,
 * `WGSIG_BENCH_MOMENTS` how often it is killed, `WGSIG_BINARY` which one, instead of one that is built.
 *
 * @module
 */

import { benchCrowd } from "../test/bench/crowd_bench.ts";
import { benchHttp } from "../test/bench/http_bench.ts";
import { benchMemory } from "../test/bench/memory_bench.ts";
import { benchRelay } from "../test/bench/relay_bench.ts";
import { benchServer } from "../test/bench/server_bench.ts";
import { benchStart } from "../test/bench/start_bench.ts";
import { benchKill, benchState } from "../test/bench/state_bench.ts";
import { benchTunnel } from "../test/bench/tunnel_bench.ts";
import { benchZone } from "../test/bench/zone/bench.ts";
import { bundle, bunProgram, DENO, ownTarget, ROOT, run, say } from "./tools.ts";

const SECONDS = 0.6;
const ROUNDS = 3;
const REQUESTS = 1_000_000;
const STATE_SECONDS = 30;
const MOMENTS = 300;
const TUNNEL_SECONDS = 5;
const ZONE_PEERS = 10_000;
const V8_FLAGS = "--v8-flags=--expose-gc,--min-semi-space-size=512";

const PARTS: Readonly<Record<string, () => Promise<void>>> = {
  codec: () => run([DENO, "bench", "--allow-all", "test/bench/codec_bench.ts"]),
  allocation: () => run([DENO, "run", "--allow-all", V8_FLAGS, "test/bench/allocation.ts"]),
  async start() {
    await buildBinary();
    await benchStart(Math.ceil(numberOf("WGSIG_BENCH_ROUNDS", ROUNDS)));
  },
  async memory() {
    await buildBinary();
    await benchMemory(numberOf("WGSIG_BENCH_REQUESTS", REQUESTS));
  },
  async lease() {
    await runOnBun("lease_bench", [[]]);
  },
  async signing() {
    await run([DENO, "run", "--allow-all", "test/bench/signing_bench.ts"]);
    await runOnBun("signing_bench", [[]]);
  },
  async questions() {
    const mutated = String(numberOf("WGSIG_BENCH_REQUESTS", REQUESTS));
    const parts = [["polls"], ["memory"], ["newcomers"], ["rosters"], ["fuzz", mutated]];
    await runOnBun("question_bench", parts);
  },
  async relay() {
    await buildBinary();
    await benchRelay({
      seconds: numberOf("WGSIG_BENCH_SECONDS", SECONDS),
      rounds: Math.ceil(numberOf("WGSIG_BENCH_ROUNDS", ROUNDS)),
    });
  },
  async state() {
    await buildBinary();
    await benchState(numberOf("WGSIG_BENCH_SECONDS", STATE_SECONDS));
  },
  async http() {
    await buildBinary();
    await benchHttp({
      seconds: numberOf("WGSIG_BENCH_SECONDS", SECONDS),
      rounds: Math.ceil(numberOf("WGSIG_BENCH_ROUNDS", ROUNDS)),
    });
  },
  async server() {
    await buildBinary();
    await benchServer({
      seconds: numberOf("WGSIG_BENCH_SECONDS", SECONDS),
      rounds: Math.ceil(numberOf("WGSIG_BENCH_ROUNDS", ROUNDS)),
    });
    say("These figures hold for this machine and this moment; compare ratios of paired runs.");
  },
};

/** Runs a file of the bench on Bun, once with each list of arguments. */
async function runOnBun(name: string, runs: readonly (readonly string[])[]): Promise<void> {
  const file = await Deno.makeTempFile({ suffix: ".js" });
  try {
    await bundle(`${ROOT}/test/bench/${name}.ts`, file);
    const bun = await bunProgram(ownTarget());
    for (const args of runs) await run([bun, file, ...args]);
  } finally {
    await Deno.remove(file);
  }
}

/** What takes long, or needs root, or other name servers. */
const ON_DEMAND: Readonly<Record<string, () => Promise<void>>> = {
  async kill() {
    await buildBinary();
    await benchKill(Math.ceil(numberOf("WGSIG_BENCH_MOMENTS", MOMENTS)));
  },
  async load() {
    await buildBinary();
    await benchCrowd(options);
  },
  async tunnel() {
    await buildBinary();
    const rounds = Math.ceil(numberOf("WGSIG_BENCH_ROUNDS", ROUNDS));
    await benchTunnel(numberOf("WGSIG_BENCH_SECONDS", TUNNEL_SECONDS), rounds);
  },
  async zone() {
    await buildBinary();
    await benchZone({
      seconds: numberOf("WGSIG_BENCH_SECONDS", SECONDS),
      rounds: Math.ceil(numberOf("WGSIG_BENCH_ROUNDS", ROUNDS)),
      peers: Math.ceil(numberOf("WGSIG_BENCH_PEERS", ZONE_PEERS)),
      former: Deno.env.get("WGSIG_FORMER"),
    });
  },
};

/** Builds what is measured, where nothing else was named. */
async function buildBinary(): Promise<void> {
  if (Deno.env.get("WGSIG_BINARY") !== undefined) return;
  await run([DENO, "run", "--allow-all", "scripts/build.ts"]);
}

/** A number above 0 from the environment. */
function numberOf(name: string, usual: number): number {
  const value = Number(Deno.env.get(name) ?? usual);
  if (value > 0 && value < Infinity) return value;
  throw new Error(`${name} must be a number above 0`);
}

const firstOption = Deno.args.findIndex((arg) => arg.startsWith("-"));
const given = firstOption < 0 ? Deno.args : Deno.args.slice(0, firstOption);
/** Of a part that has some. */
const options = firstOption < 0 ? [] : Deno.args.slice(firstOption);
const names = given.length > 0 ? given : Object.keys(PARTS);
const all = { ...PARTS, ...ON_DEMAND };
const unknown = names.find((name) => all[name] === undefined);
if (options.length > 0 && names.join() !== "load") {
  throw new Error("only load has options");
}
if (unknown !== undefined) {
  throw new Error(`"${unknown}" is no part; there are ${Object.keys(all).join(", ")}`);
}
for (const name of names) await all[name]!();

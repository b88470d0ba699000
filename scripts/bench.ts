/**
 * Measures: nanoseconds per operation of the codecs, bytes allocated per request, requests per
 * second of the built server on loopback.
 *
 * @module
 */

import { encodeHex } from "@std/encoding/hex";
import { SECRET } from "../test/bench/requests.ts";
import {
  BINARY,
  bundle,
  bunProgram,
  DENO,
  has,
  ownTarget,
  portOf,
  ROOT,
  run,
  say,
} from "./tools.ts";

const SECONDS = "3";
const ROUNDS = 3;
const V8_FLAGS = "--v8-flags=--expose-gc,--min-semi-space-size=512";

/** One core for the server, another for the load, where there is a way to say so. */
function pinned(core: number, argv: readonly string[]): string[] {
  const cores = navigator.hardwareConcurrency;
  return has("taskset") && cores > 1 ? ["taskset", "-c", String(core), ...argv] : [...argv];
}

async function serverBench(): Promise<void> {
  const folder = await Deno.makeTempDir();
  const load = `${folder}/load.js`;
  await bundle(`${ROOT}/test/bench/load.ts`, load);
  const bun = await bunProgram(ownTarget());
  await Deno.writeTextFile(`${folder}/secret`, encodeHex(SECRET), { mode: 0o600 });
  const [program = "", ...args] = pinned(0, [
    BINARY,
    "serve",
    "--listen",
    "127.0.0.1:0",
    "--secret",
    `${folder}/secret`,
    // One datagram an answer.
    "--max-answer",
    "10",
  ]);
  const server = new Deno.Command(program, { args, stdout: "piped" }).spawn();
  try {
    const port = await portOf(server);
    for (let round = 0; round < ROUNDS; round++) {
      for (const form of ["plain", "encrypted"]) {
        await run(pinned(1, [bun, load, port, SECONDS, form, String(server.pid)]));
      }
    }
  } finally {
    server.kill("SIGTERM");
    await server.stdout.cancel();
    await server.status;
    await Deno.remove(folder, { recursive: true });
  }
}

await run([DENO, "bench", "--allow-all", "test/bench/codec_bench.ts"]);
await run([DENO, "run", "--allow-all", V8_FLAGS, "test/bench/allocation.ts"]);
await run([DENO, "run", "--allow-all", "scripts/build.ts"]);
await serverBench();
say("These figures hold for this machine and this moment; compare ratios of paired runs.");

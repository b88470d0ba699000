/** `wgsig sync` while nothing happens: it does nothing, and costs nothing. `WGSIG_SOAK=1`: longer. */

import { assert, assertEquals } from "@std/assert";
import { isRouterBinary, memoryOf, testWith } from "../support/program.ts";
import { figure, Lab, LAB_NEEDS } from "./lab.ts";
import { sleep } from "./namespace.ts";
import { Ping } from "./ping.ts";

/** Looks to wait for; each has one run of wg, and two questions to the registry. */
const LOOKS = Deno.env.get("WGSIG_SOAK") === "1" ? 5000 : 1000;
/** Looks until what the program keeps is there, and what it needed to start is gone. */
const WARM_UP = LOOKS * 0.3;
/** Of sync, in seconds: a clock 250 times as fast as by default. */
const INTERVAL = 0.1;
/** An interval takes a little longer than it says, as the questions take their time. */
const LIMIT = LOOKS * INTERVAL * 3;
const PING_INTERVAL = 0.2;
/** What a garbage collector may leave lying about for a while. */
const MAX_GROWTH_KB = 8 * 1024;
/** All that it may have on a small router. */
const ROUTER_KB = 3776;

/** A folder with a `wg` that counts how often it is run. */
async function countingWg(folder: string): Promise<{ path: string; runs: () => Promise<number> }> {
  const path = `${folder}/counting`;
  const log = `${path}/runs`;
  await Deno.mkdir(path);
  await Deno.writeTextFile(log, "");
  await Deno.writeTextFile(
    `${path}/wg`,
    `#!/bin/sh\necho "$*" >> ${log}\nPATH="\${PATH#*:}"\nexec wg "$@"\n`,
    { mode: 0o755 },
  );
  const runs = async () => (await Deno.readTextFile(log)).split("\n").length - 1;
  return { path, runs };
}

testWith(LAB_NEEDS, `lab: ${LOOKS} looks at a healthy tunnel change nothing`, async () => {
  await using lab = await Lab.withWireGuard("preserve", "eim");
  const wg = await countingWg(lab.folder);
  const env = { PATH: `${wg.path}:${Deno.env.get("PATH")}` };
  await lab.serve();
  const alice = lab.syncWith(lab.alice, ["--interval", `${INTERVAL * 1000}ms`], { env });
  const bob = lab.sync(lab.bob, "--interval", "1s");
  await alice.printed(/ peer-alive /);
  await bob.printed(/ peer-alive /);
  // Where both sides begin a handshake at once, WireGuard may need 15 s to agree (1 of 100 starts).
  const first = new Ping(lab.alice.namespace, lab.bob.address);
  await first.reply(30);
  await first.stop();
  const lines = [alice.out, bob.out];
  const endpoints = await Promise.all([lab.alice.endpoints(), lab.bob.endpoints()]);
  const runs = await wg.runs();
  const start = performance.now();
  const looks = async (count: number) => {
    while (await wg.runs() - runs < count) {
      assert(performance.now() - start < LIMIT * 1000, `too few looks: ${await wg.runs() - runs}`);
      await sleep(0.5);
    }
  };

  const ping = new Ping(lab.alice.namespace, lab.bob.address, PING_INTERVAL);
  await looks(WARM_UP);
  const memory = await memoryOf(alice.pid);
  await looks(LOOKS);
  await ping.stop();
  const { sent, unanswered } = await ping.count(1);

  const seconds = (performance.now() - start) / 1000;
  const wgRuns = await wg.runs() - runs;
  const grown = await memoryOf(alice.pid) - memory;
  figure(
    `healthy tunnel, ${wgRuns} looks in ${
      Math.round(seconds)
    } s: ${unanswered.length} of ${sent} ` +
      `pings unanswered, memory ${memory} kB after ${WARM_UP} looks, ${grown} kB more at the end`,
  );
  // Not one line more, so no endpoint was set.
  assertEquals([alice.out, bob.out], lines);
  assertEquals(await Promise.all([lab.alice.endpoints(), lab.bob.endpoints()]), endpoints);
  assertEquals(unanswered, []);
  const fastest = INTERVAL * 0.9;
  assert(wgRuns <= seconds / fastest + 1, `${wgRuns} runs of wg in ${seconds} s`);
  assert(grown < MAX_GROWTH_KB, `memory grew from ${memory} kB by ${grown} kB`);
  if (isRouterBinary()) assert(memory + grown <= ROUTER_KB, `${memory + grown} kB`);
});

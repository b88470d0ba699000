/** `wgsig sync` while nothing happens: it does nothing, and costs nothing. `WGSIG_SOAK=1`: longer. */

import { assert, assertEquals } from "@std/assert";
import { testWith } from "../support/program.ts";
import { figure, Lab, LAB_NEEDS } from "./lab.ts";
import { sleep } from "./namespace.ts";
import { Ping } from "./ping.ts";

const POLLS = Deno.env.get("WGSIG_SOAK") === "1" ? 200 : 60;
/** Of sync, in seconds; it takes up to a tenth more. */
const INTERVAL = 1;
const SECONDS = POLLS * INTERVAL * 1.1;
const PING_INTERVAL = 0.2;
/** What a garbage collector may leave lying about for a while. */
const MAX_GROWTH_KB = 16 * 1024;

/** Memory of a process in kB. */
async function memoryOf(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s*(\d+) kB/m.exec(status)?.[1]);
}

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

testWith(LAB_NEEDS, `lab: ${POLLS} looks at a healthy tunnel change nothing`, async () => {
  await using lab = await Lab.withWireGuard("preserve", "eim");
  const wg = await countingWg(lab.folder);
  const env = { PATH: `${wg.path}:${Deno.env.get("PATH")}` };
  const args = ["--interval", `${INTERVAL}s`];
  await lab.serve();
  const alice = lab.syncWith(lab.alice, args, { env });
  const bob = lab.sync(lab.bob, ...args);
  await alice.printed(/ peer-alive /);
  await bob.printed(/ peer-alive /);
  const lines = [alice.out, bob.out];
  const endpoints = await Promise.all([lab.alice.endpoints(), lab.bob.endpoints()]);
  const runs = await wg.runs();
  const start = performance.now();

  const times = Math.ceil(SECONDS / PING_INTERVAL);
  const ping = new Ping(lab.alice.namespace, lab.bob.address, PING_INTERVAL, times);
  await sleep(SECONDS / 3);
  const memory = await memoryOf(alice.pid);
  const { sent, received } = await ping.count(SECONDS * 2);

  const seconds = (performance.now() - start) / 1000;
  const wgRuns = await wg.runs() - runs;
  const grown = await memoryOf(alice.pid) - memory;
  figure(
    `healthy tunnel for ${Math.round(seconds)} s: ${received} of ${sent} pings answered, ` +
      `${wgRuns} runs of wg, memory ${memory} kB after a third, ${grown} kB more at the end`,
  );
  // Not one line more, so no endpoint was set.
  assertEquals([alice.out, bob.out], lines);
  assertEquals(await Promise.all([lab.alice.endpoints(), lab.bob.endpoints()]), endpoints);
  assertEquals([sent, received], [times, times]);
  const fastest = INTERVAL * 0.9;
  assert(wgRuns <= seconds / fastest + 1, `${wgRuns} runs of wg in ${seconds} s`);
  assert(wgRuns >= POLLS * 0.8, `${wgRuns} looks in ${seconds} s`);
  assert(grown < MAX_GROWTH_KB, `memory grew from ${memory} kB by ${grown} kB`);
});

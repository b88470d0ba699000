/**
 * What registrations feel of HTTP: a light load on the built server, while 1 000 connections hang at its
 * `--status` and a scrape a second is answered between them; beside the same while that happens
 * to another server on the same core, so that what the connections cost the machine is in both.
 *
 * @module
 */

import { bundle, bunProgram, DENO, ownTarget, ROOT, say } from "../../scripts/tools.ts";
import { Running } from "../support/program.ts";
import { LOAD_CORE, pinned, yielding } from "./cores.ts";
import type { Figures } from "./job.ts";
import { Loader } from "./loader.ts";
import { median, sayFigures, sayHeader, sayRatio } from "./report.ts";
import type { BenchOptions } from "./server_bench.ts";
import { startServer, type Target } from "./targets.ts";

/** One request in flight, and a pause after each answer. */
const LIGHT = { kind: "encrypted", clients: 1, pause: 1 } as const;
/** They may make p99 so many times what it is where they are at the other server. */
const MOST_SLOWER = 1.5;
/** Until the connections are there. */
const SETTLE_MS = 1500;

/** Measures in turn, and prints what was found. */
export async function benchHttp({ rounds, seconds }: BenchOptions): Promise<void> {
  const folder = await Deno.makeTempDir();
  const target = await startServer(folder, { status: true });
  const other = await startServer(folder, { status: true });
  try {
    const file = `${folder}/load.js`;
    await bundle(`${ROOT}/test/bench/load.ts`, file);
    const loader = new Loader(await bunProgram(ownTarget()), file, seconds);
    const without: Figures[] = [];
    const elsewhere: Figures[] = [];
    const during: Figures[] = [];
    const scrapes: string[] = [];
    /** Measures while connections hang at a server. */
    const measure = async ({ running }: Target) => {
      const [, port = ""] = await running.printed(/ status-listening address=\S+:(\d+)\n/);
      const hang = [DENO, "run", "--allow-net", `${ROOT}/test/bench/http_hang.ts`, port];
      const hanging = new Running(pinned(LOAD_CORE, yielding(hang)));
      try {
        await new Promise<void>((done) => setTimeout(done, SETTLE_MS));
        return await loader.run(target, LIGHT);
      } finally {
        await hanging.stop("SIGKILL");
        if (running === target.running) scrapes.push(...hanging.out.trim().split("\n"));
      }
    };
    for (let round = 0; round < rounds; round++) {
      without.push(await loader.run(target, LIGHT));
      elsewhere.push(await measure(other));
      during.push(await measure(target));
    }
    sayHeader(`1 in flight, medians of ${rounds}`);
    sayFigures("registrations", without);
    sayFigures("  with 1 000 connections elsewhere", elsewhere);
    sayFigures("  with 1 000 connections, scrapes", during);
    say("");
    const answered = scrapes.filter((line) => line.includes(" 200 "));
    const times = answered.map((line) => Number(line.split(" ")[2]));
    say(
      `scrapes answered: ${answered.length} of ${scrapes.length}, p50 ${
        median(times).toFixed(0)
      } ms`,
    );
    const slower = median(during.map((figures, i) => figures.p99 / elsewhere[i]!.p99));
    sayRatio("registrations: p99 during / elsewhere", slower, "at most", MOST_SLOWER);
    target.running.signal("SIGUSR1");
    const [line] = await target.running.printed(/^.* counters .*$/m);
    say(line.match(/ http-[\w-]+=\d+/g)?.join("") ?? "");
  } finally {
    for (const { running } of [target, other]) await running.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

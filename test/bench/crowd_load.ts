/**
 * The process that seeds a state with a crowd, plays it, or probes a registry. Runs on Bun; the bench
 * bundles it, and starts it with what to do and a job as arguments.
 *
 * @module
 */

import process from "node:process";
import { bunHost } from "../../lib/host/bun/bun.ts";
import { type CrowdJob, type ProbeJob, readCrowdJob, type SeedJob } from "./crowd.ts";
import { playCrowd } from "./crowd_play.ts";
import { probeRegistry } from "./crowd_probe.ts";
import { seedCrowd } from "./crowd_seed.ts";

const host = bunHost();
const [what, job] = host.args;
if (what === "seed") await seedCrowd(host, readCrowdJob<SeedJob>(job));
else if (what === "probe") await probeRegistry(host, readCrowdJob<ProbeJob>(job));
else await playCrowd(host, readCrowdJob<CrowdJob>(job));
process.exit(0);

/**
 * Load on the server of a zone: clients with one question in flight each, for some seconds. Every
 * answer is looked at. Runs on Bun; the bench bundles it, starts it with a job as arguments (see
 * job.ts), and reads the figures that it prints.
 *
 * @module
 */

import process from "node:process";
import { bunHost } from "../../../lib/host/bun/bun.ts";
import { Tally, wait } from "../tally.ts";
import { startTcpClients } from "../tcp_clients.ts";
import { startUdpClients } from "../udp_clients.ts";
import { ZoneDialogue } from "./dialogue.ts";
import { formatZoneFigures, readZoneJob } from "./job.ts";

const WARM_UP_MS = 200;

const host = bunHost();
const job = readZoneJob(host.args);
const { kind, transport, port, pid, clients, pause, peers, seconds } = job;
const dialogue = new ZoneDialogue(job);
const tally = new Tally();

async function start(): Promise<void> {
  if (transport === "tcp") await startTcpClients(host, port, clients, dialogue, tally);
  else await startUdpClients(host, dialogue, port, { clients, pause }, tally);
}

let limitedBefore = 0;
let figures;
if (kind === "first") {
  const measured = tally.measureUntil(host, pid, () => dialogue.asked >= peers);
  await start();
  figures = await measured;
} else {
  await start();
  await wait(host, WARM_UP_MS);
  limitedBefore = dialogue.limited;
  figures = await tally.measure(host, pid, seconds);
}
const limited = (dialogue.limited - limitedBefore) / Math.max(1, tally.count);
host.out.write(`${formatZoneFigures({ ...figures, limited, asked: dialogue.size })}\n`);
if (tally.wrong > 0) host.err.write(`${host.args.join(" ")}: ${tally.wrong} wrong answers\n`);
process.exit(tally.wrong === 0 ? 0 : 1);

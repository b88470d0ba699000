/**
 * Load on a server, or on a responder that does nothing but the same I/O: clients with one request
 * in flight each, for some seconds. Every answer is verified. Runs on Bun; the bench bundles it,
 * starts it with a job as arguments (see job.ts), and reads the figures that it prints.
 *
 * @module
 */

import process from "node:process";
import { bunHost } from "../../lib/host/bun/bun.ts";
import { startBusyClients } from "./busy_clients.ts";
import type { Dialogue } from "./dialogue.ts";
import { dnsDialogue, listDialogue } from "./dns_dialogue.ts";
import { startFullClients } from "./full_clients.ts";
import { formatFigures, type Job, readJob } from "./job.ts";
import { Tally, wait } from "./tally.ts";
import { startTcpClients } from "./tcp_clients.ts";
import { questionDialogue } from "./question_dialogue.ts";
import { flood, startUdpClients } from "./udp_clients.ts";
import { wgsigDialogue } from "./wgsig_dialogue.ts";

const WARM_UP_MS = 300;
/** The wgsig protocol has as many at most here. */
const MAX_CLIENTS = 64;

const host = bunHost();

function dialogueOf({ kind, bareSize }: Job): Dialogue {
  if (kind === "ptr") return listDialogue(bareSize);
  if (kind === "poll") return questionDialogue(host, MAX_CLIENTS, bareSize);
  return kind === "srv"
    ? dnsDialogue(bareSize)
    : wgsigDialogue(host, MAX_CLIENTS, kind === "encrypted", bareSize);
}

async function load(job: Job): Promise<boolean> {
  const { kind, port, pid, seconds, clients } = job;
  const tally = new Tally();
  if (kind === "ptr") await startTcpClients(host, port, clients, dialogueOf(job), tally);
  else if (kind === "full") await startFullClients(host, dialogueOf(job), port, clients, tally);
  else {
    const dialogue = dialogueOf(job);
    const isBusy = clients > 1 && dialogue.perSocket === 1;
    if (isBusy) startBusyClients(dialogue, port, clients, tally);
    else await startUdpClients(host, dialogue, port, job, tally);
  }
  await wait(host, WARM_UP_MS);
  const figures = await tally.measure(host, pid, seconds);
  host.out.write(`${formatFigures(figures)}\n`);
  if (tally.wrong > 0) host.err.write(`${kind}: ${tally.wrong} wrong answers\n`);
  return tally.wrong === 0;
}

/** Over TCP a flood is one that waits: the connections would only fill. */
async function endless(job: Job): Promise<void> {
  const { kind, port, clients } = job;
  if (kind === "ptr") await startTcpClients(host, port, clients, dialogueOf(job), new Tally());
  else await flood(host, dialogueOf(job), port);
}

const job = readJob(host.args);
if (job.pid === 0) await endless(job);
else process.exit(await load(job) ? 0 : 1);

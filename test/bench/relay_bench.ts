/**
 * What the built server spends on a datagram that it relays, against a forwarder that does nothing else
 * on the same runtime; and what a flood through the relay does to those who register.
 *
 * @module
 */

import { encodeHex } from "@std/encoding/hex";
import { bundle, bunProgram, output, ownTarget, ROOT, say } from "../../scripts/tools.ts";
import { BINARY, Running } from "../support/program.ts";
import { LOAD_CORE, pinned, SERVER_CORE, yielding } from "./cores.ts";
import type { Figures } from "./job.ts";
import { readFigures } from "./job.ts";
import { Loader } from "./loader.ts";
import { median, type Pair, sayFigures, sayHeader, sayRatio, sayRatios } from "./report.ts";
import { SECRET } from "./requests.ts";
import type { BenchOptions } from "./server_bench.ts";
import type { Target } from "./targets.ts";

interface Case {
  readonly name: string;
  readonly pairs: number;
  readonly size: number;
  readonly inFlight: number;
}

const CASES: readonly Case[] = [
  { name: "1 pair, 1452 bytes", pairs: 1, size: 1452, inFlight: 64 },
  { name: "16 pairs, 1452 bytes", pairs: 16, size: 1452, inFlight: 8 },
  { name: "50 pairs, 160 bytes", pairs: 50, size: 160, inFlight: 2 },
  { name: "1 pair, one in flight", pairs: 1, size: 160, inFlight: 1 },
];
const FLOOD: Case = { name: "", pairs: 16, size: 1452, inFlight: 16 };
/** What the relay may spend, compared with the forwarder. */
const MOST_CPU = 1.5;
/** A flood through the relay may make p99 of registrations so many times what it is without. */
const MOST_SLOWER = 3;

interface Process {
  readonly running: Running;
  readonly port: number;
}

async function printed(running: Running, pattern: RegExp): Promise<Process> {
  try {
    const [, port] = await running.printed(pattern);
    return { running, port: Number(port) };
  } catch (error) {
    await running.stop("SIGKILL");
    throw error;
  }
}

async function startRelay(folder: string): Promise<Process> {
  await Deno.writeTextFile(`${folder}/secret`, encodeHex(SECRET), { mode: 0o600 });
  const rates = ["relay-pair-rate", "relay-peer-rate", "relay-rate", "answer-budget"];
  const settings = rates.map((each) => `${each} = 0\n`).join("");
  await Deno.writeTextFile(`${folder}/wgsig.toml`, `[serve]\n${settings}`);
  const args = ["--config", `${folder}/wgsig.toml`, "--secret", `${folder}/secret`, "--relay"];
  const argv = [BINARY, "serve", ...args, "--listen", "127.0.0.1:0", "--max-answer", "10"];
  return await printed(
    new Running(pinned(SERVER_CORE, argv)),
    / listening address=\S+:(\d+)\n[^]* ready /,
  );
}

/** Measures. */
export async function benchRelay({ rounds, seconds }: BenchOptions): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "wgsig-relay-" });
  const bun = await bunProgram(ownTarget());
  const running: Running[] = [];
  try {
    const names = ["relay_load", "forwarder", "load"] as const;
    for (const name of names) await bundle(`${ROOT}/test/bench/${name}.ts`, `${folder}/${name}.js`);
    const relay = await startRelay(folder);
    running.push(relay.running);
    const forwarder = await printed(
      new Running(pinned(SERVER_CORE, [bun, `${folder}/forwarder.js`])),
      /ready (\d+)\n/,
    );
    running.push(forwarder.running);
    const argvOf = ({ pairs, size, inFlight }: Case, { port }: Process, pid: number) => {
      const numbers = [port, pid, seconds, pairs, size, inFlight, port === relay.port ? 0 : 1];
      return [bun, `${folder}/relay_load.js`, ...numbers.map(String), encodeHex(SECRET)];
    };
    const measure = async (one: Case, target: Process): Promise<Figures> =>
      readFigures(await output(pinned(LOAD_CORE, argvOf(one, target, target.running.pid))));
    const found: Pair[][] = CASES.map(() => []);
    for (let round = 0; round < rounds; round++) {
      for (const [i, one] of CASES.entries()) {
        const server = await measure(one, relay);
        found[i]!.push({ server, bare: await measure(one, forwarder) });
      }
    }
    sayHeader("relayed datagrams");
    CASES.forEach(({ name }, i) => {
      sayFigures(name, found[i]!.map(({ server }) => server));
      sayFigures("  forwarded", found[i]!.map(({ bare }) => bare));
    });
    say("");
    CASES.forEach(({ name }, i) => sayRatios(name, found[i]!, { cpu: MOST_CPU }));
    await benchFlood(
      new Loader(bun, `${folder}/load.js`, seconds),
      relay,
      rounds,
      () => new Running(pinned(LOAD_CORE, yielding(argvOf(FLOOD, relay, 0)))),
    );
  } finally {
    for (const each of running) await each.stop("SIGKILL");
    await Deno.remove(folder, { recursive: true });
  }
}

/** Registrations, with a flood and without. */
async function benchFlood(
  loader: Loader,
  { running, port }: Process,
  rounds: number,
  flood: () => Running,
): Promise<void> {
  const all = <T>(value: T) => ({
    plain: value,
    encrypted: value,
    poll: value,
    srv: value,
    full: value,
    ptr: value,
  });
  const target: Target = { running, ports: all(port), bareSizes: all(0) };
  // One that pauses: the flood has the rest of its core.
  const demand = { kind: "plain", clients: 1, pause: 1 } as const;
  const ratios: number[] = [];
  const found: { idle: Figures[]; during: Figures[] } = { idle: [], during: [] };
  for (let round = 0; round < rounds; round++) {
    const idle = await loader.run(target, demand);
    const flooding = flood();
    try {
      await new Promise((done) => setTimeout(done, 1500));
      const during = await loader.run(target, demand);
      found.idle.push(idle);
      found.during.push(during);
      ratios.push(during.p99 / idle.p99);
    } finally {
      await flooding.stop("SIGKILL");
    }
  }
  sayHeader("registrations, a thousand a second");
  sayFigures("alone", found.idle);
  sayFigures("during a flood through the relay", found.during);
  sayRatio("registrations: p99 during / without", median(ratios), "at most", MOST_SLOWER);
}

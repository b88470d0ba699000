/**
 * The built server against responders that do nothing but the same I/O, one on the same runtime and
 * one in C, in turn, round by round; each on one core, the load on another.
 *
 * @module
 */

import { bundle, bunProgram, ownTarget, ROOT, say } from "../../scripts/tools.ts";
import { RESPONSE_SIZE } from "../../lib/wire/wgsig/response.ts";
import type { Figures, Kind } from "./job.ts";
import { type Demand, Loader } from "./loader.ts";
import {
  median,
  type Pair,
  sayFigures,
  sayHeader,
  sayRatio,
  sayRatios,
  type Wanted,
} from "./report.ts";
import { FULL_ANSWER } from "./requests.ts";
import {
  type ServerOptions,
  startResponder,
  startResponderInC,
  startServer,
  type Target,
} from "./targets.ts";

/** How long the bench takes. */
export interface BenchOptions {
  readonly rounds: number;
  /** Of each measurement. */
  readonly seconds: number;
}

interface Case extends Demand {
  readonly name: string;
  readonly wanted: Wanted;
  /** The same beside the responder in C, if that answers such requests. */
  readonly wantedInC?: Wanted;
}

/** What the server is compared with. */
interface Other {
  readonly name: string;
  readonly target: Target;
  /** Undefined where it is not asked. */
  readonly wanted: (one: Case) => Wanted | undefined;
}

const MANY = { clients: 64, pause: 0 };
const ONE = { clients: 1, pause: 0 };
const CASES: readonly Case[] = [
  {
    ...MANY,
    name: "wgsig plain, 64 in flight",
    kind: "plain",
    wanted: { cpu: 1.2 },
    wantedInC: { cpu: 1.2 },
  },
  {
    ...MANY,
    name: "wgsig encrypted, 64 in flight",
    kind: "encrypted",
    wanted: { cpu: 1.5 },
    wantedInC: { cpu: 1.3 },
  },
  {
    ...MANY,
    name: "wgsig 2 poll, 64 in flight",
    kind: "poll",
    wanted: { cpu: 2.5 },
    wantedInC: {},
  },
  {
    ...MANY,
    name: "DNS SRV, UDP, 64 in flight",
    kind: "srv",
    wanted: { cpu: 2, rate: 0.5 },
    wantedInC: {},
  },
  { name: "DNS PTR, TCP, 8 in flight", kind: "ptr", clients: 8, pause: 0, wanted: { rate: 0.5 } },
  {
    ...ONE,
    name: "wgsig plain, 1 in flight",
    kind: "plain",
    wanted: { p50: 1.3 },
    wantedInC: {},
  },
  {
    ...ONE,
    name: "wgsig encrypted, 1 in flight",
    kind: "encrypted",
    wanted: { p50: 1.3 },
    wantedInC: {},
  },
  {
    ...ONE,
    name: "DNS SRV, UDP, 1 in flight",
    kind: "srv",
    wanted: { p50: 1.3 },
    wantedInC: {},
  },
];
/** Of a server of its own, which answers with all peers. */
const FULL_CASES: readonly Case[] = [{
  name: `wgsig, ${FULL_ANSWER} datagrams, 8 in flight`,
  kind: "full",
  clients: 8,
  pause: 0,
  wanted: { extra: 90 },
}];
/** Of a server that knows many peers, beside one that knows few. */
const FEW_PEERS = 10;
const MANY_PEERS = 100_000;
const TABLE_CASES: readonly Case[] = [
  { ...MANY, name: `wgsig plain, ${MANY_PEERS} peers`, kind: "plain", wanted: { cpu: 1.3 } },
  { ...MANY, name: `wgsig 2 poll, ${MANY_PEERS} peers`, kind: "poll", wanted: { cpu: 1.3 } },
];

/** How long the server is asked to find out the sizes of its answers. */
const PROBE_SECONDS = 0.1;
/** One request in flight, and a pause after each answer. */
const LIGHT = { clients: 1, pause: 1 };
/** A flood may make p99 of the other protocol so many times what it is without. */
const MOST_SLOWER = 3;

interface FloodCase {
  readonly name: string;
  readonly light: Kind;
  readonly flood: Kind;
}

const FLOODS: readonly FloodCase[] = [
  { name: "wgsig during SRV flood", light: "plain", flood: "srv" },
  { name: "wgsig during PTR over TCP", light: "plain", flood: "ptr" },
  { name: "DNS SRV during wgsig flood", light: "srv", flood: "plain" },
];

/** Runs all cases, and prints what they cost. */
export async function benchServer({ rounds, seconds }: BenchOptions): Promise<void> {
  const folder = await Deno.makeTempDir();
  const targets: Target[] = [];
  try {
    const bun = await bunProgram(ownTarget());
    const file = `${folder}/load.js`;
    await bundle(`${ROOT}/test/bench/load.ts`, file);
    const loader = new Loader(bun, file, seconds);
    const start = async (options: ServerOptions = {}) => {
      const target = await startServer(folder, options);
      targets.push(target);
      return target;
    };
    const server = await start();
    const sizes = await answerSizes(loader, server);
    const bare = await startResponder(bun, folder, sizes);
    targets.push(bare);
    const others: Other[] = [other("the responder", bare)];
    const inC = await startResponderInC(folder, sizes);
    if (inC === undefined) say("The responder in C: left out, there is no gcc");
    else {
      targets.push(inC);
      others.push({ name: "the one in C", target: inC, wanted: ({ wantedInC }) => wantedInC });
    }
    say(`Sizes of the answers: ${Object.entries(sizes).map((each) => each.join(" ")).join(", ")}`);
    await compare(CASES, loader, server, others, rounds);
    await compare(FULL_CASES, loader, await start({ full: true }), others, rounds);
    const large = await start({ peers: MANY_PEERS });
    const small = await start({ peers: FEW_PEERS });
    await compare(TABLE_CASES, loader, large, [other(`${FEW_PEERS} peers`, small)], rounds);
    await compareDuringFloods(loader, server, bare, rounds);
  } finally {
    for (const { running } of targets) await running.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

async function answerSizes(loader: Loader, server: Target): Promise<Target["bareSizes"]> {
  const sizeOf = async (kind: Kind): Promise<number> => {
    const { size } = await loader.run(server, { kind, clients: 1, pause: 0 }, PROBE_SECONDS);
    if (size === 0) throw new Error(`the server doesn't answer what is asked as ${kind}`);
    return size;
  };
  return {
    plain: await sizeOf("plain"),
    encrypted: await sizeOf("encrypted"),
    poll: await sizeOf("poll"),
    srv: await sizeOf("srv"),
    full: RESPONSE_SIZE,
    ptr: await sizeOf("ptr"),
  };
}

/** What all requests are compared with. */
function other(name: string, target: Target): Other {
  return { name, target, wanted: ({ wanted }) => wanted };
}

/** Measures all in turn, another one first in each round. */
async function measureRound(
  round: number,
  measure: (target: Target) => Promise<Figures>,
  targets: readonly Target[],
): Promise<Figures[]> {
  const found: Figures[] = [];
  for (let turn = 0; turn < targets.length; turn++) {
    const i = (round + turn) % targets.length;
    found[i] = await measure(targets[i]!);
  }
  return found;
}

/** The same for the server and one other. */
async function pairOf(
  round: number,
  measure: (target: Target) => Promise<Figures>,
  ...targets: [Target, Target]
): Promise<Pair> {
  const [server, bare] = await measureRound(round, measure, targets);
  return { server: server!, bare: bare! };
}

async function compare(
  cases: readonly Case[],
  loader: Loader,
  server: Target,
  others: readonly Other[],
  rounds: number,
) {
  const asked = cases.map((one) => others.filter(({ wanted }) => wanted(one) !== undefined));
  const found = cases.map((): Figures[][] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, demand] of cases.entries()) {
      const targets = [server, ...asked[i]!.map(({ target }) => target)];
      found[i]!.push(await measureRound(round, (target) => loader.run(target, demand), targets));
    }
  }
  sayHeader(`medians of ${rounds} rounds`);
  for (const [i, { name }] of cases.entries()) {
    for (const [n, row] of [name, ...asked[i]!.map(({ name }) => `  ${name}`)].entries()) {
      sayFigures(row, found[i]!.map((figures) => figures[n]!));
    }
  }
  for (const each of others) {
    const compared = cases.filter((one) => each.wanted(one) !== undefined);
    if (compared.length === 0) continue;
    say(`\nserver / ${each.name}, medians of the rounds' ratios:`);
    for (const one of compared) {
      const i = cases.indexOf(one);
      const n = 1 + asked[i]!.indexOf(each);
      const pairs = found[i]!.map((figures) => ({ server: figures[0]!, bare: figures[n]! }));
      sayRatios(one.name, pairs, each.wanted(one)!);
    }
  }
}

async function compareDuringFloods(loader: Loader, server: Target, bare: Target, rounds: number) {
  const idle = FLOODS.map((): Pair[] => []);
  const during = FLOODS.map((): Pair[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, { light: kind, flood }] of FLOODS.entries()) {
      const demand = { ...LIGHT, kind };
      idle[i]!.push(await pairOf(round, (target) => loader.run(target, demand), server, bare));
      const measure = (target: Target) => loader.runDuring(target, demand, flood);
      during[i]!.push(await pairOf(round, measure, server, bare));
    }
  }
  sayHeader("light load, 1 in flight");
  for (const [i, { name }] of FLOODS.entries()) {
    sayFigures(`${name}: without`, idle[i]!.map((pair) => pair.server));
    sayFigures("  during", during[i]!.map((pair) => pair.server));
    sayFigures("  the responder: without", idle[i]!.map((pair) => pair.bare));
    sayFigures("  the responder: during", during[i]!.map((pair) => pair.bare));
  }
  say("");
  for (const [i, { name }] of FLOODS.entries()) {
    const slower = (which: keyof Pair) =>
      median(during[i]!.map((pair, round) => pair[which].p99 / idle[i]![round]![which].p99));
    sayRatio(`${name}: p99 during / without`, slower("server"), "at most", MOST_SLOWER);
    say(`  the responder's: ${slower("bare").toFixed(2)}`);
  }
}

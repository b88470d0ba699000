/**
 * What questions to a zone of many peers cost, unsigned and signed: the built server, and others with
 * the same records, in turn, round by round; each on one core, the load on another.
 *
 * A signed answer is longer, and that much longer it may take: the time of a signed one, divided by
 * that of an unsigned one, is compared with their sizes, divided likewise.
 *
 * @module
 */

import { bundle, bunProgram, output, ownTarget, ROOT, say } from "../../../scripts/tools.ts";
import { BINARY, isFile, memoryOf, ROUTER_BINARY } from "../../support/program.ts";
import { ahead, LOAD_CORE, pinned } from "../cores.ts";
import { median, sayRatio } from "../report.ts";
import {
  readZoneFigures,
  type Transport,
  zoneArguments,
  type ZoneFigures,
  type ZoneKind,
} from "./job.ts";
import { countersOf, startOthers, startOwn, type ZoneServer } from "./servers.ts";

/** How long the bench takes. */
export interface ZoneBenchOptions {
  readonly rounds: number;
  /** Of each measurement. */
  readonly seconds: number;
  readonly peers: number;
  /** Another binary of the large program, to compare unsigned zones with: a former one. */
  readonly former: string | undefined;
}

interface Case {
  readonly name: string;
  readonly kind: ZoneKind;
  readonly transport: Transport;
  readonly clients: number;
  readonly pause: number;
}

const MANY = { transport: "udp", clients: 64, pause: 0 } as const;
/** No more than is signed anew in a second, so that all is answered. */
const PACED = { transport: "udp", clients: 16, pause: 5 } as const;
const CASES: readonly Case[] = [
  { ...MANY, name: "SRV of a peer, UDP", kind: "srv" },
  { ...MANY, name: "A of a peer, UDP", kind: "a" },
  { ...MANY, name: "TXT of a peer, UDP", kind: "txt" },
  { ...PACED, name: "names that nobody has, UDP, paced", kind: "nobody" },
  { ...MANY, name: "names that nobody has, UDP, flood", kind: "nobody" },
  { name: "SRV of a peer, TCP", kind: "srv", transport: "tcp", clients: 32, pause: 0 },
  { name: "names that nobody has, TCP", kind: "nobody", transport: "tcp", clients: 32, pause: 0 },
  { name: "PTR of all, TCP", kind: "ptr", transport: "tcp", clients: 8, pause: 0 },
];
const FIRST: Case = { ...MANY, name: "SRV, each peer once", kind: "first" };
/** Until all is signed: how much is signed in a second has a bound. */
const MOST_PASSES = 20;
/** A signed answer may take so many times what its size lets one expect. */
const MOST_BEYOND_SIZE = 1.5;
/** And an unsigned one so many times what it took before. */
const MOST_BESIDE_FORMER = 1.05;

/** What is measured of a case: one server, signed or not. */
interface Column {
  readonly server: ZoneServer;
  readonly signed: boolean;
}

/** Runs all cases, and prints what they cost. */
export async function benchZone(options: ZoneBenchOptions): Promise<void> {
  const { rounds, peers, former } = options;
  const folder = await Deno.makeTempDir();
  const servers: ZoneServer[] = [];
  const own = async (name: string, binary: string, signs: boolean) => {
    const server = await startOwn(folder, { name, binary, peers, signs });
    servers.push(server);
    return server;
  };
  try {
    const loader = await ZoneLoader.make(folder, options);
    const unsigned = await own("wgsig, zone not signed", BINARY, false);
    const signing = await own("wgsig", BINARY, true);
    const before = former === undefined ? undefined : await own("wgsig, former", former, false);
    if (isFile(ROUTER_BINARY)) await own("wgsig for routers, not signed", ROUTER_BINARY, false);
    else say("The binary for routers is left out: deno task build:router makes it");
    servers.push(...await startOthers(folder, peers));
    await sayFirst(loader, servers, signing);
    const found = new Map<Case, Found>();
    for (const one of CASES) found.set(one, new Found(servers));
    // The runtime is slow at first: that round doesn't count.
    for (let round = -1; round < rounds; round++) {
      for (const [one, { columns, figures }] of found) {
        for (let turn = 0; turn < columns.length; turn++) {
          const i = (round + 1 + turn) % columns.length;
          const measured = await loader.run(columns[i]!, one);
          if (round >= 0) figures[i]!.push(measured);
        }
      }
    }
    sayTable(found, rounds);
    sayRatios(found, signing, unsigned, before);
    const counters = await countersOf(signing);
    say(`\nCounters of wgsig: ${JSON.stringify(counters)}`);
  } finally {
    for (const { running } of servers) await running.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

/** What was found of a case: of each column, the rounds. */
class Found {
  readonly columns: readonly Column[];
  readonly figures: readonly ZoneFigures[][];

  constructor(servers: readonly ZoneServer[]) {
    this.columns = servers.flatMap((server) => [
      { server, signed: false },
      ...(server.signs ? [{ server, signed: true }] : []),
    ]);
    this.figures = this.columns.map(() => []);
  }

  /** The rounds of a server. */
  of(server: ZoneServer, signed: boolean): readonly ZoneFigures[] {
    const i = this.columns.findIndex((each) => each.server === server && each.signed === signed);
    return this.figures[i]!;
  }
}

/** Runs loads. */
class ZoneLoader {
  readonly #argv: readonly string[];
  readonly #options: ZoneBenchOptions;

  private constructor(argv: readonly string[], options: ZoneBenchOptions) {
    this.#argv = argv;
    this.#options = options;
  }

  static async make(folder: string, options: ZoneBenchOptions): Promise<ZoneLoader> {
    const file = `${folder}/load.js`;
    await bundle(`${ROOT}/test/bench/zone/load.ts`, file);
    return new ZoneLoader([await bunProgram(ownTarget()), file], options);
  }

  /** Runs a load and returns what it found. Throws if an answer was wrong. */
  async run({ server, signed }: Column, one: Case): Promise<ZoneFigures> {
    const { seconds, peers } = this.#options;
    const { port, running: { pid } } = server;
    const args = zoneArguments({ ...one, signed, port, pid, seconds, peers });
    return readZoneFigures(await output(ahead(pinned(LOAD_CORE, [...this.#argv, ...args]))));
  }
}

/** The signatures of all peers, made and then made use of. */
async function sayFirst(
  loader: ZoneLoader,
  servers: readonly ZoneServer[],
  signing: ZoneServer,
): Promise<void> {
  const heads = ["per s", "µs CPU", "limited", "MB more"].map((each) => each.padStart(9));
  say(`\n${"SRV with DO of each peer, in turn".padEnd(34)}${heads.join("")}`);
  for (const server of servers.filter(({ signs }) => signs)) {
    let missing = 1;
    let made = 0;
    for (let pass = 1; pass <= MOST_PASSES; pass++) {
      const isLast = missing === 0;
      const before = await memoryOf(server.running.pid);
      const { rate, cpu, limited } = await loader.run({ server, signed: true }, FIRST);
      const more = (await memoryOf(server.running.pid) - before) / 1000;
      const percent = `${(limited * 100).toFixed(0)} %`;
      const row = [rate.toFixed(0), cpu.toFixed(1), percent, more.toFixed(1)];
      const columns = row.map((each) => each.padStart(9));
      say(`${`  ${server.name}, pass ${pass}`.padEnd(34)}${columns.join("")}`);
      if (server === signing) {
        const { "dns-signed": signed = 0 } = await countersOf(server);
        sayRatio("    signatures made", signed - made, "at most", isLast ? 0 : undefined);
        made = signed;
      }
      if (isLast) break;
      missing = limited;
    }
  }
}

function sayTable(found: ReadonlyMap<Case, Found>, rounds: number): void {
  say(`\nmedians of ${rounds} rounds; bytes of a question, and of its answer`);
  const heads = ["per s", "µs CPU", "busy", "p99 µs", "asks", "bytes", "limited"];
  for (const [{ name }, { columns, figures }] of found) {
    say(`\n${name.padEnd(34)}${heads.map((each) => each.padStart(9)).join("")}`);
    for (const [i, { server, signed }] of columns.entries()) {
      const of = (key: keyof ZoneFigures) => median(figures[i]!.map((each) => each[key]));
      const row = [
        of("rate").toFixed(0),
        of("cpu").toFixed(1),
        `${(of("busy") * 100).toFixed(0)} %`,
        of("p99").toFixed(0),
        of("asked").toFixed(0),
        of("size").toFixed(0),
        `${(of("limited") * 100).toFixed(0)} %`,
      ];
      const label = `  ${server.name}${signed ? ", DO" : ""}`;
      say(`${label.padEnd(34)}${row.map((each) => each.padStart(9)).join("")}`);
    }
  }
}

function sayRatios(
  found: ReadonlyMap<Case, Found>,
  signing: ZoneServer,
  unsigned: ZoneServer,
  before: ZoneServer | undefined,
): void {
  for (const [{ name, kind }, each] of found) {
    say(`\n${name}: medians of the rounds' ratios`);
    for (const server of each.columns.filter(({ signed }) => signed).map(({ server }) => server)) {
      const ratio = (key: "cpu" | "size") =>
        ratioOf(each.of(server, true), each.of(server, false), key);
      const [time, size] = [ratio("cpu"), ratio("size")];
      // What nobody asked before is signed anew, which takes what it takes.
      const limit = server === signing && kind !== "nobody" ? MOST_BEYOND_SIZE : undefined;
      const sizes = `DO / not: CPU ${time.toFixed(2)}, bytes ${size.toFixed(2)}`;
      sayRatio(`  ${server.name}: ${sizes}, CPU / bytes`, time / size, "at most", limit);
    }
    if (signing.signs) {
      const ratio = ratioOf(each.of(signing, false), each.of(unsigned, false), "cpu");
      sayRatio("  not DO, of a signed zone / of one that isn't: CPU", ratio, "at most", undefined);
    }
    if (before === undefined) continue;
    const ratio = ratioOf(each.of(unsigned, false), each.of(before, false), "cpu");
    sayRatio("  zone not signed / the former binary's: CPU", ratio, "at most", MOST_BESIDE_FORMER);
  }
}

/** The median of the rounds' ratios. */
function ratioOf(
  ours: readonly ZoneFigures[],
  others: readonly ZoneFigures[],
  key: "cpu" | "size",
): number {
  return median(ours.map((each, round) => each[key] / others[round]![key]));
}

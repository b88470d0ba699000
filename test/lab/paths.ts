/**
 * Pairs of sites: which path their tunnel is to take, and which it does take.
 *
 * @module
 */

import type { Running } from "../support/program.ts";
import { atATime } from "./at_a_time.ts";
import { Lab, REGISTRY_NAME } from "./lab.ts";
import { sleep } from "./namespace.ts";
import { Ping } from "./ping.ts";
import { endpointOf, serveRelay, wayOf } from "./relay_scene.ts";
import {
  hasIpv6,
  type Kinds,
  outerNat,
  SHARED_KINDS,
  type SharedKind,
  SITE_KINDS,
  type SiteKind,
} from "./site.ts";

/**
 * How a tunnel gets to the other side.
 *
 * - `punched`: to where the registry sees the peer.
 * - `roamed`: one side's port is another than the registry sees; the other side lets all in.
 * - `predicted`, `birthday`: the same, found out by many probes.
 */
export type Path = "lan" | "ipv6" | "punched" | "roamed" | "predicted" | "birthday" | "relay";

/** All pairs of sites, each once, and the sites that are shared. */
export const ALL_PAIRS: readonly Kinds[] = [
  ...SITE_KINDS.flatMap((a, i) => SITE_KINDS.slice(i).map((b): Kinds => [a, b])),
  ...SHARED_KINDS.map((kind): Kinds => [kind]),
];

/** Each path, and each kind with what is hardest for it. */
export const CHOSEN_PAIRS: readonly Kinds[] = [
  ["preserve", "preserve"],
  ["preserve", "eim"],
  ["bare", "bare"],
  ["preserve", "bare"],
  ["eim", "cgn"],
  ["cgn", "cgn"],
  ["cone", "sym"],
  ["preserve", "sym"],
  ["eim", "sym"],
  ["bare", "sym"],
  ["sym", "cgn"],
  ["sym", "dual"],
  ["sym", "sym"],
  ["sym", "seq"],
  ["seq", "seq"],
  ["preserve", "seq"],
  ["bare", "seq"],
  ["dual", "dual"],
  ["dual", "ipv6"],
  ["ipv6", "ipv6"],
  ["preserve", "ipv6"],
  ["sym", "ipv6"],
  ["preserve", "blocked"],
  ["sym", "blocked"],
  ["ipv6", "blocked"],
  ...SHARED_KINDS.map((kind): Kinds => [kind]),
];

/** Each path once, for a second binary. */
export const FEW_PAIRS: readonly Kinds[] = [
  ["preserve", "eim"],
  ["bare", "bare"],
  ["cone", "sym"],
  ["preserve", "sym"],
  ["sym", "sym"],
  ["seq", "seq"],
  ["dual", "ipv6"],
  ["ipv6", "blocked"],
  ["lan"],
];

/** The path that is the best for a pair. */
export function bestPath(pair: Kinds): Path {
  if (pair.length === 1) return sharedPath(pair[0]);
  const [a, b] = pair;
  if (hasIpv6(a) && hasIpv6(b)) return "ipv6";
  const kinds: readonly SiteKind[] = pair;
  if (kinds.includes("blocked") || kinds.includes("ipv6")) return "relay";
  const nats = pair.map(outerNat);
  const hard = nats.filter((nat) => nat === "sym" || nat === "seq");
  if (hard.length === 0) return "punched";
  if (nats.includes("cone")) return "roamed";
  // Such a router keeps what comes too early, and gives the answer another port.
  if (nats.includes("bare")) return "relay";
  if (!hard.includes("sym")) return "predicted";
  return hard.length === 1 ? "birthday" : "relay";
}

function sharedPath(kind: SharedKind): Path {
  if (kind === "carrier") return "relay";
  return kind === "carrier-hairpin" ? "punched" : "lan";
}

/** What came of a pair. */
export interface Outcome {
  readonly pair: Kinds;
  /** Of the end, as alice has it, and bob; `none` without an endpoint. */
  readonly paths: readonly [Path | "none", Path | "none"];
  /** Seconds from bob's start to the first answer. */
  readonly firstPing: number | undefined;
  /** Seconds from bob's start until both had the path of the end. */
  readonly settled: number | undefined;
  /** Pings without an answer after the first that had one, of 20 a second. */
  readonly lost: number;
  readonly sent: number;
  /** What both sides and the registry logged. */
  readonly log: string;
}

/** How long a pair may take, in seconds. */
export interface Patience {
  /** For the first answer. */
  readonly first: number;
  /** From the first answer on: at least, until the best path is taken, and at most. */
  readonly least: number;
  readonly most: number;
}

/** Milliseconds between a site and the registry; a ping to the peer takes four times that. */
const DELAY = 10;
const PINGS_A_SECOND = 20;
/** Watched for so long after the best path has been taken. */
const AFTERWARDS = 3;
const LOOK_INTERVAL = 0.5;
/** Starts both sides of a pair, and pings from bob until its tunnel has settled. */
export async function tryPair(pair: Kinds, patience: Patience): Promise<Outcome> {
  await using lab = await Lab.apart(DELAY, ...pair);
  const server = await serveRelay(lab);
  const alice = lab.sync(lab.alice, "--server", REGISTRY_NAME);
  await alice.printed(/ own-endpoint /, patience.first);
  const start = performance.now();
  const since = () => (performance.now() - start) / 1000;
  const bob = lab.sync(lab.bob, "--server", REGISTRY_NAME);
  const ping = new Ping(lab.bob.namespace, lab.alice.address, 1 / PINGS_A_SECOND);
  const firstPing = await ping.answers(patience.first) ? since() : undefined;

  const best = bestPath(pair);
  let paths = await pathsOf(lab, pair, [alice, bob]);
  let settled: number | undefined = since();
  while (firstPing !== undefined && since() - firstPing < patience.most) {
    const isBest = paths.every((path) => path === best);
    if (
      isBest && since() - Math.max(settled, firstPing + patience.least - AFTERWARDS) > AFTERWARDS
    ) {
      break;
    }
    await sleep(LOOK_INTERVAL);
    const now = await pathsOf(lab, pair, [alice, bob]);
    if (now.join() !== paths.join()) settled = since();
    paths = now;
  }
  await ping.stop();
  const { sent, unanswered } = await ping.count(1);
  const answered = Array.from({ length: sent }, (_, i) => i + 1).find((n) =>
    !unanswered.includes(n)
  );
  const lost = unanswered.filter((n) => answered !== undefined && n > answered).length;
  for (const sync of [alice, bob]) await sync.stop();
  await server.stop();
  const log = [["alice", alice], ["bob", bob], ["registry", server]] as const;
  return {
    pair,
    paths,
    firstPing,
    settled: firstPing === undefined ? undefined : Math.max(settled, firstPing),
    lost,
    sent,
    log: log.map(([name, { out, err }]) => `${name}:\n${out}${err}`).join(""),
  };
}

/** The same of many pairs, some at a time. */
export async function tryPairs(
  pairs: readonly Kinds[],
  patience: Patience,
  told: (outcome: Outcome) => void,
  count = 6,
): Promise<Outcome[]> {
  return await atATime(count, pairs, async (pair) => {
    const outcome = await tryPair(pair, patience);
    told(outcome);
    return outcome;
  });
}

async function pathsOf(
  lab: Lab,
  pair: Kinds,
  [alice, bob]: readonly [Running, Running],
): Promise<[Path | "none", Path | "none"]> {
  const [toBob, toAlice] = await Promise.all([lab.alice, lab.bob].map(endpointOf));
  const moved = [[toBob, bob], [toAlice, alice]] as const;
  const isSeen = moved.map(([endpoint, { out }]) =>
    endpoint !== undefined && out.split(/\s/).includes(`endpoint=${endpoint}`)
  );
  const path = (endpoint: string | undefined) => pathTo(endpoint, pair, isSeen.every(Boolean));
  return [path(toBob), path(toAlice)];
}

/** @param areSeen Whether the registry has seen both sides where the other one has them. */
function pathTo(endpoint: string | undefined, pair: Kinds, areSeen: boolean): Path | "none" {
  const way = wayOf(endpoint);
  if (way !== "direct") return way;
  if (areSeen) return "punched";
  const best = bestPath(pair);
  return best === "predicted" || best === "birthday" ? best : "roamed";
}

/** A row of a table in Markdown. */
function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |\n`;
}

function seconds(value: number | undefined): string {
  return value === undefined ? "–" : value.toFixed(1);
}

/** The path of an outcome; two where the sides don't agree, and none where nothing came through. */
function pathText({ firstPing, paths: [a, b] }: Outcome): string {
  if (firstPing === undefined) return "none";
  return a === b ? a : `${a}/${b}`;
}

/** All figures, a line for each pair. */
export function figuresTable(outcomes: readonly Outcome[]): string {
  const head = ["pair", "path", "first ping (s)", "settled (s)", "pings lost"];
  const rows = outcomes.map((outcome) => [
    outcome.pair.join(" / "),
    pathText(outcome),
    seconds(outcome.firstPing),
    seconds(outcome.settled),
    outcome.firstPing === undefined ? "all" : `${outcome.lost} of ${outcome.sent}`,
  ]);
  return [head, head.map(() => "---"), ...rows].map(row).join("");
}

/** Who reaches whom how, as a square. */
export function pathsTable(outcomes: readonly Outcome[]): string {
  const kinds = SITE_KINDS.filter((kind) =>
    outcomes.some(({ pair }) => pair.some((each) => each === kind))
  );
  const cell = (a: SiteKind, b: SiteKind) => {
    const found = outcomes.find(({ pair }) =>
      pair.length === 2 && [`${a}/${b}`, `${b}/${a}`].includes(pair.join("/"))
    );
    return found === undefined ? "" : pathText(found);
  };
  const square = [
    ["", ...kinds],
    ["---", ...kinds.map(() => "---")],
    ...kinds.map((a) => [`**${a}**`, ...kinds.map((b) => cell(a, b))]),
  ];
  const shared = outcomes.filter(({ pair }) => pair.length === 1)
    .map((outcome) => `${outcome.pair[0]}: ${pathText(outcome)}`);
  return `${square.map(row).join("")}\n${shared.join(", ")}\n`;
}

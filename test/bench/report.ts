/**
 * Medians over rounds, and how the server compares with the responder.
 *
 * @module
 */

import { say } from "../../scripts/tools.ts";
import type { Figures } from "./job.ts";

const NAME_WIDTH = 34;
const WIDTH = 9;

/** What was found of the server and of the responder, in the same round. */
export interface Pair {
  readonly server: Figures;
  readonly bare: Figures;
}

/** The middle one of some numbers. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** The line above {@linkcode sayFigures}. */
export function sayHeader(first: string): void {
  const columns = ["per s", "µs CPU", "busy", "p50 µs", "p99 µs", "lost"];
  say(`\n${first.padEnd(NAME_WIDTH)}${columns.map((each) => each.padStart(WIDTH)).join("")}`);
}

/** Prints figures in a line. */
export function sayFigures(name: string, figures: readonly Figures[]): void {
  const of = (key: keyof Figures) => median(figures.map((each) => each[key]));
  const columns = [
    of("rate").toFixed(0),
    of("cpu").toFixed(1),
    `${(of("busy") * 100).toFixed(0)} %`,
    of("p50").toFixed(0),
    of("p99").toFixed(0),
    of("lost").toFixed(0),
  ];
  say(`${name.padEnd(NAME_WIDTH)}${columns.map((each) => each.padStart(WIDTH)).join("")}`);
}

/** How a server must compare with the responder, or with another server. */
export interface Wanted {
  /** At least this part of the other's requests a second. */
  readonly rate?: number;
  /** At most so many times the other's CPU for a request. */
  readonly cpu?: number;
  /** At most so many µs of CPU more for a request. */
  readonly extra?: number;
  /** At most so many times the other's p50. */
  readonly p50?: number;
}

/** Prints how a server compares, as the medians of the rounds' ratios. */
export function sayRatios(name: string, pairs: readonly Pair[], wanted: Wanted): void {
  const ratio = (key: keyof Figures) =>
    median(pairs.map(({ server, bare }) => server[key] / bare[key]));
  const extra = median(pairs.map(({ server, bare }) => server.cpu - bare.cpu));
  sayRatio(`${name}: requests per second`, ratio("rate"), "at least", wanted.rate);
  sayRatio(`${name}: CPU`, ratio("cpu"), "at most", wanted.cpu);
  if (wanted.extra !== undefined) {
    sayRatio(`${name}: µs of CPU more`, extra, "at most", wanted.extra);
  }
  sayRatio(`${name}: p50`, ratio("p50"), "at most", wanted.p50);
}

/** Prints a ratio, and whether it is as it should be, where that is said. */
export function sayRatio(
  what: string,
  is: number,
  bound: "at least" | "at most",
  limit: number | undefined,
): void {
  if (limit === undefined) return say(`${what}: ${is.toFixed(2)}`);
  const good = bound === "at least" ? is >= limit : is <= limit;
  const verdict = good ? "as wanted" : "NOT AS WANTED";
  say(`${what}: ${is.toFixed(2)} (${verdict}: ${bound} ${limit})`);
}

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

/** Prints whether something is as it should be. */
export function sayWanted(what: string, is: number, bound: "at least" | "at most", limit: number) {
  const good = bound === "at least" ? is >= limit : is <= limit;
  say(
    `${good ? "as wanted" : "NOT AS WANTED"}: ${what}: ${
      is.toFixed(2)
    } (wanted: ${bound} ${limit})`,
  );
}

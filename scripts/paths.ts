/**
 * Prints who reaches whom how, as tables in Markdown: `deno task paths [--all] [--pair A/B]...`;
 * with `--square` also as the picture that README has.
 *
 * Needs root on Linux, and what the tests in `test/lab` need; the binary is `$WGSIG_BINARY` or
 * `dist/wgsig`. With `--logs FOLDER`, what each pair logged is left there.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import {
  ALL_PAIRS,
  CHOSEN_PAIRS,
  figuresTable,
  type Outcome,
  pathsTable,
  tryPairs,
} from "../test/lab/paths.ts";
import type { Kinds } from "../test/lab/site.ts";
import { say } from "./tools.ts";

const PATIENCE = { first: 15, least: 15, most: 30 };

const options = parseArgs(Deno.args, {
  boolean: ["all", "square"],
  string: ["pair", "logs", "jobs"],
  collect: ["pair"],
});
const given: unknown = options["pair"];
const names = Array.isArray(given) ? given.map(String) : [];

function named(name: string): Kinds {
  const found = ALL_PAIRS.find((each) =>
    each.join("/") === name || each.toReversed().join("/") === name
  );
  if (found !== undefined) return found;
  say(`there is no pair ${name}`);
  Deno.exit(6);
}

function told({ pair, log }: Outcome): void {
  const logs = options["logs"];
  if (logs !== undefined) Deno.writeTextFileSync(`${logs}/${pair.join("-")}.log`, log);
}

const pairs = names.length > 0
  ? names.map(named)
  : options["all"] === true
  ? ALL_PAIRS
  : CHOSEN_PAIRS;
const outcomes = await tryPairs(pairs, PATIENCE, told, Number(options["jobs"] ?? 6));
say(figuresTable(outcomes));
if (options["square"] === true) say(pathsTable(outcomes));

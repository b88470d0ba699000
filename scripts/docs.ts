/**
 * Writes the table of options into the files that repeat it: between two lines of the tables in
 * docs/ and of the lists in OpenWrt's init script, which say of what the lines between them are.
 *
 * ```
 * <!-- options: serve.dns -->     # options
 * <!-- end of options -->         # end of options
 * ```
 *
 * A row that is new comes to its place by itself. The tables are formatted as `deno fmt` has them.
 * docs/events.md has the table of events, and docs/metrics.md that of metrics, likewise.
 *
 * @module
 */

import { COMMANDS, flagsOf, type FlagSpec } from "../lib/core/settings/commands.ts";
import { allMetrics, type MetricRow } from "../lib/core/metrics/metrics.ts";
import type { CommandName, Option, Rows, Written } from "../lib/core/settings/option.ts";
import { SETTINGS } from "../lib/core/settings/sections.ts";
import { EVENT_TEXTS } from "./event_texts.ts";
import { type FoundEvent, foundEvents } from "./events.ts";
import { OPTION_TEXTS } from "./option_texts.ts";
import { initLists } from "./package/openwrt_options.ts";
import { ROOT, say } from "./tools.ts";

/** An option and the path of its key. */
interface Key {
  readonly path: string;
  readonly option: Option;
}

/** What is said of leases in `[sync.NAME]`; docs/leases.md has it. */
const LEASES_OF_SYNC = ["lease", "until-gone", "lease-routes", "trust-lease"];
const SYNC_ALONE = "sync, for sync alone";
const SYNC_LEASES = "sync, leases";

/** The options of each table in docs/, by the name of the table. */
export function optionTables(): Map<string, Key[]> {
  const tables = new Map<string, Key[]>();
  addKeys("", SETTINGS);
  return tables;

  function addKeys(prefix: string, rows: Rows): void {
    for (const [key, row] of Object.entries(rows)) {
      const path = prefix === "" ? key : `${prefix}.${key}`;
      if ("nested" in row) addKeys(path, row.rows);
      else if (!("gone" in row)) {
        const name = tableOf(prefix, key, row);
        tables.set(name, [...tables.get(name) ?? [], { path, option: row }]);
      }
    }
  }
}

function tableOf(section: string, key: string, { commands }: Option): string {
  if (section !== "sync") return section;
  if (LEASES_OF_SYNC.includes(key)) return SYNC_LEASES;
  const others = commands?.filter((command) => command !== "serve").join();
  return others === "sync" ? SYNC_ALONE : section;
}

/** A table in Markdown, without the columns that would be empty. */
function markdownTable(name: string, keys: readonly Key[]): string[] {
  const rows = keys.map(({ path, option }) => {
    const texts = OPTION_TEXTS[path];
    return [
      code(path.slice(path.lastIndexOf(".") + 1)),
      texts?.flag ?? flagCell(option, name),
      texts?.default ?? defaultCell(option),
      texts?.meaning ?? meaningCell(option),
    ];
  });
  const isUsed = [true, rows.some((row) => row[1] !== ""), rows.some((row) => row[2] !== "none")];
  const head = ["key", "flag", "default", "meaning"];
  return tableOfRows([head, ...rows].map((row) => row.filter((_, i) => isUsed[i] ?? true)));
}

/** Rows in Markdown, the head first. */
function tableOfRows(filled: readonly (readonly string[])[]): string[] {
  const widths = filled[0]!.map((_, i) => Math.max(...filled.map((row) => row[i]!.length)));
  const line = (cells: readonly string[], fill: string) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!, fill)).join(" | ")} |`;
  const [top, ...others] = filled.map((row) => line(row, " "));
  return [top!, line(widths.map(() => ""), "-"), ...others];
}

function code(text: string): string {
  return `\`${text}\``;
}

function flagCell(option: Option, table: string): string {
  const { commands = [] } = option;
  const flags = flagsOf(option);
  const notes = [
    ...(flags.some(({ repeats }) => repeats) ? ["several"] : []),
    ...(flags.some(({ value }) => value?.endsWith(",...")) ? ["with commas"] : []),
    ...(table === "sync" && flags.length > 0 ? commands.map(code) : []),
  ];
  const names = flags.map(({ name }) => code(`--${name}`)).join(", ");
  return notes.length === 0 ? names : `${names} (${notes.join(", ")})`;
}

function defaultCell({ default: written, shown }: Option): string {
  if (shown !== undefined) return shown;
  return written === undefined ? "none" : code(toml(written));
}

function toml(written: Written): string {
  return typeof written === "object"
    ? `[${written.map(toml).join(", ")}]`
    : JSON.stringify(written);
}

function meaningCell({ help = "", reader: { value = "" } }: Option): string {
  const words = /^\w+(?:\|\w+)+$/.test(value) ? value.split("|") : [];
  return words.length === 0 ? help : `${help}: ${words.map(code).join(", ")}`;
}

/** The files, and what each has between its marks, by their names. */
const FILES: Readonly<Record<string, (name: string) => readonly string[]>> = {
  "docs/settings.md": tableLines,
  "docs/leases.md": tableLines,
  "scripts/package/openwrt/files/wgsig.init": () => initLists(flagsOfCommand),
};

function tableLines(name: string): string[] {
  const keys = optionTables().get(name);
  if (keys === undefined) throw new TypeError(`Cannot write a table of ${name}: there is none`);
  return ["", ...markdownTable(name, keys), ""];
}

function flagsOfCommand(name: CommandName): readonly FlagSpec[] {
  return COMMANDS.find((command) => command.name === name)!.flags;
}

const MARKED = /^(<!--|#) options(?:: (.+?))?( -->)?\n[^]*?^\1 end of options\3?$/gm;

/** The names of the tables that a text has marks for. */
export function markedTables(text: string): string[] {
  return [...text.matchAll(MARKED)].map(([, , name = ""]) => name);
}

/** The files that repeat the table of options: as they are, and as they should be. */
export async function repeatedTables(): Promise<{ file: string; is: string; ought: string }[]> {
  return await Promise.all(
    Object.entries(FILES).map(async ([file, linesOf]) => {
      const is = await Deno.readTextFile(`${ROOT}/${file}`);
      const ought = is.replace(MARKED, (marked, _open, name = "") => {
        const lines = marked.split("\n");
        return [lines[0], ...linesOf(name), lines.at(-1)].join("\n");
      });
      return { file, is, ought };
    }),
  );
}

const EVENTS_FILE = "docs/events.md";
const EVENTS = /^<!-- events -->\n[^]*?^<!-- end of events -->$/m;

const METRICS_FILE = "docs/metrics.md";
const METRICS = /^<!-- metrics -->\n[^]*?^<!-- end of metrics -->$/m;

/** The file that has the table of metrics: as it is, and as it should be. */
export async function metricsTable(): Promise<{ file: string; is: string; ought: string }> {
  const is = await Deno.readTextFile(`${ROOT}/${METRICS_FILE}`);
  const table = tableOfRows([
    ["metric", "type", "of", "labels", "meaning"],
    ...allMetrics().map(metricRow),
  ]);
  const lines = ["<!-- metrics -->", "", ...table, "", "<!-- end of metrics -->"];
  return { file: METRICS_FILE, is, ought: is.replace(METRICS, lines.join("\n")) };
}

function metricRow({ name, type, commands, labels, help }: MetricRow): string[] {
  return [
    code(name),
    type,
    commands.map(code).join(", "),
    labels.map(code).join(", "),
    help,
  ];
}

/** The file that has the table of events: as it is, and as it should be. */
export async function eventsTable(): Promise<{ file: string; is: string; ought: string }> {
  const is = await Deno.readTextFile(`${ROOT}/${EVENTS_FILE}`);
  const head = ["event", "level", "of", "fields", "meaning"];
  const table = tableOfRows([head, ...(await foundEvents()).map(eventRow)]);
  const lines = ["<!-- events -->", "", ...table, "", "<!-- end of events -->"];
  return { file: EVENTS_FILE, is, ought: is.replace(EVENTS, lines.join("\n")) };
}

function eventRow({ name, levels, fields, commands, isChange }: FoundEvent): string[] {
  const text = EVENT_TEXTS[name];
  return [
    code(name),
    levels.join(", "),
    [...commands.map(code), ...isChange ? ["hook"] : []].join(", "),
    (text?.fields ?? fields).map((each) => /^[\w-]+$/.test(each) ? code(each) : each).join(", "),
    text?.meaning ?? "",
  ];
}

if (import.meta.main) {
  for (
    const { file, is, ought } of [
      ...await repeatedTables(),
      await eventsTable(),
      await metricsTable(),
    ]
  ) {
    if (is === ought) continue;
    await Deno.writeTextFile(`${ROOT}/${file}`, ought);
    say(file);
  }
}

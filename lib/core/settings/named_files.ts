/**
 * Which files settings name.
 *
 * @module
 */

import { file, files } from "./common_options.ts";
import type { Rows } from "./option.ts";
import { type TsigFile, tsigFiles } from "./tsig_file.ts";

/** The names of the files that a section, as its rows have read it, and the tables in it name. */
export function namedFiles(rows: Rows, section: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(rows).flatMap(([key, row]) => {
    const value = section[key];
    if (value === undefined || "gone" in row) return [];
    if ("nested" in row) return tablesOf(value).flatMap((each) => namedFiles(row.rows, each));
    // Its reader has read it.
    if (row.reader === tsigFiles) return (value as readonly TsigFile[]).map(({ file }) => file);
    if (row.reader === files && Array.isArray(value)) return value.map(String);
    return row.reader === file ? [String(value)] : [];
  });
}

/** The tables under a key: one, a list, or some with names. */
function tablesOf(value: unknown): Record<string, unknown>[] {
  const all: unknown[] = value instanceof Map
    ? [...value.values()]
    : Array.isArray(value)
    ? value
    : [value];
  return all.filter(isTable);
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

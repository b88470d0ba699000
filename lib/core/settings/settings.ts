/**
 * The settings file: TOML text in, checked settings out.
 *
 * @module
 */

import { parse } from "@std/toml/parse";
import { CLIENT, PEER } from "./client_options.ts";
import { type InFile, namedTables, oneTable, type Rows, section, tableList } from "./option.ts";
import { SERVE } from "./serve_options.ts";

/** All that a settings file can say. */
export const SETTINGS = {
  serve: oneTable(SERVE),
  sync: namedTables(CLIENT, "wg0"),
  peer: tableList(PEER),
} satisfies Rows;

/** What a settings file says. Every key may be missing. */
export type Settings = InFile<typeof SETTINGS>;

const readSettings = section(SETTINGS);

/**
 * Reads a settings file's text.
 *
 * @param file The name of the file: names of files in it are relative to its folder.
 * @throws {SyntaxError} Naming the line (where it is no TOML) or the key.
 */
export function parseSettings(toml: string, file?: string): Settings {
  return readSettings(parse(toml), "", file);
}

/**
 * The settings file: TOML text in, checked settings out.
 *
 * @module
 */

import { parse } from "@std/toml/parse";
import { type InFile, section } from "./option.ts";
import { SETTINGS } from "./sections.ts";

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

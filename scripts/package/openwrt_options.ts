/**
 * The options that OpenWrt's init script knows, as the variables that list them.
 *
 * @module
 */

import type { FlagSpec } from "../../lib/core/settings/commands.ts";
import type { CommandName } from "../../lib/core/settings/option.ts";

/** Flags that have no place in a service of the system. */
export const NOT_IN_SERVICES: readonly string[] = [
  ...["help", "once", "dry-run", "json", "until-gone"],
];
/** Options whose names in UCI say that they are files, as keys of the settings file do. */
const FILES: readonly string[] = ["secret", "allow"];
const COMMANDS = ["serve", "sync"] as const;
const LINE = 100;

function nameOf({ name }: FlagSpec): string {
  return `${name}${FILES.includes(name) ? "_file" : ""}`.replaceAll("-", "_");
}

/** The kind of an option, by how the init script hands it over. */
function kindOf({ name, value, repeats = false }: FlagSpec): string {
  if (value === undefined) return "SWITCHES";
  // UCI has one `secret_file`; two are named in the settings file.
  if (repeats && !FILES.includes(name)) return "LISTS";
  return value.startsWith("[") ? "OPTIONALS" : "VALUES";
}

/** A variable; a line that would be too long goes on in the next one. */
function variable(name: string, words: readonly string[]): string[] {
  const lines = [`${name}="`];
  for (const word of words) {
    const line = lines.at(-1)!;
    const space = /["\t]$/.test(line) ? "" : " ";
    if (line.length + space.length + word.length >= LINE) lines.push(`\t${word}`);
    else lines[lines.length - 1] = `${line}${space}${word}`;
  }
  lines[lines.length - 1] += '"';
  return lines;
}

/** The lists of the init script. */
export function initLists(flagsOf: (command: CommandName) => readonly FlagSpec[]): string[] {
  return COMMANDS.flatMap((command) => {
    const flags = flagsOf(command).filter(({ name }) => !NOT_IN_SERVICES.includes(name));
    return ["VALUES", "LISTS", "SWITCHES", "OPTIONALS"].flatMap((kind) =>
      variable(
        `${command.toUpperCase()}_${kind}`,
        flags.filter((flag) => kindOf(flag) === kind).map(nameOf),
      )
    );
  });
}

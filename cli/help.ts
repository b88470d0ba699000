/**
 * The help of the program and of its commands.
 *
 * @module
 */

import { COMMANDS, type CommandSpec } from "../lib/core/settings/commands.ts";

/** The help of a command. */
export function commandHelp(command: CommandSpec): string {
  const shown = command.flags.map(({ name, value, repeats, help }) => [
    `  --${name}${value === undefined ? "" : ` ${value}`}${repeats ? " ..." : ""}`,
    help,
  ]);
  const width = Math.max(...shown.map(([left]) => left!.length)) + 2;
  const usage = ["usage: wgsig", command.name, "[OPTION]...", command.operands].join(" ").trim();
  return [
    usage,
    "",
    `${command.help[0]!.toUpperCase()}${command.help.slice(1)}.`,
    "",
    ...shown.map(([left, help]) => `${left!.padEnd(width)}${help}`),
    "",
  ].join("\n");
}

/** The help of the program. */
export function programHelp(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length)) + 2;
  return [
    "usage: wgsig COMMAND [OPTION]...",
    "",
    "WireGuard peers find each other.",
    "",
    ...COMMANDS.map(({ name, help }) => `  ${name.padEnd(width)}${help}`),
    "",
    "  wgsig COMMAND --help   the options of a command",
    "  wgsig --version        version, runtime and system",
    "",
  ].join("\n");
}

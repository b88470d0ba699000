/**
 * Takes a command line apart.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import type { CommandSpec } from "../lib/core/settings/commands.ts";
import { belongsTo, type Flags, headsWith } from "../lib/core/settings/option.ts";
import { unknownName } from "../lib/core/settings/reader.ts";
import { SETTINGS } from "../lib/core/settings/sections.ts";
import { UserError } from "../lib/core/settings/user_error.ts";

const STANDARD_INPUT = "-";

/** A command line that was taken apart. */
export interface Arguments extends Flags {
  readonly operands: readonly string[];
}

/**
 * Reads the arguments of a command.
 *
 * @throws {UserError} For an option that is unknown, lacks its value, or is given too often.
 */
export function readArguments(command: CommandSpec, args: readonly string[]): Arguments {
  const valued = command.flags.filter(({ value }) => value !== undefined);
  const { plain, switches } = takeSwitches(command, args);
  const values = new Map<string, string[]>(switches.map((name) => [name, []]));
  const parsed = parseArgs(plain, {
    string: ["_", ...valued.map(({ name }) => name)],
    collect: valued.map(({ name }) => name),
  });
  for (const { name, repeats = false } of valued) {
    const given = parsed[name];
    if (!Array.isArray(given) || given.length === 0) continue;
    const texts = given.map(String);
    if (!repeats && texts.length > 1) {
      throw new UserError(`--${name} is given twice${see(command)}`);
    }
    values.set(name, texts);
  }
  const operands = parsed._.map(String);
  refuseKeyFile(command, operands);
  if (operands.length > command.maxOperands) {
    const extra = operands[command.maxOperands]!;
    throw new UserError(`unexpected argument "${extra}"${see(command)}`);
  }
  return { operands, texts: (flag) => values.get(flag) };
}

/** A key is read on standard input: whoever names its file behind all operands is told how. */
function refuseKeyFile({ name, keyOnInput }: CommandSpec, operands: readonly string[]): void {
  const expected = keyOnInput?.get(operands[0] ?? "");
  const extra = expected === undefined ? undefined : operands[expected];
  if (extra === undefined) return;
  // A key itself isn't shown: base64 of 32 bytes ends with an equals sign.
  const file = /^[\w./-]+$/.test(extra) ? extra : "FILE";
  const use = ["wgsig", name, ...operands.slice(0, expected), "<", file].join(" ");
  throw new UserError(`${name} ${operands[0]} reads the key from standard input; use: ${use}`);
}

/**
 * Takes the switches out, and leaves what parseArgs can't mistake: it would take a value that
 * begins with a dash (`-` for standard input, a number below 0) for an option, and a `false` behind
 * a switch for the value of that.
 *
 * @throws {UserError} If an option is unknown or lacks its value, or a switch is given one.
 */
function takeSwitches(
  command: CommandSpec,
  args: readonly string[],
): { plain: string[]; switches: string[] } {
  const plain: string[] = [];
  const switches: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === "--") {
      plain.push(...args.slice(i));
      break;
    }
    if (!arg.startsWith("-") || arg === STANDARD_INPUT) {
      plain.push(arg);
      continue;
    }
    const given = arg === "-h" ? "--help" : arg.replace(/=.*$/s, "");
    const known = command.flags.find(({ name }) => given === `--${name}`);
    if (known === undefined) throw new UserError(unknownOption(command, arg));
    if (known.value === undefined) {
      if (arg.includes("=")) throw new UserError(`${given} takes no value${see(command)}`);
      switches.push(known.name);
      continue;
    }
    // After an option without `=`, what looks like another option is no value.
    const text = arg.includes("=") ? arg.slice(given.length + 1) : args[++i] ?? "";
    const isOption = !arg.includes("=") && /^-(?!\d|$)/.test(text);
    if (text === "" || isOption) {
      if (!known.value.startsWith("[")) {
        throw new UserError(`${given} needs a value${see(command)}`);
      }
      if (isOption) i--;
      plain.push(`${given}=`);
      continue;
    }
    plain.push(`${given}=${text}`);
  }
  return { plain, switches };
}

function unknownOption(command: CommandSpec, arg: string): string {
  const name = arg.replace(/=.*$/s, "");
  for (const [gone, why] of Object.entries(command.gone)) {
    if (name === `--${gone}`) return `${name} is gone: ${why}`;
  }
  const known = command.flags.map((flag) => `--${flag.name}`);
  const hint = settingHint(command, name.replace(/^--/, ""));
  const why = hint === undefined
    ? unknownName("option", name, name, known)
    : `unknown option "${name}" (${hint})`;
  return `${why}${see(command)}`;
}

/** What is said to anyone who makes a flag of a setting's key. */
function settingHint({ name, tables }: CommandSpec, key: string): string | undefined {
  for (const rows of tables) {
    const row = Object.hasOwn(rows, key) ? rows[key] : undefined;
    if (row === undefined || !("reader" in row)) continue;
    if (row.flag === undefined) {
      const heads = headsWith(SETTINGS, "", key)
        .filter((head) => (name === "serve") === /^\[+serve\b/.test(head));
      const where = belongsTo(heads);
      return where && `it is no flag but a setting: ${where}`;
    }
    if (row.commands?.includes(name) ?? true) return `did you mean "--${row.flag}"?`;
  }
  return undefined;
}

function see(command: CommandSpec): string {
  return `; see: wgsig ${command.name} --help`;
}

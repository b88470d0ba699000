/**
 * `wgsig config --import`: settings of what people have today.
 *
 * @module
 */

import { importText, kindOf, MAX_IMPORT } from "../lib/core/import/import.ts";
import type { Note } from "../lib/core/import/imported.ts";
import { HELP } from "../lib/core/settings/common_options.ts";
import { CLIENT, CONFIG_FLAGS } from "../lib/core/settings/client_options.ts";
import { isGiven, type Option, resolve, type Rows } from "../lib/core/settings/option.ts";
import { EXIT, type ExitStatus, UserError } from "../lib/core/settings/user_error.ts";
import { explain } from "../lib/host/error.ts";
import type { Host } from "../lib/host/host.ts";
import { asRoot } from "../lib/service/files/files.ts";
import { missingKeyFiles, writeKeyFiles } from "../lib/service/files/key_files.ts";
import { outputFile, readFormer, writeOutput } from "../lib/service/files/output.ts";
import { checkInterfaceName } from "../lib/wireguard/device.ts";
import type { Arguments } from "./arguments.ts";

const STANDARD_INPUT = "-";
/** So many notes are said; all are in the settings. */
const MAX_SAID = 100;
/** What goes with it. */
const TAKEN: ReadonlySet<unknown> = new Set([
  ...[CONFIG_FLAGS.import, CONFIG_FLAGS.keys, CONFIG_FLAGS.output, CONFIG_FLAGS.interface],
  HELP.help,
]);

/** Runs `wgsig config --import FILE`. */
export async function runImport(host: Host, args: Arguments, path: string): Promise<ExitStatus> {
  refuseOthers(args);
  const flags = resolve(CONFIG_FLAGS, args);
  const { keys } = flags;
  if (keys !== undefined && !keys.startsWith("/")) {
    throw new UserError(
      `--keys: expected a folder from the root on, such as /etc/wgsig, got "${keys}"`,
    );
  }
  const file = path === STANDARD_INPUT ? "standard input" : path;
  const text = await read(host, path, file);
  const kind = kindOf(text);
  if (kind === undefined) {
    throw new UserError(
      `${file} has neither [Interface] nor [Peer] as wg-quick's files have, nor wgsd as a Corefile`,
    );
  }
  const device = kind === "corefile" ? "" : deviceOf(path, args.operands[0] ?? flags.interface);
  if (kind === "corefile" && keys !== undefined) {
    throw new UserError(`${file} is a Corefile, which has no keys: leave --keys out`);
  }
  const { toml, remarks, notes, keys: files } = importText(kind, text, { file, device, keys });
  // What must not be written is told before anything is.
  const output = outputFile(flags.output);
  const named = [path, ...files.map(({ path }) => path)];
  if (output !== undefined) await readFormer(host, output, named);
  const missing = await missingKeyFiles(host, files);
  if (keys !== undefined) await writeKeyFiles(host, keys, missing);
  for (const { path } of missing) host.err.write(`wgsig: made ${path}\n`);
  for (const remark of remarks) host.err.write(`wgsig: ${remark}\n`);
  tell(host, file, notes);
  if (output === undefined) host.out.write(toml);
  else {
    const copy = await writeOutput(host, output, toml, named);
    if (copy !== undefined) {
      host.err.write(`wgsig: ${output} had what wgsig did not write: that is in ${copy} now\n`);
    }
  }
  return EXIT.ok;
}

/** Nobody is asked, and no settings are read: a flag about that would do nothing. */
function refuseOthers(args: Arguments): void {
  const rows: Rows = { ...CLIENT, ...CONFIG_FLAGS };
  for (const row of Object.values(rows)) {
    if (!isOption(row) || TAKEN.has(row) || !isGiven(args, row)) continue;
    const name = [row.flag, ...Object.keys(row.switches ?? {})].find((flag) =>
      flag !== undefined && args.texts(flag) !== undefined
    );
    throw new UserError(`--${name} does nothing with --import: leave it out`);
  }
}

function isOption(row: Rows[string]): row is Option {
  return "reader" in row;
}

async function read(host: Host, path: string, file: string): Promise<string> {
  try {
    const bytes = path === STANDARD_INPUT
      ? await host.readInput(MAX_IMPORT)
      : (await host.readFile(path, MAX_IMPORT)).bytes;
    return new TextDecoder().decode(bytes);
  } catch (error) {
    throw new UserError(`cannot read ${file}: ${explain(error)}${asRoot(host, error)}`);
  }
}

/** The interface that is named, or that whose file it is for wg-quick. */
function deviceOf(path: string, named: string | undefined): string {
  const base = path.slice(path.lastIndexOf("/") + 1);
  const device = named ?? (base.endsWith(".conf") ? base.slice(0, -".conf".length) : undefined);
  if (device === undefined) {
    throw new UserError(
      "which interface is that of? Name it: wgsig config INTERFACE --import FILE",
    );
  }
  checkInterfaceName(device);
  return device;
}

function tell(host: Host, file: string, notes: readonly Note[]): void {
  for (const { line, text } of notes.slice(0, MAX_SAID)) {
    host.err.write(`wgsig: ${file}, line ${line}: ${text}\n`);
  }
  if (notes.length > MAX_SAID) {
    host.err.write(`wgsig: ${notes.length - MAX_SAID} more are in the settings, as comments\n`);
  }
}

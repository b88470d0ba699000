/**
 * The program: a table of commands.
 *
 * @module
 */

import type { Host } from "../lib/host/host.ts";
import { unknownName } from "../lib/core/settings_reader.ts";
import { EXIT, type ExitStatus, UserError } from "../lib/service/user_error.ts";
import { runConfig } from "./config.ts";
import { runKeygen } from "./keygen.ts";
import { type Arguments, commandHelp, COMMANDS, programHelp, readArguments } from "./options.ts";
import { runQuery } from "./query.ts";
import { runServe } from "./serve.ts";
import { VERSION } from "./version.ts";

type Run = (host: Host, args: Arguments) => Promise<ExitStatus>;

const RUN: ReadonlyMap<string, Run> = new Map([
  ["serve", runServe],
  ["query", runQuery],
  ["config", runConfig],
  ["keygen", runKeygen],
]);

/** Runs the command line of `host`, and returns the exit status. */
export async function main(host: Host): Promise<ExitStatus> {
  try {
    return await dispatch(host);
  } catch (error) {
    if (error instanceof UserError) {
      host.err.write(`wgsig: ${error.message}\n`);
      return error.status;
    }
    const text = error instanceof Error ? error.stack ?? error.message : String(error);
    host.err.write(`wgsig: internal error, please report it: ${text}\n`);
    return EXIT.failed;
  }
}

async function dispatch(host: Host): Promise<ExitStatus> {
  const [name, ...rest] = host.args;
  switch (name) {
    case undefined:
      host.err.write(programHelp());
      return EXIT.usage;
    case "help":
    case "--help":
    case "-h":
      host.out.write(programHelp());
      return EXIT.ok;
    case "version":
    case "--version":
    case "-V":
      host.out.write(`wgsig ${VERSION} (${host.runtime}, ${host.target})\n`);
      return EXIT.ok;
  }
  const command = COMMANDS.find((each) => each.name === name);
  const run = RUN.get(name);
  if (command === undefined || run === undefined) {
    const known = COMMANDS.map((each) => each.name);
    throw new UserError(`${unknownName("command", name, name, known)}; see: wgsig --help`);
  }
  const args = readArguments(command, rest);
  if (args.has("help")) {
    host.out.write(commandHelp(command));
    return EXIT.ok;
  }
  return await run(host, args);
}

/**
 * The program: a table of commands.
 *
 * @module
 */

import { errorCode, explain } from "../lib/host/error.ts";
import type { Host } from "../lib/host/host.ts";
import { COMMANDS, type CommandSpec } from "../lib/core/settings/commands.ts";
import { HELP } from "../lib/core/settings/common_options.ts";
import { type CommandName, isGiven } from "../lib/core/settings/option.ts";
import { unknownName } from "../lib/core/settings/reader.ts";
import { EXIT, type ExitStatus, UserError } from "../lib/core/settings/user_error.ts";
import { isJournal, priorityOf } from "../lib/service/log/journal.ts";
import { type Arguments, readArguments } from "./arguments.ts";
import { commandHelp, programHelp } from "./help.ts";
import { VERSION } from "./version.ts";

type Run = (host: Host, args: Arguments) => Promise<ExitStatus>;

/** A router has no memory for parts that the command doesn't need: they are loaded here. */
const RUN: Readonly<Record<CommandName, Run>> = {
  serve: async (host, args) => await (await import("./serve.ts")).runServe(host, args),
  query: async (host, args) => await (await import("./query.ts")).runQuery(host, args),
  config: async (host, args) => await (await import("./config.ts")).runConfig(host, args),
  sync: async (host, args) => await (await import("./sync.ts")).runSync(host, args),
  status: async (host, args) => await (await import("./status.ts")).runStatus(host, args),
  invite: async (host, args) => await (await import("./invite.ts")).runInvite(host, args),
  join: async (host, args) => await (await import("./join.ts")).runJoin(host, args),
  registry: async (host, args) => await (await import("./registry.ts")).runRegistry(host, args),
  doctor: async (host, args) => await (await import("./doctor.ts")).runDoctor(host, args),
  keygen: async (host, args) => await (await import("./keygen.ts")).runKeygen(host, args),
};

/** What stands in the way of printing; files that can't be written have messages of their own. */
const UNWRITABLE = new Set(["EBADF", "EIO", "ENOSPC"]);

/** Runs the command line of `host`, and returns the exit status. */
export async function main(host: Host): Promise<ExitStatus> {
  const status = await runCommand(host);
  await host.out.flush();
  return status;
}

async function runCommand(host: Host): Promise<ExitStatus> {
  try {
    return await dispatch(host);
  } catch (error) {
    if (isJournal(host, host.err)) host.err.write(priorityOf("error"));
    if (error instanceof UserError) {
      host.err.write(`wgsig: ${error.message}\n`);
      return error.status;
    }
    if (UNWRITABLE.has(errorCode(error))) {
      host.err.write(`wgsig: cannot write to standard output: ${explain(error)}\n`);
      return EXIT.failed;
    }
    host.err.write(`wgsig: internal error, please report it: ${traceOf(error)}\n`);
    return EXIT.failed;
  }
}

/** What went wrong, and where. QuickJS's traces don't begin with the message. */
function traceOf(error: unknown): string {
  if (!(error instanceof Error) || error.stack === undefined) return String(error);
  return error.stack.startsWith(String(error)) ? error.stack : `${error}\n${error.stack.trimEnd()}`;
}

async function dispatch(host: Host): Promise<ExitStatus> {
  const [name, ...rest] = host.args;
  switch (name) {
    case undefined:
      host.err.write(programHelp());
      return EXIT.usage;
    case "help":
      return help(host, rest[0]);
    case "--help":
    case "-h":
      host.out.write(programHelp());
      return EXIT.ok;
    case "version":
    case "--version":
    case "-V":
      host.out.write(`wgsig ${VERSION} (${host.runtime}, ${host.target})\n`);
      return EXIT.ok;
    case "complete":
      return await (await import("./complete.ts")).runComplete(host, rest[0]);
  }
  const command = commandOf(name);
  const args = readArguments(command, rest);
  if (isGiven(args, HELP.help)) return help(host, command.name);
  // All of them read or make secrets.
  host.forbidDumps();
  return await RUN[command.name](host, args);
}

function help(host: Host, name: string | undefined): ExitStatus {
  host.out.write(name === undefined ? programHelp() : commandHelp(commandOf(name)));
  return EXIT.ok;
}

function commandOf(name: string): CommandSpec {
  const command = COMMANDS.find((each) => each.name === name);
  if (command !== undefined) return command;
  if (name.startsWith("-")) {
    throw new UserError(
      `unknown command "${name}"; options stand after the command; see: wgsig --help`,
    );
  }
  const known = COMMANDS.map((each) => each.name);
  throw new UserError(`${unknownName("command", name, name, known)}; see: wgsig --help`);
}

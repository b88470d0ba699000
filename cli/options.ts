/**
 * The one table of commands and options: parsing and help come from here.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { NO_WORKERS } from "../lib/core/settings/settings.ts";
import { type Reader, refuse, unknownName } from "../lib/core/settings/reader.ts";
import { UserError } from "../lib/core/settings/user_error.ts";

/** An option. Without `value` it is a switch. */
export interface OptionSpec {
  readonly name: string;
  /** What its value is called in the help; in brackets where it may be left out. */
  readonly value?: string;
  /** Whether it may be given several times. */
  readonly repeats?: boolean;
  readonly help: string;
}

/** The name of a command. */
export type CommandName = "serve" | "query" | "sync" | "config" | "keygen";

/** A command. */
export interface CommandSpec {
  readonly name: CommandName;
  /** Its positional arguments, as the help shows them. */
  readonly operands: string;
  /** The most positional arguments. */
  readonly maxOperands: number;
  /** One line. */
  readonly help: string;
  readonly options: readonly OptionSpec[];
  /** Options that there were, with what is said to anyone who still gives them. */
  readonly gone?: Readonly<Record<string, string>>;
}

const CONFIG: OptionSpec = {
  name: "config",
  value: "FILE",
  help: "settings file (else $WGSIG_CONFIG, ~/.config, /etc/wgsig)",
};
const HELP: OptionSpec = { name: "help", help: "show this" };
const STANDARD_INPUT = "-";

const SECRET: OptionSpec = {
  name: "secret",
  value: "FILE",
  help: "group secret (- for standard input; /etc/wgsig/secret)",
};
const GROUP: OptionSpec = { name: "group", value: "ID", help: "group number (0)" };

const SERVER: OptionSpec = {
  name: "server",
  value: "SERVER",
  repeats: true,
  help: "whom to ask: HOST[:PORT], dns://HOST/ZONE, punch://HOST",
};
const ENCRYPTION: OptionSpec = {
  name: "encryption",
  value: "on|off",
  help: "encrypt the question and its answer (on)",
};
const MAX_AGE: OptionSpec = {
  name: "max-age",
  value: "DURATION",
  help: "leave out peers not seen for longer (1d)",
};

const ASKING: readonly OptionSpec[] = [
  SECRET,
  GROUP,
  { name: "key", value: "KEY|FILE", help: "own public key, or a file with it" },
  { name: "port", value: "N", help: "UDP port to ask from, and to register" },
  { name: "no-register", help: "ask only; leave the registered endpoint as it is" },
  ENCRYPTION,
  MAX_AGE,
  { name: "timeout", value: "DURATION", help: "give up after this time (10s)" },
];

/** All commands. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    name: "serve",
    operands: "",
    maxOperands: 0,
    help: "be the registry that peers find each other through",
    options: [
      {
        name: "listen",
        value: "ADDR:PORT",
        repeats: true,
        help: "listen here (0.0.0.0:1223 and [::]:1223)",
      },
      SECRET,
      GROUP,
      { name: "allow", value: "FILE", help: "let only these public keys in, one a line" },
      {
        name: "interface",
        value: "IF",
        help: "offer the peers of this WireGuard interface, to the group and the zone",
      },
      {
        name: "encryption",
        value: "auto|required|off",
        help: "answer in the form of the request, only encrypted, only plain (auto)",
      },
      {
        name: "dns",
        value: "ADDR:PORT",
        repeats: true,
        help: "serve a DNS zone here, over UDP and TCP",
      },
      { name: "zone", value: "ZONE", help: "name of that zone, such as wg.example.com" },
      {
        name: "self",
        value: "[ENDPOINT]",
        help: "publish the interface itself, here or where it was asked",
      },
      { name: "self-allowed-ips", value: "CIDR,...", help: "its own AllowedIPs" },
      { name: "allow-from", value: "CIDR,...", help: "who may ask the zone (everybody)" },
      {
        name: "ttl",
        value: "DURATION",
        help: "how long resolvers may keep the zone's answers (0s)",
      },
      {
        name: "lease",
        value: "CIDR",
        repeats: true,
        help: "lease addresses of this pool to the interface's peers",
      },
      { name: "lease-time", value: "DURATION", help: "how long an address is leased (1h)" },
      { name: "configure", help: "set up on the interface what leases need" },
      {
        name: "punch",
        value: "[ADDR:PORT]",
        help: "answer WireGuard's unauthenticated punching example (0.0.0.0:49918)",
      },
      { name: "state", value: "FILE", help: "keep the peers over a restart in this file" },
      { name: "max-peers", value: "N", help: "peers a group can have (100000)" },
      { name: "max-answer", value: "N", help: "peers in an answer, the newest (1000)" },
      { name: "max-age", value: "DURATION", help: "forget a peer not seen for longer (1d)" },
      { name: "window", value: "DURATION", help: "how far a peer's clock may be off (30s)" },
      { name: "log-format", value: "text|json", help: "how log lines look (text)" },
      { name: "quiet", help: "log warnings and errors only" },
      { name: "verbose", help: "log every drop, up to 50 a second" },
      CONFIG,
      HELP,
    ],
    gone: { workers: NO_WORKERS },
  },
  {
    name: "query",
    operands: "[SERVER]...",
    maxOperands: 16,
    help: "ask registries or DNS zones once, and print the peers",
    options: [
      ...ASKING,
      { name: "interface", value: "IF", help: "take the own key from this WireGuard interface" },
      { name: "nat", help: "say what kind of NAT this is, from what two servers see" },
      { name: "json", help: "print JSON" },
      { name: "dump", help: "print lines with tabs, for scripts" },
      CONFIG,
      HELP,
    ],
  },
  {
    name: "sync",
    operands: "[INTERFACE]",
    maxOperands: 1,
    help: "keep a WireGuard interface's endpoints right",
    options: [
      SERVER,
      SECRET,
      GROUP,
      ENCRYPTION,
      MAX_AGE,
      { name: "timeout", value: "DURATION", help: "how long a question may take (3s)" },
      {
        name: "register",
        value: "auto|raw|borrow|tunnel|none",
        help: "how to register the port that WireGuard owns (auto)",
      },
      { name: "interval", value: "DURATION", help: "time between two looks (25s)" },
      { name: "once", help: "look once, and don't wait for the interface" },
      { name: "dry-run", help: "say what would be changed, and change nothing" },
      { name: "add-peers", help: "add peers that the settings know with their allowed-ips" },
      { name: "lease", help: "get addresses from inside the tunnel, and hold them" },
      { name: "until-gone", help: "end when the interface goes away" },
      { name: "json", help: "tell of changes in JSON lines" },
      { name: "hook", value: "COMMAND", help: "run this for each change, with JSON on its input" },
      CONFIG,
      HELP,
    ],
  },
  {
    name: "config",
    operands: "[INTERFACE]",
    maxOperands: 1,
    help: "ask once, and print a WireGuard configuration",
    options: [
      SERVER,
      ...ASKING,
      { name: "interface", value: "IF", help: "the same as INTERFACE" },
      { name: "private-key", value: "FILE", help: "make a whole file for wg-quick, with this key" },
      {
        name: "address",
        value: "CIDR",
        repeats: true,
        help: "own address in the tunnel",
      },
      { name: "format", value: "wg|json", help: "what to print (wg)" },
      CONFIG,
      HELP,
    ],
  },
  {
    name: "keygen",
    operands: "[secret|private|public|psk]",
    maxOperands: 1,
    help: "make a group secret, or WireGuard keys",
    options: [
      { name: "raw", help: "32 bytes instead of base64, as the C programs' secret file" },
      { name: "output", value: "FILE", help: "write a new file that only its owner can read" },
      HELP,
    ],
  },
];

/** A command line that was read. */
export class Arguments {
  readonly operands: readonly string[];
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(operands: readonly string[], values: ReadonlyMap<string, readonly string[]>) {
    this.operands = operands;
    this.#values = values;
  }

  /** Whether a switch was given. */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** The value of an option, or undefined. */
  text(name: string): string | undefined {
    return this.#values.get(name)?.[0];
  }

  /** The values of an option that may be given several times, or undefined. */
  texts(name: string): readonly string[] | undefined {
    return this.#values.get(name);
  }

  /** The value of an option, checked by the reader of the setting of the same meaning. */
  read<T>(name: string, reader: Reader<T>): T | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : checked(name, reader, text);
  }

  /** The same for an option that may be given several times. */
  readAll<T>(name: string, reader: Reader<T>): T[] | undefined {
    return this.texts(name)?.map((text) => checked(name, reader, text));
  }

  /** The same for a whole number. */
  number(name: string, reader: Reader<number>): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    return checked(name, reader, /^\d+$/.test(text) ? Number(text) : text);
  }
}

/** A list with commas, of what another reader reads. */
export function commaList<T>(item: Reader<T>): Reader<T[]> {
  return (value, path) => String(value).split(",").map((each) => item(each.trim(), path));
}

function checked<T>(name: string, reader: Reader<T>, value: unknown): T {
  try {
    return reader(value, `--${name}`);
  } catch (error) {
    throw error instanceof SyntaxError ? new UserError(error.message) : error;
  }
}

/**
 * Reads the arguments of a command.
 *
 * @throws {UserError} For an option that is unknown, lacks its value, or is given too often.
 */
export function readArguments(command: CommandSpec, args: readonly string[]): Arguments {
  const valued = command.options.filter(({ value }) => value !== undefined);
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
  if (operands.length > command.maxOperands) {
    const extra = operands[command.maxOperands]!;
    throw new UserError(`unexpected argument "${extra}"${see(command)}`);
  }
  return new Arguments(operands, values);
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
    const option = command.options.find(({ name }) => given === `--${name}`);
    if (option === undefined) throw new UserError(unknownOption(command, arg));
    if (option.value === undefined) {
      if (arg.includes("=")) throw new UserError(`${given} takes no value${see(command)}`);
      switches.push(option.name);
      continue;
    }
    // After an option without `=`, what looks like another option is no value.
    const text = arg.includes("=") ? arg.slice(given.length + 1) : args[++i] ?? "";
    const isOption = !arg.includes("=") && /^-(?!\d|$)/.test(text);
    if (text === "" || isOption) {
      if (!option.value.startsWith("[")) {
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
  for (const [gone, why] of Object.entries(command.gone ?? {})) {
    if (name === `--${gone}`) return `${name} is gone: ${why}`;
  }
  const known = command.options.map((option) => `--${option.name}`);
  return `${unknownName("option", name, name, known)}${see(command)}`;
}

function see(command: CommandSpec): string {
  return `; see: wgsig ${command.name} --help`;
}

/** Refuses a value that no reader of settings could judge. */
export function refuseOption(name: string, expected: string, value: string): never {
  return checked(name, (given, path) => refuse(path, expected, given), value);
}

/** The help of a command. */
export function commandHelp(command: CommandSpec): string {
  const shown = command.options.map(({ name, value, repeats, help }) => [
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

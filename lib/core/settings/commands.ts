/**
 * The commands, and the flags that each takes from the table of options.
 *
 * @module
 */

import {
  CLIENT,
  CONFIG_FLAGS,
  DOCTOR_FLAGS,
  QUERY_FLAGS,
  SYNC,
  SYNC_FLAGS,
} from "./client_options.ts";
import { CONFIG_FILE, file, HELP, SWITCH } from "./common_options.ts";
import { JOIN_FLAGS } from "./join_options.ts";
import { type CommandName, oneOf, type Option, type Rows } from "./option.ts";
import { INVITE_FLAGS, REGISTRY_FLAGS } from "./registry_options.ts";
import { GROUP, LEASE, SERVE } from "./serve_options.ts";
import { DNS } from "./zone_options.ts";

/** A flag, as help shows it. */
export interface FlagSpec {
  readonly name: string;
  /** What its value is called; in brackets where it may be left out. A switch has none. */
  readonly value?: string;
  /** Whether it may be given several times. */
  readonly repeats?: boolean;
  readonly help: string;
}

/** A command. */
export interface CommandSpec {
  readonly name: CommandName;
  /** Its positional arguments, as the help shows them. */
  readonly operands: string;
  /** The most positional arguments. */
  readonly maxOperands: number;
  /** By the first operand: how many operands there are where a key comes on standard input. */
  readonly keyOnInput?: ReadonlyMap<string, number>;
  /** One line. */
  readonly help: string;
  /** Where its flags come from. */
  readonly tables: readonly Rows[];
  /** Its flags, in the order of the help: that of the tables. What several rows share is there once. */
  readonly flags: readonly FlagSpec[];
  /** Flags that there were, with what is said to anyone who still gives them. */
  readonly gone: Readonly<Record<string, string>>;
}

/** Flags of `keygen`. */
export const KEYGEN_FLAGS = {
  raw: {
    flag: "raw",
    ...SWITCH,
    help: "32 bytes instead of base64, as the C programs' secret file",
  },
  algorithm: {
    flag: "algorithm",
    reader: oneOf("ecdsa", "ed25519"),
    default: "ecdsa",
    help: "of zone: what the zone is signed with",
  },
  format: {
    flag: "format",
    reader: oneOf("zone", "bind"),
    default: "zone",
    help: "of ds: records as in a zone, or a trust anchor for delv and named",
  },
  secret: {
    flag: "secret",
    reader: file,
    help: "of tsig: make the key of this group secret, for everyone in the group",
  },
  output: {
    flag: "output",
    reader: file,
    help: "write a new file that only its owner can read; - for standard output",
  },
  ...HELP,
} satisfies Rows;

/** Flags of `status`. */
export const STATUS_FLAGS = {
  watch: { flag: "watch", ...SWITCH, help: "look again every second, until Ctrl-C" },
  mesh: { flag: "mesh", ...SWITCH, help: "show how the peers of a registry reach each other" },
  json: { flag: "json", ...SWITCH, help: "print JSON; with --watch, a line each time" },
  ...HELP,
} satisfies Rows;

/** All commands. */
export const COMMANDS: readonly CommandSpec[] = [
  command({
    name: "serve",
    operands: "",
    maxOperands: 0,
    help: "be the registry that peers find each other through",
    // What is needed most comes first.
    tables: [
      { listen: SERVE.listen, secret: GROUP["secret-files"] },
      ...[GROUP, DNS, LEASE, SERVE, CONFIG_FILE, HELP],
    ],
  }),
  command({
    name: "query",
    operands: "[SERVER]...",
    maxOperands: 16,
    help: "ask registries or DNS zones once, and print the peers",
    tables: [CLIENT, QUERY_FLAGS],
  }),
  command({
    name: "sync",
    operands: "[INTERFACE]",
    maxOperands: 1,
    help: "keep a WireGuard interface's endpoints right",
    tables: [SYNC, SYNC_FLAGS],
  }),
  command({
    name: "status",
    operands: "[INTERFACE|serve|PORT]",
    maxOperands: 1,
    help: "show how the sync or serve that runs here is doing: peers, their paths, and why",
    tables: [STATUS_FLAGS],
  }),
  command({
    name: "invite",
    operands: "NAME",
    maxOperands: 1,
    help: "make a link that a new peer joins with, on the registry's host",
    tables: [INVITE_FLAGS],
  }),
  command({
    name: "join",
    operands: "[LINK|-] [INTERFACE]",
    maxOperands: 2,
    help: "join a group with the link of an invitation, as an argument or on standard input",
    tables: [JOIN_FLAGS],
  }),
  command({
    name: "registry",
    operands: "[list|add|rename|forget|revoke] [PEER] [KEY|NAME]",
    maxOperands: 3,
    help: "list, add, rename or remove the peers that a registry knows by name, on its host",
    tables: [REGISTRY_FLAGS],
  }),
  command({
    name: "config",
    operands: "[INTERFACE]",
    maxOperands: 1,
    help: "ask once, and print a WireGuard configuration",
    tables: [CLIENT, CONFIG_FLAGS],
  }),
  command({
    name: "doctor",
    operands: "[INTERFACE]",
    maxOperands: 1,
    help: "check what is in the way of tunnels, and say what mends it",
    tables: [DOCTOR_FLAGS],
  }),
  command({
    name: "keygen",
    operands: "[secret|private|public|psk|tsig|zone|ds] [NAME]",
    maxOperands: 2,
    keyOnInput: new Map([["public", 1], ["ds", 2]]),
    help: "make a group secret, WireGuard keys, or the keys of a DNS zone: DNSSEC, TSIG",
    tables: [KEYGEN_FLAGS],
  }),
];

function command(spec: Omit<CommandSpec, "flags" | "gone">): CommandSpec {
  const flags = new Map<string, FlagSpec>();
  const gone: Record<string, string> = {};
  for (const row of spec.tables.flatMap((rows) => Object.values(rows))) {
    if ("gone" in row) {
      if (row.flag !== undefined) gone[row.flag] = row.gone;
    } else if (!("nested" in row) && row.commands?.includes(spec.name) !== false) {
      for (const flag of flagsOf(row)) {
        if (!flags.has(flag.name)) flags.set(flag.name, flag);
      }
    }
  }
  return { ...spec, flags: [...flags.values()], gone };
}

/** The flags of an option: its own, and its switches. */
export function flagsOf(option: Option): FlagSpec[] {
  const { flag, reader, switches = {}, help = "" } = option;
  const { value, repeats } = reader;
  const standing = defaultInWords(option);
  const own: FlagSpec[] = flag === undefined ? [] : [{
    name: flag,
    ...(value === undefined ? {} : { value }),
    ...(repeats === undefined ? {} : { repeats }),
    help: standing === undefined ? help : `${help} (${standing})`,
  }];
  return [...own, ...Object.entries(switches).map(([name, help]) => ({ name, help }))];
}

/** The default for the help, which needn't say that something is off or empty. */
function defaultInWords({ shown, default: written }: Option): string | undefined {
  if (shown !== undefined) return shown;
  if (written === undefined || written === false) return undefined;
  if (typeof written !== "object") return String(written);
  return written.length === 0 ? undefined : written.join(", ");
}

/**
 * What several sections and commands have in common: readers of options, and whole rows.
 *
 * @module
 */

import { many, one, type Option, type Rows, toggle, whole } from "./option.ts";
import { parseZone, zoneProblem } from "../zone/name.ts";
import {
  addressPort,
  cidr,
  duration,
  fileName,
  prefix,
  type Reader,
  refuse,
  text,
} from "./reader.ts";

/** Where the group secret is looked for when nothing else is said. */
export const DEFAULT_SECRET_FILE = "/etc/wgsig/secret";

/** Where settings are looked for when nothing else is said. */
export const DEFAULT_SETTINGS_FILE = "/etc/wgsig/wgsig.toml";

/** How many peers can use a link of an invitation. */
export const MAX_USES = 100;

/** Stands for a server's own port, where one is named without. */
export const OWN_PORT = 0;

/** The name of a DNS zone, in lower case and without a dot at its end. */
export const zoneName: Reader<string> = (value, path) => {
  const zone = typeof value === "string" ? parseZone(value) : undefined;
  if (zone !== undefined) return zone;
  const why = typeof value === "string" ? zoneProblem(value) : undefined;
  const expected = "the name of a DNS zone, such as wg.example.com";
  return refuse(path, why === undefined ? expected : `${expected} (${why})`, value);
};

/** The name of a file. */
export const file = one(fileName, "FILE");
/** Names of files. */
export const files = many(fileName, "FILE");
/** A duration, in seconds. */
export const time = one(duration, "DURATION");
/** The name of a WireGuard interface. */
export const device = one(text, "IF");
/** Addresses with prefix lengths. */
export const cidrs = many(cidr, "CIDR");
/** Sets of addresses. */
export const prefixes = many(prefix, "CIDR");
/** Off unless it is given; a flag without a value. */
export const SWITCH = { reader: toggle, default: false } satisfies Option;
/** Seconds between two keepalives; 0 is off. */
export const keepalive = whole(0, 0xffff);

/** The number of a group. */
export const GROUP_NUMBER = {
  flag: "group",
  reader: whole(0, 0xffff_ffff, "ID"),
  default: 0,
  help: "group number",
} satisfies Option;

/** The WireGuard interface of this host that `serve` reads. */
export const SERVED_INTERFACE = {
  flag: "interface",
  reader: device,
  help: "offer the peers of this WireGuard interface, to the group and the zone",
} satisfies Option;

/** The file of a group's secret. */
export const SECRET_FILE = {
  flag: "secret",
  reader: file,
  default: DEFAULT_SECRET_FILE,
  help: "group secret; - for standard input",
} satisfies Option;

/** Where exporters of WireGuard's metrics listen by custom. */
const STATUS_PORT = 9586;
/** More series than this many peers have are no metrics any more. */
const MOST_METRICS_PEERS = 1000;

/** What `serve` and `sync` say of themselves over HTTP, and in a file. */
export const STATUS = {
  status: {
    flag: "status",
    commands: ["serve", "sync"],
    reader: one(addressPort(STATUS_PORT), "ADDR:PORT"),
    help: "answer HTTP here: a page, /metrics, /health, /ready, /status.json",
  },
  "status-token-file": {
    flag: "status-token-file",
    commands: ["serve", "sync"],
    reader: file,
    help: "file with the token that clients show there; not needed on loopback",
  },
  "metrics-file": {
    flag: "metrics-file",
    commands: ["serve", "sync"],
    reader: file,
    help: "keep the metrics in this .prom file, for collectors",
  },
  "metrics-peers": {
    flag: "metrics-peers",
    commands: ["serve", "sync"],
    reader: whole(0, MOST_METRICS_PEERS),
    default: 0,
    help: "how many peers have metrics of their own",
  },
} satisfies Rows;

/** `--config`, which all commands have that read a settings file. */
export const CONFIG_FILE = {
  config: {
    flag: "config",
    reader: file,
    help: "settings file (else $WGSIG_CONFIG, ~/.config, /etc/wgsig)",
  },
} satisfies Rows;

/** `--help`, which all commands have. */
export const HELP = {
  help: { flag: "help", ...SWITCH, help: "show this" },
} satisfies Rows;

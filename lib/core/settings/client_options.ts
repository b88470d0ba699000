/**
 * The options of `query`, `sync` and `config`: `[sync.NAME]`, `[[peer]]`, and flags of their own.
 *
 * @module
 */

import {
  cidrs,
  CONFIG_FILE,
  device,
  file,
  GROUP_NUMBER,
  HELP,
  keepalive,
  prefixes,
  SECRET_FILE,
  STATUS,
  SWITCH,
  time,
  zoneName,
} from "./common_options.ts";
import { type InFile, many, one, oneOf, type Option, type Rows, whole } from "./option.ts";
import { durationFrom, label, list, publicKey, type Reader, refuse, text } from "./reader.ts";
import { tsigFiles } from "./tsig_file.ts";
import { formatServerName, parseServerName, type ServerName } from "../ask/server_name.ts";
import { parseKey } from "../net/peer_key.ts";

/** Keeps a NAT's mapping open (wg(8) names it as sensible for that), in seconds. */
export const DEFAULT_KEEPALIVE = 25;

/** A server to ask. */
const serverName: Reader<ServerName> = (value, path) =>
  (typeof value === "string" ? parseServerName(value) : undefined) ??
    refuse(path, "HOST, HOST:PORT, dns://HOST[:PORT]/ZONE or punch://HOST[:PORT]", value);

/** The same where the command line names it. */
const namedServer: Reader<ServerName> = (value) => {
  const server = parseServerName(String(value));
  if (server !== undefined) return server;
  throw new SyntaxError(
    `"${value}" is no server; expected HOST, HOST:PORT, [IPV6]:PORT, dns://HOST[:PORT]/ZONE or ` +
      "punch://HOST[:PORT]",
  );
};

/** The public key that a server must have. */
export interface PinnedServerKey {
  /** The registry's name, as `formatServerName` has it; undefined for all that have no key of their own. */
  readonly server: string | undefined;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

/** `KEY`, or `HOST[:PORT]=KEY`: a key ends with `=` itself. */
const pinnedKey: Reader<PinnedServerKey> = (value, path) => {
  const [, name, text = ""] = /^(?:(.+)=)?([^=]+=)$/.exec(typeof value === "string" ? value : "") ??
    [];
  const key = parseKey(text);
  const server = name === undefined ? undefined : parseServerName(name);
  if (key === undefined || name !== undefined && server?.scheme !== "wgsig") {
    return refuse(path, "KEY or HOST[:PORT]=KEY (44 characters of base64)", value);
  }
  return { server: server && formatServerName(server), key };
};

const pinnedKeys = many(pinnedKey, "KEY");
/** A file may have one alone. */
const single: Reader<PinnedServerKey[]> = (value, path) => [pinnedKey(value, path)];

/** `[sync.NAME]`: what holds for one WireGuard interface. */
export const CLIENT = {
  servers: {
    flag: "server",
    commands: ["sync", "config"],
    reader: many(serverName, "SERVER", namedServer),
    default: [],
    help: "whom to ask: HOST[:PORT], dns://HOST/ZONE, punch://HOST",
  },
  "secret-file": SECRET_FILE,
  "server-key": {
    flag: "server-key",
    reader: {
      ...pinnedKeys,
      inFile: (value, path) => (Array.isArray(value) ? list(pinnedKey) : single)(value, path),
    },
    default: [],
    help: "public key that a server must have, or SERVER=KEY for one",
  },
  group: GROUP_NUMBER,
  encryption: {
    flag: "encryption",
    reader: oneOf("on", "off"),
    default: "on",
    help: "encrypt the question and its answer",
  },
  "public-key": {
    flag: "key",
    commands: ["query", "config"],
    reader: one(publicKey, "KEY|FILE", text),
    help: "own public key, or a file with it",
  },
  "private-key-file": {
    flag: "private-key",
    commands: ["query", "config"],
    reader: file,
    help: "file with the own private key, which proves; config makes a whole file of it",
  },
  address: {
    flag: "address",
    commands: ["config"],
    reader: cidrs,
    default: [],
    help: "own address in the tunnel",
  },
  port: {
    flag: "port",
    commands: ["query", "config"],
    reader: whole(0, 0xffff),
    default: 0,
    shown: "any",
    help: "UDP port to ask from, and to register",
  },
  "max-age": {
    flag: "max-age",
    reader: time,
    default: "1d",
    help: "leave out peers not seen for longer; those without a time stay",
  },
  timeout: {
    flag: "timeout",
    reader: time,
    default: "10s",
    help: "give up after this time",
  },
  "persistent-keepalive": {
    reader: keepalive,
    help: "seconds; for peers that don't say otherwise; 0 is off",
  },
  register: {
    flag: "register",
    commands: ["sync"],
    reader: oneOf("auto", "raw", "borrow", "tunnel", "none"),
    default: "auto",
    help: "how to register the port that WireGuard owns",
  },
  relay: {
    flag: "relay",
    commands: ["sync"],
    reader: oneOf("auto", "never", "always"),
    default: "auto",
    help: "reach peers through a registry where nothing else works",
  },
  interval: {
    flag: "interval",
    commands: ["sync"],
    reader: one(durationFrom(0.1, "100ms"), "DURATION"),
    default: "25s",
    help: "time between two looks",
  },
  "add-peers": {
    flag: "add-peers",
    commands: ["sync"],
    ...SWITCH,
    help: "add peers that the settings know with their allowed-ips",
  },
  "add-routes": {
    flag: "add-routes",
    commands: ["sync"],
    ...SWITCH,
    help: "set routes to the allowed-ips of peers that are added",
  },
  "mend-routes": {
    commands: ["sync"],
    ...SWITCH,
    help: "remove the host route to an endpoint that a peer has left",
  },
  "move-port": {
    flag: "move-port",
    commands: ["sync"],
    ...SWITCH,
    help: "listen on another port where a NAT keeps an old mapping for this one",
  },
  "port-map": {
    flag: "port-map",
    commands: ["sync"],
    reader: oneOf("auto", "off"),
    default: "auto",
    help: "have routers forward the port, by PCP, NAT-PMP or UPnP",
  },
  "punch-hard": {
    flag: "punch-hard",
    commands: ["sync"],
    reader: oneOf("on", "off"),
    default: "on",
    help: "try hundreds of ports, once, where a NAT is hard",
  },
  "punch-mappings": {
    commands: ["sync"],
    reader: whole(1, 1024),
    default: 256,
    help: "ports that are opened for that behind the own NAT",
  },
  "punch-probes": {
    commands: ["sync"],
    reader: whole(1, 4096),
    default: 1024,
    help: "ports that are tried for that at the other side's NAT, with a byte each",
  },
  "punch-rate": {
    commands: ["sync"],
    reader: whole(1, 2000),
    default: 500,
    help: "datagrams of both that are sent in a second",
  },
  "trust-allowed-ips": {
    commands: ["sync", "config"],
    reader: many(zoneName, "ZONE"),
    default: [],
    help: "DNS zones whose AllowedIPs add-peers and config take without TSIG",
  },
  "tsig-files": {
    flag: "tsig",
    reader: tsigFiles,
    default: [],
    help: "file with the TSIG key of DNS zones, or ZONE=FILE for one",
  },
  "trust-registry": {
    commands: ["sync", "config", "query"],
    ...SWITCH,
    help: "take peers from those that the registry knows by name",
  },
  "trust-networks": {
    commands: ["sync", "config"],
    reader: prefixes,
    default: [],
    shown: "private ones",
    help: "where what trust-registry gives a peer must lie",
  },
  lease: {
    flag: "lease",
    commands: ["sync"],
    ...SWITCH,
    help: "get addresses from inside the tunnel, and hold them",
  },
  "lease-routes": {
    commands: ["sync"],
    ...SWITCH,
    help: "set the routes that the server tells of",
  },
  "trust-lease": {
    commands: ["sync"],
    ...SWITCH,
    help: "add-peers takes AllowedIPs that the server names",
  },
  "until-gone": {
    flag: "until-gone",
    commands: ["sync"],
    ...SWITCH,
    help: "end when the interface goes away",
  },
  hook: {
    flag: "hook",
    commands: ["sync"],
    reader: one(text, "COMMAND"),
    help: "run this for each change, with JSON on its input",
  },
  ...STATUS,
} satisfies Rows;

/** The same for `sync`, which asks again and again, and writes to the interface. */
export const SYNC = {
  ...CLIENT,
  timeout: { ...CLIENT.timeout, default: "3s", help: "how long a question may take" },
  "persistent-keepalive": { ...CLIENT["persistent-keepalive"], default: DEFAULT_KEEPALIVE },
} satisfies Rows;

/** `[[peer]]`: what the registry doesn't carry. */
export const PEER = {
  name: { reader: one(label, "NAME"), help: "shown in tables, and as a comment" },
  "public-key": { reader: one(publicKey, "KEY"), help: "which peer; needed" },
  "allowed-ips": { reader: prefixes, help: "its addresses in the tunnel" },
  "persistent-keepalive": { reader: keepalive, help: "seconds; 0 is off" },
  "preshared-key-file": {
    reader: file,
    help: "file with the preshared key of the two of you",
  },
  relay: {
    reader: oneOf("auto", "never", "always"),
    help: "whether sync reaches it through a registry",
  },
  lease: { reader: cidrs, help: "addresses that leases keep for it" },
} satisfies Rows;

const NO_REGISTER = {
  flag: "no-register",
  ...SWITCH,
  help: "ask only; leave the registered endpoint as it is",
} satisfies Option;

/** Flags of `query` that no file has. */
export const QUERY_FLAGS = {
  "no-register": NO_REGISTER,
  interface: {
    flag: "interface",
    reader: device,
    help: "take the own key from this WireGuard interface",
  },
  nat: {
    flag: "nat",
    ...SWITCH,
    help: "say what kind of NAT this is, and which peers are reached how",
  },
  output: {
    reader: oneOf("table", "json", "dump"),
    switches: { json: "print JSON", dump: "print lines with tabs, for scripts" },
    default: "table",
  },
  ...CONFIG_FILE,
  ...HELP,
} satisfies Rows;

/** Flags of `sync` that no file has. */
export const SYNC_FLAGS = {
  once: {
    flag: "once",
    ...SWITCH,
    help: "look once, and don't wait for the interface",
  },
  "dry-run": {
    flag: "dry-run",
    ...SWITCH,
    help: "say what would be changed, and change nothing",
  },
  "log-format": {
    reader: oneOf("text", "json"),
    switches: { json: "tell of changes in JSON lines" },
    default: "text",
  },
  ...CONFIG_FILE,
  ...HELP,
} satisfies Rows;

/** Flags of `config` that no file has. */
export const CONFIG_FLAGS = {
  "no-register": NO_REGISTER,
  interface: { flag: "interface", reader: device, help: "the same as INTERFACE" },
  format: {
    flag: "format",
    reader: oneOf("wg", "json"),
    switches: { json: "print JSON, without secrets" },
    default: "wg",
    help: "what to print",
  },
  output: {
    flag: "output",
    reader: file,
    help: "write this file, as a whole or not at all, for its owner alone; - for standard output",
  },
  import: {
    flag: "import",
    reader: file,
    help: "print settings made of wg-quick's FILE or a Corefile with wgsd",
  },
  keys: {
    flag: "keys",
    reader: one(text, "FOLDER"),
    help: "with --import: write the keys of FILE into new files here",
  },
  ...CONFIG_FILE,
  ...HELP,
} satisfies Rows;

/** Flags of `doctor`. */
export const DOCTOR_FLAGS = {
  output: {
    reader: oneOf("text", "json"),
    switches: { json: "print JSON" },
    default: "text",
  },
  ...CONFIG_FILE,
  ...HELP,
} satisfies Rows;

/** A `[sync.NAME]` table of a settings file. */
export type SyncSettings = InFile<typeof CLIENT>;
/** A `[[peer]]` table of a settings file. */
export type PeerSettings = InFile<typeof PEER>;

/**
 * The flags of `invite` and `registry`: who administers a registry has them on the command line alone.
 *
 * @module
 */

import { file, GROUP_NUMBER, HELP, MAX_USES, OWN_PORT, SWITCH } from "./common_options.ts";
import { commaList, one, type Option, type Rows, whole } from "./option.ts";
import { durationFrom, hostPort, label, prefix, type Reader, refuse, text } from "./reader.ts";
import { ADDRESS_SIZE, parseAddress } from "../net/ip_address.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";

/** An IP address, without a prefix length. */
const address: Reader<string> = (value, path) =>
  typeof value === "string" && parseAddress(value, new WireBuffer(ADDRESS_SIZE), 0)
    ? value
    : refuse(path, "an IP address, such as 10.0.0.2", value);

const GROUP = {
  flag: GROUP_NUMBER.flag,
  reader: GROUP_NUMBER.reader,
  shown: "the only one",
  help: GROUP_NUMBER.help,
} satisfies Option;
const SERVE = {
  flag: "serve",
  reader: one(text, "PORT"),
  shown: "the one that runs here",
  help: "which wgsig serve, by its first port",
} satisfies Option;
const ALLOWED_IPS = {
  flag: "allowed-ips",
  reader: commaList(prefix, "CIDR"),
  default: [],
  help: "networks behind the peer, beside its own address",
} satisfies Option;

/** Flags of `invite`. */
export const INVITE_FLAGS = {
  group: GROUP,
  "allowed-ips": ALLOWED_IPS,
  address: {
    flag: "address",
    reader: commaList(address, "IP"),
    shown: "the next free one",
    help: "the peer's address in the tunnel",
  },
  uses: {
    flag: "uses",
    reader: whole(1, MAX_USES),
    default: 1,
    help: "how many peers can join with the link",
  },
  lifetime: {
    flag: "lifetime",
    reader: one(durationFrom(1, "1s"), "DURATION"),
    default: "1d",
    help: "how long the link can be used",
  },
  server: {
    flag: "server",
    reader: one(hostPort(OWN_PORT), "HOST:PORT"),
    shown: "public-address, else one of this host's",
    help: "the registry's address in the link",
  },
  qr: { flag: "qr", ...SWITCH, help: "print a QR code of it" },
  "wg-conf": {
    flag: "wg-conf",
    ...SWITCH,
    help: "instead of a link, a whole configuration for a phone's WireGuard app",
  },
  via: {
    flag: "via",
    reader: one(label, "PEER"),
    shown: "the only peer that can be one",
    help: "with --wg-conf: the hub that the phone goes through",
  },
  endpoint: {
    flag: "endpoint",
    reader: one(hostPort(), "HOST:PORT"),
    shown: "where it is registered",
    help: "with --wg-conf: where the phone reaches the hub",
  },
  output: {
    flag: "output",
    reader: file,
    help: "with --wg-conf: write a file that only its owner can read; - for standard output",
  },
  serve: SERVE,
  json: { flag: "json", ...SWITCH, help: "print JSON" },
  ...HELP,
} satisfies Rows;

/** Flags of `registry`. */
export const REGISTRY_FLAGS = {
  group: GROUP,
  "allowed-ips": { ...ALLOWED_IPS, help: "add: AllowedIPs of the peer" },
  via: {
    flag: "via",
    reader: one(label, "PEER"),
    help: "add: the hub through which it is reached, if it can't speak wgsig",
  },
  names: { flag: "names", ...SWITCH, help: "list: names alone, one a line" },
  serve: SERVE,
  json: { flag: "json", ...SWITCH, help: "print JSON" },
  ...HELP,
} satisfies Rows;

/**
 * The options of DNS zones: `[serve.dns]` and the tables below it.
 *
 * @module
 */

import { DNS_PORT } from "../ask/server_name.ts";
import { DEFAULT_ANSWER_BUDGET } from "../net/answer_budget.ts";
import { type HostPort, parseHostPort } from "../net/host_port.ts";
import { ADDRESS_SIZE, isWildcard, parseAddress } from "../net/ip_address.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { isDnsName } from "../../wire/dns/message.ts";
import { files, GROUP_NUMBER, SERVED_INTERFACE, SWITCH, time, zoneName } from "./common_options.ts";
import {
  commaList,
  many,
  one,
  oneOf,
  type Option,
  optional,
  type Rows,
  section,
  tableList,
  toggle,
  whole,
} from "./option.ts";
import { addressPort, either, prefix, publicKey, type Reader, refuse, tables } from "./reader.ts";

/** The most bytes a second that a budget can have. */
export const MAX_BUDGET = 2 ** 31 - 1;

/** Where a device that publishes itself is. */
const selfEndpoint: Reader<{ endpoint: HostPort | undefined }> = (value, path) => {
  const endpoint = typeof value === "string" ? parseHostPort(value) : undefined;
  const address = new WireBuffer(ADDRESS_SIZE);
  const isSome = endpoint !== undefined && endpoint.port > 0 &&
    parseAddress(endpoint.host, address, 0) && !isWildcard(address, 0);
  return isSome ? { endpoint } : refuse(path, "IP:PORT, where the others reach it", value);
};

const self: Reader<{ endpoint: HostPort | undefined } | false> = (value, path) =>
  typeof value === "boolean" ? value && { endpoint: undefined } : selfEndpoint(value, path);

const groupId = GROUP_NUMBER.reader.inFile;
const groupIds = many(groupId, "ID");

/** The name of a TSIG key, in lower case and without a dot at its end. */
const tsigName: Reader<string> = (value, path) => {
  const name = typeof value === "string" ? value.replace(/\.$/, "").toLowerCase() : "";
  return isDnsName(name)
    ? name
    : refuse(path, "the name of a TSIG key, such as ops.wg.example.com", value);
};

/** `[[serve.dns.zone.view]]`: who has it, and what it shows. */
export const VIEW = {
  tsig: { reader: many(tsigName, "NAME"), help: "for questions with one of these TSIG keys" },
  from: { reader: many(prefix, "CIDR"), help: "for questions from here" },
  groups: { reader: groupIds, help: "shows the peers of these groups of the zone" },
  peers: { reader: many(publicKey, "KEY"), help: "shows these peers" },
  interface: { reader: toggle, help: "shows the interface's peers" },
} satisfies Rows;

/** What `[serve.dns]` says of all of its zones, and `[[serve.dns.zone]]` of one. */
export const ZONE = {
  interface: SERVED_INTERFACE,
  group: {
    reader: {
      ...groupIds,
      inFile: (value, path) =>
        Array.isArray(value) ? groupIds.inFile(value, path) : [groupId(value, path)],
    },
    help: "group whose peers are published, or a list of groups",
  },
  self: {
    flag: "self",
    reader: optional(self, "ENDPOINT", true),
    default: false,
    help: "publish the interface itself, here or where it was asked",
  },
  "self-allowed-ips": {
    flag: "self-allowed-ips",
    reader: commaList(prefix, "CIDR"),
    default: [],
    help: "its own AllowedIPs",
  },
  "allow-from": {
    flag: "allow-from",
    reader: commaList(prefix, "CIDR"),
    shown: "everybody",
    help: "who may ask the zone",
  },
  "dnssec-keys": {
    flag: "dnssec-key",
    reader: files,
    default: [],
    help: "sign the zone with the private key in this file; several: all sign",
  },
  cds: {
    reader: oneOf("publish", "delete", "none"),
    default: "publish",
    help: "what a signed zone tells the zone above: its keys, to drop them, nothing",
  },
  "tsig-files": {
    flag: "tsig",
    reader: files,
    default: [],
    help: "file of a TSIG key with which the zone may be asked, such as dig -k takes",
  },
  "require-tsig": {
    flag: "require-tsig",
    ...SWITCH,
    help: "answer nobody for the zone who doesn't sign",
  },
  ttl: {
    flag: "ttl",
    reader: time,
    default: "0s",
    help: "how long resolvers may keep the zone's answers",
  },
  view: tableList(VIEW),
} satisfies Rows;

/** The name of a zone. */
export const ZONE_NAME = {
  flag: "zone",
  reader: one(zoneName, "ZONE"),
  help: "name of that zone, such as wg.example.com",
} satisfies Option;

/** `[serve.dns]`. */
export const DNS = {
  listen: {
    flag: "dns",
    reader: many(addressPort(DNS_PORT), "ADDR:PORT"),
    default: [],
    help: "serve a DNS zone here, over UDP and TCP",
  },
  zone: {
    ...ZONE_NAME,
    reader: one(either(zoneName, tables(section({ name: ZONE_NAME, ...ZONE }))), "ZONE"),
  },
  ...ZONE,
  "answer-budget": {
    reader: whole(0, MAX_BUDGET),
    default: DEFAULT_ANSWER_BUDGET.bytesPerSecond,
    help: "bytes a second that a source gets beyond what it sends; 0: no limit",
  },
} satisfies Rows;

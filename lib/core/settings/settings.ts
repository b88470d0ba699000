/**
 * The settings file: TOML text in, checked settings out.
 *
 * @module
 */

import { parse } from "@std/toml/parse";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { type HostPort, parseHostPort } from "../net/host_port.ts";
import { ADDRESS_SIZE, isWildcard, parseAddress } from "../net/ip_address.ts";
import {
  addressPort,
  boolean,
  choice,
  cidr,
  duration,
  durationFrom,
  either,
  hostPort,
  integer,
  label,
  list,
  publicKey,
  type Read,
  type Reader,
  record,
  refuse,
  table,
  text,
} from "./reader.ts";
import { DNS_PORT, parseServerName, PUNCH_PORT, type ServerName } from "../ask/server_name.ts";
import { parseZone } from "../zone/name.ts";

/** Where the group secret is looked for when nothing else is said. */
export const DEFAULT_SECRET_FILE = "/etc/wgsig/secret";
/** The most peers a group can have. */
export const MAX_PEERS = 100_000;
const MAX_GROUP = 0xffff_ffff;
const MAX_PORT = 0xffff;

/** A group number. */
export const groupNumber = integer(0, MAX_GROUP);
/** Encryption at the server. */
export const serveEncryption = choice("auto", "required", "off");
/** Encryption at a client. */
export const clientEncryption = choice("on", "off");

/** Why `workers` and `--workers` are gone, and what to do instead. */
export const NO_WORKERS = "one process is one loop, and one core serves 825 000 peers that ask " +
  "every 25 s; leave it out, and for more peers run several registries and name them all in " +
  '"servers"';

/** The time between two looks at an interface. */
export const lookInterval = durationFrom(0.1, "100ms");
/** How an interface's endpoint is registered. */
export const registerMode = choice("auto", "raw", "borrow", "tunnel", "none");

/** A server to ask. */
export const serverName: Reader<ServerName> = (value, path) =>
  (typeof value === "string" ? parseServerName(value) : undefined) ??
    refuse(path, "HOST, HOST:PORT, dns://HOST[:PORT]/ZONE or punch://HOST[:PORT]", value);

/** The name of a DNS zone, in lower case and without a dot at its end. */
export const zoneName: Reader<string> = (value, path) =>
  (typeof value === "string" ? parseZone(value) : undefined) ??
    refuse(path, "the name of a DNS zone, such as wg.example.com", value);

/** Where a device that publishes itself is. */
export const selfEndpoint: Reader<{ endpoint: HostPort | undefined }> = (value, path) => {
  const endpoint = typeof value === "string" ? parseHostPort(value) : undefined;
  const address = new WireBuffer(ADDRESS_SIZE);
  const isSome = endpoint !== undefined && endpoint.port > 0 &&
    parseAddress(endpoint.host, address, 0) && !isWildcard(address, 0);
  return isSome ? { endpoint } : refuse(path, "IP:PORT, where the others reach it", value);
};

/** How long an address is leased: whole seconds, what the protocol can say. */
export const leaseTime: Reader<number> = (value, path) => {
  const seconds = Math.round(duration(value, path));
  return seconds >= 10 && seconds <= MAX_GROUP
    ? seconds
    : refuse(path, "a duration of 10s or more", value);
};

const self: Reader<{ endpoint: HostPort | undefined } | false> = (value, path) =>
  typeof value === "boolean" ? value && { endpoint: undefined } : selfEndpoint(value, path);

const zoneKeys = {
  interface: text,
  group: groupNumber,
  self,
  "self-allowed-ips": list(cidr),
  "allow-from": list(cidr),
  ttl: duration,
};

const dns = table({
  listen: list(addressPort(DNS_PORT)),
  zone: either(zoneName, list(table({ name: zoneName, ...zoneKeys }))),
  ...zoneKeys,
  "answer-budget": integer(0, 2 ** 31 - 1),
});

const lease = table({
  interface: text,
  pools: list(cidr),
  reserved: list(cidr),
  "lease-time": leaseTime,
  routes: list(cidr),
  state: text,
  configure: boolean,
});

const serve = table({
  listen: list(hostPort()),
  encryption: serveEncryption,
  state: text,
  "max-peers": integer(1, MAX_PEERS),
  "max-answer": integer(1, MAX_PEERS),
  "max-age": duration,
  window: duration,
  "log-format": choice("text", "json"),
  "log-level": choice("quiet", "normal", "verbose"),
  dns,
  lease,
  punch: addressPort(PUNCH_PORT),
  group: list(table({ id: groupNumber, "secret-file": text, "allow-file": text, interface: text })),
}, { workers: NO_WORKERS });

const sync = table({
  servers: list(serverName),
  "secret-file": text,
  group: groupNumber,
  encryption: clientEncryption,
  "public-key": publicKey,
  "private-key-file": text,
  address: list(cidr),
  port: integer(0, MAX_PORT),
  "max-age": duration,
  timeout: duration,
  "persistent-keepalive": integer(0, MAX_PORT),
  register: registerMode,
  interval: lookInterval,
  "add-peers": boolean,
  "mend-routes": boolean,
  "trust-allowed-ips": list(zoneName),
  lease: boolean,
  "lease-routes": boolean,
  "trust-lease": boolean,
  "until-gone": boolean,
  hook: text,
});

const peer = table({
  name: label,
  "public-key": publicKey,
  "allowed-ips": list(cidr),
  "persistent-keepalive": integer(0, MAX_PORT),
  "preshared-key-file": text,
  lease: list(cidr),
});

const file = table({ serve, sync: record(sync), peer: list(peer) });

/** What a settings file says. Every key may be missing. */
export type Settings = ReturnType<typeof file>;
/** The `[serve.lease]` table. */
export type LeaseSettings = ReturnType<typeof lease>;
/** The `[serve.dns]` table. */
export type DnsSettings = ReturnType<typeof dns>;
/** What `[serve.dns]` says of all of its zones, and `[[serve.dns.zone]]` of one. */
export type ZoneSettings = Read<typeof zoneKeys>;
/** The `[serve]` table. */
export type ServeSettings = ReturnType<typeof serve>;
/** A `[sync.INTERFACE]` table. */
export type SyncSettings = ReturnType<typeof sync>;
/** A `[[peer]]` table. */
export type PeerSettings = ReturnType<typeof peer>;

/**
 * Reads a settings file's text.
 *
 * @throws {SyntaxError} Naming the line (where it is no TOML) or the key.
 */
export function parseSettings(toml: string): Settings {
  return file(parse(toml), "");
}

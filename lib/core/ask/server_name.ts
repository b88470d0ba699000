/**
 * Servers as people name them.
 *
 * ```
 * HOST[:PORT], wgsig://HOST[:PORT]   a registry, asked with the wgsig protocol
 * dns://HOST[:PORT]/ZONE             a name server, asked for a zone of WireGuard peers
 * punch://HOST[:PORT]                a server of WireGuard's hole-punching example
 * ```
 *
 * @module
 */

import { formatHostPort, type HostPort, parseHostPort } from "../net/host_port.ts";
import { parseZone } from "../zone/name.ts";

/** The UDP port of the wgsig protocol. */
export const DEFAULT_PORT = 1223;
/** Where a registry listens over IPv4 as well: who asks at both sees what its NAT does. */
export const SECOND_PORT = DEFAULT_PORT + 1;
/** The port of DNS. */
export const DNS_PORT = 53;

/** The UDP port of WireGuard's hole-punching example. */
export const PUNCH_PORT = 49_918;

/** A registry. */
export interface RegistryName extends HostPort {
  /** What its name begins with. */
  readonly scheme: "wgsig";
}

/** A name server, and a zone that it knows. */
export interface ZoneServerName extends HostPort {
  /** What its name begins with. */
  readonly scheme: "dns";
  /** In lower case, without a dot at its end. */
  readonly zone: string;
}

/** A server of WireGuard's hole-punching example. */
export interface PunchServerName extends HostPort {
  /** What its name begins with. */
  readonly scheme: "punch";
}

/** A server to ask. */
export type ServerName = RegistryName | ZoneServerName | PunchServerName;

const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  wgsig: DEFAULT_PORT,
  dns: DNS_PORT,
  punch: PUNCH_PORT,
};

/** Reads a server's name; undefined where the text is none. */
export function parseServerName(text: string): ServerName | undefined {
  const [, scheme = "wgsig", rest = "", path] = /^(?:(wgsig|dns|punch):\/\/)?([^/]*)(?:\/([^/]*))?$/
    .exec(text) ?? [];
  const server = parseHostPort(rest, DEFAULT_PORTS[scheme]);
  if (server === undefined || server.port === 0) return undefined;
  if (scheme === "wgsig" || scheme === "punch") {
    return path === undefined ? { scheme, ...server } : undefined;
  }
  const zone = path === undefined ? undefined : parseZone(path);
  return zone === undefined ? undefined : { scheme: "dns", ...server, zone };
}

/** The text of a server's name: of a registry without the scheme. */
export function formatServerName(server: ServerName): string {
  const at = formatHostPort(server);
  switch (server.scheme) {
    case "dns":
      return `dns://${at}/${server.zone}`;
    case "punch":
      return `punch://${at}`;
    case "wgsig":
      return at;
  }
}

/**
 * `HOST:PORT` as people write it, with an IPv6 address in brackets.
 *
 * @module
 */

/** A host (a name or an IP address, without brackets) and a UDP port. */
export interface HostPort {
  /** A name or an IP address, without brackets. */
  readonly host: string;
  /** A UDP port. */
  readonly port: number;
}

/** A family of addresses, by the version of IP. */
export type Family = 4 | 6;

/** The family of an IP address. */
export function familyOf({ host }: Pick<HostPort, "host">): Family {
  return host.includes(":") ? 6 : 4;
}

const FORM = /^(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([^\s:\[\]\/]+))(?::(\d{1,5}))?$/;
/** An IPv6 address without brackets has at least two colons, and so no port. */
const BARE_IPV6 = /^[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(?:%[\w.-]+)?$/;

/**
 * Reads `HOST`, `HOST:PORT`, `[IPV6]:PORT` or a bare IPv6 address.
 *
 * @param defaultPort The port where none is written; undefined makes it required.
 * @returns Undefined where the text is none of these.
 */
export function parseHostPort(text: string, defaultPort?: number): HostPort | undefined {
  if (defaultPort !== undefined && BARE_IPV6.test(text)) return { host: text, port: defaultPort };
  const match = FORM.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (match === null || host === undefined) return undefined;
  const port = match[3] === undefined ? defaultPort : Number(match[3]);
  return port === undefined || port > 0xffff ? undefined : { host, port };
}

/** The text of a host and a port. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

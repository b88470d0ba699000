/**
 * Who may read what a program says of itself over HTTP.
 *
 * Without a token, that is anyone on this host: names in _Host_ are refused but for `localhost`, since
 * a page of somebody else's can have a name that leads here, and its browser would let it read
 * (DNS rebinding). With a token, that is anyone who has it: no browser sends it for such a name.
 *
 * @module
 */

import { decodeBase64 } from "@std/encoding/base64";
import { parseHostPort } from "../net/host_port.ts";
import { ADDRESS_SIZE, formatAddress, isIpv4, parseAddress } from "../net/ip_address.ts";
import { areSameBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { HttpRequest } from "../../wire/http/request.ts";

/** A token is no shorter: it could be guessed. */
const MIN_TOKEN = 16;
const MAX_TOKEN = 256;
const TOKEN = new RegExp(`^[!-~]{${MIN_TOKEN},${MAX_TOKEN}}$`);
/** What tokens have, in words. */
export const TOKEN_FORM = `${MIN_TOKEN} to ${MAX_TOKEN} visible characters on one line`;
/** A user's name is passed over: browsers ask for one. */
const PASSWORD = /^[^:]*:/;
const DEFAULT_PORT = 80;
const IPV4_LOOPBACK = 127;

/** The token in a file's bytes; undefined where there is none. */
export function parseToken(bytes: Uint8Array): Uint8Array | undefined {
  const text = new TextDecoder().decode(bytes).trim();
  return TOKEN.test(text) ? new TextEncoder().encode(text) : undefined;
}

/** Whether an address can be reached from this host alone. @param host An IP address. */
export function isLoopback(host: string): boolean {
  const binary = new WireBuffer(ADDRESS_SIZE);
  if (!parseAddress(host, binary, 0)) return false;
  if (isIpv4(binary, 0)) return binary.bytes[ADDRESS_SIZE - 4] === IPV4_LOOPBACK;
  return formatAddress(binary, 0) === "::1";
}

/**
 * Why a request is refused: 401 where it needs the token, 421 where it was meant for somebody else.
 *
 * @param token What it must have, if anything.
 */
export function refusal(
  { host, authorization }: Pick<HttpRequest, "host" | "authorization">,
  token: Uint8Array | undefined,
): 401 | 421 | undefined {
  if (token !== undefined) return hasToken(authorization, token) ? undefined : 401;
  return host === undefined || isOwnName(host) ? undefined : 421;
}

/** `localhost`, a name below that, or an IP address. */
function isOwnName(text: string): boolean {
  const host = parseHostPort(text, DEFAULT_PORT)?.host;
  if (host === undefined) return false;
  return /^(?:.+\.)?localhost\.?$/i.test(host) ||
    parseAddress(host, new WireBuffer(ADDRESS_SIZE), 0);
}

function hasToken(authorization: string | undefined, token: Uint8Array): boolean {
  const [, scheme = "", rest = ""] = /^(\w+) +(\S+)$/.exec(authorization ?? "") ?? [];
  const given = scheme.toLowerCase() === "bearer"
    ? new TextEncoder().encode(rest)
    : scheme.toLowerCase() === "basic"
    ? passwordOf(rest)
    : undefined;
  return given !== undefined && areSameBytes(given, token);
}

function passwordOf(base64: string): Uint8Array | undefined {
  let text: string;
  try {
    text = new TextDecoder().decode(decodeBase64(base64));
  } catch {
    return undefined;
  }
  return PASSWORD.test(text) ? new TextEncoder().encode(text.replace(PASSWORD, "")) : undefined;
}

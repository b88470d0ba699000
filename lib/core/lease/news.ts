/**
 * What a lease server tells a client that asks for it (`want=routes,peers`), besides its addresses:
 *
 * ```
 * route=10.9.0.0/16
 * peer=BASE64 endpoint=203.0.113.21:51820 allowed=10.9.0.2/32,fd00::2/128
 * ```
 *
 * A route is a prefix that is reached through the tunnel. Of another peer, its public key comes
 * first; then, in any order and each only where it is known, its endpoint and its addresses. Words
 * that a reader doesn't know are passed over.
 *
 * @module
 */

import { MAX_LINE_SIZE } from "../../wire/lease/message.ts";
import { formatHostPort, type HostPort, parseHostPort } from "../net/host_port.ts";
import { normalizePrefix } from "../net/ip_prefix.ts";
import { parseLeaseAddress } from "./address.ts";
import { parseKey } from "../net/peer_key.ts";

/** The most routes that are sent, and taken. */
export const MAX_ROUTES = 64;
/** The most peers that are sent, and taken. */
export const MAX_NEWS_PEERS = 256;
/** The most prefixes of a peer that are sent, and taken. */
export const MAX_NEWS_PREFIXES = 32;
/** The most bytes of routes and peers in one reply. */
export const MAX_NEWS_SIZE = 65_536;

const WANT_ROUTES = "routes";
const WANT_PEERS = "peers";
const ENDPOINT = "endpoint=";
const ALLOWED = "allowed=";
/** `route=`, `peer=` and LF. */
const LINE_EXTRA = 7;

/** What a client wants to be told. */
export interface LeaseWants {
  /** Routes through the tunnel. */
  readonly routes: boolean;
  /** Other peers. */
  readonly peers: boolean;
}

/** What is known about another peer. */
export interface PeerNews {
  /** In base64. */
  readonly publicKey: string;
  /** An IP address and a port, where they are known. */
  readonly endpoint?: HostPort | undefined;
  /** Its addresses, as prefixes. */
  readonly allowedIps: readonly string[];
}

/** Routes and peers. */
export interface LeaseNews {
  /** Prefixes that are reached through the tunnel. */
  readonly routes: readonly string[];
  /** Other peers. */
  readonly peers: readonly PeerNews[];
}

/** No news. */
export const NO_NEWS: LeaseNews = { routes: [], peers: [] };

/** The value of `want`, or undefined where nothing is wanted. */
export function formatWants({ routes, peers }: LeaseWants): string | undefined {
  const words = [...(routes ? [WANT_ROUTES] : []), ...(peers ? [WANT_PEERS] : [])];
  return words.length === 0 ? undefined : words.join(",");
}

/** What a value of `want` says. Words that are not known are passed over. */
export function parseWants(value: string): LeaseWants {
  const words = value.split(",");
  return { routes: words.includes(WANT_ROUTES), peers: words.includes(WANT_PEERS) };
}

/** The prefix that a value of `route` is, or undefined. */
export function parseRoute(value: string): string | undefined {
  try {
    return normalizePrefix(value);
  } catch {
    return undefined;
  }
}

/** Values that were made before: most peers are told of again and again. */
const values = new WeakMap<PeerNews, string>();

/** The value of `peer`. Of its prefixes, the first 32 are told. */
export function formatPeerNews(peer: PeerNews): string {
  let value = values.get(peer);
  if (value === undefined) values.set(peer, value = newValue(peer));
  return value;
}

function newValue({ publicKey, endpoint, allowedIps }: PeerNews): string {
  const words = [publicKey];
  if (endpoint !== undefined) words.push(ENDPOINT + formatHostPort(endpoint));
  const allowed = allowedIps.slice(0, MAX_NEWS_PREFIXES);
  if (allowed.length > 0) words.push(ALLOWED + allowed.join(","));
  return words.join(" ");
}

/** What a value of `peer` says, or undefined where it is wrong. */
export function parsePeerNews(value: string): PeerNews | undefined {
  const [publicKey = "", ...words] = value.split(" ");
  if (parseKey(publicKey) === undefined) return undefined;
  let endpoint: HostPort | undefined;
  let allowedIps: string[] = [];
  for (const word of words) {
    if (word.startsWith(ENDPOINT)) {
      endpoint = parseHostPort(word.slice(ENDPOINT.length));
      if (endpoint === undefined || endpoint.port === 0) return undefined;
      if (parseLeaseAddress(endpoint.host) === undefined) return undefined;
    } else if (word.startsWith(ALLOWED)) {
      const prefixes = word.slice(ALLOWED.length).split(",");
      if (prefixes.length > MAX_NEWS_PREFIXES) return undefined;
      allowedIps = prefixes.flatMap((prefix) => parseRoute(prefix) ?? []);
      if (allowedIps.length !== prefixes.length) return undefined;
    }
  }
  return { publicKey, endpoint, allowedIps };
}

/** The values of `route` and `peer` for a client, as many as the limits allow. */
export function newsValues(
  { routes, peers }: LeaseNews,
  wants: LeaseWants,
): { routes: string[]; peers: string[] } {
  let left = MAX_NEWS_SIZE;
  const fits = (value: string) => {
    const size = value.length + LINE_EXTRA;
    if (size > MAX_LINE_SIZE || size > left) return false;
    left -= size;
    return true;
  };
  return {
    routes: wants.routes ? routes.slice(0, MAX_ROUTES).filter(fits) : [],
    peers: wants.peers ? peers.slice(0, MAX_NEWS_PEERS).map(formatPeerNews).filter(fits) : [],
  };
}

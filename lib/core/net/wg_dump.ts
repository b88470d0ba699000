/**
 * What `wg show IF dump` prints (wg(8)): a line of the interface, then one a peer, fields with tabs
 * between them, `(none)` and `off` for what isn't set. Keys that nobody else may know are passed over.
 *
 * @module
 */

import type { Device, DevicePeer } from "./device.ts";
import { parseHostPort } from "./host_port.ts";
import { parseKey } from "./peer_key.ts";

const INTERFACE_FIELDS = 4;
const PEER_FIELDS = 8;
/** Marks are hexadecimal, all else is decimal. */
const NUMBER = /^(?:\d+|0x[\da-f]+)$/;

/**
 * Reads a dump.
 *
 * @throws {SyntaxError} If it is none.
 */
export function parseDump(text: string): Device {
  const [first = "", ...rest] = text.split("\n").filter((line) => line !== "");
  const fields = first.split("\t");
  if (fields.length !== INTERFACE_FIELDS) throw new SyntaxError("wg printed something unknown");
  const [, publicKey = "", listenPort = "", mark = ""] = fields;
  return {
    publicKey: parseKey(publicKey) === undefined ? undefined : publicKey,
    listenPort: number(listenPort),
    mark: mark === "off" ? 0 : number(mark),
    peers: rest.map(parsePeer),
  };
}

/**
 * Reads the line of a peer.
 *
 * @throws {SyntaxError} If it is none.
 */
export function parsePeer(line: string): DevicePeer {
  const fields = line.split("\t");
  if (fields.length !== PEER_FIELDS) throw new SyntaxError("wg printed something unknown");
  const [publicKey = "", , endpoint = "", allowedIps = "", handshake = "", ...counts] = fields;
  const [received = "", sent = "", keepalive = ""] = counts;
  if (parseKey(publicKey) === undefined) throw new SyntaxError("wg printed something unknown");
  return {
    publicKey,
    endpoint: parseHostPort(endpoint),
    allowedIps: allowedIps === "(none)" ? [] : allowedIps.split(","),
    latestHandshake: number(handshake),
    received: number(received),
    sent: number(sent),
    persistentKeepalive: keepalive === "off" ? 0 : number(keepalive),
  };
}

/** So many peers are searched for one by one; for more, all lines are looked at. */
const FEW_PEERS = 4;

/**
 * The AllowedIPs of some peers in what `wg show IF allowed-ips` prints: a line a peer, its public
 * key, a tab, and prefixes with spaces between them, or `(none)`.
 */
export function parseAllowedIps(
  text: string,
  publicKeys: ReadonlySet<string>,
): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const take = (publicKey: string, at: number) => {
    const end = text.indexOf("\n", at);
    const prefixes = text.slice(at, end < 0 ? text.length : end);
    found.set(publicKey, prefixes === "(none)" ? [] : prefixes.split(" "));
  };
  if (publicKeys.size <= FEW_PEERS) {
    for (const publicKey of publicKeys) {
      const line = `${publicKey}\t`;
      const at = text.startsWith(line) ? 0 : text.indexOf(`\n${line}`) + 1;
      if (at > 0 || text.startsWith(line)) take(publicKey, at + line.length);
    }
    return found;
  }
  for (let at = 0; at < text.length;) {
    const tab = text.indexOf("\t", at);
    if (tab < 0) break;
    const publicKey = text.slice(at, tab);
    if (publicKeys.has(publicKey)) take(publicKey, tab + 1);
    const end = text.indexOf("\n", tab);
    if (end < 0) break;
    at = end + 1;
  }
  return found;
}

function number(text: string): number {
  const value = NUMBER.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(value)) {
    throw new SyntaxError("wg printed something unknown");
  }
  return value;
}

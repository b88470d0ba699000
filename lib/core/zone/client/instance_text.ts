/**
 * What the TXT record of a peer's instance says (DNS-SD, RFC 6763, section 6):
 *
 * ```
 * txtvers=1  pub=BASE64KEY  allowed=CIDR,CIDR  allowed2=CIDR,…  allowed3=…  seen=UNIXSECONDS
 * ```
 *
 * A string holds 255 bytes, so that a long list goes on in the next.
 *
 * @module
 */

import { isCidr } from "../../net/ip_prefix.ts";

const VERSION = "1";
const SECONDS = /^\d{1,12}$/;
const COUNT = /^\d{1,9}$/;

/** What a TXT record says of a peer. */
export interface InstanceText {
  /** AllowedIPs; undefined where there is no such list, or one of them is none. */
  readonly allowedIps?: readonly string[];
  /** When the peer was last seen, in Unix seconds. */
  readonly seen?: number;
}

/**
 * Reads the TXT record of a peer's instance.
 *
 * @param publicKey The peer's key in base64.
 * @returns Undefined where the record is of another version, or of another peer.
 */
export function readInstanceText(
  strings: readonly string[],
  publicKey: string,
): InstanceText | undefined {
  const fields = readFields(strings);
  if ((fields.get("txtvers") ?? VERSION) !== VERSION) return undefined;
  if ((fields.get("pub") ?? publicKey) !== publicKey) return undefined;
  const allowedIps = readAllowedIps(fields);
  const seen = fields.get("seen") ?? "";
  return {
    ...(allowedIps === undefined ? {} : { allowedIps }),
    ...(SECONDS.test(seen) ? { seen: Number(seen) } : {}),
  };
}

/** How many peers there are, by the service's TXT record (`peers=N`); undefined where it doesn't say. */
export function readPeerCount(strings: readonly string[]): number | undefined {
  const count = readFields(strings).get("peers") ?? "";
  return COUNT.test(count) ? Number(count) : undefined;
}

/** `key=value` strings; keys have no case, and the first of a key counts. */
function readFields(strings: readonly string[]): Map<string, string> {
  const fields = new Map<string, string>();
  for (const each of strings) {
    const equals = each.indexOf("=");
    if (equals <= 0) continue;
    const key = each.slice(0, equals).toLowerCase();
    if (!fields.has(key)) fields.set(key, each.slice(equals + 1));
  }
  return fields;
}

function readAllowedIps(fields: ReadonlyMap<string, string>): string[] | undefined {
  const parts: string[] = [];
  for (let i = 1;; i++) {
    const part = fields.get(i === 1 ? "allowed" : `allowed${i}`);
    if (part === undefined) break;
    if (part !== "") parts.push(...part.split(","));
  }
  // A list with a fault may lack the address that matters: it is none.
  return fields.has("allowed") && parts.every(isCidr) ? parts : undefined;
}

/**
 * How far an address holds.
 *
 * @module
 */

import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { ADDRESS_SIZE, parseAddress } from "./ip_address.ts";
import { PrefixSet } from "./ip_prefix.ts";

const LOOPBACK = new PrefixSet(["127.0.0.0/8", "::1/128"]);
/** RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291. */
const PRIVATE = new PrefixSet([
  "10.0.0.0/8",
  "100.64.0.0/10",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "fc00::/7",
  "fe80::/10",
]);
/** RFC 1122, section 3.2.1.3; RFC 1112, section 4; RFC 4291, section 2. */
const NO_HOST = new PrefixSet(["0.0.0.0/8", "224.0.0.0/3", "::/128", "ff00::/8"]);

/** How far an address holds: on one host, in one network, everywhere. */
export type Reach = 0 | 1 | 2;

/** How far an IP address holds; what is none holds nowhere else. */
export function reachOf(text: string): Reach {
  const address = new WireBuffer(ADDRESS_SIZE);
  if (!parseAddress(text, address, 0) || LOOPBACK.contains(address, 0)) return 0;
  return PRIVATE.contains(address, 0) ? 1 : 2;
}

/** Whether an IP address is one that a host can have, and that holds everywhere. */
export function isPublic(text: string): boolean {
  const address = new WireBuffer(ADDRESS_SIZE);
  return reachOf(text) === 2 && parseAddress(text, address, 0) && !NO_HOST.contains(address, 0);
}

/**
 * Addresses of a tunnel, between the wire and text.
 *
 * @module
 */

import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { TunnelPrefix } from "../../wire/wgsig2/name.ts";
import { ADDRESS_SIZE, formatAddress, writeIpv4 } from "../net/ip_address.ts";
import { isCidr } from "../net/ip_prefix.ts";

const IPV4_SIZE = 4;

/**
 * The text of an address with the length of a prefix, such as `10.9.0.2/24`; undefined where there is
 * no such text (an IPv4 address in IPv6's clothes).
 */
export function formatTunnelPrefix({ address, length }: TunnelPrefix): string | undefined {
  const buffer = new WireBuffer(ADDRESS_SIZE);
  if (address.length === IPV4_SIZE) {
    writeIpv4(buffer, 0, new DataView(address.buffer, address.byteOffset).getUint32(0));
  } else buffer.bytes.set(address);
  const text = `${formatAddress(buffer, 0)}/${length}`;
  return isCidr(text) && text.includes(":") === (address.length !== IPV4_SIZE) ? text : undefined;
}

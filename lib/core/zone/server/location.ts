/**
 * Where an instance of a zone is.
 *
 * @module
 */

import { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import { ADDRESS_SIZE } from "../../net/ip_address.ts";

/**
 * An endpoint, or one of each family with the same port: the SRV record of an instance has one.
 * `ZonePeers.locate` writes into one that the caller keeps.
 */
export class Location {
  /** Its address, 16 bytes (IPv4-mapped for IPv4). */
  readonly address: WireBuffer = new WireBuffer(ADDRESS_SIZE);
  /** The UDP port, 1 to 65535. */
  port: number = 0;
  /** Whether {@linkcode address} is IPv4, and it can be reached at {@linkcode ipv6} as well. */
  isDual: boolean = false;
  /** That IPv6 address. */
  readonly ipv6: WireBuffer = new WireBuffer(ADDRESS_SIZE);
}

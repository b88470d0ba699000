/**
 * From where a peer sees the others: who comes from the same public address is near, and is told what
 * is on the LAN.
 *
 * @module
 */

import { copyBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { readAddress } from "../../wire/wgsig/record.ts";
import { readIpv4 } from "../net/ip_address.ts";
import { NONE } from "../net/none.ts";
import type { PeerDirectory } from "./peer_directory.ts";
import type { PeerTable } from "./peer_table.ts";

/** An endpoint of the asker's own that was seen so long ago, in seconds, says nothing of where it is. */
const RECENT = 180;
/** Size of the part of an IPv6 address that those of a network have in common, in bytes. */
const SUBNET_SIZE = 8;

/** A public address of each family, as far as they are known: an IPv4 address, a /64 of IPv6. */
export class Vantage {
  #ipv4 = NONE;
  #isIpv6 = false;
  readonly #subnet = new WireBuffer(SUBNET_SIZE);

  /** Is where a question came from. */
  start(sources: WireBuffer, at: number, isIpv4: boolean): void {
    this.#ipv4 = NONE;
    this.#isIpv6 = false;
    if (isIpv4) this.#ipv4 = readIpv4(sources, at);
    else this.#setIpv6(sources, at);
  }

  /** Adds what is known of the other family, where the asker has proved that it is this peer. */
  add(peer: number, directory: PeerDirectory, table: PeerTable, mono: number): void {
    const row = directory.rowOf(peer);
    if (this.#ipv4 === NONE && row !== NONE && mono - table.seenAt(row) < RECENT) {
      this.#ipv4 = readAddress(table.pages, table.recordAt(row));
    }
    const { places } = directory;
    if (!this.#isIpv6 && mono - places.seenAt(peer) < RECENT) {
      this.#setIpv6(places.addresses, places.addressAt(peer));
    }
  }

  /** Whether a peer is near. @param since Where it was seen before then isn't where it is. */
  isNear(peer: number, directory: PeerDirectory, table: PeerTable, since: number): boolean {
    const row = directory.rowOf(peer);
    if (
      this.#ipv4 !== NONE && row !== NONE &&
      readAddress(table.pages, table.recordAt(row)) === this.#ipv4
    ) return true;
    const { places } = directory;
    return this.#isIpv6 && places.seenAt(peer) >= since &&
      places.isInSubnet(peer, this.#subnet, 0);
  }

  #setIpv6(sources: WireBuffer, at: number): void {
    this.#isIpv6 = true;
    copyBytes(sources, at, this.#subnet, 0, SUBNET_SIZE);
  }
}

/**
 * The peers of a registry's group, as a zone publishes them.
 *
 * @module
 */

import { readAddress, RECORD_LABEL, RECORD_PORT } from "../../../wire/wgsig/record.ts";
import { readSeconds } from "../../../wire/wgsig/tai64n.ts";
import { copyBytes, type WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import type { Now } from "../../net/clock.ts";
import { ADDRESS_SIZE, writeIpv4 } from "../../net/ip_address.ts";
import { NONE } from "../../net/none.ts";
import type { RegistryGroup } from "../../registry/group.ts";
import type { PeerDirectory } from "../../registry/peer_directory.ts";
import type { AllowedStrings } from "./allowed_strings.ts";
import type { Location } from "./location.ts";
import type { KeySink, KnownAllowedIps, ZonePeers } from "./peers.ts";

/**
 * An endpoint that was seen so many seconds before that of the other family is where the peer was: it
 * asks over both more often than that.
 */
const FORMER = 180;

/**
 * The peers of a registry's group, as they are now. Where somebody has spoken wgsig 2, a peer is known
 * by its number in the group's directory, else by that of its row.
 */
export class GroupPeers implements ZonePeers {
  /** See {@linkcode ZonePeers.isKnown}. */
  readonly isKnown = true;
  readonly #group: RegistryGroup;
  readonly #known: KnownAllowedIps;
  // Of the peer that was looked at last:
  /** When its endpoint of each family was seen; -Infinity where it isn't published. */
  #ipv4At = -Infinity;
  #ipv6At = -Infinity;
  #row = NONE;

  /** Looks into `group`, which removes its stale records itself. */
  constructor(group: RegistryGroup, known: KnownAllowedIps) {
    this.#group = group;
    this.#known = known;
  }

  /** See {@linkcode ZonePeers.allowed}. */
  get allowed(): AllowedStrings {
    return this.#known.strings;
  }

  /** See {@linkcode ZonePeers.find}. */
  find(key: WireBuffer, at: number): number {
    const peer = (this.#directory ?? this.#group.table).find(key, at);
    return peer !== NONE && this.#look(peer) ? peer : NONE;
  }

  /** See {@linkcode ZonePeers.locate}. */
  locate(peer: number, into: Location): void {
    this.#look(peer);
    const { table } = this.#group;
    const places = this.#directory?.places;
    const isIpv4 = this.#ipv4At > -Infinity;
    into.isDual = isIpv4 && this.#ipv6At > -Infinity;
    if (isIpv4) {
      writeIpv4(into.address, 0, readAddress(table.pages, table.recordAt(this.#row)));
      into.port = this.#rowPort;
    } else into.port = places?.portOf(peer) ?? 0;
    if (places === undefined || this.#ipv6At === -Infinity) return;
    const to = isIpv4 ? into.ipv6 : into.address;
    copyBytes(places.addresses, places.addressAt(peer), to, 0, ADDRESS_SIZE);
  }

  /** See {@linkcode ZonePeers.allowedOf}. */
  allowedOf(peer: number): number {
    const { table } = this.#group;
    const directory = this.#directory;
    return directory === undefined
      ? this.#known.find(table.pages, table.recordAt(peer))
      : this.#known.find(directory.ids, directory.idAt(peer));
  }

  /** The moment that its record tells clients of the first protocol, where that is its last. */
  seen(peer: number, now: Now): number {
    this.#look(peer);
    const { table } = this.#group;
    return this.#ipv4At >= this.#ipv6At
      ? readSeconds(table.pages, table.recordAt(this.#row) + RECORD_LABEL)
      : Math.floor(now.unix - (now.mono - this.#ipv6At));
  }

  /** See {@linkcode ZonePeers.list}. */
  list(to: KeySink): void {
    const { table } = this.#group;
    const directory = this.#directory;
    directory?.visit((peer) => {
      if (this.#look(peer)) to.add(directory.ids, directory.idAt(peer));
    });
    if (directory !== undefined) return;
    for (let row = table.oldest; row !== NONE; row = table.newerThan(row)) {
      if (this.#look(row)) to.add(table.pages, table.recordAt(row));
    }
  }

  get #directory(): PeerDirectory | undefined {
    return this.#group.members.directory;
  }

  get #rowPort(): number {
    const { table } = this.#group;
    return table.pages.view.getUint16(table.recordAt(this.#row) + RECORD_PORT);
  }

  /**
   * Sets which endpoints of a peer are published: where it is now; and of both families where they have
   * the same port, else IPv4.
   *
   * @returns Whether there is one.
   */
  #look(peer: number): boolean {
    const directory = this.#directory;
    this.#row = directory === undefined ? peer : directory.rowOf(peer);
    const hasRow = this.#row !== NONE && this.#rowPort !== 0;
    const ipv4At = hasRow ? this.#group.table.seenAt(this.#row) : -Infinity;
    const seenAt = directory?.places.seenAt(peer) ?? NaN;
    const ipv6At = Number.isNaN(seenAt) ? -Infinity : seenAt;
    this.#ipv4At = ipv6At - ipv4At > FORMER ? -Infinity : ipv4At;
    const isOther = hasRow && this.#ipv4At > -Infinity &&
      directory?.places.portOf(peer) !== this.#rowPort;
    this.#ipv6At = ipv4At - ipv6At > FORMER || isOther ? -Infinity : ipv6At;
    return this.#ipv4At > -Infinity || this.#ipv6At > -Infinity;
  }
}

/**
 * Who takes part in relaying: a peer of a group, from the first time that it asks for another one or
 * is asked for, until nobody does any more.
 *
 * @module
 */

import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { Mac1Key } from "../../wire/wireguard/mac1.ts";
import { ID_SIZE } from "../../wire/wgsig/record.ts";
import { NONE } from "../net/none.ts";
import { EndpointIndex } from "./endpoint_index.ts";
import { FreeNumbers } from "../net/free_numbers.ts";
import { ENDPOINT_SIZE, type RelayGroup } from "./relay_group.ts";

/** The most of them. */
export const MOST_PEERS: number = 16_384;
/** A peer whose WireGuard was heard so long ago, in seconds, is where it has registered last. */
const STALE = 60;

/** Where a peer is reached: filled anew by the next call. */
export interface Destination {
  /** Holds the address and the port, 18 bytes from 0 on. */
  readonly endpoint: WireBuffer;
  isIpv4: boolean;
  /** The socket through which it registered, or NONE. */
  socket: number;
}

/** Peers by their number. A place in the index is twice that, and one more for IPv6. */
export class RelayedPeers {
  readonly #pool = new FreeNumbers(MOST_PEERS);
  readonly #endpoints: EndpointIndex;
  readonly #groups: (RelayGroup | undefined)[] = [];
  readonly #numbers = new Map<RelayGroup, Map<number, number>>();
  readonly #members = new Int32Array(MOST_PEERS);
  /** Made when somebody first greets it. */
  readonly #macs: (Mac1Key | undefined)[] = [];
  /** Whether its WireGuard speaks IPv6, as far as that is known, */
  readonly #isIpv6 = new Uint8Array(MOST_PEERS);
  /** and when it was heard. */
  readonly #heardAt = new Float64Array(MOST_PEERS);
  readonly #destination: Destination = {
    endpoint: new WireBuffer(ENDPOINT_SIZE),
    isIpv4: true,
    socket: NONE,
  };
  readonly #id = new WireBuffer(ID_SIZE);

  /** @param seed Random, so that nobody can choose endpoints that collide. */
  constructor(seed: number) {
    this.#endpoints = new EndpointIndex(2 * MOST_PEERS, seed);
  }

  /** How many there are. */
  get count(): number {
    return this.#pool.count;
  }

  /** The number of a member, or NONE. */
  find(group: RelayGroup, member: number): number {
    return this.#numbers.get(group)?.get(member) ?? NONE;
  }

  /** The numbers of all members of a group. */
  of(group: RelayGroup): number[] {
    return [...this.#numbers.get(group)?.values() ?? []];
  }

  /** The group of one. */
  groupOf(peer: number): RelayGroup | undefined {
    return this.#groups[peer];
  }

  /** Its number in that. */
  memberOf(peer: number): number {
    return this.#members[peer]!;
  }

  /** Adds a member that is not there; there is room. Its number. */
  add(group: RelayGroup, member: number): number {
    const peer = this.#pool.take();
    let numbers = this.#numbers.get(group);
    if (numbers === undefined) this.#numbers.set(group, numbers = new Map());
    numbers.set(member, peer);
    this.#groups[peer] = group;
    this.#members[peer] = member;
    this.#isIpv6[peer] = 0;
    this.#heardAt[peer] = -Infinity;
    this.place(peer);
    return peer;
  }

  /** Removes one. */
  remove(peer: number): void {
    const group = this.#groups[peer];
    if (group === undefined) return;
    const numbers = this.#numbers.get(group);
    numbers?.delete(this.#members[peer]!);
    if (numbers?.size === 0) this.#numbers.delete(group);
    this.#groups[peer] = this.#macs[peer] = undefined;
    this.#endpoints.clear(2 * peer);
    this.#endpoints.clear(2 * peer + 1);
    this.#pool.giveBack(peer);
  }

  /** Finds it where it is registered now. */
  place(peer: number): void {
    const { endpoint } = this.#destination;
    for (let family = 0; family < 2; family++) {
      const place = 2 * peer + family;
      if (this.#reads(peer, family, endpoint)) this.#endpoints.set(place, endpoint, 0);
      else this.#endpoints.clear(place);
    }
  }

  /** It has registered in a family: there it is, unless its WireGuard speaks in the other one. */
  registered(peer: number, isIpv4: boolean, mono: number): void {
    if (mono - this.#heardAt[peer]! > STALE) this.#isIpv6[peer] = Number(!isIpv4);
    this.place(peer);
  }

  /** The first peer that is registered at the endpoint at `at`, or NONE. */
  first(sources: WireBuffer, at: number): number {
    return this.#registered(this.#endpoints.find(sources, at), sources, at);
  }

  /** The next one. @param isIpv4 Whether that endpoint is of IPv4. */
  next(peer: number, sources: WireBuffer, at: number, isIpv4: boolean): number {
    const place = 2 * peer + Number(!isIpv4);
    return this.#registered(this.#endpoints.next(place, sources, at), sources, at);
  }

  /** Its WireGuard was heard in a family. */
  heard(peer: number, isIpv4: boolean, mono: number): void {
    this.#isIpv6[peer] = Number(!isIpv4);
    this.#heardAt[peer] = mono;
  }

  /** Where it is reached, or undefined where it is nowhere. */
  destination(peer: number): Destination | undefined {
    const found = this.#destination;
    const preferred = this.#isIpv6[peer]!;
    for (const family of [preferred, 1 - preferred]) {
      if (!this.#reads(peer, family, found.endpoint)) continue;
      found.isIpv4 = family === 0;
      found.socket = this.#groups[peer]!.socketOf(this.#members[peer]!, found.isIpv4);
      return found;
    }
    return undefined;
  }

  /** What tells messages for it from others. */
  macOf(peer: number): Mac1Key {
    const known = this.#macs[peer];
    if (known !== undefined) return known;
    this.#groups[peer]!.readId(this.#members[peer]!, this.#id, 0);
    return this.#macs[peer] = new Mac1Key(this.#id, 0);
  }

  #reads(peer: number, family: number, into: WireBuffer): boolean {
    return this.#groups[peer]!.readEndpoint(this.#members[peer]!, family === 0, into, 0);
  }

  /** Who is found may be elsewhere by now: the group knows. */
  #registered(place: number, sources: WireBuffer, at: number): number {
    while (place !== NONE) {
      const peer = place >>> 1;
      if (this.#groups[peer]!.isAt(this.#members[peer]!, sources, at)) return peer;
      place = this.#endpoints.next(place, sources, at);
    }
    return NONE;
  }
}

/**
 * A registry's relay: who of its groups may be relayed to whom, and where they are registered.
 *
 * @module
 */

import { copyBytes, type WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { ID_SIZE, readAddress, RECORD_PORT } from "../../wire/wgsig/record.ts";
import { PREFIX_SIZE, type PrefixList } from "../../wire/wgsig2/option.ts";
import { MAX_PREFIXES } from "../../wire/wgsig2/question.ts";
import type { Counters } from "../net/counters.ts";
import { ADDRESS_SIZE, isIpv4, readIpv4, writeIpv4 } from "../net/ip_address.ts";
import { NONE } from "../net/none.ts";
import { Relay, type RelayOptions } from "../relay/relay.ts";
import type { RelayGroup } from "../relay/relay_group.ts";
import type { AskedQuestion } from "./asked_question.ts";
import type { RegistryGroup } from "./group.ts";
import type { PeerDirectory } from "./peer_directory.ts";

/** Peers whose keys begin alike, that are meant by a prefix. */
const MOST_ALIKE = 4;
const FIRST_CAPACITY = 64;

/** Where the peers of a group are registered, as its table and its directory have it. */
class RegisteredMembers implements RelayGroup {
  readonly #group: RegistryGroup;
  readonly #directory: PeerDirectory;
  /** The socket that a peer has registered through + 1, or 0: IPv4's and IPv6's by turns. */
  #sockets = new Int32Array(2 * FIRST_CAPACITY);

  constructor(group: RegistryGroup, directory: PeerDirectory) {
    this.#group = group;
    this.#directory = directory;
  }

  isAt(peer: number, sources: WireBuffer, at: number): boolean {
    if (!this.#mayBeRelayed(peer)) return false;
    const port = sources.view.getUint16(at + ADDRESS_SIZE);
    if (!isIpv4(sources, at)) {
      const { places } = this.#directory;
      return places.portOf(peer) === port && places.isSeenAt(peer, sources, at);
    }
    const row = this.#directory.rowOf(peer);
    if (row === NONE) return false;
    const { table } = this.#group;
    const record = table.recordAt(row);
    return table.pages.view.getUint16(record + RECORD_PORT) === port &&
      readAddress(table.pages, record) === readIpv4(sources, at);
  }

  readEndpoint(peer: number, ofIpv4: boolean, into: WireBuffer, at: number): boolean {
    if (!this.#mayBeRelayed(peer)) return false;
    const { places } = this.#directory;
    if (!ofIpv4) {
      if (Number.isNaN(places.seenAt(peer))) return false;
      copyBytes(places.addresses, places.addressAt(peer), into, at, ADDRESS_SIZE);
      into.view.setUint16(at + ADDRESS_SIZE, places.portOf(peer));
      return true;
    }
    const row = this.#directory.rowOf(peer);
    if (row === NONE) return false;
    const { table } = this.#group;
    const record = table.recordAt(row);
    const port = table.pages.view.getUint16(record + RECORD_PORT);
    writeIpv4(into, at, readAddress(table.pages, record));
    into.view.setUint16(at + ADDRESS_SIZE, port);
    // Whoever has only asked in the first protocol has a row without an endpoint.
    return port !== 0;
  }

  socketOf(peer: number, ofIpv4: boolean): number {
    return (this.#sockets[2 * peer + Number(!ofIpv4)] ?? 0) + NONE;
  }

  readId(peer: number, into: WireBuffer, at: number): void {
    copyBytes(this.#directory.ids, this.#directory.idAt(peer), into, at, ID_SIZE);
  }

  /** A peer has registered through a socket; NONE of all forgets those. */
  note(peer: number, ofIpv4: boolean, socket: number): void {
    const i = 2 * peer + Number(!ofIpv4);
    if (i >= this.#sockets.length) {
      const sockets = new Int32Array(2 * Math.max(peer + 1, this.#sockets.length));
      sockets.set(this.#sockets);
      this.#sockets = sockets;
    }
    this.#sockets[i] = socket - NONE;
  }

  #mayBeRelayed(peer: number): boolean {
    return !this.#group.isProofRequired || this.#directory.isProved(peer);
  }
}

/** Has a relay know what a registry knows. */
export class RelayDesk {
  /** What passes datagrams on. */
  readonly relay: Relay;
  readonly #members = new Map<RegistryGroup, RegisteredMembers>();
  readonly #meant = new Int32Array(MOST_ALIKE * MAX_PREFIXES);

  /** See {@linkcode Relay}. */
  constructor(
    options: RelayOptions,
    sockets: ReadonlyMap<number, boolean>,
    seed: number,
    counters: Counters,
  ) {
    this.relay = new Relay(options, sockets, seed, counters);
  }

  /**
   * A peer of a group has asked to be registered: its record has where that is, or has it not.
   *
   * @param sources Holds where it has asked from, an address and a port, at `at`.
   * @param socket The number of the socket that it has asked through.
   */
  registered(
    group: RegistryGroup,
    peer: number,
    sources: WireBuffer,
    at: number,
    socket: number,
    mono: number,
  ): void {
    const members = this.#membersOf(group);
    // It may stay where it was: who has proved its key is moved by nothing else.
    if (members === undefined || !members.isAt(peer, sources, at)) return;
    const ofIpv4 = isIpv4(sources, at);
    members.note(peer, ofIpv4, socket);
    this.relay.registered(members, peer, ofIpv4, mono);
  }

  /**
   * Takes in what an answered question says of the relay. Whose address is not shown, or who doesn't
   * prove its key although it has before, says nothing.
   */
  hear(group: RegistryGroup, directory: PeerDirectory, asked: AskedQuestion, mono: number): void {
    const { peer, question, isShown, isProved, isSubscribe } = asked;
    if (peer === NONE || !isShown || directory.isProved(peer) && !isProved) return;
    const members = this.#membersOf(group);
    if (members === undefined) return;
    if (question.directs.isGiven) {
      const count = this.#find(directory, question.directs);
      this.relay.stop(members, peer, this.#meant, count, mono);
    }
    if (!question.relayed.isGiven && !isSubscribe) return;
    const count = this.#find(directory, question.relayed);
    this.relay.ask(members, peer, this.#meant, count, isProved, mono);
  }

  /** The number of a group that is relayed in; undefined where it is gone. */
  numberOf(members: RelayGroup): number | undefined {
    for (const [{ id }, each] of this.#members) if (each === members) return id;
    return undefined;
  }

  /** A group is gone. */
  forgetGroup(group: RegistryGroup): void {
    const members = this.#members.get(group);
    if (members === undefined) return;
    this.#members.delete(group);
    this.relay.forgetGroup(members);
  }

  /** Nothing is relayed any more. */
  close(): void {
    for (const group of this.#members.keys()) group.members.onForgotten = undefined;
  }

  /** Undefined while nobody of the group speaks wgsig 2. */
  #membersOf(group: RegistryGroup): RegisteredMembers | undefined {
    const known = this.#members.get(group);
    if (known !== undefined) return known;
    const { directory } = group.members;
    if (directory === undefined) return undefined;
    const members = new RegisteredMembers(group, directory);
    this.#members.set(group, members);
    group.members.onForgotten = (peer) => {
      members.note(peer, true, NONE);
      members.note(peer, false, NONE);
      this.relay.forget(members, peer);
    };
    return members;
  }

  /** Finds the peers that a list means, and returns how many there are. */
  #find(directory: PeerDirectory, { isGiven, count, bytes }: PrefixList): number {
    let found = 0;
    for (let i = 0; isGiven && i < count; i++) {
      let peer = directory.firstAlike(bytes, i * PREFIX_SIZE);
      for (let n = 0; n < MOST_ALIKE && peer !== NONE; n++) {
        this.#meant[found++] = peer;
        peer = directory.nextAlike(peer);
      }
    }
    return found;
  }
}

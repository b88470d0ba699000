/**
 * How what the store says of a peer comes into a group: the later label wins, what is proved before
 * what is not, as in the store itself.
 *
 * | of a register, the store has        | what becomes of it                                           |
 * | ----------------------------------- | ------------------------------------------------------------ |
 * | a later label                       | it is taken over                                             |
 * | the same one, and the same          | nothing                                                      |
 * | the same one, and something else    | what was heard earlier is right: the other was played back   |
 * | an earlier one, and the same        | nothing                                                      |
 * | an earlier one, and something else  | it is written: an old request was played to another one      |
 * | a proof that isn't known here       | it is taken over, and nothing unproved is left               |
 * | no proof, and here is one           | all is written                                               |
 *
 * What is taken over is told, kept on the disk and forgotten as if it had been heard; the label counts
 * as used, so that the request can't be played to this registry any more.
 *
 * @module
 */

import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import {
  compareRegisterLabels,
  isProvedRegister,
  isSameContent,
  MAX_SHARED_SIZE,
  newShared,
  PLACE,
  readShared,
  REGISTER,
  REGISTER_CONTENT,
  REGISTER_COUNT,
  REGISTER_FLAGS,
  REGISTER_HEARD,
  REGISTER_SIZE,
  ROW_SIZE,
  SEEN_SIZE,
} from "../../wire/shared/record.ts";
import type { StoreKey } from "../../wire/shared/store_key.ts";
import { ID_SIZE, readAddress, RECORD_PORT } from "../../wire/wgsig/record.ts";
import {
  type Label,
  NANOSECONDS_PER_SECOND,
  readNanoseconds,
  readSeconds,
} from "../../wire/wgsig/tai64n.ts";
import {
  CANDIDATE,
  type CandidateList,
  MAX_CANDIDATES,
  newCandidates,
  readCandidate,
} from "../../wire/wgsig2/candidate.ts";
import type { Now } from "../net/clock.ts";
import type { Counters } from "../net/counters.ts";
import { ADDRESS_SIZE } from "../net/ip_address.ts";
import { NONE } from "../net/none.ts";
import { MARK } from "./peer_marks.ts";
import type { SharedGroup } from "./shared_group.ts";
import type { SharedPeer, StoreClock } from "./store.ts";

const IPV4_SIZE = 4;
/** Who was heard longer ago than others, in seconds, is out of their order. */
const IN_ORDER = 2;

/** Takes records over, one at a time. */
export class RecordTaker {
  /** How often what peers are told has changed. */
  changed = 0;
  readonly #key: StoreKey;
  readonly #counters: Counters;
  readonly #id = new WireBuffer(ID_SIZE);
  readonly #record = new WireBuffer(MAX_SHARED_SIZE);
  readonly #shared = newShared();
  readonly #own = new WireBuffer(MAX_SHARED_SIZE);
  readonly #label: Label = { seconds: 0, nanoseconds: 0 };
  readonly #list: CandidateList = newCandidates();
  /** When the peer was heard, by place of a register, on the monotonic clock. */
  readonly #heard = new Float64Array(REGISTER_COUNT);

  /** Checks MACs with `key`. */
  constructor(key: StoreKey, counters: Counters) {
    this.#key = key;
    this.#counters = counters;
  }

  /**
   * Takes over what the store, or its stream, says of a peer.
   *
   * @param isScan Whether this is all that the store has of it.
   */
  apply(
    shared: SharedGroup,
    { id, record }: SharedPeer,
    clock: StoreClock,
    now: Now,
    isScan: boolean,
  ): void {
    if (!this.#read(id, record, clock, now)) return this.#counters.add("shared-damaged");
    const { group, directory } = shared;
    if (!group.allows(this.#id, 0)) return;
    const peer = directory.find(this.#id, 0);
    const isProvedHere = peer !== NONE && directory.isProved(peer);
    const isProved = this.#isProved();
    if (isProvedHere && !isProved) {
      // The store is to have it; where it has no label, the peer is heard soon.
      for (let place = 0; place < REGISTER_COUNT; place++) {
        if (shared.hasToShare(peer, place)) shared.note(peer, 1 << place);
      }
      return;
    }
    if (!isProved && group.isProofRequired) return;
    const isComparable = peer !== NONE && isProvedHere === isProved;
    let wanted = 0;
    let isOld = true;
    for (let place = 0; place < REGISTER_COUNT; place++) {
      const at = this.#shared.places[place]!;
      if (at < 0 || isProved !== isProvedRegister(this.#record, at)) continue;
      const isSilent = now.mono - this.#heard[place]! > group.members.maxAge;
      if (!isSilent) isOld = false;
      if (isComparable && !this.#isLater(shared, peer, place, at)) continue;
      if (isSilent) continue;
      if (this.#isRight(shared, peer, place, at)) wanted |= 1 << place;
    }
    if (wanted !== 0) this.#take(shared, peer, isProved, wanted, now);
    else if (isScan && isOld) shared.forgetStored(this.#id, 0);
  }

  /** Looks only whether what the store has of a peer was made by a registry with this key. */
  check(shared: SharedGroup, { id, record }: SharedPeer): void {
    if (id.length !== ID_SIZE || record.length > MAX_SHARED_SIZE) return;
    this.#id.bytes.set(id);
    this.#record.bytes.set(record);
    if (!readShared(this.#record, 0, record.length, this.#shared)) return;
    const peer = shared.directory.find(this.#id, 0);
    for (let place = 0; place < REGISTER_COUNT; place++) {
      const at = this.#shared.places[place]!;
      if (at >= 0) this.#isRight(shared, peer, place, at);
    }
  }

  /** Whether the MAC of a register is; where not, what is known here takes its place. */
  #isRight(shared: SharedGroup, peer: number, place: number, at: number): boolean {
    const { id } = shared.group;
    if (this.#key.verify(id, this.#id, 0, 1 << place, this.#record, at)) return true;
    this.#counters.add("shared-bad-mac");
    if (peer !== NONE) shared.replace(peer, this.#record, at);
    return false;
  }

  /** Takes an ID and a record apart. Returns whether they are such. */
  #read(id: Uint8Array, record: Uint8Array, clock: StoreClock, { mono }: Now): boolean {
    if (id.length !== ID_SIZE || record.length > MAX_SHARED_SIZE) return false;
    this.#id.bytes.set(id);
    this.#record.bytes.set(record);
    if (!readShared(this.#record, 0, record.length, this.#shared)) return false;
    for (let place = 0; place < REGISTER_COUNT; place++) {
      const at = this.#shared.places[place]!;
      if (at < 0) continue;
      const { view } = this.#record;
      // A clock that was set back makes nobody younger than now.
      const heard = Math.min(mono, clock.toMono(view.getFloat64(at + REGISTER_HEARD)));
      if (!Number.isFinite(heard) || !this.#isSane(place, at)) return false;
      this.#heard[place] = heard;
    }
    return true;
  }

  /** Whether a register has a label, and such content as its kind has. */
  #isSane(place: number, at: number): boolean {
    this.#readLabel(at);
    const { seconds, nanoseconds } = this.#label;
    if (Number.isNaN(seconds) || nanoseconds >= NANOSECONDS_PER_SECOND) return false;
    const size = this.#record.bytes[at + REGISTER_SIZE]!;
    if (place === PLACE.row) return size === ROW_SIZE;
    if (place === PLACE.seen) return size === SEEN_SIZE;
    return this.#readSaid(at);
  }

  /** Whether any register is of a peer that has proved its key. */
  #isProved(): boolean {
    for (let place = 0; place < REGISTER_COUNT; place++) {
      const at = this.#shared.places[place]!;
      if (at >= 0 && isProvedRegister(this.#record, at)) return true;
    }
    return false;
  }

  /** Whether a register is later than what is known here, of the same standing; where not, notes that. */
  #isLater(shared: SharedGroup, peer: number, place: number, at: number): boolean {
    const { marks, writer } = shared;
    const own = this.#own;
    if (!writer.write(peer, place, own, 0)) return true;
    const order = compareRegisterLabels(this.#record, at, own, 0);
    if (order > 0) return true;
    const heard = this.#heard[place]!;
    const isSame = isSameContent(this.#record, at, own, 0);
    if (!isSame && order === 0 && heard < writer.heardAt(peer, place)) return true;
    marks.stored(peer, place, heard);
    if (!isSame && shared.hasToShare(peer, place)) {
      this.#counters.add("shared-corrected");
      shared.note(peer, 1 << place);
    }
    return false;
  }

  /** Takes registers over. */
  #take(shared: SharedGroup, known: number, isProved: boolean, wanted: number, now: Now): void {
    const { directory, members, marks } = shared;
    let heard = -Infinity;
    for (let place = 0; place < REGISTER_COUNT; place++) {
      if ((wanted & 1 << place) !== 0) heard = Math.max(heard, this.#heard[place]!);
    }
    if (heard < now.mono - IN_ORDER) shared.disorder(now.mono);
    const isNew = known === NONE;
    const peer = isNew ? members.admit(this.#id, 0, isProved, heard, this.#counters) : known;
    if (peer === NONE) return this.#counters.add("shared-no-room");
    const isFirstProof = isProved && !directory.isProved(peer);
    if (isFirstProof) {
      // Nothing that was said before holds.
      const row = directory.rowOf(peer);
      if ((wanted & REGISTER.row) === 0 && row !== NONE) members.dropRow(row, now.mono);
      directory.prove(peer);
      members.onForgotten?.(peer);
      for (let place = 0; place < REGISTER_COUNT; place++) marks.forgetRegister(peer, place);
    }
    if (heard > directory.heardAt(peer)) directory.heard(peer, heard);
    let isOther = false;
    for (let place = 0; place < REGISTER_COUNT; place++) {
      if ((wanted & 1 << place) === 0) continue;
      const at = this.#shared.places[place]!;
      this.#readLabel(at);
      isOther = this.#takeRegister(shared, peer, place, at, now) || isOther;
      this.#noteUsed(shared, peer, isProved, now.mono);
      marks.drop(peer, 1 << place);
      marks.stored(peer, place, this.#heard[place]!);
    }
    if (isOther && !isNew && !isFirstProof) directory.log.changed(peer);
    if (directory.isMember(peer)) {
      if (isOther || isFirstProof) members.memberChanges?.changed(peer);
      else members.memberChanges?.seen(peer, now.mono);
    }
    this.#counters.add("shared-taken");
    if (isNew || isFirstProof || isOther) this.changed++;
  }

  /** Takes a register over, and returns whether it says something else than what was known. */
  #takeRegister(
    shared: SharedGroup,
    peer: number,
    place: number,
    at: number,
    now: Now,
  ): boolean {
    if (place === PLACE.row) return this.#takeRow(shared, peer, at, now);
    const { marks, directory: { places } } = shared;
    const heard = this.#heard[place]!;
    marks.setLabel(peer, place, this.#label);
    if (place === PLACE.said) {
      this.#readSaid(at);
      const flags = this.#record.bytes[at + REGISTER_FLAGS]!;
      return places.say(peer, this.#list, flags, Math.max(heard, places.saidAt(peer)));
    }
    const contentAt = at + REGISTER_CONTENT;
    const port = this.#record.view.getUint16(contentAt + ADDRESS_SIZE);
    const before = places.seenAt(peer);
    const mono = before > heard ? before : heard;
    return places.see(peer, this.#record, contentAt, port, mono);
  }

  #takeRow(shared: SharedGroup, peer: number, at: number, now: Now): boolean {
    const { directory, members, marks } = shared;
    const { table, changes } = members;
    const { seconds, nanoseconds } = this.#label;
    const { view } = this.#record;
    const heard = this.#heard[PLACE.row]!;
    const address = view.getUint32(at + REGISTER_CONTENT);
    const port = view.getUint16(at + REGISTER_CONTENT + IPV4_SIZE);
    let row = directory.rowOf(peer);
    const isAdded = row === NONE;
    if (isAdded) {
      row = members.addRow(directory, peer, heard);
      if (row === NONE) return false;
      marks.mark(peer, MARK.known, MARK.own | MARK.foreign | MARK.observed);
    } else {
      if (heard > table.seenAt(row)) table.touch(row, heard);
      this.#noteForeign(shared, peer, row, address, port);
    }
    const isMoved = members.setEndpoint(row, address, port) || isAdded;
    table.setLabel(row, this.#record, at);
    if (table.isLater(row, this.#label)) table.setHighestLabel(row, seconds, nanoseconds);
    changes?.used(row, seconds, nanoseconds, now);
    if (isMoved) changes?.changed(row);
    else changes?.seen(row, now.mono);
    return isMoved;
  }

  /** Notes at which port this registry has heard a peer that another one sees at another port. */
  #noteForeign(
    { marks, members: { table } }: SharedGroup,
    peer: number,
    row: number,
    address: number,
    port: number,
  ): void {
    const recordAt = table.recordAt(row);
    const ownPort = table.pages.view.getUint16(recordAt + RECORD_PORT);
    if (readAddress(table.pages, recordAt) !== address) {
      marks.mark(peer, 0, MARK.own | MARK.foreign | MARK.observed);
    } else if (ownPort === port) marks.mark(peer, 0, MARK.observed);
    else if (marks.has(peer, MARK.own)) {
      marks.setPort(peer, ownPort);
      marks.mark(peer, MARK.foreign, MARK.own | MARK.observed);
    } else marks.mark(peer, 0, MARK.observed);
  }

  /** The label was used: the request that it is of is heard no more. */
  #noteUsed({ directory }: SharedGroup, peer: number, isProved: boolean, mono: number): void {
    const labels = isProved ? directory.provedLabels : directory.otherLabels;
    const { ids } = directory;
    const idAt = directory.idAt(peer);
    if (labels.isUsed(peer, ids, idAt, this.#label, Infinity)) return;
    labels.note(peer, ids, idAt, this.#label, mono);
  }

  #readLabel(at: number): void {
    this.#label.seconds = readSeconds(this.#record, at);
    this.#label.nanoseconds = readNanoseconds(this.#record, at);
  }

  /** Reads what a peer says of itself. Returns whether that is what a question can say. */
  #readSaid(at: number): boolean {
    const list = this.#list;
    const record = this.#record;
    const end = at + REGISTER_CONTENT + record.bytes[at + REGISTER_SIZE]!;
    list.count = 0;
    for (let next = at + REGISTER_CONTENT; next < end;) {
      if (list.count === MAX_CANDIDATES) return false;
      const slot = list.slots[list.count++]!;
      next = readCandidate(record, next, end, slot);
      if (next < 0 || slot.kind < CANDIDATE.lan || slot.kind > CANDIDATE.declared) return false;
    }
    return true;
  }
}

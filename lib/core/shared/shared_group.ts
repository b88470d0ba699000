/**
 * The peers of one group, as they are shared: notes what of them is to be written, and writes it.
 *
 * @module
 */

import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import {
  FIRST_REGISTER,
  MAX_SHARED_SIZE,
  PLACE,
  REGISTER,
  REGISTER_COUNT,
  REGISTER_HEARD,
  REGISTER_MAC_SIZE,
  registerEnd,
  SHARED_FORMAT,
} from "../../wire/shared/record.ts";
import type { StoreKey } from "../../wire/shared/store_key.ts";
import { ID_SIZE, readAddress, RECORD_PORT } from "../../wire/wgsig/record.ts";
import { PATH_FLAGS } from "../../wire/wgsig2/nat.ts";
import { NONE } from "../net/none.ts";
import type { AskedQuestion } from "../registry/asked_question.ts";
import type { RegistryGroup } from "../registry/group.ts";
import type { Members } from "../registry/members.ts";
import type { PeerDirectory } from "../registry/peer_directory.ts";
import type { PeerSharing, QuestionChanges } from "../registry/peer_sharing.ts";
import { MARK, PeerMarks } from "./peer_marks.ts";
import { WrongRecords } from "./wrong_records.ts";
import { isEmptySaid, RegisterWriter } from "./register_writer.ts";
import type { SharedPeer, StoreClock } from "./store.ts";

/** That a peer is still there is written anew after this part of the maximal age, */
const STILL_THERE_PARTS = 8;
/** but no sooner than after so many seconds. */
const LEAST_STILL_THERE = 5;
/** nor later than after so many: that old at most is what others say of when it was heard. */
const MOST_STILL_THERE = 900;
/** How long another registry's word on a port holds, as a part of the maximal age. */
const FOREIGN_PARTS = 2;
/** The most that are gone and wait to be forgotten. What is not, is found by a scan. */
const MOST_GONE = 16_384;
/** Peers that are looked at in a turn after a scan, */
const LOOKED_AT = 2048;
/** and in a turn of a sweep, of which there are two a second. */
const SWEPT = 8192;

// One peer is written at a time.
const scratch = new WireBuffer(MAX_SHARED_SIZE);
const spare = new WireBuffer(MAX_SHARED_SIZE);

/** What is noted of a group's peers. */
export class SharedGroup implements PeerSharing {
  readonly group: RegistryGroup;
  readonly members: Members;
  readonly directory: PeerDirectory;
  readonly marks: PeerMarks = new PeerMarks();
  readonly writer: RegisterWriter;
  /** What of them the store has that no registry with this key has made. */
  readonly wrong: WrongRecords = new WrongRecords();
  readonly #key: StoreKey;
  readonly #onDirty: () => void;
  /** IDs of those that are gone. */
  #gone: Uint8Array[] = [];
  /** The next peer to be looked at after a scan, or NONE. */
  #lookingAt = NONE;
  /** Whether a scan of it has begun. */
  #isRead = false;
  /** The next peer to be swept, and until when there may be some in no order. */
  #sweeping = 0;
  #sweepUntil = -Infinity;

  /**
   * Notes nothing of those who are there already.
   *
   * @param onDirty Called when something is to be written, and nothing was before.
   */
  constructor(
    group: RegistryGroup,
    directory: PeerDirectory,
    key: StoreKey,
    onDirty: () => void,
  ) {
    this.group = group;
    this.members = group.members;
    this.directory = directory;
    this.writer = new RegisterWriter(group.members, directory, this.marks);
    this.#key = key;
    this.#onDirty = onDirty;
    directory.visit((peer) => this.marks.mark(peer, MARK.known));
  }

  /** Whether something is to be written, or looked through: its owner looks again until it isn't. */
  get isDirty(): boolean {
    return this.marks.dirtyCount > 0 || this.#lookingAt !== NONE;
  }

  /** Whether somebody is gone. */
  get hasGone(): boolean {
    return this.#gone.length > 0;
  }

  /** See {@linkcode PeerSharing}. */
  rowChanged(row: number): void {
    const peer = this.directory.peerOf(row);
    this.marks.mark(peer, MARK.known | MARK.own, MARK.observed | MARK.foreign);
    this.note(peer, REGISTER.row);
  }

  /** See {@linkcode PeerSharing}. */
  rowSeen(row: number, isThere: boolean, mono: number): void {
    const { marks } = this;
    const peer = this.directory.peerOf(row);
    if (isThere) {
      // What the tunnel saw is what the peer says as well.
      if (marks.has(peer, MARK.observed)) return this.rowChanged(row);
      marks.mark(peer, MARK.known | MARK.own, MARK.foreign);
    } else if (marks.has(peer, MARK.observed)) return;
    this.#seen(peer, PLACE.row, mono);
  }

  /** See {@linkcode PeerSharing}. */
  rowObserved(row: number): void {
    const peer = this.directory.peerOf(row);
    this.marks.mark(peer, MARK.known | MARK.observed, MARK.own | MARK.foreign);
  }

  /** See {@linkcode PeerSharing}. */
  keepsRow(row: number, address: number, port: number, mono: number): boolean {
    const { marks } = this;
    const peer = this.directory.peerOf(row);
    if (!marks.has(peer, MARK.foreign) || marks.portOf(peer) !== port) return false;
    const { table, maxAge } = this.members;
    const at = table.recordAt(row);
    return readAddress(table.pages, at) === address &&
      table.pages.view.getUint16(at + RECORD_PORT) !== port &&
      mono - marks.storedAt(peer, PLACE.row) <= maxAge / FOREIGN_PARTS;
  }

  /** See {@linkcode PeerSharing}. */
  questioned(asked: AskedQuestion, changes: QuestionChanges, mono: number): void {
    const { marks } = this;
    const { peer, question, isIpv4 } = asked;
    const { isMoved, isSaid, isFirstProof } = changes;
    if (isIpv4) {
      if (isFirstProof) this.note(peer, REGISTER.row);
    } else {
      marks.setLabel(peer, PLACE.seen, question);
      if (isMoved || isFirstProof) this.note(peer, REGISTER.seen);
      else this.#seen(peer, PLACE.seen, mono);
    }
    marks.setLabel(peer, PLACE.said, question);
    if (isSaid || isFirstProof) this.note(peer, REGISTER.said);
    else if (
      question.candidates.count > 0 || (question.flags & PATH_FLAGS) !== 0 ||
      marks.storedAt(peer, PLACE.said) > -Infinity
    ) this.#seen(peer, PLACE.said, mono);
  }

  /** See {@linkcode PeerSharing}. */
  expired(peer: number): void {
    const { marks, directory } = this;
    let storedAt = -Infinity;
    for (let place = 0; place < REGISTER_COUNT; place++) {
      storedAt = Math.max(storedAt, marks.storedAt(peer, place));
    }
    if (storedAt > -Infinity) this.forgetStored(directory.ids, directory.idAt(peer));
  }

  /** See {@linkcode PeerSharing}. */
  left(peer: number): void {
    this.marks.forget(peer);
    this.wrong.forget(peer);
  }

  /** See {@linkcode PeerSharing}. */
  sweep(mono: number, most: number): number {
    if (mono > this.#sweepUntil) return 0;
    const { marks, members, directory } = this;
    let removed = 0;
    const end = Math.min(this.#sweeping + SWEPT, marks.capacity);
    let peer = this.#sweeping;
    for (; peer < end && removed < most; peer++) {
      if (marks.has(peer, MARK.known) && members.expireOne(directory, peer, mono)) removed++;
    }
    this.#sweeping = peer === marks.capacity ? 0 : peer;
    return removed;
  }

  /** Somebody comes in who was heard before others: those who are silent are not in order for a while. */
  disorder(mono: number): void {
    this.#sweepUntil = mono + 2 * this.members.maxAge;
  }

  /** Registers of a peer are to be written. */
  note(peer: number, registers: number): void {
    const { isDirty } = this;
    this.marks.note(peer, registers);
    if (!isDirty) this.#onDirty();
  }

  /** The store has a register, at `at`, that is wrong: what is known of the peer is to take its place. */
  replace(peer: number, record: WireBuffer, at: number): void {
    const macAt = registerEnd(record, at) - REGISTER_MAC_SIZE;
    if (!this.wrong.note(peer, record, macAt)) return;
    for (let place = 0; place < REGISTER_COUNT; place++) {
      if (this.hasToShare(peer, place)) this.note(peer, 1 << place);
    }
  }

  /** The store may forget the ID at `at`, if nobody has heard it. */
  forgetStored(ids: WireBuffer, at: number): void {
    if (this.#gone.length < MOST_GONE) this.#gone.push(ids.bytes.slice(at, at + ID_SIZE));
  }

  /** Takes so many IDs of who is gone, at most. */
  takeGone(most: number): Uint8Array[] {
    return this.#gone.splice(0, most);
  }

  /** Makes room for so many peers at once, as far as there may be so many. */
  reserve(peers: number): void {
    const { table } = this.members;
    const most = Math.min(peers, table.maxPeers);
    table.reserve(most);
    this.directory.reserve(most);
    this.marks.reserve(most);
  }

  /** All that the store has comes now. */
  beginScan(): void {
    this.marks.beginScan();
    this.#lookingAt = NONE;
    this.#isRead = true;
  }

  /** That was everything. */
  endScan(): void {
    if (!this.#isRead) return;
    this.#lookingAt = 0;
    this.#onDirty();
  }

  /** Looks through some of the peers after a scan, and notes what of them the store hasn't. */
  lookThrough(): void {
    if (this.#lookingAt === NONE) return;
    const { marks } = this;
    const end = Math.min(this.#lookingAt + LOOKED_AT, marks.capacity);
    for (let peer = this.#lookingAt; peer < end; peer++) {
      if (!marks.has(peer, MARK.known)) continue;
      for (let place = 0; place < REGISTER_COUNT; place++) {
        const isFound = (marks.found(peer) & 1 << place) !== 0;
        if (!isFound && this.hasToShare(peer, place)) marks.note(peer, 1 << place);
      }
    }
    this.#lookingAt = end === marks.capacity ? NONE : end;
  }

  /**
   * Writes what of a peer is under way.
   *
   * @param heard Is filled with when its registers were heard, from `at` on.
   * @returns Nothing where there is nothing any more, or it is too old.
   */
  write(
    peer: number,
    clock: StoreClock,
    mono: number,
    heard: Float64Array,
    at: number,
  ): SharedPeer | undefined {
    const { directory, writer, group } = this;
    const registers = this.marks.underWay(peer);
    const idAt = directory.idAt(peer);
    let kinds = 0;
    let end = FIRST_REGISTER;
    for (let place = 0; place < REGISTER_COUNT; place++) {
      const kind = 1 << place;
      heard[at + place] = -Infinity;
      if ((registers & kind) === 0 || !this.#write(peer, place, scratch, end)) continue;
      const heardAt = writer.heardAt(peer, place);
      if (mono - heardAt > this.members.maxAge) continue;
      scratch.view.setFloat64(end + REGISTER_HEARD, clock.toStore(heardAt));
      this.#key.seal(group.id, directory.ids, idAt, kind, scratch, end);
      heard[at + place] = heardAt;
      kinds |= kind;
      end = registerEnd(scratch, end);
    }
    if (kinds === 0) return undefined;
    scratch.bytes[0] = SHARED_FORMAT;
    scratch.bytes[1] = kinds;
    return {
      id: directory.ids.bytes.slice(idAt, idAt + ID_SIZE),
      record: scratch.bytes.slice(0, end),
      wrong: this.wrong.of(peer),
    };
  }

  /**
   * Whether the store should have a register of a peer: what a tunnel saw is this registry's own, and who
   * says nothing, and never did, need not say that.
   */
  hasToShare(peer: number, place: number): boolean {
    return this.#write(peer, place, spare, 0);
  }

  /** Writes a register, and returns whether the store should have it. */
  #write(peer: number, place: number, to: WireBuffer, at: number): boolean {
    const { marks } = this;
    if (place === PLACE.row && marks.has(peer, MARK.observed)) return false;
    if (!this.writer.write(peer, place, to, at)) return false;
    return place !== PLACE.said || !isEmptySaid(to, at) || marks.storedAt(peer, place) > -Infinity;
  }

  /** A peer was heard, and a register stays as it is. */
  #seen(peer: number, place: number, mono: number): void {
    const { marks } = this;
    const part = Math.min(MOST_STILL_THERE, this.members.maxAge / STILL_THERE_PARTS);
    const stillThere = Math.max(LEAST_STILL_THERE, part);
    if (mono - marks.storedAt(peer, place) <= stillThere) return;
    if ((marks.underWay(peer) & 1 << place) === 0) this.note(peer, 1 << place);
  }
}

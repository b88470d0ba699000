/**
 * What a registry knows of a peer, as registers.
 *
 * @module
 */

import { copyBytes, type WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import {
  PLACE,
  PROVED_REGISTER,
  REGISTER_CONTENT,
  REGISTER_FLAGS,
  REGISTER_SIZE,
  ROW_SIZE,
  SEEN_SIZE,
} from "../../wire/shared/record.ts";
import { readAddress, RECORD_LABEL, RECORD_PORT } from "../../wire/wgsig/record.ts";
import { type Label, LABEL_SIZE, readSeconds, writeLabel } from "../../wire/wgsig/tai64n.ts";
import { type CandidateList, newCandidates, writeCandidate } from "../../wire/wgsig2/candidate.ts";
import { ADDRESS_SIZE } from "../net/ip_address.ts";
import { NONE } from "../net/none.ts";
import type { Members } from "../registry/members.ts";
import type { PeerDirectory } from "../registry/peer_directory.ts";
import type { PeerMarks } from "./peer_marks.ts";

const IPV4_SIZE = 4;

// One register is written at a time.
const label: Label = { seconds: 0, nanoseconds: 0 };
const list: CandidateList = newCandidates();

/** Writes registers of a group's peers. */
export class RegisterWriter {
  readonly #members: Members;
  readonly #directory: PeerDirectory;
  readonly #marks: PeerMarks;

  /** @param marks Have the labels of what isn't in rows. */
  constructor(members: Members, directory: PeerDirectory, marks: PeerMarks) {
    this.#members = members;
    this.#directory = directory;
    this.#marks = marks;
  }

  /** When a peer was heard as a register says, on the monotonic clock; it must be there. */
  heardAt(peer: number, place: number): number {
    const { places } = this.#directory;
    if (place === PLACE.row) return this.#members.table.seenAt(this.#directory.rowOf(peer));
    return place === PLACE.seen ? places.seenAt(peer) : places.saidAt(peer);
  }

  /**
   * Writes a register of a peer to `to` at `at`, without HEARD and MAC.
   *
   * @returns Whether there is one: what came from a state file has no label before it is heard again.
   */
  write(peer: number, place: number, to: WireBuffer, at: number): boolean {
    if (place === PLACE.row) return this.#writeRow(peer, to, at);
    if (!this.#marks.readLabel(peer, place, label)) return false;
    const isThere = place === PLACE.seen
      ? this.#writeSeen(peer, to, at)
      : this.#writeSaid(peer, to, at);
    if (isThere) writeLabel(to, at, label);
    return isThere;
  }

  #writeRow(peer: number, to: WireBuffer, at: number): boolean {
    const row = this.#directory.rowOf(peer);
    if (row === NONE) return false;
    const { table } = this.#members;
    const { pages } = table;
    const recordAt = table.recordAt(row);
    if (Number.isNaN(readSeconds(pages, recordAt + RECORD_LABEL))) return false;
    copyBytes(pages, recordAt + RECORD_LABEL, to, at, LABEL_SIZE);
    this.#writeHead(peer, 0, ROW_SIZE, to, at);
    to.view.setUint32(at + REGISTER_CONTENT, readAddress(pages, recordAt));
    const port = pages.view.getUint16(recordAt + RECORD_PORT);
    to.view.setUint16(at + REGISTER_CONTENT + IPV4_SIZE, port);
    return true;
  }

  #writeSeen(peer: number, to: WireBuffer, at: number): boolean {
    const { places } = this.#directory;
    if (Number.isNaN(places.seenAt(peer))) return false;
    this.#writeHead(peer, 0, SEEN_SIZE, to, at);
    copyBytes(
      places.addresses,
      places.addressAt(peer),
      to,
      at + REGISTER_CONTENT,
      ADDRESS_SIZE,
    );
    to.view.setUint16(at + REGISTER_CONTENT + ADDRESS_SIZE, places.portOf(peer));
    return true;
  }

  /** Who says nothing says that. */
  #writeSaid(peer: number, to: WireBuffer, at: number): boolean {
    const { places } = this.#directory;
    list.count = 0;
    places.readSaid(peer, list, true, places.saidAt(peer));
    const from = at + REGISTER_CONTENT;
    let end = from;
    for (let i = 0; i < list.count; i++) end = writeCandidate(list.slots[i]!, to, end);
    this.#writeHead(peer, places.flagsOf(peer), end - from, to, at);
    return true;
  }

  #writeHead(peer: number, flags: number, size: number, to: WireBuffer, at: number): void {
    const proved = this.#directory.isProved(peer) ? PROVED_REGISTER : 0;
    to.bytes[at + REGISTER_FLAGS] = flags | proved;
    to.bytes[at + REGISTER_SIZE] = size;
  }
}

/** Whether a `said` says nothing. The caller has checked bounds. */
export function isEmptySaid({ bytes }: WireBuffer, at: number): boolean {
  return bytes[at + REGISTER_SIZE] === 0 && (bytes[at + REGISTER_FLAGS]! & ~PROVED_REGISTER) === 0;
}

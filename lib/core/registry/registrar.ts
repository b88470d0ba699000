/**
 * What questions change in a group: who is registered, and where.
 *
 * What is not proved changes nothing of a peer that has proved its key; docs/protocol-2.md, "What is
 * let in".
 *
 * @module
 */

import { readAddress } from "../../wire/wgsig/record.ts";
import type { Now } from "../net/clock.ts";
import type { Counters } from "../net/counters.ts";
import { readIpv4 } from "../net/ip_address.ts";
import { NONE } from "../net/none.ts";
import type { AskedQuestion } from "./asked_question.ts";
import type { RegistryGroup } from "./group.ts";
import type { PeerDirectory } from "./peer_directory.ts";

/** Registers one peer at a time, and says what became of it. */
export class Registrar {
  /** Whose peer was registered last; undefined where none was. */
  group: RegistryGroup | undefined;
  /** The row of that, where it has one. */
  row: number = NONE;
  /** Whether its record was changed or confirmed. */
  isRegistered: boolean = false;
  /** Whether it was not there before. */
  isNew: boolean = false;
  /** Whether its endpoint of the question's family is another than before. */
  isMoved: boolean = false;
  /** Whether its public address is: others are near to it then. */
  isElsewhere: boolean = false;
  /** Whether it says something else of itself than before. */
  isSaid: boolean = false;
  /** Whether it has proved its key, and had not before. */
  isFirstProof: boolean = false;

  /** Forgets what became of the last one. */
  reset(): void {
    this.group = undefined;
    this.row = NONE;
    this.isRegistered =
      this.isNew =
      this.isMoved =
      this.isElsewhere =
      this.isSaid =
      this.isFirstProof =
        false;
  }

  /** Takes over what a question says of its peer. `asked.peer` is then who that is. */
  register(
    group: RegistryGroup,
    directory: PeerDirectory,
    asked: AskedQuestion,
    now: Now,
    counters: Counters,
  ): void {
    const { question, isProved } = asked;
    const wasProved = asked.peer !== NONE && directory.isProved(asked.peer);
    if (!isProved && group.isKept(wasProved, counters)) return;
    const { members } = group;
    if (asked.peer === NONE) {
      asked.peer = members.admit(question.id, 0, isProved, now.mono, counters);
      if (asked.peer === NONE) return counters.add("no-room");
      this.isNew = true;
    }
    const { peer } = asked;
    const isFirstProof = this.isFirstProof = isProved && !wasProved;
    if (isFirstProof) {
      // Where it was said to be may be another's lie. An IPv4 endpoint is replaced by this one.
      const row = directory.rowOf(peer);
      if (!asked.isIpv4 && row !== NONE) members.dropRow(row, now.mono);
      directory.prove(peer);
      members.onForgotten?.(peer);
    }
    if (asked.isIpv4) this.#seeIpv4(group, directory, asked, now);
    else this.#seeIpv6(directory, asked, now.mono);
    const { candidates, flags } = question;
    const isSaid = this.isSaid = directory.places.say(peer, candidates, flags, now.mono);
    directory.heard(peer, now.mono);
    if ((this.isMoved || isSaid) && !this.isNew && !isFirstProof) directory.log.changed(peer);
    // Who has said something and says it no more is written as well: else it would come back.
    if (directory.isMember(peer) || isSaid) {
      const isOther = isFirstProof || isSaid || (this.isMoved && !asked.isIpv4);
      if (isOther) members.memberChanges?.changed(peer);
      else members.memberChanges?.seen(peer, now.mono);
    }
    members.sharing?.questioned(asked, this, now.mono);
    this.isRegistered = true;
    this.group = group;
    this.row = directory.rowOf(peer);
    counters.add(this.isNew ? "registered" : "updated");
  }

  #seeIpv4(group: RegistryGroup, directory: PeerDirectory, asked: AskedQuestion, now: Now): void {
    const { table, changes, members } = group;
    const { question, peer } = asked;
    const address = readIpv4(asked.sources, asked.sourceAt);
    let row = directory.rowOf(peer);
    const isAdded = row === NONE;
    if (isAdded) {
      row = members.addRow(directory, peer, now.mono);
      // What it has asked in the first protocol before is not to be played back.
      table.setHighestLabel(row, question.seconds, question.nanoseconds);
    } else table.touch(row, now.mono);
    const isKept = !isAdded && !this.isFirstProof &&
      members.sharing?.keepsRow(row, address, asked.port, now.mono) === true;
    table.setLabel(row, asked.buffer, asked.labelAt);
    changes?.used(row, question.seconds, question.nanoseconds, now);
    if (isKept) return changes?.seen(row, now.mono);
    this.isElsewhere = isAdded || readAddress(table.pages, table.recordAt(row)) !== address;
    this.isMoved = members.setEndpoint(row, address, asked.port) || isAdded;
    if (this.isMoved) changes?.changed(row);
    else changes?.seen(row, now.mono);
    if (this.isMoved) members.sharing?.rowChanged(row);
    else members.sharing?.rowSeen(row, true, now.mono);
  }

  #seeIpv6({ places }: PeerDirectory, asked: AskedQuestion, mono: number): void {
    const { sources, sourceAt, peer, port } = asked;
    this.isElsewhere = !places.isInSubnet(peer, sources, sourceAt);
    this.isMoved = places.see(peer, sources, sourceAt, port, mono);
  }
}

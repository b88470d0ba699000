/**
 * Answers questions about the roster: to peers that have proved their keys before, and whose keys are
 * kept. So it takes no X25519; and as an answer is no longer than its question and changes nothing, it
 * needs no cookie and no label. docs/protocol-2.md, "The roster".
 *
 * @module
 */

import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { ID_SIZE } from "../../wire/wgsig/record.ts";
import {
  DATAGRAM,
  DATAGRAM_NONCE,
  openDatagram,
  readDatagramGroup,
  sealDatagram,
  writeDatagramHeader,
} from "../../wire/wgsig2/datagram.ts";
import { verifyProof } from "../../wire/wgsig2/question.ts";
import {
  decodeRosterQuestion,
  encodeRosterAnswer,
  ROSTER_ANSWER_FLAG,
  ROSTER_QUESTION_FLAG,
  ROSTER_QUESTION_SIZE,
  type RosterAnswer,
  type RosterQuestion,
  type WireEntry,
  writeRosterVersion,
} from "../../wire/wgsig2/roster.ts";
import type { Now } from "../net/clock.ts";
import type { CounterName, Counters } from "../net/counters.ts";
import { type DatagramBatch, type ReplyBatch, SLOT_SIZE } from "../net/datagram_batch.ts";
import { NONE } from "../net/none.ts";
import type { NonceSource } from "../net/random.ts";
import type { GoneEntry, Roster, RosterEntry } from "../roster/server/roster.ts";
import { type Rates, WorkLimit } from "./work_limit.ts";
import type { RegistryGroup } from "./group.ts";
import type { QuestionKeys } from "./question_keys.ts";
import type { ReplySlots } from "./reply_slots.ts";

/** More entries than this don't fit into an answer, however small they are. */
const MOST_ENTRIES = 40;
/** A roster of 10 000 takes some 500 answers, one after the other. */
const ANSWERS: Rates = { rate: 4000, burst: 400, sourceRate: 500, sourceBurst: 1000 };

/** Tells who asks what has changed in the roster of its group. */
export class RosterTeller {
  readonly #slots: ReplySlots;
  readonly #nonces: NonceSource;
  readonly #counters: Counters;
  readonly #limit: WorkLimit;
  readonly #question: RosterQuestion = { id: new WireBuffer(ID_SIZE), from: 0, flags: 0 };
  readonly #answer: RosterAnswer = { version: 0, now: 0, flags: 0 };

  /**
   * Writes into these slots.
   *
   * @param nonces Of 24 bytes.
   * @param seed Random, so that nobody can choose prefixes that share a budget.
   */
  constructor(slots: ReplySlots, nonces: NonceSource, counters: Counters, seed: number) {
    this.#limit = new WorkLimit(seed, ANSWERS);
    this.#slots = slots;
    this.#nonces = nonces;
    this.#counters = counters;
  }

  /** Takes datagram `i` of the batch, which looks like a question about the roster. */
  take(
    groups: ReadonlyMap<number, RegistryGroup>,
    batch: DatagramBatch,
    i: number,
    { mono }: Now,
    replies: ReplyBatch,
  ): CounterName | "taken" | "other" | "not-opened" {
    const length = batch.lengths[i]!;
    const at = i * SLOT_SIZE;
    if (length !== ROSTER_QUESTION_SIZE) return "other";
    const group = groups.get(readDatagramGroup(batch.payloads, at));
    if (group?.roster === undefined) return "other";
    for (const keys of group.questionKeys) {
      if (!openDatagram(keys.shared.question, batch.payloads, at, length)) continue;
      this.#counters.add("roster-questions");
      if (!this.#limit.take(batch.sources, batch.sourceAt(i), mono)) return "drop-roster-busy";
      return this.#tell(group, group.roster, keys, batch, i, replies);
    }
    return group.questionKeys.length > 0 ? "not-opened" : "other";
  }

  #tell(
    group: RegistryGroup,
    roster: Roster,
    keys: QuestionKeys,
    batch: DatagramBatch,
    i: number,
    replies: ReplyBatch,
  ): CounterName | "taken" {
    const { payloads } = batch;
    const length = batch.lengths[i]!;
    const at = i * SLOT_SIZE;
    const question = this.#question;
    if (batch.sourcePort(i) === 0) return "drop-source-port-0";
    if (!decodeRosterQuestion(payloads, at, length, question)) return "drop-damaged";
    if (!group.allows(question.id, 0)) return "drop-not-allowed";
    const { directory } = group.members;
    const peer = directory?.find(question.id, 0) ?? NONE;
    if (directory === undefined || peer === NONE || !directory.isProved(peer)) {
      return "drop-roster-stranger";
    }
    // Whoever asks something else first has its keys computed, within bounds.
    if (!directory.proofs.select(peer, keys)) return "drop-roster-stranger";
    if (!verifyProof(directory.proofs.keys.prove, payloads, at, length)) return "drop-roster-proof";
    const slot = this.#slots.first();
    const size = this.#write(roster, slot);
    const { buffer } = this.#slots;
    const nonces = this.#nonces;
    writeDatagramHeader(
      DATAGRAM.rosterAnswer,
      group.id,
      nonces.buffer,
      nonces.next(),
      buffer,
      slot,
    );
    const { answer } = directory.proofs.keys;
    sealDatagram(answer, buffer, slot, size, payloads, at + DATAGRAM_NONCE);
    replies.add(i, buffer.bytes, slot, size, 1);
    this.#counters.add("answered");
    return "taken";
  }

  /** Writes the answer. Returns its size. */
  #write(roster: Roster, slot: number): number {
    const { from, flags } = this.#question;
    const answer = this.#answer;
    const isOnward = (flags & ROSTER_QUESTION_FLAG.onward) !== 0;
    const { changes, isWhole } = roster.since(from, isOnward, MOST_ENTRIES);
    answer.now = roster.version;
    answer.flags = isWhole ? ROSTER_ANSWER_FLAG.whole : 0;
    const { buffer } = this.#slots;
    const entries = changes.map(wireEntry);
    const { length, written } = encodeRosterAnswer(answer, entries, buffer, slot);
    const last = changes[written - 1];
    const isAll = written === changes.length && changes.length < MOST_ENTRIES;
    writeRosterVersion(isAll ? roster.version : last!.version, buffer, slot);
    return length;
  }
}

function wireEntry(change: RosterEntry | GoneEntry): WireEntry {
  const { key } = change;
  if (!("name" in change)) return { key, isGone: true, name: "", via: undefined, prefixes: [] };
  return { key, isGone: false, name: change.name, via: change.via, prefixes: change.prefixes };
}

/**
 * Writes questions of wgsig 2, and shows in them what the registry has given for that.
 *
 * @module
 */

import { LONG_NONCE_SIZE } from "../../wire/crypto/aead_key.ts";
import type { Label } from "../../wire/wgsig/tai64n.ts";
import { CANDIDATE, MAX_CANDIDATES } from "../../wire/wgsig2/candidate.ts";
import {
  DATAGRAM,
  MAX_DATAGRAM_SIZE,
  sealDatagram,
  writeDatagramHeader,
} from "../../wire/wgsig2/datagram.ts";
import type { GroupKeys, PeerKeys } from "../../wire/wgsig2/keys.ts";
import {
  COOKIE_SIZE,
  newOptional,
  type OptionalBytes,
  PREFIX_SIZE,
} from "../../wire/wgsig2/option.ts";
import { flagsOfNat, NAT } from "../../wire/wgsig2/nat.ts";
import {
  encodeQuestion,
  newQuestion,
  proveQuestion,
  QUESTION_FLAG,
} from "../../wire/wgsig2/question.ts";
import { checkBounds, copyBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { Family } from "../net/host_port.ts";
import { parseAddress } from "../net/ip_address.ts";
import type { RandomSource } from "../net/random.ts";
import { type Interest, writeKeys } from "./interest.ts";
import type { OwnCandidate, OwnReach } from "./own_reach.ts";

/** Size of the largest question, in bytes. */
export const MAX_QUESTION_SIZE: number = MAX_DATAGRAM_SIZE;
/** The most peers that are wanted through the relay, */
export const MAX_RELAYED = 64;
/** and that are said to be reached directly. */
export const MAX_DIRECT = 32;
/** For so many keys of all lists together is there room beside all else that a question may have. */
const MAX_NAMED = 108;
/** The version of a roster takes the room of so many of them. */
const ROSTER_ROOM = 2;

/** What a question is for. */
export interface Wish {
  /** Over which addresses it goes: a registry shows by a cookie for each that they are the own ones. */
  readonly family: Family;
  /** Whether the registry is to note where the question comes from; else it only asks. */
  readonly registers: boolean;
  /** Whether to be told of the peers that are wanted; else of nobody. */
  readonly asks: boolean;
  /** Whether to be told of changes at once, where the question comes from. */
  readonly subscribes?: boolean;
  /** Whether to be told which version the roster has: of the peers that the registry knows by name. */
  readonly roster?: boolean;
  /**
   * How this peer is reached, which is noted where it registers; and whom it wants through the relay,
   * or reaches directly. Asked for whenever a question is written.
   */
  readonly own?: (() => OwnReach | undefined) | undefined;
}

/** What a conversation knows when it asks. */
export interface QuestionState {
  readonly label: Label;
  /** EPOCH, 8 bytes, and VERSION. */
  readonly cursor: { readonly epoch: WireBuffer; readonly version: number };
  /** Who is wanted. */
  readonly interest: Interest;
  /** The registry's key that is meant, as far as one is known. */
  readonly serverKey: WireBuffer | undefined;
  /** What is shared with its holder, as far as that is known. */
  readonly shared: PeerKeys | undefined;
  /** COUNTER of the last push that came; 0 for none. */
  readonly ack: number;
  /** The version of the roster that is known, 0 for none; -1 where it is not asked for. */
  readonly roster: number;
}

/** Writes one peer's questions to one registry. */
export class QuestionWriter {
  readonly #group: number;
  readonly #keys: GroupKeys;
  readonly #random: RandomSource;
  readonly #proves: boolean;
  readonly #question = newQuestion();
  readonly #cookies: Readonly<Record<Family, OptionalBytes>> = {
    4: newOptional(COOKIE_SIZE),
    6: newOptional(COOKIE_SIZE),
  };

  /**
   * @param options Who asks, and whether it proves that.
   * @param random Draws nonces.
   */
  constructor(
    { id, group, keys, proves }: {
      readonly id: Uint8Array;
      readonly group: number;
      readonly keys: GroupKeys;
      readonly proves: boolean;
    },
    random: RandomSource,
  ) {
    this.#question.id.bytes.set(id);
    this.#group = group;
    this.#keys = keys;
    this.#random = random;
    this.#proves = proves;
  }

  /** Keeps what is to be shown with the next questions over these addresses. */
  keepCookie(family: Family, { isGiven, value }: OptionalBytes): void {
    if (!isGiven) return;
    const kept = this.#cookies[family];
    kept.isGiven = true;
    copyBytes(value, 0, kept.value, 0, COOKIE_SIZE);
  }

  /**
   * Writes a question at the start of `out`. Where nothing is shared with the registry yet, a proof of
   * zeros has it tell its key.
   *
   * @returns The size of the datagram, and its nonce, 24 bytes.
   * @throws {RangeError} If `out` has less than 1232 bytes.
   */
  write(out: WireBuffer, wish: Wish, state: QuestionState): [size: number, nonce: WireBuffer] {
    checkBounds(out, 0, MAX_QUESTION_SIZE, "a question");
    const nonce = new WireBuffer(LONG_NONCE_SIZE);
    this.#random(nonce.bytes);
    this.#fill(wish, state);
    writeDatagramHeader(DATAGRAM.question, this.#group, nonce, 0, out, 0);
    out.bytes.fill(0, LONG_NONCE_SIZE + 8, MAX_QUESTION_SIZE);
    const size = encodeQuestion(this.#question, out, 0);
    if (this.#proves && state.shared !== undefined) {
      proveQuestion(state.shared.prove, out, 0, size);
    }
    sealDatagram(this.#keys.question, out, 0, size);
    return [size, nonce];
  }

  #fill(wish: Wish, { label, cursor, interest, serverKey, ack, roster }: QuestionState): void {
    const question = this.#question;
    const own = wish.own?.();
    question.seconds = label.seconds;
    question.nanoseconds = label.nanoseconds;
    question.flags = (wish.registers ? pathFlags(own) : QUESTION_FLAG.keep) |
      (this.#proves ? QUESTION_FLAG.proved : 0) |
      (wish.subscribes === true ? QUESTION_FLAG.subscribe : 0);
    question.epoch.bytes.set(cursor.epoch.bytes);
    question.version = cursor.version;
    question.ack = ack;
    question.roster = roster;
    question.key.isGiven = serverKey !== undefined;
    if (serverKey !== undefined) copyBytes(serverKey, 0, question.key.value, 0, PREFIX_SIZE);
    const cookie = this.#cookies[wish.family];
    question.cookie.isGiven = cookie.isGiven;
    copyBytes(cookie.value, 0, question.cookie.value, 0, COOKIE_SIZE);
    const { candidates = [], relays = [], directs = [] } = own ?? {};
    // What is left out of a question that registers is said no more.
    this.#fillCandidates(wish.registers ? candidates : []);
    writeKeys(relays, MAX_RELAYED, question.relayed);
    writeKeys(directs, MAX_DIRECT, question.directs);
    if (wish.asks) interest.write(question.wants);
    else {
      question.wants.isGiven = true;
      question.wants.count = 0;
    }
    // Where they don't all fit, the whole group is wanted: what of it is kept is another matter.
    const { wants, relayed, directs: direct } = question;
    const room = roster < 0 ? MAX_NAMED : MAX_NAMED - ROSTER_ROOM;
    if (wants.count + relayed.count + direct.count > room) wants.isGiven = false;
  }

  #fillCandidates(candidates: readonly OwnCandidate[]): void {
    const list = this.#question.candidates;
    list.count = 0;
    for (const { kind, host, port } of candidates) {
      if (list.count === MAX_CANDIDATES) return;
      const slot = list.slots[list.count]!;
      if (!parseAddress(host, slot.address, 0)) continue;
      slot.kind = CANDIDATE[kind];
      slot.port = port;
      list.count++;
    }
  }
}

function pathFlags(own: OwnReach | undefined): number {
  if (own === undefined) return 0;
  return flagsOfNat(NAT[own.nat]) | (own.probes ? QUESTION_FLAG.probes : 0);
}

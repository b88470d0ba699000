/**
 * Asks for the addresses of one name, A and AAAA apart, at several name servers.
 *
 * ```
 * way 1 ── 0.3 s ── way 2 ── 0.3 s ── way 3 …     the next at once where those before know nothing
 *   │ A has come: AAAA is waited for 0.3 s
 *   │ AAAA has come: A is waited for 1.5 s, because an IPv4 endpoint is what is registered
 *   │ there is none: the other ways are waited for 1 s, because one may know more
 *   └ nothing: until the time is over
 * ```
 *
 * They are asked in the order in which they stand, so that the first is believed where it answers at
 * all, and a dead one costs 0.3 s. The first that has an address is believed for both types. That a
 * name isn't there is the word of nobody alone: an internal server may know what a public one can't.
 *
 * @module
 */

import type { RandomSource } from "../net/random.ts";
import { RCODE } from "../../wire/dns/answer.ts";
import { decodeResponse, type DnsResponse } from "../../wire/dns/message.ts";
import { type Question, QuestionQueue, type Transport } from "./question_queue.ts";
import type { NameServerFault } from "./lookup_fault.ts";
import { follow, usableAddress } from "./records.ts";

/** The types of records that addresses have. */
export const ADDRESS_TYPES = ["A", "AAAA"] as const;
/** One of them. */
export type AddressType = (typeof ADDRESS_TYPES)[number];

/** A way to a name server. */
export interface NameServerWay {
  /** Its IP address. */
  readonly server: string;
  /** The mark (SO_MARK) of what is sent; 0 is none. */
  readonly mark: number;
}

/** Between the first question to a name server and that to the next, in seconds. */
const STAGGER = 0.3;
/** How long AAAA is waited for once A is there. */
const AAAA_PATIENCE = 0.3;
/** How long A is waited for once AAAA is there: it has been asked for twice more by then. */
const A_PATIENCE = 1.5;
/** How long the other ways are waited for once one has said that there is nothing. */
const ABSENT_PATIENCE = 1;
/** The most addresses of a type that are taken. */
const MOST_ADDRESSES = 16;

/** What a name server said of a type: addresses, that there are none, or nothing of use. */
type Word = "found" | "absent" | "failed";

interface AskedWay {
  readonly way: NameServerWay;
  readonly words: Partial<Record<AddressType, Word>>;
  /** What it did last in the place of an answer about a type. */
  readonly faults: Partial<Record<AddressType, NameServerFault>>;
  isAsked: boolean;
}

/** What comes with a question. */
interface Purpose {
  readonly asked: AskedWay;
  readonly type: AddressType;
}

/** A message to send. */
export interface NameMessage {
  readonly way: NameServerWay;
  /** Each type is asked for from a port of its own: some servers answer one of two from one port. */
  readonly type: AddressType;
  readonly transport: Transport;
  readonly bytes: Uint8Array;
}

/** One name. Times are seconds of the monotonic clock. */
export class NameQuestion {
  readonly #name: string;
  readonly #queue: QuestionQueue<Purpose>;
  readonly #ways: readonly AskedWay[];
  readonly #found: Partial<Record<AddressType, readonly string[]>> = {};
  readonly #foundAt: Partial<Record<AddressType, number>> = {};
  /** The first way that had an address. */
  #believed: AskedWay | undefined;
  #absentAt = Infinity;
  #nextWayAt = -Infinity;
  readonly #endsAt: number;

  /**
   * @param name A name for which `isDnsName` holds.
   * @param ways In the order in which they are asked: plain ones before those with a mark.
   * @param random For the IDs of questions.
   * @param endsAt When no answer is waited for any more.
   */
  constructor(
    name: string,
    ways: readonly NameServerWay[],
    random: RandomSource,
    endsAt: number,
  ) {
    this.#name = name.toLowerCase();
    this.#ways = ways.map((way) => ({ way, words: {}, faults: {}, isAsked: false }));
    this.#endsAt = endsAt;
    // Over UDP, and what was cut over TCP as well.
    const most = 2 * ADDRESS_TYPES.length * Math.max(1, ways.length);
    this.#queue = new QuestionQueue({ random, maxOutstanding: most, maxQuestions: most });
    // Addresses fit, and what doesn't is asked for over TCP.
    this.#queue.edns = false;
  }

  /** The addresses that have come of a type; none where nothing is known or there are none. */
  found(type: AddressType): readonly string[] {
    return this.#found[type] ?? [];
  }

  /** Whether there is a word on the addresses of a type that holds. */
  isSettled(type: AddressType): boolean {
    const word = this.#believed?.words[type];
    // Many servers fail at AAAA alone.
    if (word === "absent" || (word === "failed" && type === "AAAA")) return true;
    return this.isAbsent || this.#ways.some(({ words }) => words[type] === "found");
  }

  /** Whether every name server says that there are no addresses. */
  get isAbsent(): boolean {
    return this.#believed === undefined && this.#ways.length > 0 && this.#ways.every(saysAbsent);
  }

  /** What a name server did in the place of an answer; undefined where it has answered, or wasn't asked. */
  faultOf(server: string): NameServerFault | undefined {
    const asked = this.#ways.filter(({ way, isAsked }) => isAsked && way.server === server);
    // Many servers fail at AAAA alone.
    if (asked.length === 0 || asked.some(({ words: { A } }) => A === "found" || A === "absent")) {
      return undefined;
    }
    const faults = asked.flatMap(({ faults: { A, AAAA } }) => A ?? AAAA ?? []);
    return faults.find((each) => each !== "unreachable") ?? faults[0] ?? "silent";
  }

  /** When what has come is enough; it may be in the past, and come earlier by what comes. */
  get readyAt(): number {
    if (this.#isDone) return -Infinity;
    const { A, AAAA } = this.#foundAt;
    if (A !== undefined) return Math.min(A + AAAA_PATIENCE, this.#endsAt);
    if (AAAA !== undefined) return Math.min(AAAA + A_PATIENCE, this.#endsAt);
    return Math.min(this.#absentAt + ABSENT_PATIENCE, this.#endsAt);
  }

  /** Whether nothing more is awaited. */
  isOver(now: number): boolean {
    return this.#isDone || now >= this.#endsAt;
  }

  get #isDone(): boolean {
    return ADDRESS_TYPES.every((type) => this.isSettled(type)) ||
      this.#ways.every((each) => each.isAsked && !isPending(each));
  }

  /** When {@linkcode due} or {@linkcode readyAt} has something next. */
  nextAt(now: number): number {
    const { readyAt } = this;
    const next = Math.min(this.#queue.nextAt, this.#endsAt, readyAt > now ? readyAt : Infinity);
    return this.#nextWay === undefined ? next : Math.min(next, this.#nextWayAt);
  }

  /** What is to be sent now. */
  due(now: number): NameMessage[] {
    if (this.isOver(now)) return [];
    for (;;) {
      const next = this.#nextWay;
      const waits = now < this.#nextWayAt && this.#ways.some(isPending);
      if (next === undefined || waits) break;
      this.#start(next, now);
    }
    const { send, givenUp } = this.#queue.due(now);
    for (const { purpose: { asked, type } } of givenUp) asked.words[type] ??= "failed";
    return send.flatMap(({ bytes, transport }) => {
      const purpose = this.#queue.find((bytes[0]! << 8) | bytes[1]!, transport)?.purpose;
      if (purpose === undefined) return [];
      const { asked: { way, words }, type } = purpose;
      return transport === "udp" && words[type] !== undefined
        ? []
        : [{ way, type, transport, bytes }];
    });
  }

  /** The way to ask next; undefined where there is none, or one that is asked has an address. */
  get #nextWay(): AskedWay | undefined {
    const isKnown = this.#found.A !== undefined || this.isSettled("A");
    return isKnown ? undefined : this.#ways.find(({ isAsked }) => !isAsked);
  }

  #start(asked: AskedWay, now: number): void {
    asked.isAsked = true;
    // Who has answered without a mark has been reached.
    const plain = this.#ways.find(({ way }) => way.mark === 0 && way.server === asked.way.server);
    if (plain !== undefined && plain !== asked) {
      for (const type of ADDRESS_TYPES) {
        if (plain.words[type] === "absent") asked.words[type] = "absent";
      }
    }
    for (const type of ADDRESS_TYPES) {
      if (asked.words[type] !== undefined) continue;
      this.#nextWayAt = now + STAGGER;
      this.#queue.ask({ name: this.#name, type, transport: "udp", purpose: { asked, type } });
    }
  }

  /** Takes in what came from where a message went; what is no answer to it is passed over. */
  received(
    { way, type, transport }: Omit<NameMessage, "bytes">,
    bytes: Uint8Array,
    now: number,
  ): void {
    const response = decodeResponse(bytes);
    const asking = response && this.#queue.find(response.id, transport);
    const isAnswer = asking?.type === type && asking.purpose.asked.way === way &&
      response?.question?.name === this.#name && response.question.type === type;
    if (response === undefined || asking === undefined || !isAnswer) {
      const asked = this.#ways.find((each) => each.way === way);
      if (asked?.isAsked) asked.faults[type] ??= "garbled";
      return;
    }
    const { id } = response;
    this.#queue.settle(id);
    this.#take(response, asking, now);
  }

  #take(response: DnsResponse, asking: Question<Purpose>, now: number): void {
    const { rcode, truncated } = response;
    const { asked, type } = asking.purpose;
    const { words } = asked;
    if (rcode === RCODE.nxdomain) {
      // That is said of the name.
      for (const each of ADDRESS_TYPES) words[each] ??= "absent";
    } else if (rcode !== RCODE.noerror) {
      words[type] ??= "failed";
      asked.faults[type] = rcode;
    } else {
      const addresses = this.#addressesIn(response, type);
      if (addresses.length > 0) this.#keep(asked, type, addresses, now);
      if (!truncated || asking.transport === "tcp") {
        words[type] = addresses.length > 0 ? "found" : "absent";
      } else this.#queue.ask({ ...asking, transport: "tcp" });
    }
    if (saysAbsent(asked)) this.#absentAt = Math.min(this.#absentAt, now);
  }

  #keep(asked: AskedWay, type: AddressType, addresses: readonly string[], now: number): void {
    // Of both types, the addresses are those of one server where it has both.
    if (this.#found[type] !== undefined && this.#believed !== asked) return;
    this.#believed ??= asked;
    const known = this.#found[type] ?? [];
    const all = [...known, ...addresses.filter((each) => !known.includes(each))];
    this.#found[type] = all.slice(0, MOST_ADDRESSES);
    this.#foundAt[type] ??= now;
  }

  #addressesIn({ answers }: DnsResponse, type: AddressType): string[] {
    const { owner } = follow(answers, this.#name);
    return answers.flatMap((record) => {
      if (record.name !== owner || (record.type !== "A" && record.type !== "AAAA")) return [];
      return record.type === type ? usableAddress(record.address) ?? [] : [];
    });
  }

  /** Takes in that a message could not be sent, or that the connection for it is lost. */
  lost({ way, type }: Pick<NameMessage, "way" | "type">): void {
    const asked = this.#ways.find((each) => each.way === way);
    if (asked === undefined) return;
    asked.faults[type] ??= "unreachable";
    // What came in the datagram must do.
    asked.words[type] ??= this.#believed === asked && this.found(type).length > 0
      ? "found"
      : "failed";
  }
}

function saysAbsent({ words }: AskedWay): boolean {
  return ADDRESS_TYPES.every((type) => words[type] === "absent");
}

function isPending({ isAsked, words }: AskedWay): boolean {
  return isAsked && ADDRESS_TYPES.some((type) => words[type] === undefined);
}

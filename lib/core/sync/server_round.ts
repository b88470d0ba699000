/**
 * One registry, asked once for an interface: what is sent when, and through which port.
 *
 * ```
 *   WireGuard's port, by each family          a port of our own, which stays open
 *   ────────────────────────────────          ────────────────────────────────────
 *   registers, asks for nobody (wgsig 2)
 *   registers and asks (first protocol)
 *          │ all answered, or a second is over
 *          └────────────────────────────────► asks and subscribes (wgsig 2)
 *          │ answered late: that has ended the subscription
 *          └────────────────────────────────► asks and subscribes again
 * ```
 *
 * Pushes go to where the last question came from that subscribes, and end with the peer's next one that
 * doesn't; so that one comes last. Where the registry has other ports, WireGuard's port asks there as
 * well, once for each endpoint that it has: see `core/ask/own_mapping`. While it isn't known what the registry
 * speaks, it is asked in both protocols at the same moment, and whatever is heard in wgsig 2 counts. What
 * follows from what in there stands in this one file, which is a little longer than others therefore.
 *
 * @module
 */

import type { Conversation } from "../ask/conversation.ts";
import { areRefused, type AskedInquiry, isFinished } from "../ask/asked_inquiry.ts";
import type { OwnMapping } from "../ask/own_mapping.ts";
import type { Exchange } from "../ask/exchange.ts";
import { Inquiry } from "../ask/inquiry.ts";
import type { OwnReach } from "../ask/own_reach.ts";
import type { Wish } from "../ask/question_writer.ts";
import type { ServerAddresses } from "../ask/server_addresses.ts";
import type { AskedProtocols } from "../ask/spoken_protocol.ts";
import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { Now } from "../net/clock.ts";
import type { Family } from "../net/host_port.ts";
import { FirstQuestions } from "./first_questions.ts";

/** So long what registers is awaited before the registry is asked, in seconds, and of all the time. */
const HEAD_START = 1;
const HEAD_START_PART = 1 / 3;
/** So long after the answer what registers is awaited still, in seconds. */
const LATE = 1;
/** So often what registers is asked before the registry has answered what is asked beside it. */
const MOST_EARLY = 2;
/** After so many questions that were refused, there is no other answer. */
const MAX_REFUSED = 3;
/** So many addresses are asked at once. */
const MOST_AT_ONCE = 8;
/** So often another port of the registry is asked. */
const MOST_LOOKS = 3;
/** So long one family is tried for asking before the other, in seconds. */
const FAMILY_WAIT = 1.5;
/** So long wgsig 2 is awaited after the answer in the first protocol, in seconds. */
const GRACE = 0.1;

/** What is asked of a registry. */
export interface RoundOptions {
  readonly conversation: Conversation;
  readonly protocols: AskedProtocols;
  /** The question of the first protocol, which registers if this round does; undefined without that. */
  readonly exchange: Exchange | undefined;
  /** The same through a port of our own; undefined where that isn't to be compared. */
  readonly beside: Exchange | undefined;
  /** Its addresses. */
  readonly addresses: Pick<ServerAddresses, "families" | "countOf" | "hasOther">;
  /** Those over which it was silent the last time: they are not waited for. */
  readonly silent: ReadonlySet<Family>;
  /** Whether all addresses are asked at once, where none of them has answered for long. */
  readonly atOnce: boolean;
  /** Whether WireGuard's port is registered; else it is only asked, through a port of our own. */
  readonly registers: boolean;
  /** Whether it is to tell of changes. */
  readonly subscribes: boolean;
  /** Whether to follow its roster. */
  readonly followsRoster: boolean;
  /** How its port is mapped. */
  readonly mapping: OwnMapping;
  /** What this peer says of itself, asked for whenever it says so. */
  readonly own: () => OwnReach | undefined;
  /**
   * So many seconds the first protocol waits: two names may be of one C server, which would drop the
   * second of two requests at once.
   */
  readonly startsIn: number;
  /** When to give up: the monotonic clock. */
  readonly endsAt: number;
}

/** A question that is due. */
export interface DueQuestion {
  readonly kind: "send";
  /** Whether through WireGuard's port; else through one of our own. */
  readonly isOwn: boolean;
  /** Undefined for the first protocol, which takes any address. */
  readonly family: Family | undefined;
  /** Undefined for the port that the registry is named with. */
  readonly port: number | undefined;
  /** Writes it at the start of `out`, at least 1232 bytes. @returns Its size. */
  write(out: WireBuffer, now: Now): number;
}

/** What to do next. */
export type RoundStep =
  | DueQuestion
  /** Nothing, until this time of the monotonic clock, or until something has come. */
  | { readonly kind: "wait"; readonly until: number }
  /** Nothing any more. */
  | { readonly kind: "done" };

/** Asks one registry. */
export class ServerRound {
  readonly #options: RoundOptions;
  /** When the registry is asked, whatever has been registered by then. */
  readonly #asksAt: number;
  readonly #registering: AskedInquiry[];
  readonly #first: FirstQuestions;
  readonly #cannot = new Set<Family>();
  #asking: AskedInquiry | undefined;
  #answered: Inquiry | undefined;
  /** When that was begun, and when it was answered. */
  #askingSince = 0;
  #answeredAt = Infinity;
  #firstAnsweredAt = Infinity;
  #isGivenUp = false;

  /** Begins at once. */
  constructor(options: RoundOptions, now: Now) {
    const { protocols, exchange, beside, addresses, registers, startsIn, own } = options;
    this.#options = options;
    const time = options.endsAt - now.mono;
    this.#asksAt = now.mono + Math.min(HEAD_START, time * HEAD_START_PART);
    this.#registering = !registers || !protocols.v2 ? [] : addresses.families.map((family) => ({
      inquiry: this.#inquiryOf({ family, registers: true, asks: false, own }, now),
      family,
      isOwn: true,
      attempts: 0,
    }));
    this.#first = new FirstQuestions(
      { exchange, beside, isOwn: registers, dueAt: now.mono + startsIn },
      options.conversation.labels,
      addresses.countOf(4),
    );
  }

  get #inquiries(): readonly AskedInquiry[] {
    return this.#asking === undefined ? this.#registering : [...this.#registering, this.#asking];
  }

  /** Whether the registry has said a word in wgsig 2. */
  get isHeard(): boolean {
    return this.#inquiries.some(({ inquiry }) => inquiry.isHeard);
  }

  /** The question of wgsig 2 for peers: the last that was answered, or else the last. */
  get asking(): Inquiry | undefined {
    return this.#answered ?? this.#asking?.inquiry;
  }

  /** Those that register, by family. */
  get registering(): ReadonlyMap<Family, Inquiry> {
    return new Map(this.#registering.map(({ family, inquiry }) => [family, inquiry]));
  }

  /** The one that has registered WireGuard's port, over IPv4 rather than IPv6. */
  get registered(): Inquiry | undefined {
    return this.#registering.map(({ inquiry }) => inquiry)
      .toSorted((a, b) => a.wish.family - b.wish.family)
      .find(({ isRegistered }) => isRegistered);
  }

  /** Asks once more as it has asked, whether it is over or not: that is no part of it. */
  inquire(now: Now): Inquiry {
    return this.#inquiry(this.asking?.wish.family ?? this.#familyToAsk(undefined), now);
  }

  /** Who was asked over a family is not to be had at that address: another is asked at once. */
  moveOn(family: Family, now: Now): void {
    if (!this.#options.addresses.hasOther(now.mono, family)) return;
    for (const each of this.#inquiries) if (each.family === family) each.inquiry.moveOn(now);
    this.#first.moveOn(now);
  }

  /** Nothing is awaited any more. */
  giveUp(): void {
    this.#isGivenUp = true;
  }

  /** The system can't send to the registry over a family. */
  cannotSend(family: Family): void {
    this.#cannot.add(family);
  }

  /** What to do now. */
  next(now: Now): RoundStep {
    this.#follow(now);
    if (this.#isOver(now)) return { kind: "done" };
    const { mapping, endsAt } = this.#options;
    let until = endsAt;
    for (const asked of mapping.asked) {
      // A retry has it ask again at once; for what is lost there is another round.
      const isDue = asked.attempts < MOST_LOOKS && asked.inquiry.next(now).kind === "ask";
      if (isDue) return this.#due(asked);
      if (!mapping.isOver(now)) until = Math.min(until, mapping.until);
    }
    for (const asked of this.#inquiries) {
      if (this.#cannot.has(asked.family) || isFinished(asked)) continue;
      // What registers anew ends the subscription.
      if (asked.isOwn && this.#answered !== undefined && asked.attempts >= MOST_EARLY) continue;
      const step = asked.inquiry.next(now);
      if (step.kind === "ask") return this.#due(asked);
      if (step.kind === "wait") until = Math.min(until, step.until);
    }
    const roster = this.#rosterStep(now);
    if (roster?.kind === "send") return roster;
    if (roster !== undefined) until = Math.min(until, roster.until);
    if (!this.isHeard) {
      const first = this.#first.due(now);
      if (first !== undefined) {
        const { isOwn } = first;
        const write = (out: WireBuffer, now: Now) => first.write(out, now);
        return { kind: "send", isOwn, family: undefined, port: undefined, write };
      }
      until = Math.min(until, this.#first.until);
    }
    const awaited = [
      this.#asksAt,
      this.#askingSince + FAMILY_WAIT,
      this.#answeredAt + LATE,
      this.#firstAnsweredAt + GRACE,
    ];
    return { kind: "wait", until: Math.min(until, ...awaited.filter((at) => at > now.mono)) };
  }

  /** What there is to do about the roster, once its version was told; undefined for nothing. */
  #rosterStep(now: Now): DueQuestion | { kind: "wait"; until: number } | undefined {
    const { conversation, followsRoster } = this.#options;
    const family = this.#answered?.wish.family;
    if (!followsRoster || family === undefined) return undefined;
    const step = conversation.roster.next(now);
    if (step.kind === "wait") return step;
    if (step.kind === "done") return undefined;
    const write = (out: WireBuffer, now: Now) => conversation.writeRoster(out, now);
    return { kind: "send", isOwn: false, family, port: undefined, write };
  }

  #due(asked: AskedInquiry): DueQuestion {
    const { inquiry, family, isOwn, port } = asked;
    return {
      kind: "send",
      isOwn,
      family,
      port,
      write: (out, now) => {
        asked.attempts++;
        const size = inquiry.write(out, now);
        if (this.#options.atOnce && asked.attempts < MOST_AT_ONCE) inquiry.moveOn(now);
        return size;
      },
    };
  }

  /** Takes note of what has come since, and begins what follows from it. */
  #follow({ mono, unix }: Now): void {
    if (this.#first.areAnswered) this.#firstAnsweredAt = Math.min(this.#firstAnsweredAt, mono);
    const asking = this.#asking;
    const { protocols, mapping, conversation } = this.#options;
    if (!protocols.v2) return;
    const ipv4 = this.#registering.find(({ family }) => family === 4)?.inquiry;
    if (ipv4?.isAnswered && ipv4.isRegistered) mapping.follow(conversation, ipv4, { mono, unix });
    if (asking === undefined) {
      const isLate = mono >= this.#asksAt;
      if (!this.#isRegistered && !isLate) return;
      this.#ask(this.#familyToAsk(undefined), { mono, unix });
    } else if (asking.inquiry.isAnswered) {
      this.#answered = asking.inquiry;
      this.#answeredAt = Math.min(this.#answeredAt, mono);
      const last = Math.max(0, ...this.#registering.map(({ inquiry }) => inquiry.lastAsked));
      // What was asked later and doesn't subscribe has ended the subscription.
      if (this.#isRegistered && last > asking.inquiry.lastAsked) {
        this.#ask(asking.family, { mono, unix });
      }
    } else if (!asking.inquiry.isHeard && !isFinished(asking)) {
      const isTooLate = mono >= this.#askingSince + FAMILY_WAIT || this.#cannot.has(asking.family);
      const other = this.#familyToAsk(asking.family);
      if (isTooLate && other !== asking.family) this.#ask(other, { mono, unix });
    }
  }

  #ask(family: Family, now: Now): void {
    const inquiry = this.#inquiry(family, now);
    this.#asking = { inquiry, family, isOwn: false, attempts: 0 };
    this.#askingSince = now.mono;
    this.#answeredAt = Infinity;
  }

  #inquiry(family: Family, now: Now): Inquiry {
    const { subscribes, own, followsRoster: roster } = this.#options;
    return this.#inquiryOf({ family, registers: false, asks: true, subscribes, own, roster }, now);
  }

  #inquiryOf(wish: Wish, now: Now): Inquiry {
    const { conversation, addresses } = this.#options;
    return new Inquiry(conversation, wish, now, addresses.countOf(wish.family));
  }

  /** The family to ask over: one over which the registry has answered already, if any; not `but`. */
  #familyToAsk(but: Family | undefined): Family {
    const usable = this.#options.addresses.families.filter((each) =>
      each !== but && !this.#cannot.has(each)
    );
    const answered = this.#registering.find(({ family, inquiry }) =>
      inquiry.isHeard && usable.includes(family)
    );
    return answered?.family ?? usable[0] ?? but ?? this.#options.addresses.families[0] ?? 4;
  }

  /** Whether all that registers is answered, as far as it is waited for. */
  get #isRegistered(): boolean {
    const { silent } = this.#options;
    return this.#registering.every((asked) =>
      this.#cannot.has(asked.family) || isFinished(asked) ||
      silent.has(asked.family) && asked.attempts > 0 && this.#someAreAwaited
    );
  }

  /** Whether there is a family to wait for: where all were silent, all are. */
  get #someAreAwaited(): boolean {
    return this.#options.addresses.families.some((each) =>
      !this.#options.silent.has(each) && !this.#cannot.has(each)
    );
  }

  /** Whether whatever is asked is refused, at every address that is worth being asked. */
  #isRefused(mono: number): boolean {
    if (this.#asking === undefined) return false;
    const all = this.#inquiries;
    return Math.max(...all.map(({ attempts }) => attempts)) >= MAX_REFUSED &&
      areRefused(all, this.#options.addresses, mono);
  }

  #isOver({ mono, unix }: Now): boolean {
    const { mapping, endsAt } = this.#options;
    if (this.#isGivenUp || mono >= endsAt) return true;
    if (this.#rosterStep({ mono, unix }) !== undefined) return false;
    if (this.#isRefused(mono)) return true;
    if (this.#options.addresses.families.every((each) => this.#cannot.has(each))) return true;
    if (!this.#options.protocols.v2) return this.#firstAnsweredAt <= mono;
    const asking = this.#asking;
    if (asking !== undefined && isFinished(asking)) {
      return this.#isRegistered && mapping.isOver({ mono }) || mono >= this.#answeredAt + LATE;
    }
    return !this.isHeard && mono >= this.#firstAnsweredAt + GRACE;
  }
}

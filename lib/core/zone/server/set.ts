/**
 * An authoritative DNS server without its sockets: a message in, its answer out.
 *
 * | question                                        | answer                                     |
 * | ----------------------------------------------- | ------------------------------------------ |
 * | shorter than a header; a response               | none                                       |
 * | another opcode than QUERY                       | NOTIMP                                     |
 * | malformed; not one question                     | FORMERR                                    |
 * | a TSIG that is refused                          | NOTAUTH or FORMERR: see tsig_check.ts      |
 * | EDNS version above 0                            | BADVERS, with the version that is known: 0 |
 * | class other than IN (ANY, CH too)               | REFUSED                                    |
 * | zone transfer (AXFR, IXFR)                      | REFUSED: there are none                    |
 * | MAILA, MAILB                                    | NOTIMP                                     |
 * | another type that no record has (RFC 6895, 3.1) | FORMERR                                    |
 * | in no zone; who may not ask                     | REFUSED                                    |
 * | of a device that can't be read                  | SERVFAIL                                   |
 * | in a zone                                       | what the zone says, with AA                |
 *
 * The question comes back as it was asked, letter by letter, where it could be read; RD and CD, too;
 * RA and AD are 0. An answer has an OPT, which comes last, exactly where the question had one, with
 * DO as it was and no options; behind it, a TSIG where the question had one. A question that is signed
 * with a key of another zone is answered as one without a key, and signed.
 *
 * @module
 */

import {
  AnswerWriter,
  CLASS_IN,
  MAX_TCP_SIZE,
  MAX_UDP_SIZE,
  MIN_ANSWER_ROOM,
  RCODE,
  udpAnswerSize,
} from "../../../wire/dns/answer.ts";
import {
  type DnsQuery,
  newDnsQuery,
  parseQuery,
  type QueryStatus,
  TYPE_OPT,
} from "../../../wire/dns/query.ts";
import type { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import { AnswerBudget, type AnswerBudgetOptions } from "../../net/answer_budget.ts";
import type { Counters } from "../../net/counters.ts";
import type { Now } from "../../net/clock.ts";
import type { Zone } from "./zone.ts";
import type { QueryPath, ZoneOutcome } from "./zone_view.ts";
import { TYPE } from "./records.ts";
import { TsigCheck, type TsigFault } from "./tsig_check.ts";
import { ZoneAnswers } from "./zone_answers.ts";
import { ZoneIndex } from "./zone_index.ts";

/** Types of questions and of records in messages alone. */
const FIRST_META_TYPE = 128;
const LAST_META_TYPE = 255;

type Outcome = ZoneOutcome | "dns-refused" | "dns-notimp" | "dns-badvers" | TsigFault;

const RCODES: Readonly<Record<Outcome, number>> = {
  "dns-answered": RCODE.noerror,
  "dns-nodata": RCODE.noerror,
  "dns-nxdomain": RCODE.nxdomain,
  "dns-servfail": RCODE.servfail,
  "dns-refused": RCODE.refused,
  "dns-formerr": RCODE.formerr,
  "dns-notimp": RCODE.notimp,
  "dns-badvers": RCODE.badvers,
  "dns-notauth": RCODE.notauth,
};

/** All zones of a server. Of nested ones, the longest that holds a name answers for it. */
export class ZoneSet {
  readonly #counters: Counters;
  readonly #query: DnsQuery = newDnsQuery();
  readonly #writer = new AnswerWriter();
  /** What is signed for who gets no answer would cost more than that answer. */
  readonly #mayWork = ({ transport, source, sourceAt }: QueryPath, { mono }: Now): boolean =>
    transport === "tcp" || this.#budget.has(source, sourceAt, MAX_UDP_SIZE, mono);
  readonly #answers = new ZoneAnswers(this.#query, this.#writer, this.#mayWork);
  readonly #seed: number;
  readonly #tsig: TsigCheck;
  #budget: AnswerBudget;
  #zones = new ZoneIndex([]);

  /**
   * Makes a set without zones, which refuses everything.
   *
   * @param budget What a source may get over UDP beyond what it sends.
   * @param seed Random.
   * @param counters Told of every message: `dns-received` and one of the others of `dns-`, and
   *   besides that `dns-truncated`, `dns-limited` and those of `dns-tsig`.
   */
  constructor(budget: AnswerBudgetOptions, seed: number, counters: Counters) {
    this.#seed = seed;
    this.#counters = counters;
    this.#tsig = new TsigCheck(counters);
    this.#budget = new AnswerBudget(budget, seed);
  }

  /**
   * Replaces the zones, and the budget, of which nothing is spent then.
   *
   * @throws {SyntaxError} Where two zones have the same name.
   */
  configure(zones: readonly Zone[], budget: AnswerBudgetOptions): void {
    const names = new Set(zones.map(({ name }) => String.fromCharCode(...name)));
    if (names.size < zones.length) throw new SyntaxError("two DNS zones have the same name");
    this.#zones = new ZoneIndex(zones);
    this.#tsig.configure([...new Set(zones.flatMap(({ keys }) => keys))]);
    this.#answers.configure(this.#zones);
    this.#budget = new AnswerBudget(budget, this.#seed);
  }

  /**
   * Answers the message of `length` bytes at `at`. Makes nothing and keeps nothing.
   *
   * @param path Where it came from.
   * @param out Where the answer goes. May not be `message`.
   * @param room The most bytes that the answer may have at `outAt`: 282 or more. A question with a
   *   TSIG gets no answer where an empty one and its TSIG have no room, which 818 bytes are. What the
   *   transport doesn't carry is not used: over TCP more than 65535, over UDP more than 512 to 1232, by
   *   the client's EDNS, unless names are so long that nothing would be said.
   * @returns The size of the answer, or 0: none is to be sent.
   * @throws {RangeError} Where one of the buffers is smaller than said, or `room` too small.
   */
  answer(
    message: WireBuffer,
    at: number,
    length: number,
    path: QueryPath,
    now: Now,
    out: WireBuffer,
    outAt: number,
    room: number,
  ): number {
    const query = this.#query;
    const writer = this.#writer;
    const counters = this.#counters;
    counters.add("dns-received");
    const status = parseQuery(message, at, length, query);
    if (status === "short" || status === "response") {
      counters.add(status === "short" ? "dns-drop-short" : "dns-drop-response");
      return 0;
    }
    const tsig = this.#tsig;
    const isUdp = path.transport === "udp";
    const most = isUdp ? udpAnswerSize(query) : MAX_TCP_SIZE;
    const fault = tsig.check(query, message, at, length, now.unix);
    const tsigSize = tsig.size;
    const limit = Math.max(Math.min(room, most) - tsigSize, MIN_ANSWER_ROOM);
    writer.begin(query, message, out, outAt, room < MIN_ANSWER_ROOM ? room : limit);
    const outcome = fault ?? this.#decide(status, message, path, now);
    counters.add(outcome);
    const inZone = outcome === "dns-answered" || outcome === "dns-nodata" ||
      outcome === "dns-nxdomain";
    const size = writer.finish(query, this.#rcodeOf(outcome), inZone);
    const whole = size + tsigSize;
    if (whole > room) return 0;
    if (isUdp && !this.#budget.spend(path.source, path.sourceAt, whole - length, now.mono)) {
      counters.add("dns-limited");
      return this.#finishLimited(length, out, outAt, now, inZone);
    }
    if (writer.isTruncated) counters.add("dns-truncated");
    return tsigSize === 0 ? size : tsig.append(out, outAt, size, now.unix);
  }

  /** Says nothing but what was in the question: nothing is won by forging that. */
  #finishLimited(
    length: number,
    out: WireBuffer,
    outAt: number,
    now: Now,
    inZone: boolean,
  ): number {
    const tsig = this.#tsig;
    this.#writer.truncate();
    const size = this.#writer.finish(this.#query, RCODE.noerror, inZone);
    if (!tsig.signs) return size;
    // It could be longer where the question's key has its name in a pointer, or the time is said.
    return size + tsig.size > length ? 0 : tsig.append(out, outAt, size, now.unix);
  }

  #decide(
    status: Exclude<QueryStatus, "short" | "response">,
    message: WireBuffer,
    path: QueryPath,
    now: Now,
  ): Outcome {
    switch (status) {
      case "formerr":
        return "dns-formerr";
      case "notimp":
        return "dns-notimp";
      case "badvers":
        return "dns-badvers";
      case "query":
        return this.#refusalOf(this.#query) ?? this.#ask(message, path, now);
    }
  }

  /** Of a name that doesn't exist the signed answer says that, and not all read it from the RCODE. */
  #rcodeOf(outcome: Outcome): number {
    const isProved = outcome === "dns-nxdomain" && this.#writer.isCovered;
    return isProved && !this.#query.compactOk ? RCODE.noerror : RCODES[outcome];
  }

  /** What speaks against a question whatever its name. */
  #refusalOf({ class: klass, type }: DnsQuery): Outcome | undefined {
    if (klass !== CLASS_IN) return "dns-refused";
    switch (type) {
      case TYPE.any:
        return undefined;
      case TYPE.axfr:
      case TYPE.ixfr:
        return "dns-refused";
      case TYPE.maila:
      case TYPE.mailb:
        return "dns-notimp";
      default: {
        const isMeta = type === TYPE_OPT || (type >= FIRST_META_TYPE && type <= LAST_META_TYPE);
        return isMeta ? "dns-formerr" : undefined;
      }
    }
  }

  #ask(message: WireBuffer, path: QueryPath, now: Now): Outcome {
    const zone = this.#zones.find(this.#query, message);
    if (zone === undefined) return "dns-refused";
    const signedWith = this.#tsig.key;
    const key = signedWith === undefined ? undefined : zone.ownKey(signedWith);
    if (!zone.admits(path.source, path.sourceAt, key)) return "dns-refused";
    const view = zone.viewOf(path, key);
    if (view === undefined) return "dns-refused";
    return this.#answers.answer(zone, view, message, path, now);
  }
}

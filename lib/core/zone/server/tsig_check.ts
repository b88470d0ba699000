/**
 * Checks the TSIG of questions (RFC 8945, section 5.2), and signs what they are answered with.
 *
 * | the question's TSIG                        | the answer                                      |
 * | ------------------------------------------ | ----------------------------------------------- |
 * | none                                       | has none                                        |
 * | malformed; a MAC of under 16 or over 32    | FORMERR, without one                            |
 * | of a key or an algorithm that isn't known  | NOTAUTH, with BADKEY and no MAC                 |
 * | whose MAC is wrong                         | NOTAUTH, with BADSIG and no MAC                 |
 * | signed at another time than now            | NOTAUTH, with BADTIME and the server's; signed  |
 * | whose MAC is cut short                     | NOTAUTH, with BADTRUNC; signed                  |
 * | right                                      | what there is to say, whatever it is; signed    |
 *
 * Replays are not looked for: a question changes nothing.
 *
 * @module
 */

import { MAC_SIZE } from "../../../wire/crypto/mac.ts";
import type { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import type { DnsQuery } from "../../../wire/dns/query.ts";
import {
  checkMessage,
  signMessage,
  TSIG_FUDGE,
  tsigErrorSize,
  type TsigKey,
  tsigSize,
  writeServerTime,
  writeTsigError,
} from "../../../wire/dns/tsig.ts";
import {
  isInTime,
  newTsigFields,
  readTsigRecord,
  SERVER_TIME_SIZE,
  TSIG_ERROR,
} from "../../../wire/dns/tsig_record.ts";
import type { CounterName, Counters } from "../../net/counters.ts";
import { NameIndex } from "./name_index.ts";

/** MACs may be cut down to half, and are refused then; what is shorter is malformed. */
const LEAST_MAC = MAC_SIZE / 2;

/** What is wrong with the TSIG of a question: the outcome of that question. */
export type TsigFault = "dns-formerr" | "dns-notauth";

/** One question after the other: checked, and its answer signed. */
export class TsigCheck {
  readonly #counters: Counters;
  readonly #tsig = newTsigFields();
  readonly #serverTime = new Uint8Array(SERVER_TIME_SIZE);
  /** By name: of a zone's group, each secret makes one with the same. */
  #keys = new NameIndex<readonly TsigKey[]>([]);
  // Of the question that is being answered:
  #message: WireBuffer | undefined;
  #key: TsigKey | undefined;
  #error: number = TSIG_ERROR.none;

  constructor(counters: Counters) {
    this.#counters = counters;
  }

  /** Replaces the keys. Several may have one name. */
  configure(keys: readonly TsigKey[]): void {
    const byName = new Map<string, TsigKey[]>();
    for (const key of keys) byName.set(key.text, [...byName.get(key.text) ?? [], key]);
    this.#keys = new NameIndex([...byName.values()].map((same) => [same[0]!.name, same] as const));
  }

  /**
   * Checks the TSIG of a question, if it has one.
   *
   * @param query What was read of the `length` bytes at `at`.
   * @param unix The time, in seconds.
   * @returns What is wrong with it.
   */
  check(
    query: DnsQuery,
    message: WireBuffer,
    at: number,
    length: number,
    unix: number,
  ): TsigFault | undefined {
    this.#message = this.#key = undefined;
    this.#error = TSIG_ERROR.none;
    if (query.tsigAt < 0) return undefined;
    const tsig = this.#tsig;
    if (!readTsigRecord(message, at, query.tsigAt, at + length, tsig)) return "dns-formerr";
    const keys = tsig.isSha256 ? this.#keys.find(tsig.name, 0, tsig.nameSize) : undefined;
    if (keys === undefined) return this.#refuse(message, "badkey");
    if (tsig.macSize < LEAST_MAC || tsig.macSize > MAC_SIZE) return "dns-formerr";
    for (const key of keys) {
      if (!checkMessage(key, message, at, length, tsig)) continue;
      this.#key = key;
      if (!isInTime(tsig, unix)) return this.#refuse(message, "badtime");
      if (tsig.macSize < MAC_SIZE) return this.#refuse(message, "badtrunc");
      this.#message = message;
      this.#counters.add("dns-tsig");
      return undefined;
    }
    return this.#refuse(message, "badsig");
  }

  /** The key that the question was signed with, if it was, and all of that is right. */
  get key(): TsigKey | undefined {
    return this.#error === TSIG_ERROR.none ? this.#key : undefined;
  }

  /** Whether the answer will be signed. */
  get signs(): boolean {
    return this.#key !== undefined;
  }

  /** How many bytes {@linkcode append} adds to the answer. */
  get size(): number {
    if (this.#message === undefined) return 0;
    if (this.#key === undefined) return tsigErrorSize(this.#tsig);
    return tsigSize(this.#key, this.#other?.length);
  }

  /**
   * Appends the TSIG to the answer of `length` bytes at `at`, if there is to be one.
   *
   * @param unix The time that was said to {@linkcode check}.
   * @returns How long it is then.
   */
  append(out: WireBuffer, at: number, length: number, unix: number): number {
    const message = this.#message;
    const tsig = this.#tsig;
    const error = this.#error;
    if (message === undefined) return length;
    const key = this.#key;
    if (key === undefined) return writeTsigError(tsig, message, out, at, length, unix, error);
    const isWhole = tsig.macSize === MAC_SIZE;
    const mac = isWhole ? tsig.mac : message.bytes.subarray(tsig.macAt, tsig.macAt + tsig.macSize);
    const isLate = error === TSIG_ERROR.badtime;
    if (isLate) writeServerTime(unix, this.#serverTime);
    // The client's time, or it would refuse what says that this differs.
    const time = isLate ? tsig.time : unix;
    return signMessage(key, out, at, length, time, TSIG_FUDGE, mac, error, this.#other);
  }

  get #other(): Uint8Array | undefined {
    return this.#error === TSIG_ERROR.badtime ? this.#serverTime : undefined;
  }

  #refuse(message: WireBuffer, why: Exclude<keyof typeof TSIG_ERROR, "none">): TsigFault {
    const counter: CounterName = `dns-tsig-${why}`;
    this.#counters.add(counter);
    this.#message = message;
    this.#error = TSIG_ERROR[why];
    return "dns-notauth";
  }
}
